//! A lone file after it is finished: staged and verified, then published.
//!
//! Promise P3: a [`StagedFile`] comes into being only verified, and publishing is all that can be
//! done with it besides discarding it, so that publishing something unverified cannot be written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaData;

use crate::disk::{Disk, DiskFile, EntryKind, FileStatus, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::format::{Fault, Format};
use crate::local_path::local_path;
use crate::options::{Durability, FileOptions, Verify};
use crate::publish::publish;
use crate::staging::{
    Area, ControlLock, Draft, DraftSums, check_inside, check_reach, check_spelling, resolve,
};
use crate::table_format::TableFormat;
use crate::trace;
use crate::transaction::lock_for_publishing;
use crate::verify::{Damage, verify_content, verify_end};

/// Where a file is to be published.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    path: PathBuf,
    /// The permissions of the file that will be replaced.
    mode: Option<u32>,
}

impl Destination {
    /// The file `name` in `directory`, which is absolute and resolved.
    ///
    /// A name that is certain to be refused in the end is refused now.
    pub(crate) fn new(
        disk: &dyn Disk,
        directory: &Path,
        name: OsString,
        mode: PublishMode,
    ) -> Result<Self> {
        const NAME_MAX: usize = 255;
        let path = directory.join(&name);
        if name.as_encoded_bytes().len() > NAME_MAX {
            return Err(Error::InvalidPath {
                path,
                reason: "its name is longer than 255 bytes",
            });
        }
        if name.as_encoded_bytes().contains(&0) {
            return Err(Error::InvalidPath {
                path,
                reason: "contains a NUL byte",
            });
        }
        // What cannot be looked at now will be an error of the step that needs it.
        let mode = match disk.status(&path) {
            Ok(Some((EntryKind::Directory, _))) => {
                let reason = "is a directory";
                return Err(Error::InvalidPath { path, reason });
            }
            Ok(Some(_)) if mode == PublishMode::CreateNew => {
                return Err(Error::AlreadyExists { path });
            }
            Ok(Some((kind, status))) => {
                check_replaceable(&path, kind)?;
                TableFormat::check_file(disk, &path)?;
                Some(status.mode & 0o777)
            }
            Ok(None) | Err(_) => None,
        };
        Ok(Destination { path, mode })
    }

    /// The file at a path that a caller names, and the directory that holds it, with the symbolic links above it
    /// resolved.
    pub(crate) fn at(disk: &dyn Disk, path: &Path, mode: PublishMode) -> Result<(Self, PathBuf)> {
        let path = &*local_path(path)?;
        let invalid = |reason| Error::InvalidPath {
            path: path.to_owned(),
            reason,
        };
        // `Path` ignores a slash at the end, so that `lake/` would name a file.
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(invalid("names a directory"));
        }
        let name = path.file_name().ok_or_else(|| invalid("names no file"))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = resolve(disk, parent)?;
        let destination = Self::new(disk, &directory, name.to_owned(), mode)?;
        Ok((destination, directory))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the staging file. What replaces a file is nobody else's to read until it has the
    /// permissions of that file.
    pub(crate) fn draft(&self, area: Area, verify: Verify) -> Result<Draft> {
        let private = self.mode.is_some();
        let draft = Draft::create(area, private, verify >= Verify::Checksum)?;
        // The area stays as long as the draft is in it.
        let directory = self.path.parent().unwrap_or(&self.path);
        match check_reach(draft.disk(), draft.area().path(), directory) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(draft.lost(Step::CreateStaging))
            }
            reached => reached.map(|()| draft),
        }
    }
}

/// The demand of an update: the file at the final path is the one that was there when the update began, and nobody
/// else updates it.
#[derive(Debug)]
pub(crate) struct Unchanged {
    before: Option<FileStatus>,
    _lock: ControlLock,
}

impl Unchanged {
    pub(crate) fn new(before: Option<FileStatus>, lock: ControlLock) -> Self {
        Unchanged {
            before,
            _lock: lock,
        }
    }

    /// The status of the file when the update began, if there was one.
    pub(crate) fn before(&self) -> Option<&FileStatus> {
        self.before.as_ref()
    }

    fn mode(&self) -> PublishMode {
        match self.before {
            Some(_) => PublishMode::Replace,
            None => PublishMode::CreateNew,
        }
    }

    fn check(&self, disk: &dyn Disk, path: &Path) -> Result<()> {
        let found = disk.status(path).at(Step::Publish, path)?;
        let found = found.map(|(_, status)| status);
        match (&self.before, &found) {
            (None, None) => Ok(()),
            (Some(before), Some(found)) if is_same(before, found) => Ok(()),
            _ => Err(conflict(path.to_owned())),
        }
    }
}

/// Whether two statuses are of one file with one content.
pub(crate) fn is_same(one: &FileStatus, other: &FileStatus) -> bool {
    (one.identity, one.len, one.modified) == (other.identity, other.len, other.modified)
}

