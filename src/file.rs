//! [`AtomicFile`]: one file of any bytes, whole or absent.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::{Error, IoContext, Result, Step};
use crate::format;
use crate::options::{FileOptions, Verify};
use crate::staged_file::{Destination, PublishedFile, StagedFile};
use crate::staging::{Draft, home_of_file};
use crate::trace;
use crate::transaction::open_area;

/// The number of bytes that are buffered before they are written.
const BUFFER: usize = 64 << 10;

/// A file of any bytes that becomes visible all at once, and durably, or never.
///
/// It is written through [`Write`] and published by [`commit`](AtomicFile::commit). Dropping it, also
/// by a panic, discards it. Small writes are gathered, so that it needs no [`std::io::BufWriter`].
///
/// A file in a partition directory (`…/key=value/data.json`) is staged beside its data set, so that
/// readers of the data set do not meet it; any other in the hidden directory `.atomic` beside it.
/// Its permissions are 0666 less the umask, or those of the file that it replaces; owner, access
/// lists and extended attributes are not taken over, and other hard links to what it replaces keep the
/// old content. The path is the caller's own: symbolic links above the file are followed.
///
/// With the feature `object_store` the path may be the URL of an object, as in `s3://lake/raw/data.json`
/// (`FileOptions::object_store`). The file is staged on a local disk (`ObjectStoreOptions::spool`), verified there, and
/// published by one request, which puts the object only if none is there, or replaces what is there; whether it was put is
/// found out also where its answer is lost. What may replace is uploaded in parts if it is longer than
/// one part (`ObjectStoreOptions::part_size`). What may not replace is put by one request whatever its length, since no store
/// ends an upload in parts on a condition: that takes as much memory as the file has bytes, and 5 GiB are the most. Of a
/// process that dies while it uploads parts, the parts stay, where no reader sees them, until a rule of the bucket
/// removes them.
///
/// ```
/// use std::io::Write as _;
/// use atomic_arrow::AtomicFile;
/// # let lake = tempfile::tempdir()?;
/// # let path = lake.path().join("raw/station_id=123/year=2024/month=10/data.json");
/// let observation = serde_json::json!({"station_id": 123, "temp": 11.5});
///
/// let mut file = AtomicFile::create(&path)?;
/// serde_json::to_writer(&mut file, &observation)?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, r#"{"station_id":123,"temp":11.5}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Code that has an `ArrowWriter<File>` of parquet-rs takes this in the place of the `File`, and commits what
/// `into_inner` gives back once the footer is written. With the format it is checked as Parquet too, as closely as
/// [`verify`](FileOptions::verify) says; [`AtomicArrowWriter`](crate::AtomicArrowWriter), which is staged in the same
/// place, besides compares the file with the rows that were given, and writes the hashes by which damage is found later.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use atomic_arrow::parquet::arrow::ArrowWriter;
/// use atomic_arrow::{AtomicFile, FileOptions, Format, PublishMode};
/// # let cache = tempfile::tempdir()?;
/// # let path = cache.path().join("prices.parquet");
///
/// let prices: ArrayRef = Arc::new(Float64Array::from(vec![11.5, 12.25]));
/// let batch = RecordBatch::try_from_iter([("price", prices)])?;
///
/// let options = FileOptions::new().format(Format::Parquet).mode(PublishMode::Replace);
/// let file = AtomicFile::create_with_options(&path, options)?; // was File::create(&path)?
/// let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
/// writer.write(&batch)?;
/// writer.into_inner()?.commit()?; // was writer.close()?
/// assert!(path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a file that is not committed is discarded"]
pub struct AtomicFile {
    draft: Draft,
    /// Bytes that were given and are not yet written to the draft.
    buffer: Vec<u8>,
    destination: Destination,
    options: FileOptions,
    poisoned: bool,
}

