//! [`CommitMode`]: what a data-set commit does with existing files.

use serde::{Deserialize, Serialize};

use crate::options::parse::names;

/// What a data-set commit does with existing files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CommitMode {
    /// Adds files, under names that nobody else has. Never conflicts. The default.
    #[default]
    Append,
    /// Adds files, but only to partitions that have none: no file of any name, at any depth below their
    /// directories.
    ErrorIfExists,
    /// Adds files, but only to a data set that has none: no file of any name, at any depth below the root,
    /// whatever partitions the write has rows of. Of several writers at one root, one wins.
    ErrorIfAnyExists,
    /// Adds files to a data set that has none, and writes nothing where it has some. That is no error: the receipt
    /// has no files then, and a [note](super::Note::Ignored). Files whose name, or that of a directory above them,
    /// begins with `_` or `.` do not count, since readers pass them over. Of several writers at one root, one
    /// writes. A write that is ignored does not keep its [name](crate::DatasetWriterBuilder::write_id).
    Ignore,
    /// Replaces the directories of the partitions that the write has rows of, with **everything** that is
    /// in them at any depth, whatever its name, and leaves the others. Without partition keys that is the
    /// root. A write without rows replaces nothing. A new directory has the group and the permissions of
    /// the one that it replaces, as far as the user may give them.
    OverwritePartitions,
    /// Replaces the whole data set: the root with everything in it. The new root has the group and the
    /// permissions of the old one, as far as the user may give them; directories and files in it have
    /// those of new ones. A write without rows leaves it empty: the old files are removed one by one,
    /// all of them also after a crash in the middle.
    Overwrite,
}

names!(CommitMode {
    Append => "append",
    ErrorIfExists => "error_if_exists",
    ErrorIfAnyExists => "error_if_any_exists",
    Ignore => "ignore",
    OverwritePartitions => "overwrite_partitions",
    Overwrite => "overwrite",
});