/// The error of an update whose file somebody else has published meanwhile.
pub(crate) fn conflict(path: PathBuf) -> Error {
    Error::Conflict {
        path,
        reason: "was changed since the update began, by somebody who did not update it too: begin the update again",
    }
}

/// The conflict error for a path that was free when the update began, and is taken now.
fn changed(error: Error) -> Error {
    match error {
        Error::AlreadyExists { path } => conflict(path),
        other => other,
    }
}

/// Refuses to replace what is no regular file, but leaves a directory to the rename, which refuses it.
fn check_replaceable(path: &Path, kind: EntryKind) -> Result<()> {
    let reason = match kind {
        EntryKind::File | EntryKind::Directory => return Ok(()),
        EntryKind::Link => {
            "is a symbolic link, which is not replaced: name the file that it leads to, or remove it"
        }
        EntryKind::Other => "is a pipe, device or socket, which is not replaced",
    };
    Err(Error::InvalidPath {
        path: path.to_owned(),
        reason,
    })
}

/// A finished, synced and verified file that no reader can see yet.
///
/// `C` is what is known of its content: [`RowContent`] of a file of rows, nothing of plain bytes. Dropping it discards it.
#[must_use = "a staged file that is dropped is discarded"]
pub struct StagedFile<C = RowContent> {
    draft: Draft,
    destination: Destination,
    mode: PublishMode,
    durability: Durability,
    written: DraftSums,
    content: C,
    /// What an update demands of the file that is replaced.
    unchanged: Option<Unchanged>,
}

impl<C> fmt::Debug for StagedFile<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedFile")
            .field("path", &self.destination.path)
            .field("staging", &self.draft.path())
            .field("bytes", &self.written.len)
            .finish_non_exhaustive()
    }
}

impl<C> StagedFile<C> {
    /// Syncs and verifies a finished draft: see [`sync_and_verify`].
    pub(crate) fn verified(
        mut draft: Draft,
        (destination, mode): (Destination, PublishMode),
        options: &FileOptions,
        content: C,
        check: Option<impl FnOnce(Arc<dyn DiskFile>) -> Result<(), Fault>>,
    ) -> Result<Self> {
        let durability = options.durability;
        let written = sync_and_verify(
            &mut draft,
            &destination.path,
            (durability, destination.mode),
            options.verify,
            check,
        )?;
        Ok(StagedFile {
            draft,
            destination,
            mode,
            durability,
            written,
            content,
            unchanged: None,
        })
    }

    /// Where the file will be published.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.destination.path
    }

    /// Where the file is now.
    #[must_use]
    pub fn staging_path(&self) -> &Path {
        self.draft.path()
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written.len
    }

    /// The XXH3 hash (128 bits) of all bytes, if [`Verify::Checksum`] or [`Verify::Decode`] was asked
    /// for.
    #[must_use]
    pub fn content_hash(&self) -> Option<u128> {
        self.written.checksum
    }

    /// Publishes the file only if what it replaces is still what it was.
    pub(crate) fn only_if(mut self, unchanged: Option<Unchanged>) -> Self {
        if let Some(unchanged) = &unchanged {
            self.mode = unchanged.mode();
        }
        self.unchanged = unchanged;
        self
    }

    /// Makes the file visible at its final path, in one step, and durable there.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if the name is taken and replacing was not asked for; of an
    /// [update](crate::FileUpdate) [`Error::Conflict`] if the file is another than when that began;
    /// [`Error::StagingLost`] if this writer was taken for dead; [`Error::InvalidPath`] if somebody has
    /// put a symbolic link in the place of its directory, or what is no regular file in its own;
    /// [`Error::Io`] if the system refused: nothing is published then, and the staging file is removed.
    /// [`Error::NotDurable`] if the file is published but may not survive a power cut;
    /// [`Error::Unknown`] if the system does not tell.
    pub fn publish(self) -> Result<PublishedFile<C>> {
        let StagedFile {
            draft,
            destination,
            mode,
            durability,
            written,
            content,
            unchanged,
        } = self;
        let _inside = trace::write_file(&destination.path).entered();
        let _lock = match lock_for_publishing(draft.area(), &destination.path) {
            // The area is gone, and with it the staging file.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(draft.lost(Step::Publish));
            }
            locked => locked?,
        };
        let directory = destination.path.parent().unwrap_or(&destination.path);
        let root = draft.area().home().root();
        check_inside(draft.disk(), root, directory)?;
        if let Some(below) = directory.strip_prefix(root).ok().map(Path::to_owned) {
            check_spelling(draft.disk(), root, &BTreeSet::from([below]), &[])?;
        }
        if mode == PublishMode::Replace
            && let Ok(Some((kind, _))) = draft.disk().status(&destination.path)
        {
            check_replaceable(&destination.path, kind)?;
            TableFormat::check_file(draft.disk(), &destination.path)?;
        }
        match &unchanged {
            Some(unchanged) => {
                unchanged.check(draft.disk(), &destination.path)?;
                publish(draft, &destination.path, mode, durability).map_err(changed)?;
            }
            None => publish(draft, &destination.path, mode, durability)?,
        }
        trace::published_alone(&destination.path, written.len);
        Ok(PublishedFile {
            path: destination.path,
            written,
            content,
        })
    }

    /// Removes the file, which no reader has seen. The same as dropping it.
    pub fn discard(self) {}
}

