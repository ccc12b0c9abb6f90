//! Checks of existing files: one, or all of a directory (promise P3).
//!
//! [`verify_file`] checks one file, [`verify_path`] a file or every data file under a directory. What
//! is wrong is a [`Damage`] in a [`FileReport`], not an error: an error means that the disk would not
//! read. How a format is checked is `format`'s; checking a staging file against what was written is
//! asked for by its writer. Nothing here changes anything on disk.
//!
//! A file that passes is well-formed as the system gives it back. Bytes that were changed and are
//! still well-formed are seen in Parquet and Arrow IPC that was written here, whose footers have hashes of
//! all bytes (promise P11), where the format has checksums, and in the values of a file that is checked by
//! its own writer; that the medium will keep them is never proven.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "encryption")]
use ::parquet::encryption::decrypt::FileDecryptionProperties;

use crate::disk::{Disk, OsDisk};
use crate::error::{Error, Result};
use crate::format::parquet::Keys;
use crate::format::{self, Contents, Fault, Format};
use crate::location::Location as Place;
#[cfg(feature = "encryption")]
use crate::options::ParquetKeys;
use crate::options::scan::OnScan;
use crate::options::{ScanProgress, Verify};
use crate::store::ObjectStoreOptions;
use crate::trace;
use crate::walk::PassedOver;
use walk::Found;

mod content;
mod report;
mod walk;

#[cfg(test)]
mod tests;

pub use crate::damage::{Cause, Damage, Location};
#[cfg(feature = "object_store")]
pub(crate) use content::content_hash;
pub(crate) use content::{verify_content, verify_end};
pub use report::{FileReport, Summary};

/// Checks one file, whose format is that of its suffix, or else Parquet.
///
/// For Parquet, [`Verify::Footer`] checks the structure; [`Verify::Checksum`] also reads every page,
/// checks the checksums that pages carry, and decompresses them; [`Verify::Decode`] also decodes every
/// value. The footer is compared with its own hash, and from [`Verify::Checksum`] on all bytes with theirs,
/// if the file was written here. Any other format is read as a whole at each of them; a text whose suffix says that it is compressed
/// (`.csv.gz`) must be. [`Verify::Skip`] checks nothing. What is
/// encrypted cannot be checked without its keys: the report says so ([`Damage::NotCheckable`]).
///
/// With the feature `object_store` the path may be a URL, as for [`verify_path`]; the store is reached as the environment says.
///
/// # Errors
/// [`Error::Read`] if the disk would not read the file; [`Error::InvalidPath`] if its suffix is that of a format
/// whose feature this build lacks. Nothing was changed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use atomic_arrow::Verify;
/// use atomic_arrow::verify::verify_file;
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("part-0.parquet");
/// std::fs::write(&path, b"PAR1 and not much more")?;
///
/// let report = verify_file(&path, Verify::Footer)?;
/// assert!(!report.is_sound());
/// # Ok(())
/// # }
/// ```
pub fn verify_file(path: impl AsRef<Path>, level: Verify) -> Result<FileReport> {
    check_file(path.as_ref(), level, None)
}

/// Checks a Parquet file that may be encrypted, with these keys; see [`verify_file`]. A file of another format, and
/// what is not encrypted, is checked as without keys.
///
/// What is encrypted is authenticated by its own cipher: a footer and page indexes at
/// [`Verify::Footer`], all pages from [`Verify::Checksum`] on, where columns that are encrypted are also
/// decoded. Whoever has the keys is trusted: sizes that are declared in what is encrypted are not compared
/// with the file before memory is taken for them.
///
/// # Errors
/// [`Error::Read`] if the disk would not read the file. Nothing was changed. A key that is wrong and bytes
/// that are cannot be told apart: both are [`Damage::Decrypt`] in a footer; a key that is missing is
/// [`Damage::NotCheckable`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use atomic_arrow::parquet::encryption::decrypt::FileDecryptionProperties;
/// use atomic_arrow::parquet::encryption::encrypt::FileEncryptionProperties;
/// use atomic_arrow::parquet::file::properties::WriterProperties;
/// use atomic_arrow::verify::{verify_file, verify_file_with_keys};
/// use atomic_arrow::{AtomicArrowWriter, Partition, Verify, WriterOptions};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// let key = b"0123456789abcdef".to_vec();
/// let encryption = FileEncryptionProperties::builder(key.clone()).build()?;
/// let properties = WriterProperties::builder().with_file_encryption_properties(encryption).build();
/// let wind: ArrayRef = Arc::new(Int64Array::from(vec![5, 6, 7]));
/// let batch = RecordBatch::try_from_iter([("wind", wind)])?;
/// let mut writer = AtomicArrowWriter::create_with_options(
///     &root,
///     &Partition::new([("station_id", "KSEA")])?,
///     batch.schema(),
///     WriterOptions::new().properties(properties).verify(Verify::Decode),
/// )?;
/// writer.write(&batch)?;
/// let file = writer.commit()?; // verified with the writer's own keys
///
/// assert!(!verify_file(file.path(), Verify::Footer)?.is_sound(), "it cannot be checked");
/// let keys = FileDecryptionProperties::builder(key).build()?;
/// assert!(verify_file_with_keys(file.path(), Verify::Decode, &keys)?.is_sound());
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub fn verify_file_with_keys(
    path: impl AsRef<Path>,
    level: Verify,
    keys: &Arc<FileDecryptionProperties>,
) -> Result<FileReport> {
    check_file(path.as_ref(), level, Some(&Keys::new(keys)))
}

