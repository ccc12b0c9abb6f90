//! Errors: what went wrong, in which step, and what is on disk afterwards (promise P5).
//!
//! [`Step`] names the lines of the protocol, [`Outcome`] says what a reader may find, [`ErrorKind`] what
//! a caller does about it, and [`Error`] carries all three. Damage found in a file has its own type, [`Damage`](crate::verify::Damage).

mod foreign;
mod kind;
mod step;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::damage::Damage;
use crate::partition::PartitionError;
use crate::refused::at;
use crate::remedy::Remedy;

pub use kind::ErrorKind;
pub use step::Step;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error left at the final path, and what the caller does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The final path holds what it held before: nothing, or the old file. The write can be repeated from its
    /// first row, once what the error says is seen to.
    NotPublished,
    /// The final path holds the complete, verified new file, but a power cut may still undo it. Readers see it.
    /// To have it durable as well, write it again, replacing it, once the disk is sound.
    PublishedNotDurable,
    /// It could not be told whether the file was published; if it was, it is complete. Of a data set, whether
    /// the write is committed: if it is, whoever opens the data set next for writing publishes all of it, and
    /// else nothing.
    ///
    /// Repeat the write with the same [`write_id`](crate::DatasetWriterBuilder::write_id): it is done once. A write
    /// without one, and a file by itself, is looked for at its path first.
    Unknown,
    /// Several files are committed, and some of them are not published yet: whoever opens the data
    /// set next for writing, and [`recover`](crate::recover), publishes the rest. Do not write the rows again.
    PublishedInPart,
    /// Several files are committed, and some of them were removed before they were published, so that nobody can
    /// publish them: what is published of the commit stays. Compare the data set with what was to be written.
    Lost,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::NotPublished => "not published",
            Outcome::PublishedNotDurable => "published, maybe not durable",
            Outcome::Unknown => "unknown whether published",
            Outcome::PublishedInPart => "published in part; recovery will finish",
            Outcome::Lost => "lost in part; nobody can publish the rest",
        })
    }
}

