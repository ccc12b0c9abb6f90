//! What a data-set commit does with what is there.

/// What a data-set commit does with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CommitMode {
    /// Adds files, under names that nobody else has. Never conflicts. The default.
    #[default]
    Append,
    /// Adds files, but only to partitions that have none.
    ErrorIfExists,
    /// Replaces the files of the partitions that the write has rows of, and leaves the others. A write
    /// without rows replaces nothing.
    OverwritePartitions,
    /// Replaces the whole data set. A write without rows leaves it empty: the old files are removed one
    /// by one, all of them also after a crash in the middle.
    Overwrite,
}
