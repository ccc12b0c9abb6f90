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

use crate::disk::{Disk, DiskFile, EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::format::Fault;
use crate::options::{Durability, FileOptions, Verify};
use crate::publish::publish;
use crate::staging::{Area, Draft, Written, check_inside, check_reach, check_spelling};
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
                Some(status.mode & 0o777)
            }
            Ok(None) | Err(_) => None,
        };
        Ok(Destination { path, mode })
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
/// `C` is what is known of its content: the [`ParquetMetaData`] of a Parquet file, nothing of plain
/// bytes. Dropping it discards it.
#[must_use = "a staged file that is dropped is discarded"]
pub struct StagedFile<C = Arc<ParquetMetaData>> {
    draft: Draft,
    destination: Destination,
    mode: PublishMode,
    durability: Durability,
    written: Written,
    content: C,
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
        destination: Destination,
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
            mode: options.publish_mode,
            durability,
            written,
            content,
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

    /// Makes the file visible at its final path, in one step, and durable there.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if the name is taken and replacing was not asked for;
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
        } = self;
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
        }
        publish(draft, &destination.path, mode, durability)?;
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
) -> Result<Written> {
    let written = draft.sync(durability, mode)?;
    if verify == Verify::Skip && check.is_none() {
        return Ok(written);
    }
    let file = draft.reopen()?;
    let checksum = written.checksum.filter(|_| verify >= Verify::Checksum);
    let checked = check_bytes(file.as_ref(), written.len, checksum)
        .and_then(|()| check.map_or(Ok(()), |check| check(Arc::clone(&file))))
        .and_then(|()| check_end(file.as_ref(), written));
    match checked {
        Ok(()) => Ok(written),
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
            file.drop_cache()?;
            verify_content(file, expected, checksum)
        }
        None => Ok(()),
    }
}

/// Compares the end of the file byte for byte, if it was hashed apart from the rest: a number can be spelled in more
/// than one way, and some of what a footer can say no parser keeps.
fn check_end(file: &dyn DiskFile, written: Written) -> Result<(), Fault> {
    match written.end {
        Some((start, hash)) => verify_end(file, start, hash),
        None => Ok(()),
    }
}

/// A complete file at its final path.
///
/// `C` is what is known of its content: the [`ParquetMetaData`] of a Parquet file, nothing of plain
/// bytes.
#[derive(Debug, Clone)]
pub struct PublishedFile<C = Arc<ParquetMetaData>> {
    path: PathBuf,
    written: Written,
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
    pub fn checksum(&self) -> Option<u128> {
        self.written.checksum
    }
}

impl PublishedFile {
    /// How many rows the file holds.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.content.file_metadata().num_rows().unsigned_abs()
    }

    /// How many row groups the file holds.
    #[must_use]
    pub fn num_row_groups(&self) -> usize {
        self.content.num_row_groups()
    }

    /// The file's footer: schema, row groups, statistics.
    #[must_use]
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.content
    }
}

impl StagedFile {
    /// How many rows the file holds.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.content.file_metadata().num_rows().unsigned_abs()
    }

    /// The file's footer: schema, row groups, statistics.
    #[must_use]
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.content
    }
}
