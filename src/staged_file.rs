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
use crate::location::Location;
use crate::options::{Durability, FileOptions, Verify};
use crate::publish::{publish, publish_object};
use crate::staging::{
    Area, ControlLock, Draft, DraftSums, check_inside, check_reach, check_spelling,
};
use crate::store::{Expected, Version};
use crate::table_format::TableFormat;
use crate::trace;
use crate::transaction::lock_for_publishing;
use crate::verify::{Damage, verify_content, verify_end};

/// Where a file is to be published.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    location: Location,
    /// The permissions of the file that will be replaced.
    mode: Option<u32>,
}

impl Destination {
    /// The file `name` in `directory`.
    ///
    /// A name that is certain to be refused in the end is refused now.
    pub(crate) fn new(directory: &Location, name: OsString, mode: PublishMode) -> Result<Self> {
        const NAME_MAX: usize = 255;
        let path = directory.path.join(&name);
        let disk = directory.disk.as_ref();
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
                // Objects have no permissions.
                directory.store.is_none().then_some(status.mode & 0o777)
            }
            // What an object store does not answer now, it would not answer then.
            Err(error) if directory.store.is_some() => {
                return Err(error).at(Step::CreateStaging, &path);
            }
            Ok(None) | Err(_) => None,
        };
        let location = Location {
            path,
            ..directory.clone()
        };
        Ok(Destination { location, mode })
    }

    /// A file in `directory` whose name nobody else has: in an object store it is put there without a condition, and so in
    /// parts if it is long.
    pub(crate) fn unique(
        directory: &Location,
        name: OsString,
        mode: PublishMode,
    ) -> Result<(Self, PublishMode)> {
        if directory.store.is_none() {
            return Ok((Self::new(directory, name, mode)?, mode));
        }
        let location = Location {
            path: directory.path.join(name),
            ..directory.clone()
        };
        let destination = Destination {
            location,
            mode: None,
        };
        Ok((destination, PublishMode::Replace))
    }

    /// The file at a path that a caller names, and the directory that holds it, with the symbolic links above it
    /// resolved.
    pub(crate) fn at(
        path: &Path,
        options: &FileOptions,
        mode: PublishMode,
    ) -> Result<(Self, Location)> {
        let (directory, name) = Location::of_file(&options.disk, path, &options.object_store)?;
        let destination = Self::new(&directory, name, mode)?;
        Ok((destination, directory))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.location.path
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Starts the staging file. What replaces a file is nobody else's to read until it has the
    /// permissions of that file; what goes to an object store is nobody else's, and always hashed, so that what is put
    /// there is what was written.
    pub(crate) fn draft(&self, area: Area, verify: Verify) -> Result<Draft> {
        if self.location.store.is_some() {
            return Draft::create(area, true, true);
        }
        let private = self.mode.is_some();
        let draft = Draft::create(area, private, verify >= Verify::Checksum)?;
        // The area stays as long as the draft is in it.
        let directory = self.path().parent().unwrap_or(self.path());
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
    kept: Kept,
}

/// How an update keeps others from publishing in between.
#[derive(Debug)]
enum Kept {
    Locked {
        _lock: ControlLock,
    },
    /// By the version that is replaced; none if no object was there.
    Version(Option<Version>),
}

impl Unchanged {
    /// Of a file on a disk, whose lock is held.
    pub(crate) fn locked(before: Option<FileStatus>, lock: ControlLock) -> Self {
        Unchanged {
            before,
            kept: Kept::Locked { _lock: lock },
        }
    }

    /// Of an object, which is replaced only if it is still this version.
    pub(crate) fn of_version(before: Option<(FileStatus, Version)>) -> Self {
        let (before, version) = before.unzip();
        Unchanged {
            before,
            kept: Kept::Version(version),
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
            _ => Err(self.conflict(path)),
        }
    }

    /// The error of an update whose file somebody else has published meanwhile.
    pub(crate) fn conflict(&self, path: &Path) -> Error {
        Error::Conflict {
            path: path.to_owned(),
            reason: match self.kept {
                Kept::Locked { .. } => {
                    "was changed since the update began, by somebody who did not update it too: begin the update again"
                }
                Kept::Version(_) => "was changed since the update began: begin the update again",
            },
        }
    }

    /// What has to be at the key of an object that is published.
    fn expected(&self) -> Expected {
        match &self.kept {
            Kept::Version(version) => version.clone().map_or(Expected::Absent, Expected::Version),
            // A lock is for files on a disk.
            Kept::Locked { .. } => Expected::Absent,
        }
    }
}

/// Whether two statuses are of one file with one content.
pub(crate) fn is_same(one: &FileStatus, other: &FileStatus) -> bool {
    (one.identity, one.len, one.modified) == (other.identity, other.len, other.modified)
}

/// The conflict error for a path that was free when an update began, and is taken now.
fn changed(error: Error, unchanged: Option<&Unchanged>) -> Error {
    match (error, unchanged) {
        (Error::AlreadyExists { path }, Some(unchanged)) => unchanged.conflict(&path),
        (other, _) => other,
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
            .field("path", &self.destination.path())
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
        let durability = match destination.location.store {
            // The object is durable, and its draft need not be.
            Some(_) => Durability::Unsynced,
            None => options.durability,
        };
        let written = sync_and_verify(
            &mut draft,
            destination.path(),
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
        self.destination.path()
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
    /// for, or the file goes to an object store.
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
    /// [`Error::Unknown`] if the system, or the object store, does not tell.
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
        let path = destination.location.path.clone();
        let _inside = trace::write_file(&path).entered();
        match &destination.location.store {
            Some(store) => {
                let expected = match (&unchanged, mode) {
                    (Some(unchanged), _) => unchanged.expected(),
                    (None, PublishMode::CreateNew) => Expected::Absent,
                    (None, PublishMode::Replace) => Expected::Any,
                };
                let put = publish_object(draft, store, &path, written, expected);
                put.map_err(|error| changed(error, unchanged.as_ref()))?;
            }
            None => publish_on_disk(draft, &path, (mode, durability), unchanged.as_ref())?,
        }
        trace::published_alone(&path, written.len);
        Ok(PublishedFile {
            path,
            written,
            content,
        })
    }

    /// Removes the file, which no reader has seen. The same as dropping it.
    pub fn discard(self) {}
}

/// Publishes a file on a disk, if all that has to be so is so still.
fn publish_on_disk(
    draft: Draft,
    path: &Path,
    (mode, durability): (PublishMode, Durability),
    unchanged: Option<&Unchanged>,
) -> Result<()> {
    let _lock = match lock_for_publishing(draft.area(), path) {
        // The area is gone, and with it the staging file.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(draft.lost(Step::Publish));
        }
        locked => locked?,
    };
    let directory = path.parent().unwrap_or(path);
    let root = draft.area().home().root();
    check_inside(draft.disk(), root, directory)?;
    if let Some(below) = directory.strip_prefix(root).ok().map(Path::to_owned) {
        check_spelling(draft.disk(), root, &BTreeSet::from([below]), &[])?;
    }
    if mode == PublishMode::Replace
        && let Ok(Some((kind, _))) = draft.disk().status(path)
    {
        check_replaceable(path, kind)?;
        TableFormat::check_file(draft.disk(), path)?;
    }
    if let Some(unchanged) = unchanged {
        unchanged.check(draft.disk(), path)?;
    }
    let published = publish(draft, path, mode, durability);
    published.map_err(|error| changed(error, unchanged))
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
    /// The final path: absolute, with the symbolic links above it resolved; or the URL.
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
    /// for, or the file goes to an object store.
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