/// Why a file was not written, or not known to be durable.
///
/// The cause is in [`source`](StdError::source) and not repeated in the message.
/// [`outcome`](Error::outcome) says what is at the final path; unless a variant says otherwise,
/// the staging file has been removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A partition's key, value or column cannot be used; nothing was published. A data set's writer is
    /// poisoned if it came with rows.
    #[error(transparent)]
    Partition(#[from] PartitionError),

    /// A path given by the caller cannot be written to; nothing was published.
    #[error("{}: {reason}", path.display())]
    InvalidPath {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// Options that contradict each other or the schema; nothing was published.
    #[error("{option}: {reason}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// A batch does not have the schema that the writer was made with; the writer is poisoned.
    #[error(
        "{}: {}{}: expected {expected}, found {found}; {remedy}", path.display(), field_text(field), at(*row)
    )]
    SchemaMismatch {
        /// The final path.
        path: PathBuf,
        /// The first field that differs, as [`Refused`](crate::schema::Refused) names it; empty when the number of
        /// fields does.
        field: Box<str>,
        /// The row, counted from 0 over all rows given to this writer, where it is one value.
        row: Option<u64>,
        /// What the writer's schema says.
        expected: Box<str>,
        /// What the batch has.
        found: Box<str>,
        /// What can be done.
        remedy: &'static str,
    },

    /// A row carries another partition value than its file's; the writer is poisoned.
    #[error("{}: row {row} has {key}={found}, but the file belongs to {key}={expected}", path.display())]
    StrayRow {
        /// The final path.
        path: PathBuf,
        /// The row, counted from 0 over all rows given to this writer.
        row: u64,
        /// The partition key.
        key: String,
        /// The partition's value.
        expected: String,
        /// The row's value.
        found: String,
    },

    /// An earlier write failed, so rows are missing: the writer can only be discarded.
    #[error("{}: an earlier write failed, so this writer can only be discarded", path.display())]
    Poisoned {
        /// The final path.
        path: PathBuf,
    },

    /// Where the rows come from failed, so rows are missing: the writer is poisoned.
    #[error("{}: the rows could not be had", path.display())]
    Source {
        /// The final path, or the data set's root.
        path: PathBuf,
        /// What the source said.
        source: Box<dyn StdError + Send + Sync>,
    },

    /// The caller asked to give up, before anything was published.
    #[error("{}: interrupted before {step}", path.display())]
    Interrupted {
        /// The step that was not begun.
        step: Step,
        /// The final path, or the data set's root.
        path: PathBuf,
    },

    /// The format's encoder refused the rows (not the disk: that is [`Error::Io`]).
    #[error("{}: cannot encode ({step})", path.display())]
    Encode {
        /// [`Step::WriteRows`] or [`Step::WriteFooter`].
        step: Step,
        /// The final path.
        path: PathBuf,
        /// What the encoder said.
        source: Box<dyn StdError + Send + Sync>,
    },

    /// The system refused a step; nothing was published.
    #[error("{}: {step} failed", path.display())]
    Io {
        /// The step that failed.
        step: Step,
        /// The path that the system call named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The staging file is no longer there: another process took this writer for dead and swept it.
    #[error("{}: the staging file was removed by somebody else ({step})", path.display())]
    StagingLost {
        /// The step that missed it.
        step: Step,
        /// The staging file.
        path: PathBuf,
    },

    /// The staged file is not what was written; it was never visible.
    #[error("{}: the staged file failed verification", path.display())]
    Damaged {
        /// The final path, which was not touched.
        path: Box<Path>,
        /// What is wrong and where.
        #[source]
        damage: Damage,
    },

    /// The final path is taken, and replacing it was not asked for.
    #[error("{}: already exists", path.display())]
    AlreadyExists {
        /// The final path.
        path: PathBuf,
    },

    /// The file is published, complete and verified, but the sync of its directory failed.
    #[error("{}: published, but maybe not durable", path.display())]
    NotDurable {
        /// The final path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The rename failed in a way that does not tell whether it happened; if it did, the file is
    /// complete. The staging file was left for the sweep. Of a data set, the same of the record that commits
    /// it: recovery finds out, and publishes all of its files or none.
    #[error("{}: unknown whether published", path.display())]
    Unknown {
        /// [`Step::Publish`], or of a data set [`Step::Decide`].
        step: Step,
        /// The final path, or the data set's root.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A transaction was taken for dead and aborted by another process; nothing of it was published.
    #[error("{}: the transaction was aborted by somebody else", path.display())]
    Aborted {
        /// The transaction's directory.
        path: PathBuf,
    },

    /// A staged write that was to be committed is no longer there: somebody has committed or discarded
    /// it, or it was kept too long. Nothing was published by this commit.
    #[error("{}: is no longer staged: committed, discarded, or kept too long", path.display())]
    StagedWriteGone {
        /// Where it was staged.
        path: PathBuf,
    },

    /// What the write, or the [update](crate::FileUpdate) of a file, would replace was changed by somebody else since it
    /// began, or is there where nothing may be; nothing was published.
    #[error("{}: {reason}", path.display())]
    Conflict {
        /// The partition directory, the data set's root, or the file of an update.
        path: PathBuf,
        /// What is in the way.
        reason: &'static str,
    },

    /// Readers could not take what was to be written and what is beside it for one data set: it has other
    /// partition keys, another format, or a column whose type goes not together with the one there; nothing
    /// was published.
    #[error(
        "{}: {what} {given} in this write, but {there} in {}: readers of the data set would fail, or read \
         other values; write the same, or allow it with {}", path.display(), beside.display(), Remedy::NoSchemaCheck
    )]
    Incompatible {
        /// The data set's root.
        path: PathBuf,
        /// What differs, with a verb, as `column "temp" is`.
        what: Box<str>,
        /// What it is in this write.
        given: Box<str>,
        /// What it is there.
        there: Box<str>,
        /// A file of the data set, or the transaction of another part of the same commit.
        beside: Box<Path>,
    },

    /// A transaction is committed, but not all of its files could be published yet. Whoever opens the
    /// data set next for writing, and [`recover`](crate::recover), finishes it.
    #[error("{}: committed, but not all files are published yet{}", path.display(), author_text(*author))]
    Unfinished {
        /// The data set's root.
        path: PathBuf,
        /// The user whose commit it is, where that is not this one. Where permissions are in the way, he, the owner
        /// of the data set and root can finish it.
        author: Option<u32>,
        /// What is in the way.
        source: Box<Error>,
    },

    /// Files of a commit were removed or replaced in the staging area after it was decided, and before they
    /// were published. What is published of it stays, and nobody can publish the rest. If its record is still
    /// there, the commit keeps its directories from other writers until
    /// [`RecoverOptions::abort_unfinished`](crate::RecoverOptions::abort_unfinished) gives it up.
    #[error(
        "{}: {lost} of the {total} files of a commit were removed or replaced before they were published, among \
         them {}; {published} are published and stay; {}", path.display(), first.display(), lost_text(*recorded)
    )]
    FilesLost {
        /// The data set's root.
        path: PathBuf,
        /// The final path of the first file that is lost.
        first: PathBuf,
        /// How many files are lost.
        lost: u64,
        /// How many files are at their final paths.
        published: u64,
        /// How many files the commit has; those neither lost nor published are still staged.
        total: u64,
        /// Whether the record of the commit is still there.
        recorded: bool,
    },

    /// Another writer's commit into the same directories is not finished, and could not be finished now; nothing
    /// of this write was published. Writes to other directories are not kept from it.
    #[error(
        "{}: transaction {transaction} of another writer changes the same directories and is not finished: \
         `recover` finishes it once nothing is in its way, and {} gives it up", path.display(), Remedy::AbortUnfinished
    )]
    Blocked {
        /// The data set's root.
        path: PathBuf,
        /// The transaction.
        transaction: uuid::Uuid,
        /// What keeps it from being finished.
        source: Box<Error>,
    },

    /// Another writer's commit into the data set may be published in part, and it is staged where nobody
    /// sees it by this path, or as this user; nothing was published. Finished it is by
    /// [`recover`](crate::recover), or by the next write, where its staging area is seen: on the machine,
    /// by the path and as the user that it was begun. Where that cannot be any more,
    /// [`abort_unfinished`](crate::RecoverOptions::abort_unfinished) removes the marker that tells of it.
    #[error(
        "{}: transaction {transaction} of another writer is unfinished, and {} is not reached from here: \
         recover the data set where it is, or, if that cannot be any more, remove its marker {} by {}",
        path.display(), area_text(area.as_deref()), marker.display(), Remedy::AbortUnfinished
    )]
    OutOfReach {
        /// The data set's root.
        path: PathBuf,
        /// The transaction.
        transaction: uuid::Uuid,
        /// Its staging area, as the other writer saw it, if that is known.
        area: Option<PathBuf>,
        /// The marker in the control directory that tells of it.
        marker: PathBuf,
    },

    /// A write of this name was committed by another path to the data set, or by another user, and its
    /// receipt is not seen from here; nothing was published by this one.
    #[error(
        "{}: the write {write_id:?} is committed already, and its receipt in {} is not reached from here",
        path.display(), area_text(area.as_deref())
    )]
    AlreadyCommitted {
        /// The data set's root.
        path: PathBuf,
        /// The write's name.
        write_id: String,
        /// The staging area with the receipt, as the other writer saw it, if that is known.
        area: Option<PathBuf>,
    },

    /// The job is [committed or discarded](crate::StagedWrites::job): what is staged for it now came too late, and nothing of
    /// it was published or is left.
    #[error(
        "{}: the job {job:?}{} is closed, since it was committed or discarded: repeat its commit for the receipt, and give new work another \
         name",
        path.display(), number_text(*sequence)
    )]
    JobClosed {
        /// The data set's root.
        path: PathBuf,
        /// The job.
        job: String,
        /// Its number, where the name is that of a stream of jobs. It is closed too once a later one is.
        sequence: Option<u64>,
    },

    /// What the commit did cannot be in a receipt, as the sum of its rows is beyond 2^63; nothing was published.
    /// Or a text that was to be read as a receipt is none.
    #[error("there can be no such receipt")]
    Receipt {
        /// What cannot be in it.
        source: Box<dyn StdError + Send + Sync>,
    },

    /// A record in the staging area is not one that this version wrote. It was not acted upon.
    #[error("{}: {reason}", path.display())]
    InvalidDecision {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A record in the staging area, or its directory, belongs to a user who may not do himself what it says,
    /// as far as that can be known. It is not carried out. Who trusts it makes it his own (`chown`), or
    /// lets that user, or the data set's owner, see to it.
    #[error(
        "{}: user {user}, to whom it belongs, may not change {}, so that it is not acted upon: \
         remove it, or change its owner if you trust it", path.display(), target.display()
    )]
    Distrusted {
        /// The record, or the directory that it is in.
        path: PathBuf,
        /// The user's number.
        user: u32,
        /// What the user may not change.
        target: PathBuf,
    },

    /// Users who may not write in the data set can change its control directory or lock what is in it, and so
    /// keep its writers out; it could not be replaced, and nothing was published.
    #[error(
        "{}: users who may not write in the data set can change it or lock what is in it, and {reason}", path.display()
    )]
    ControlDistrusted {
        /// The control directory.
        path: PathBuf,
        /// Why it was not replaced, and what can be done.
        reason: &'static str,
        /// What the system said, where it was that.
        source: Option<io::Error>,
    },

    /// A transaction of a dead writer was set aside in the staging area, since its record cannot be read or
    /// trusted: it is neither carried out nor removed, and keeps nobody from writing. What it had published
    /// stays published, and its other files stay in its directory until somebody removes that. To have it
    /// carried out after all, take away what is wrong, and `.aside` from the name of the directory; rows
    /// that others have written since are lost then if it replaces their partitions.
    ///
    /// Or a control directory was replaced that users could change who may not write in the data set
    /// ([`Error::ControlDistrusted`]), and what they had put there is still in it.
    #[error(
        "{}: was set aside, and may be part of a commit: look at it, and remove it", path.display()
    )]
    SetAside {
        /// The transaction's directory, under its new name.
        path: PathBuf,
        /// What is wrong with its record; `None` if that can be read and trusted by now.
        source: Option<Box<Error>>,
    },

    /// Something that is no part of the data set any more could not be removed: what is left of a transaction, or a
    /// file that a commit has replaced. All that was committed is published. [`recover`](crate::recover) tries
    /// again, and says so until it is gone.
    #[error("{}: a leftover cannot be removed; with that out of the way, `recover` removes it", path.display())]
    NotRemoved {
        /// What is to be removed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A file or directory could not be read by [`verify`](crate::verify)
    /// or [`recover`](crate::recover); nothing was changed by it.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The path that the system call named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn field_text(field: &str) -> String {
    if field.is_empty() {
        "number of columns".to_owned()
    } else {
        format!("column {field:?}")
    }
}

