//! [`ErrorKind`]: classes of errors, by what a caller does about them.

use std::fmt;
use std::io;

use super::Error;

/// Class of an [`Error`], by what a caller does about it.
///
/// ```
/// use atomic_arrow::{AtomicFile, ErrorKind};
/// # let lake = tempfile::tempdir()?;
/// # let path = lake.path().join("prices.json");
///
/// AtomicFile::create(&path)?.commit()?;
/// let error = AtomicFile::create(&path).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Conflict);
/// assert!(error.is_conflict() && !error.is_retryable());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A path, an option or a partition key cannot be used: ask for something else.
    InvalidInput,
    /// Rows do not fit the schema, the partition or the format: change the rows.
    InvalidData,
    /// An earlier write of the same writer failed: begin again with a new writer.
    Poisoned,
    /// The caller asked to give up.
    Interrupted,
    /// The system refused a call. The cause says why, as a full disk or a missing permission.
    System,
    /// The staged file is not what was written: the disk, its driver or the memory is at fault.
    Damaged,
    /// What is there, or was committed meanwhile, stands against the write: look at it first.
    Conflict,
    /// Another process took this writer for dead, or removed what it had staged: repeat the write.
    Aborted,
    /// The unfinished commit of another writer is in the way: [`recover`](crate::recover) first.
    Blocked,
    /// A record or directory in the staging area cannot be read or trusted: somebody has to look at it.
    Distrusted,
    /// What was to be written is published, or may be: [`Error::outcome`] says which, and
    /// [`Outcome`](crate::Outcome) what to do.
    MaybePublished,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::InvalidInput => "invalid input",
            ErrorKind::InvalidData => "invalid data",
            ErrorKind::Poisoned => "poisoned",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::System => "system",
            ErrorKind::Damaged => "damaged",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Aborted => "aborted",
            ErrorKind::Blocked => "blocked",
            ErrorKind::Distrusted => "distrusted",
            ErrorKind::MaybePublished => "maybe published",
        })
    }
}

impl Error {
    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Partition(_) | Error::InvalidPath { .. } | Error::InvalidOption { .. } => {
                ErrorKind::InvalidInput
            }
            Error::SchemaMismatch { .. }
            | Error::StrayRow { .. }
            | Error::Encode { .. }
            | Error::Source { .. }
            | Error::Receipt { .. } => ErrorKind::InvalidData,
            Error::Poisoned { .. } => ErrorKind::Poisoned,
            Error::Interrupted { .. } => ErrorKind::Interrupted,
            Error::Io { .. } | Error::Read { .. } | Error::NotRemoved { .. } => ErrorKind::System,
            Error::Damaged { .. } => ErrorKind::Damaged,
            Error::AlreadyExists { .. }
            | Error::Conflict { .. }
            | Error::Incompatible { .. }
            | Error::AlreadyCommitted { .. }
            | Error::JobClosed { .. } => ErrorKind::Conflict,
            Error::Aborted { .. } | Error::StagingLost { .. } | Error::StagedWriteGone { .. } => {
                ErrorKind::Aborted
            }
            Error::Blocked { .. } | Error::OutOfReach { .. } => ErrorKind::Blocked,
            Error::InvalidDecision { .. }
            | Error::Distrusted { .. }
            | Error::ControlDistrusted { .. }
            | Error::SetAside { .. } => ErrorKind::Distrusted,
            Error::NotDurable { .. }
            | Error::Unknown { .. }
            | Error::Unfinished { .. }
            | Error::FilesLost { .. } => ErrorKind::MaybePublished,
        }
    }

    /// Whether what is at the final path, or what others have committed, stands against the write. Repeating it
    /// does not help: the caller has to look at what is there, or ask for another mode.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }

    /// Whether the same write, repeated from its first row by a new writer, may succeed with nothing else changed.
    ///
    /// Nothing was published where this is true, so that a repetition writes no row twice. After an
    /// [outcome](Error::outcome) that is [unknown](crate::Outcome::Unknown) repeat the write with the same
    /// [`write_id`](crate::DatasetWriterBuilder::write_id).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Aborted { .. } | Error::StagingLost { .. } => true,
            Error::Io { source, .. } | Error::Read { source, .. } => passes(source),
            Error::Blocked { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}

/// Whether the reason of a system error is one that passes by itself.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
    )
}