/// Syncs and verifies a file ([`Step::SyncFile`], [`Step::Verify`]): all that stands between the last byte written
/// and a file that may be published at `path`. `mode`, if given, becomes its permissions; `check` looks at the
/// re-opened file.
pub(crate) fn sync_and_verify(
    draft: &mut Draft,
    path: &Path,
    (durability, mode): (Durability, Option<u32>),
    verify: Verify,
    check: Option<impl FnOnce(Arc<dyn DiskFile>) -> Result<(), Fault>>,
) -> Result<DraftSums> {
    let written = draft.sync(durability, mode)?;
    verify_synced(draft, path, written, verify, check)?;
    Ok(written)
}

/// Verifies a file that was synced; see [`sync_and_verify`].
pub(crate) fn verify_synced(
    draft: &Draft,
    path: &Path,
    written: DraftSums,
    verify: Verify,
    check: Option<impl FnOnce(Arc<dyn DiskFile>) -> Result<(), Fault>>,
) -> Result<()> {
    if verify == Verify::Skip && check.is_none() {
        return Ok(());
    }
    let file = draft.reopen()?;
    let checksum = written.checksum.filter(|_| verify >= Verify::Checksum);
    let checked = check_bytes(file.as_ref(), written.len, checksum)
        .and_then(|()| check.map_or(Ok(()), |check| check(Arc::clone(&file))))
        .and_then(|()| check_end(file.as_ref(), written));
    match checked {
        Ok(()) => {
            trace::verified(draft.path(), verify);
            Ok(())
        }
        Err(Fault::Io(source)) => Err(source).at(Step::Verify, draft.path()),
        Err(Fault::Damage(damage)) => Err(Error::Damaged {
            path: path.into(),
            damage,
        }),
    }
}

/// Compares the length, and the content if it was hashed, from the medium as far as the system can be
/// told to read from there.
fn check_bytes(file: &dyn DiskFile, expected: u64, checksum: Option<u128>) -> Result<(), Fault> {
    let found = file.status()?.len;
    if found != expected {
        return Err(Damage::Length { expected, found }.into());
    }
    match checksum {
        Some(checksum) => {
            // Else the read would prove the page cache, and not the medium.
            file.drop_cache()?;
            verify_content(file, expected, checksum)
        }
        None => Ok(()),
    }
}

/// Compares the end of the file byte for byte, if it was hashed apart from the rest: a number can be spelled in more
/// than one way, and some of what a footer can say no parser keeps.
fn check_end(file: &dyn DiskFile, written: DraftSums) -> Result<(), Fault> {
    match written.end {
        Some((start, hash)) => verify_end(file, start, hash),
        None => Ok(()),
    }
}

/// A complete file at its final path.
///
/// `C` is what is known of its content: [`RowContent`] of a file of rows, nothing of plain bytes.
#[derive(Debug, Clone)]
pub struct PublishedFile<C = RowContent> {
    path: PathBuf,
    written: DraftSums,
    content: C,
}

impl<C> PublishedFile<C> {
    /// The final path: absolute, with the symbolic links above it resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written.len
    }

    /// The XXH3 hash (128 bits) of all bytes, if [`Verify::Checksum`] or [`Verify::Decode`] was asked
    /// for.
    #[must_use]
    pub fn content_hash(&self) -> Option<u128> {
        self.written.checksum
    }
}

/// What is known of the content of a file of rows.
#[derive(Debug, Clone)]
pub struct RowContent {
    pub(crate) format: Format,
    pub(crate) rows: u64,
    pub(crate) row_groups: Option<usize>,
    pub(crate) metadata: Option<Arc<ParquetMetaData>>,
}

/// What is known of the rows, the same before and after they are published.
macro_rules! row_content {
    ($file:ident) => {
        impl $file {
            /// The format of the file.
            #[must_use]
            pub fn format(&self) -> Format {
                self.content.format
            }

            /// The number of rows.
            #[must_use]
            pub fn rows(&self) -> u64 {
                self.content.rows
            }

            /// The number of row groups of a Parquet file, or of record batches of an Arrow IPC file; `None` of text.
            #[must_use]
            pub fn row_groups(&self) -> Option<usize> {
                self.content.row_groups
            }

            /// The footer of a Parquet file: schema, row groups, statistics; `None` of another format.
            #[must_use]
            pub fn metadata(&self) -> Option<&Arc<ParquetMetaData>> {
                self.content.metadata.as_ref()
            }
        }
    };
}

row_content!(StagedFile);
row_content!(PublishedFile);
