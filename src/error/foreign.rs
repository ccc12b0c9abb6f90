//! Errors of this crate within those of other crates, and out of them again.

use std::error::Error as StdError;
use std::io;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use super::Error;

impl Error {
    /// The error of this crate that another error is, or holds: the [`io::Error`] that
    /// [`AtomicFile`](crate::AtomicFile) gives as a [`Write`](io::Write), an [`ArrowError`], a
    /// [`ParquetError`], or any error by its [source](StdError::source).
    ///
    /// ```
    /// use std::io::Write as _;
    /// use atomic_arrow::{AtomicFile, Error, Outcome};
    /// # let lake = tempfile::tempdir()?;
    /// # let path = lake.path().join("prices.json");
    ///
    /// fn write(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut file = AtomicFile::create(path)?;
    ///     file.write_all(b"[]")?;
    ///     file.commit()?;
    ///     Ok(())
    /// }
    ///
    /// write(&path)?;
    /// let error = write(&path).unwrap_err();
    /// let found = Error::find(error.as_ref()).map(Error::outcome);
    /// assert_eq!(found, Some(Outcome::NotPublished));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Error>() {
                return Some(found);
            }
            next = held(error).or_else(|| error.source());
        }
        None
    }
}

/// What an [`io::Error`] holds, which gives the source of that as its own.
fn held<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let held = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(held)
}

/// The error as that of a system call, of the kind that says the same: for code that writes through
/// [`Write`](io::Write). [`Error::find`] finds it again.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io { source, .. }
            | Error::Read { source, .. }
            | Error::NotDurable { source, .. }
            | Error::NotRemoved { source, .. } => source.kind(),
            Error::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
            Error::InvalidPath { .. } | Error::InvalidOption { .. } | Error::Partition(_) => {
                io::ErrorKind::InvalidInput
            }
            Error::SchemaMismatch { .. } | Error::StrayRow { .. } | Error::Damaged { .. } => {
                io::ErrorKind::InvalidData
            }
            // Not `Interrupted`, after which callers of `write` try again.
            _ => io::ErrorKind::Other,
        };
        let kind = match kind {
            io::ErrorKind::Interrupted => io::ErrorKind::Other,
            kind => kind,
        };
        io::Error::new(kind, error)
    }
}

/// The error as one of Arrow's, for code that is generic over its writers. [`Error::find`] finds it again.
impl From<Error> for ArrowError {
    fn from(error: Error) -> Self {
        ArrowError::ExternalError(Box::new(error))
    }
}

/// The error as one of Parquet's. [`Error::find`] finds it again.
impl From<Error> for ParquetError {
    fn from(error: Error) -> Self {
        ParquetError::External(Box::new(error))
    }
}
