//! Progress on standard error, where that is a terminal.

use std::time::Duration;

use atomic_arrow::ScanProgress;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::log;
use crate::receipt::plural;

/// A bar, or nothing where nobody would see it. It vanishes when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Bytes read, of a total that may be unknown.
    pub(crate) fn bytes(shown: bool, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{bar:30} {bytes} of {total_bytes}, {eta} left  {msg}",
            None => "{spinner} {bytes}  {msg}",
        };
        Self::new(shown, total, template)
    }

    fn new(shown: bool, total: Option<u64>, template: &str) -> Self {
        // It hides itself where standard error is no terminal, and gives way to lines of what is done.
        let target = if shown && !log::is_on() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        set_template(&bar, template);
        if !bar.is_hidden() {
            bar.tick();
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress(bar)
    }

    pub(crate) fn set(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Progress of `write`: bytes and rows read, then rows and files finished.
pub(crate) struct WriteProgress(Progress);

impl WriteProgress {
    /// Begins with bytes read, of a total that may be unknown.
    pub(crate) fn reading(shown: bool, total: Option<u64>) -> Self {
        WriteProgress(Progress::bytes(shown, total))
    }

    /// The callback by which the library tells of rows and files.
    pub(crate) fn listener(&self) -> impl Fn(atomic_arrow::Progress) + Send + Sync + 'static {
        let bar = self.0.0.clone();
        move |progress| {
            let files = progress.files_finished;
            if files == 0 {
                bar.set_message(plural(progress.rows, "row"));
            } else {
                bar.set_position(progress.rows_finished);
                bar.set_message(plural(files, "file"));
            }
        }
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.0.set(bytes);
    }

    /// Shows the rows in finished files from now on, out of the `rows` that were read.
    pub(crate) fn encoding(&self, rows: u64) {
        let bar = &self.0.0;
        set_template(
            bar,
            "{bar:30} {human_pos} of {human_len} rows written  {msg}",
        );
        bar.update(|state| {
            state.set_pos(0);
            state.set_len(rows);
        });
        bar.set_message(plural(0, "file"));
    }
}

/// Progress of those who look at what is there: what they have looked at, of a total that is unknown.
pub(crate) struct ScanBar(Progress);

impl ScanBar {
    /// Begins; `what` is looked at, in the plural.
    pub(crate) fn new(shown: bool, what: &str) -> Self {
        let template = format!("{{spinner}} {{human_pos}} {what}  {{msg}}");
        ScanBar(Progress::new(shown, None, &template))
    }

    /// The callback by which the library tells how far it has come, beyond the files and bytes `before`.
    pub(crate) fn listener(
        &self,
        before: (u64, u64),
    ) -> impl Fn(ScanProgress) + Send + Sync + 'static {
        let bar = self.0.0.clone();
        move |progress| {
            let (files, bytes) = (before.0 + progress.files, before.1 + progress.bytes);
            bar.set_position(files);
            if bytes > 0 {
                bar.set_message(HumanBytes(bytes).to_string());
            }
        }
    }

    /// Lets something else write to the terminal.
    pub(crate) fn suspend(&self, write: impl FnOnce()) {
        self.0.0.suspend(write);
    }
}

fn set_template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_stands_where_the_library_has_come_to_over_several_paths() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("rows.parquet"), b"PAR1").unwrap();
        let bar = ScanBar::new(false, "files");
        for before in 0..2 {
            let options = atomic_arrow::verify::VerifyOptions::new();
            let options = options.on_progress(bar.listener((before, before * 4)));
            let path = directory.path();
            atomic_arrow::verify::verify_path_with_options(path, &options, |_| Ok(())).unwrap();
            assert_eq!(bar.0.0.position(), before + 1);
            assert_eq!(bar.0.0.message(), format!("{} B", (before + 1) * 4));
        }
    }
}
