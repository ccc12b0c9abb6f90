//! The steps of the protocol, which are also its documentation.

use std::fmt;

/// One step of the protocol that brings a file to its final path, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Create the staging file, exclusively, and take its lock.
    CreateStaging,
    /// Encode rows, or take bytes, into the staging file.
    WriteRows,
    /// Write what ends the file: for Parquet its footer.
    WriteFooter,
    /// Sync the staging file to the medium, once.
    SyncFile,
    /// Re-open the staging file by name and check it.
    Verify,
    /// Record, of several files, that all of them are committed.
    Decide,
    /// Create the missing directories of the final path and sync the parent of each.
    CreateDirectory,
    /// Rename the staging file to its final path.
    Publish,
    /// Sync the directory that now holds the file.
    SyncDirectory,
}

impl Step {
    /// Every step, in order.
    pub const ALL: &[Step] = &[
        Step::CreateStaging,
        Step::WriteRows,
        Step::WriteFooter,
        Step::SyncFile,
        Step::Verify,
        Step::Decide,
        Step::CreateDirectory,
        Step::Publish,
        Step::SyncDirectory,
    ];

    /// The name of the step: that of its variant.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Step::CreateStaging => "CreateStaging",
            Step::WriteRows => "WriteRows",
            Step::WriteFooter => "WriteFooter",
            Step::SyncFile => "SyncFile",
            Step::Verify => "Verify",
            Step::Decide => "Decide",
            Step::CreateDirectory => "CreateDirectory",
            Step::Publish => "Publish",
            Step::SyncDirectory => "SyncDirectory",
        }
    }

    /// What the step does, in one line.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Step::CreateStaging => {
                "create a staging file that nobody else has, lock it, and see that its name still stands"
            }
            Step::WriteRows => "encode the rows into it; the first error poisons the writer",
            Step::WriteFooter => "end the file and keep the metadata that was written",
            Step::SyncFile => "fsync once, on the descriptor that wrote; never retried",
            Step::Verify => "re-open it by name and compare it with what was written",
            Step::Decide => {
                "data sets only: record durably that all files of the write are committed, unless somebody aborted them"
            }
            Step::CreateDirectory => {
                "make the missing directories of the final path, and fsync the parent of each"
            }
            Step::Publish => {
                "rename it to the final path, refusing to replace a file unless asked to"
            }
            Step::SyncDirectory => "fsync the directory that now holds the file",
        }
    }

    /// What a reader finds at the final path if the step fails, or the machine dies in it.
    #[must_use]
    pub fn if_it_fails(self) -> &'static str {
        match self {
            Step::CreateStaging
            | Step::WriteRows
            | Step::WriteFooter
            | Step::SyncFile
            | Step::Verify => "what was there before",
            Step::Decide => {
                "what was there before; or, once it is recorded, all the new files, which recovery then publishes"
            }
            Step::CreateDirectory => {
                "what was there before, and at most empty directories on the way"
            }
            Step::Publish => "what was there before, or the whole new file",
            Step::SyncDirectory => {
                "the whole new file; a power cut may still bring back what was there before"
            }
        }
    }

    /// The table of all steps as Markdown, as it stands on the crate's front page and in docs/guarantees.md.
    #[doc(hidden)]
    #[must_use]
    pub fn table() -> String {
        let mut table = String::from(
            "| step | what happens | at the final path if it fails, or the machine dies in it |\n|---|---|---|\n",
        );
        for step in Step::ALL {
            table.push_str(&format!(
                "| `{}` | {} | {} |\n",
                step.name(),
                step.what(),
                step.if_it_fails()
            ));
        }
        table
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