fn author_text(author: Option<u32>) -> String {
    match author {
        Some(user) => {
            format!(
                " (it is user {user}'s: that user, the owner of the data set and root can finish it)"
            )
        }
        None => String::new(),
    }
}

/// The number of a job in a stream, as it follows the name.
fn number_text(sequence: Option<u64>) -> String {
    sequence.map_or_else(String::new, |sequence| format!(", number {sequence},"))
}

fn area_text(area: Option<&Path>) -> String {
    match area {
        Some(area) => format!("the staging area {}", area.display()),
        None => "its staging area".to_owned(),
    }
}

fn lost_text(recorded: bool) -> String {
    match recorded {
        true => format!(
            "nobody can finish it, and {} gives up the rest",
            Remedy::AbortUnfinished
        ),
        false => "nothing of it is left to recover: write what is missing again".to_owned(),
    }
}

impl Error {
    /// An error of the encoder, [`Error::Encode`], with the causes that only wrap others taken off.
    pub(crate) fn encode(
        step: Step,
        path: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error::Encode {
            step,
            path: path.to_owned(),
            source: unwrapped(source.into()),
        }
    }

    /// Whether the error says that a record cannot be read or trusted, which a second look will not change.
    pub(crate) fn is_about_record(&self) -> bool {
        match self {
            Error::InvalidDecision { .. } | Error::Distrusted { .. } => true,
            Error::Read { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            _ => false,
        }
    }

    /// What is at the final path now.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Error::NotDurable { .. } => Outcome::PublishedNotDurable,
            Error::Unknown { .. } => Outcome::Unknown,
            Error::Unfinished { .. } => Outcome::PublishedInPart,
            // Nothing is there, and nothing will be.
            Error::FilesLost {
                published: 0,
                recorded: false,
                ..
            } => Outcome::NotPublished,
            Error::FilesLost { .. } => Outcome::Lost,
            Error::Partition(_)
            | Error::InvalidPath { .. }
            | Error::InvalidOption { .. }
            | Error::Read { .. }
            | Error::SchemaMismatch { .. }
            | Error::StrayRow { .. }
            | Error::Poisoned { .. }
            | Error::Source { .. }
            | Error::Receipt { .. }
            | Error::Encode { .. }
            | Error::Io { .. }
            | Error::Interrupted { .. }
            | Error::StagingLost { .. }
            | Error::Damaged { .. }
            | Error::Aborted { .. }
            | Error::StagedWriteGone { .. }
            | Error::Conflict { .. }
            | Error::Blocked { .. }
            | Error::Incompatible { .. }
            | Error::OutOfReach { .. }
            | Error::AlreadyCommitted { .. }
            | Error::JobClosed { .. }
            | Error::InvalidDecision { .. }
            | Error::Distrusted { .. }
            | Error::ControlDistrusted { .. }
            | Error::SetAside { .. }
            | Error::NotRemoved { .. }
            | Error::AlreadyExists { .. } => Outcome::NotPublished,
        }
    }

    /// The step that failed; `None` where the error came before the first step, or from reading.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        match self {
            Error::Partition(_)
            | Error::InvalidPath { .. }
            | Error::InvalidOption { .. }
            | Error::Receipt { .. }
            | Error::NotRemoved { .. }
            | Error::Read { .. } => None,
            Error::SchemaMismatch { .. }
            | Error::StrayRow { .. }
            | Error::Poisoned { .. }
            | Error::Source { .. } => Some(Step::WriteRows),
            Error::Encode { step, .. }
            | Error::Io { step, .. }
            | Error::Interrupted { step, .. }
            | Error::StagingLost { step, .. }
            | Error::Unknown { step, .. } => Some(*step),
            Error::Damaged { .. } => Some(Step::Verify),
            Error::Aborted { .. }
            | Error::StagedWriteGone { .. }
            | Error::Conflict { .. }
            | Error::Blocked { .. }
            | Error::Incompatible { .. }
            | Error::OutOfReach { .. }
            | Error::ControlDistrusted { .. }
            | Error::AlreadyCommitted { .. }
            | Error::JobClosed { .. } => Some(Step::Decide),
            Error::Unfinished { source, .. } => source.step(),
            Error::InvalidDecision { .. } | Error::Distrusted { .. } | Error::SetAside { .. } => {
                None
            }
            Error::AlreadyExists { .. } | Error::FilesLost { .. } => Some(Step::Publish),
            Error::NotDurable { .. } => Some(Step::SyncDirectory),
        }
    }

    /// The path that the error is about, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::Partition(_) | Error::InvalidOption { .. } | Error::Receipt { .. } => None,
            Error::Damaged { path, .. } => Some(path),
            Error::InvalidPath { path, .. }
            | Error::SchemaMismatch { path, .. }
            | Error::StrayRow { path, .. }
            | Error::Poisoned { path }
            | Error::Source { path, .. }
            | Error::Encode { path, .. }
            | Error::Io { path, .. }
            | Error::Interrupted { path, .. }
            | Error::StagingLost { path, .. }
            | Error::AlreadyExists { path }
            | Error::NotDurable { path, .. }
            | Error::Unknown { path, .. }
            | Error::Aborted { path }
            | Error::StagedWriteGone { path }
            | Error::Conflict { path, .. }
            | Error::Blocked { path, .. }
            | Error::FilesLost { path, .. }
            | Error::Incompatible { path, .. }
            | Error::OutOfReach { path, .. }
            | Error::AlreadyCommitted { path, .. }
            | Error::JobClosed { path, .. }
            | Error::Unfinished { path, .. }
            | Error::InvalidDecision { path, .. }
            | Error::Distrusted { path, .. }
            | Error::ControlDistrusted { path, .. }
            | Error::SetAside { path, .. }
            | Error::NotRemoved { path, .. }
            | Error::Read { path, .. } => Some(path),
        }
    }
}

type Cause = Box<dyn StdError + Send + Sync>;

/// The innermost cause of an error of Arrow or Parquet that only wraps another.
fn unwrapped(cause: Cause) -> Cause {
    let cause = match cause.downcast::<ArrowError>() {
        Ok(error) => match *error {
            ArrowError::ExternalError(inner) => return unwrapped(inner),
            error => return Box::new(error),
        },
        Err(cause) => cause,
    };
    match cause.downcast::<ParquetError>() {
        Ok(error) => match *error {
            ParquetError::External(inner) => unwrapped(inner),
            ParquetError::General(text) | ParquetError::NYI(text) => text.into(),
            error => Box::new(error),
        },
        Err(cause) => cause,
    }
}

/// Attaches the step and the path to a system error.
pub(crate) trait IoContext<T> {
    /// Turns the error into [`Error::Io`].
    fn at(self, step: Step, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, step: Step, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            step,
            path: path.to_owned(),
            source,
        })
    }
}
