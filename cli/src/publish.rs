//! Publishing the staged files of one `write`, one after the other, and the account of it.
//!
//! Promise P5: whatever comes between, every file is listed as what it is on disk.

use std::path::PathBuf;

use atomic_arrow::Outcome;

use crate::exit::{Exit, Failure};
use crate::fan_out::Staged;
use crate::output::message;
use crate::progress::Progress;
use crate::receipt::Row;
use crate::signal::Interrupt;

/// What became of the staged files.
#[derive(Debug, Default)]
pub(crate) struct Publication {
    /// Published, whole and as durable as was asked for.
    pub(crate) published: Vec<Row>,
    /// Published but maybe not durable, or not known whether published.
    pub(crate) doubtful: Vec<(PathBuf, Outcome)>,
    /// Discarded, because of what came before them.
    pub(crate) discarded: Vec<PathBuf>,
    /// What ended the publishing before its end.
    pub(crate) failure: Option<Failure>,
}

/// Publishes files in their order, up to the first that fails or a signal; the rest is discarded.
pub(crate) fn publish(staged: Vec<Staged>, interrupt: &Interrupt, shown: bool) -> Publication {
    let progress = Progress::files(shown, Some(staged.len() as u64));
    progress.say("publishing");
    let mut publication = Publication::default();
    for Staged { partition, file } in staged {
        if publication.failure.is_none() && interrupt.is_raised() {
            publication.failure = Some(Failure::interrupted());
        }
        let path = file.path().to_owned();
        if publication.failure.is_some() {
            publication.discarded.push(path);
            continue;
        }
        match file.publish() {
            Ok(file) => publication.published.push(Row::new(partition, &file)),
            Err(error) => {
                match error.outcome() {
                    Outcome::NotPublished => publication.discarded.push(path),
                    outcome => publication.doubtful.push((path, outcome)),
                }
                publication.failure = Some(error.into());
            }
        }
        progress.advance();
    }
    publication.settle()
}

impl Publication {
    /// Once something is published, a failure is one in part.
    fn settle(mut self) -> Self {
        if !self.published.is_empty() || !self.doubtful.is_empty() {
            self.failure = self.failure.map(|failure| failure.in_part());
        }
        self
    }

    /// Says on standard error what became of every file, where it was not all published.
    pub(crate) fn explain(&self) {
        if self
            .failure
            .as_ref()
            .is_none_or(|failure| failure.exit() != Exit::Partial)
        {
            return;
        }
        for row in &self.published {
            message(format_args!("published: {}", row.path.display()));
        }
        for (path, outcome) in &self.doubtful {
            message(format_args!("{outcome}: {}", path.display()));
        }
        for path in &self.discarded {
            message(format_args!("not published: {}", path.display()));
        }
    }
}