/// Checks a file, or every data file under a directory, and calls `on_file` with each report as it
/// comes.
///
/// Under a directory, those files are checked whose suffix is that of a [`Format`], in the order of
/// their paths. Names that begin with `.` or `_` are left out, as readers of data sets do, unless
/// they are a partition's (they have a `=`).
///
/// Nothing outside the directory is read, and nothing that could block: symbolic links below it,
/// mounts, and pipes, devices and sockets named like data are reported as [`Damage::NotCheckable`] and
/// not opened. `path` itself may be a symbolic link. [`VerifyOptions`] can cross mounts.
///
/// With the feature `object_store` the path may be a URL, as in `s3://lake/weather`. Objects are read by ranges, all of one
/// version of each, and only as far as the level asks for: of Parquet at [`Verify::Footer`] the two ends. What is below the URL
/// is listed once: a file that is removed meanwhile is an error, as one that is replaced while it is read.
///
/// # Errors
/// [`Error::Read`] if the disk would not read a file or a directory. Nothing was changed, and
/// reports given so far stand.
pub fn verify_path(
    path: impl AsRef<Path>,
    level: Verify,
    mut on_file: impl FnMut(&FileReport),
) -> Result<Summary> {
    let options = VerifyOptions::new().level(level);
    check_path(path.as_ref(), &options, &mut |report| {
        on_file(report);
        Ok(())
    })
}

/// Options of [`verify_path_with_options`].
///
/// ```
/// use atomic_arrow::Verify;
/// use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
/// # let lake = tempfile::tempdir()?;
///
/// let options = VerifyOptions::new().level(Verify::Decode).cross_mounts(true);
/// let summary = verify_path_with_options(lake.path(), &options, |_| Ok(()))?;
/// assert_eq!(summary.files, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    level: Verify,
    cross_mounts: bool,
    keys: Option<Keys>,
    on_scan: OnScan,
    object_store: ObjectStoreOptions,
}

impl VerifyOptions {
    /// The defaults: [`Verify::Footer`], and mounts are not crossed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How closely files are checked; by default [`Verify::Footer`].
    #[must_use]
    pub fn level(mut self, level: Verify) -> Self {
        self.level = level;
        self
    }

    /// Whether files and directories are checked on which something else is mounted; by default they are
    /// reported as [`Damage::NotCheckable`].
    #[must_use]
    pub fn cross_mounts(mut self, cross: bool) -> Self {
        self.cross_mounts = cross;
        self
    }

    /// The keys of files that are encrypted, which are [`Damage::NotCheckable`] without, and are checked as
    /// [`verify_file_with_keys`] tells; by default none. Files that are not encrypted are checked as ever.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    #[must_use]
    pub fn keys(mut self, keys: ParquetKeys) -> Self {
        self.keys = Some(Keys::of_reader(keys));
        self
    }

    /// Called after each file, with how many files and bytes were checked; by default nothing is.
    #[must_use]
    pub fn on_progress(mut self, call: impl FnMut(ScanProgress) + Send + 'static) -> Self {
        self.on_scan = OnScan::calling(call);
        self
    }

    /// How the object store is reached whose URL the path is, as in `s3://lake/weather`; by default as the environment says.
    /// For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    #[must_use]
    pub fn object_store(mut self, options: ObjectStoreOptions) -> Self {
        self.object_store = options;
        self
    }
}

/// Checks a file or directory as [`verify_path`] does, with options; an error of `on_file` ends it.
///
/// # Errors
/// Those of [`verify_path`], and those of `on_file`.
pub fn verify_path_with_options(
    path: impl AsRef<Path>,
    options: &VerifyOptions,
    mut on_file: impl FnMut(&FileReport) -> Result<()>,
) -> Result<Summary> {
    check_path(path.as_ref(), options, &mut on_file)
}

