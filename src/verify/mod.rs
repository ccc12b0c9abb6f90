//! Whether files are what they claim to be (promise P3): any existing file, or a whole directory.
//!
//! [`verify_file`] checks one file, [`verify_path`] a file or every data file under a directory. What
//! is wrong is a [`Damage`] in a [`FileReport`], not an error: an error means that the disk would not
//! read. How a format is checked is `format`'s; checking a staging file against what was written is
//! asked for by its writer. Nothing here changes anything on disk.
//!
//! A file that passes is well-formed as the system gives it back. Bytes that were changed and are
//! still well-formed are seen where the format has checksums, as every page of Parquet has that is written
//! here, and in the values of a file that is checked by its own writer; that the medium will keep them
//! is never proven.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, OsDisk};
use crate::error::{Error, Result};
use crate::format::{self, Contents, Fault, Format};
use crate::options::Verify;

mod content;
mod damage;
mod location;
mod report;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use content::{verify_content, verify_end};
pub use damage::{Cause, Damage};
pub use location::Location;
pub use report::{FileReport, Summary};

/// Checks one file, whose format is that of its suffix, or else Parquet.
///
/// For Parquet, [`Verify::Footer`] checks the structure; [`Verify::Checksum`] also reads every page,
/// checks the checksums that pages carry, and decompresses them; [`Verify::Decode`] also decodes every
/// value. Any other format is read as a whole at each of them. [`Verify::Skip`] checks nothing.
///
/// # Errors
/// [`Error::Read`] if the disk would not read the file. Nothing was changed.
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
pub fn verify_file(path: &Path, level: Verify) -> Result<FileReport> {
    check_file(&OsDisk, path, level)
}

/// Checks a file, or every data file under a directory, and calls `on_file` with each report as it
/// comes.
///
/// Under a directory, those files are checked whose suffix is that of a [`Format`], in the order of
/// their paths. Names that begin with `.` or `_` are left out, as readers of data sets do, unless
/// they are a partition's (they have a `=`). Symbolic links are followed, to each directory once.
///
/// # Errors
/// [`Error::Read`] if the disk would not read a file or a directory. Nothing was changed, and
/// reports given so far stand.
pub fn verify_path(
    path: &Path,
    level: Verify,
    on_file: impl FnMut(&FileReport),
) -> Result<Summary> {
    check_path(&OsDisk, path, level, on_file)
}

/// Calls `on_path` with every file that [`verify_path`] would check, for those who check them on their
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
pub fn each_file(path: &Path, mut on_path: impl FnMut(&Path) -> Result<()>) -> Result<()> {
    walk::each_file(&OsDisk, path, &mut on_path)
}

/// [`verify_file`] on any disk.
pub(crate) fn check_file(disk: &dyn Disk, path: &Path, level: Verify) -> Result<FileReport> {
    let format = Format::from_path(path).unwrap_or(Format::Parquet);
    let unread = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = disk.open_file(path, false).map_err(unread)?;
    let bytes = file.status().map_err(unread)?.len;
    let (contents, damage) = match format::check(format, Arc::from(file), level) {
        Ok(contents) => (contents, None),
        Err(Fault::Damage(damage)) => (Contents::default(), Some(damage)),
        Err(Fault::Io(source)) => return Err(unread(source)),
    };
    Ok(FileReport {
        path: path.to_owned(),
        format,
        level,
        bytes,
        contents,
        damage,
    })
}

/// [`verify_path`] on any disk.
pub(crate) fn check_path(
    disk: &dyn Disk,
    path: &Path,
    level: Verify,
    mut on_file: impl FnMut(&FileReport),
) -> Result<Summary> {
    let mut summary = Summary::default();
    walk::each_file(disk, path, &mut |path| {
        let report = check_file(disk, path, level)?;
        summary.add(&report);
        on_file(&report);
        Ok(())
    })?;
    Ok(summary)
}
