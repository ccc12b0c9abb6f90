//! Receipts, counts and partitions as text and JSON.

use std::path::Path;

use atomic_arrow::receipt::{Note, Totals};
use atomic_arrow::{Partition, Receipt};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value};

use crate::exit::message;
use crate::output::Output;

/// How the user wants a commit to be told.
pub(crate) struct Shown<'a> {
    pub(crate) root: &'a Path,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

impl Shown<'_> {
    /// Prints the notes on a commit on standard error.
    pub(crate) fn notes(&self, notes: &[Note]) {
        for note in notes {
            if !self.quiet {
                message(format_args!("note: {}: {note}", self.root.display()));
            }
        }
    }

    /// Prints what was committed. `how` is how it was, or nothing if an earlier write of the same name did it.
    pub(crate) fn answer(&self, output: &mut Output, receipt: &Receipt, how: Option<String>) {
        match (receipt.missing_files().len(), receipt.files().len()) {
            (0, _) => {}
            (missing, all) if missing == all => message(
                "warning: none of the files that the write of this name published is there any more; \
                 --rewrite-missing writes them again",
            ),
            (missing, all) => message(format_args!(
                "warning: {missing} of the {all} files that the write of this name published are not there \
                 any more"
            )),
        }
        if self.json {
            if how.is_none() {
                message("already committed: this is the receipt of the earlier write of this name");
            }
            match receipt.to_json() {
                Ok(json) => output.line(json),
                Err(error) => message(format_args!("no receipt can be printed: {error}")),
            }
        } else if !self.quiet && (!receipt.files().is_empty() || receipt.totals().removed > 0) {
            if self.verbose {
                self.name_files(output, receipt);
            }
            let how = match (how, receipt.totals().removed) {
                (None, _) => "already committed".to_owned(),
                (Some(how), 0) => how,
                (Some(how), removed) => format!("{how}, {} removed", plural(removed, "file")),
            };
            let (root, summary) = (self.root.display(), summary(receipt.totals()));
            output.line(format_args!("{root}: {summary}, {how}"));
            if let Some(metrics) = receipt.metrics().filter(|_| self.verbose) {
                output.line(format_args!("time: {metrics}"));
            }
        }
    }

    /// Prints the lines of `--verbose`.
    fn name_files(&self, output: &mut Output, receipt: &Receipt) {
        let mut files: Vec<_> = receipt.files().iter().collect();
        files.sort_by_key(|file| file.path());
        for file in files {
            let (path, rows) = (self.root.join(file.path()), plural(file.rows(), "row"));
            let bytes = HumanBytes(file.bytes());
            output.line(format_args!("{}: {rows}, {bytes}", path.display()));
        }
        for path in receipt.removed() {
            output.line(format_args!("{}: removed", self.root.join(path).display()));
        }
    }
}

/// A short text on what was published or staged.
pub(crate) fn summary(totals: Totals) -> String {
    format!(
        "{} in {} of {}, {}",
        plural(totals.rows, "row"),
        plural(totals.files, "file"),
        plural(totals.partitions, "partition"),
        HumanBytes(totals.bytes),
    )
}

/// An object of the keys, each with its value's text or null.
pub(crate) fn partition_json(partition: &Partition) -> Value {
    let value = |value: &atomic_arrow::PartitionValue| match value.is_null() {
        true => Value::Null,
        false => value.to_string().into(),
    };
    partition
        .iter()
        .map(|(key, v)| (key.to_owned(), value(v)))
        .collect::<Map<_, _>>()
        .into()
}

/// A count and what is counted, such as `1 file` and `1,000 files`.
pub(crate) fn plural(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", HumanCount(count))
}