/// Calls `on_path` with every file that [`verify_path`] would open, for those who check them on their
/// own terms; an error of it ends the walk.
///
/// # Errors
/// [`Error::Read`] if the disk would not read a directory; else that of `on_path`. Nothing was
/// changed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("part-0.parquet"), b"")?;
///
/// let mut files = 0;
/// atomic_arrow::verify::each_file(directory.path(), |_| {
///     files += 1;
///     Ok(())
/// })?;
/// assert_eq!(files, 1);
/// # Ok(())
/// # }
/// ```
pub fn each_file(
    path: impl AsRef<Path>,
    mut on_path: impl FnMut(&Path) -> Result<()>,
) -> Result<()> {
    let place = to_read(path.as_ref(), &ObjectStoreOptions::default())?;
    walk::each_file(
        place.disk.as_ref(),
        &place.path,
        false,
        &mut |found, passed_over| match passed_over {
            None => on_path(found.path),
            Some(_) => Ok(()),
        },
    )
}

/// What a caller names, on a disk or in an object store.
fn to_read(path: &Path, object_store: &ObjectStoreOptions) -> Result<Place> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    Place::to_read(&disk, path, object_store)
}

fn check_file(path: &Path, level: Verify, keys: Option<&Keys>) -> Result<FileReport> {
    let _inside = trace::verify(path).entered();
    let place = to_read(path, &ObjectStoreOptions::default())?;
    let (disk, path) = (place.disk.as_ref(), place.path.as_path());
    let real = &*walk::resolved(disk, path)?;
    report_on(disk, Found { path, real }, level, keys)
}

fn report_on(
    disk: &dyn Disk,
    found: Found<'_>,
    level: Verify,
    keys: Option<&Keys>,
) -> Result<FileReport> {
    let path = found.path;
    if let Some(feature) = Format::missing_feature(path) {
        return Err(Error::InvalidPath {
            path: path.to_owned(),
            reason: lacking(feature),
        });
    }
    let format = Format::from_path(path).unwrap_or(Format::Parquet);
    let unread = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = disk.open_file(found.real, false).map_err(unread)?;
    let bytes = file.status().map_err(unread)?.len;
    let (contents, damage) = match format::check(format, Arc::from(file), path, level, keys) {
        Ok(contents) => (contents, None),
        Err(Fault::Damage(damage)) => (Contents::default(), Some(damage)),
        // A disk that fails says nothing of the file: no report, but an error.
        Err(Fault::Io(source)) => return Err(unread(source)),
    };
    trace::checked(
        path,
        damage.as_ref().map(|damage| damage as &dyn fmt::Display),
    );
    Ok(FileReport {
        path: path.to_owned(),
        format,
        level,
        bytes,
        contents,
        damage,
    })
}

/// Why a file of a format that this build does not have is not checked.
fn lacking(feature: &str) -> &'static str {
    match feature {
        "csv" => "is CSV by its suffix, which takes the feature `csv`",
        "json" => "is JSON by its suffix, which takes the feature `json`",
        _ => "is Arrow IPC by its suffix, which takes the feature `ipc`",
    }
}

fn check_path(
    path: &Path,
    options: &VerifyOptions,
    on_file: &mut dyn FnMut(&FileReport) -> Result<()>,
) -> Result<Summary> {
    let _inside = trace::verify(path).entered();
    let place = to_read(path, &options.object_store)?;
    let disk = place.disk.as_ref();
    let level = options.level;
    let mut summary = Summary::default();
    let mut scan = options.on_scan.begin();
    walk::each_file(
        disk,
        &place.path,
        options.cross_mounts,
        &mut |found, passed_over| {
            let report = match passed_over {
                None => report_on(disk, found, level, options.keys.as_ref())?,
                Some(what) => not_opened(found.path, level, what),
            };
            summary.add(&report);
            scan.file(report.bytes);
            on_file(&report)
        },
    )?;
    Ok(summary)
}

fn not_opened(path: &Path, level: Verify, what: PassedOver) -> FileReport {
    let damage = Damage::NotCheckable {
        location: Location::file(),
        reason: format!("it {what}"),
    };
    trace::checked(path, Some(&damage));
    FileReport {
        path: path.to_owned(),
        format: Format::from_path(path).unwrap_or(Format::Parquet),
        level,
        bytes: 0,
        contents: Contents::default(),
        damage: Some(damage),
    }
}