impl AtomicFile {
    /// Starts a file that will be published at `path`, where nothing may be yet.
    ///
    /// # Errors
    /// Those of [`create_with_options`](AtomicFile::create_with_options).
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_with_options(path, FileOptions::default())
    }

    /// Starts a file that will be published at `path`.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] if `path` names no file, a directory, something below a file, or what
    /// [`local_path`](crate::local_path) refuses, or if a symbolic link, pipe, device or socket is to be
    /// replaced; [`Error::InvalidOption`] if a [format](FileOptions::format) is asked for that is not to be verified,
    /// or an option that no object store can keep is set for the URL of one;
    /// [`Error::AlreadyExists`] if it is taken and replacing was not asked for; [`Error::Conflict`] if it is a data file of
    /// [a table](crate::TableFormat); [`Error::Io`] if no staging file can be made, or the object store does not answer.
    /// Nothing is on disk then.
    pub fn create_with_options(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        if options.format.is_some() && options.verify == Verify::Skip {
            return Err(Error::InvalidOption {
                option: "verify",
                reason: "skip would leave unchecked whether the bytes are of the format that is asked for".to_owned(),
            });
        }
        let mode = options.mode.unwrap_or_default();
        let (destination, directory) = Destination::at(path.as_ref(), &options, mode)?;
        let (disk, home) = directory.home(&options, home_of_file)?;
        let area = open_area(&disk, home)?;
        let draft = destination.draft(area, options.verify)?;
        Ok(AtomicFile {
            draft,
            buffer: Vec::with_capacity(BUFFER),
            destination,
            options,
            poisoned: false,
        })
    }

    /// Where the file will be published: absolute, with the symbolic links above it resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.destination.path()
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.draft.len() + self.buffer.len() as u64
    }

    /// Syncs and verifies the file, without making it visible.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if a write failed before; [`Error::Io`] if the sync failed or the file
    /// cannot be read back; [`Error::Damaged`] if it is not what was written, or not of the
    /// [`format`](FileOptions::format) asked for. Nothing is published, and the staging file is
    /// removed.
    pub fn finish(mut self) -> Result<StagedFile<()>> {
        let _inside = trace::write_file(self.path()).entered();
        self.write_out()?;
        let AtomicFile {
            draft,
            destination,
            options,
            ..
        } = self;
        let check = options.format.map(|format| {
            let path = destination.path().to_owned();
            let level = options.verify;
            move |file: Arc<dyn DiskFile>| format::check(format, file, &path, level, None).map(drop)
        });
        let mode = options.mode.unwrap_or_default();
        StagedFile::verified(draft, (destination, mode), &options, (), check)
    }

    /// Syncs, verifies and publishes the file: [`finish`](AtomicFile::finish), then
    /// [`publish`](StagedFile::publish).
    ///
    /// # Errors
    /// Those of the two.
    pub fn commit(self) -> Result<PublishedFile<()>> {
        self.finish()?.publish()
    }

    /// Removes what was written. The same as dropping the file.
    pub fn discard(self) {}
}

impl AtomicFile {
    /// Writes the buffered bytes to the draft. The first error poisons the file.
    fn write_out(&mut self) -> Result<()> {
        self.write_through(|file| {
            file.draft.write_all(&file.buffer)?;
            file.buffer.clear();
            Ok(())
        })
    }

    /// Runs `work`, and leaves the file poisoned if that fails or panics.
    fn write_through(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<()> {
        if std::mem::replace(&mut self.poisoned, true) {
            let path = self.destination.path().to_owned();
            return Err(Error::Poisoned { path });
        }
        work(self).at(Step::WriteRows, self.draft.path())?;
        self.poisoned = false;
        Ok(())
    }
}

/// The first error poisons the file, which can then only be discarded. Errors carry an [`Error`] with
/// the step and the path.
impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BUFFER - self.buffer.len();
        let written = if bytes.len() <= room && !self.poisoned {
            self.buffer.extend_from_slice(bytes);
            Ok(())
        } else {
            self.write_out().and_then(|()| {
                if bytes.len() <= BUFFER {
                    self.buffer.extend_from_slice(bytes);
                    return Ok(());
                }
                self.write_through(|file| file.draft.write_all(bytes))
            })
        };
        written.map(|()| bytes.len()).map_err(io::Error::from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out().map_err(io::Error::from)
    }
}
