//! [`SyncPolicy`]: whether many files and directories are synced one by one, or with their file system.

use super::parse::{names, serialized_by_name};

/// From this number on, one sync of the file system is faster than a sync of each.
const MANY: usize = 64;

/// How many files are synced, and the directories into which they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// From 64 partitions on [`FileSystem`](SyncPolicy::FileSystem), where the file system reports failures
    /// of that (Linux 5.8 with ext4, XFS, Btrfs, F2FS or tmpfs; of directories Linux 5.17), else each. The default.
    #[default]
    Auto,
    /// Each file and directory by itself, files in the background.
    EachFile,
    /// The file system as a whole, once after the last file and once after the last name: also what others have written
    /// there. Each by itself where the system has no such call or does not report its failures, and files
    /// with [`Verify::Checksum`](crate::Verify::Checksum) and above, which read synced files.
    FileSystem,
}

serialized_by_name!(SyncPolicy);
names!(SyncPolicy {
    Auto => "auto",
    EachFile => "each_file",
    FileSystem => "file_system",
});

impl SyncPolicy {
    /// Whether so many files or directories are synced with their file system, where that can be done.
    pub(crate) fn is_together(self, count: usize) -> bool {
        match self {
            SyncPolicy::Auto => count >= MANY,
            SyncPolicy::EachFile => false,
            SyncPolicy::FileSystem => count > 0,
        }
    }
}
