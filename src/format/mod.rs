//! The formats that this crate can check and write, one module each (promise P3).
//!
//! [`Format`] names them; `check` reads a file as one of them and says what it holds or what is
//! wrong with it; `encode` writes batches as one of them into a staging file, and compares the file
//! with what was given. Nothing here knows of partitions or data sets, or publishes.
//!
//! Decoders are other people's code over bytes that nobody vouches for. Their panics are contained
//! (`contained`), and sizes declared in a file are compared with the file before a decoder sees
//! them, because a failed allocation cannot be caught.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::parquet_to_arrow_schema;
use ::parquet::file::metadata::ParquetMetaData;
use arrow::datatypes::SchemaRef;

use self::parquet::Keys;
use crate::categories::KnownCategories;
use crate::damage::{Damage, Location};
use crate::disk::DiskFile;
use crate::options::Verify;
use crate::pool::panic_message;

#[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
mod compressed;
#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "ipc")]
pub(crate) mod dictionaries;
pub(crate) mod digest;
pub(crate) mod encode;
#[cfg(feature = "ipc")]
pub(crate) mod ipc;
#[cfg(feature = "json")]
mod json;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
mod output;
pub(crate) mod parquet;
#[cfg(any(feature = "ipc", feature = "json"))]
mod plain;
mod proof;
mod source;
#[cfg(any(feature = "csv", feature = "json"))]
mod text;
pub(crate) mod written;

#[cfg(feature = "ipc")]
#[cfg_attr(docsrs, doc(cfg(feature = "ipc")))]
pub use self::ipc::{IpcBounds, IpcTooLarge};
pub use self::parquet::ParquetBatches;
pub(crate) use self::parquet::{ReadAs, read_as};
pub use crate::options::format::{Format, UnknownFormat};
pub use crate::options::text::{NonFinite, TextOptions};

/// The reason why a check failed: the disk, or the bytes.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The disk would not read, so nothing is known of the bytes.
    Io(io::Error),
    /// The bytes are wrong.
    Damage(Damage),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Fault::Damage(damage)
    }
}

/// The contents of a file that passed a check, as far as the level of the check tells.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Its rows, where the format has rows.
    pub(crate) rows: Option<u64>,
    /// Its row groups or record batches.
    pub(crate) row_groups: Option<usize>,
    /// How many pages were read and how many of them carried a checksum.
    pub(crate) pages: Option<PageCount>,
    /// The footer of a Parquet file.
    pub(crate) parquet: Option<Arc<ParquetMetaData>>,
}

/// The number of pages read, and of those that carried a checksum of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PageCount {
    /// All pages, dictionaries included.
    pub all: u64,
    /// The pages with a CRC, which was right.
    pub with_crc: u64,
}

/// Checks that `file` is a sound file of the format; of text, its name says how it is compressed.
///
/// [`Verify::Skip`] checks nothing. For Parquet the levels differ; the other formats have no
/// structure that could be checked without reading everything, so they are always read as a whole.
/// Without `keys`, what is encrypted cannot be checked.
#[cfg_attr(not(any(feature = "csv", feature = "json")), allow(unused_variables))]
pub(crate) fn check(
    format: Format,
    file: Arc<dyn DiskFile>,
    path: &Path,
    level: Verify,
    keys: Option<&Keys>,
) -> Result<Contents, Fault> {
    if level == Verify::Skip {
        return Ok(Contents::default());
    }
    match format {
        Format::Parquet => parquet::check(file, level, keys),
        #[cfg(feature = "csv")]
        Format::Csv => csv::check(file, path),
        #[cfg(feature = "json")]
        Format::Json => json::check_document(file, path),
        #[cfg(feature = "json")]
        Format::Ndjson => json::check_lines(file, path),
        #[cfg(feature = "ipc")]
        Format::Ipc => ipc::check_file(file),
        #[cfg(feature = "ipc")]
        Format::IpcStream => ipc::check_stream(file),
    }
}

/// The schema of a file as its footer tells it, to a reader that knows Arrow's, with the categories of ordered
/// dictionaries, of which a page is read; `None` where the format has none, or nobody but Parquet's own readers has a
/// type for it.
pub(crate) fn schema_of(
    format: Format,
    file: Arc<dyn DiskFile>,
) -> Result<Option<(SchemaRef, KnownCategories)>, Fault> {
    match format {
        Format::Parquet => {
            let contents = parquet::check(Arc::clone(&file), Verify::Footer, None)?;
            let Some(metadata) = contents.parquet else {
                return Ok(None);
            };
            let facts = metadata.file_metadata();
            let (descriptor, pairs) = (facts.schema_descr(), facts.key_value_metadata());
            let read = || parquet_to_arrow_schema(descriptor, pairs);
            let Ok(schema) = contained(&Location::file(), read)?.map(Arc::new) else {
                return Ok(None);
            };
            let categories = parquet::categories(file, &metadata, &schema)?;
            Ok(Some((schema, categories)))
        }
        #[cfg(feature = "ipc")]
        Format::Ipc => Ok(Some((ipc::schema_of(file)?, KnownCategories::new()))),
        #[allow(unreachable_patterns)]
        _ => Ok(None),
    }
}

/// The column names at the beginning of a text file: the header of CSV, or the first record of NDJSON, which may lack
/// some; `None` where there is none, or the format has a schema.
#[cfg_attr(not(feature = "csv"), allow(unused_variables))]
pub(crate) fn names_of(
    format: Format,
    file: Arc<dyn DiskFile>,
    path: &Path,
) -> Result<Option<Vec<String>>, Fault> {
    match format {
        #[cfg(feature = "csv")]
        Format::Csv => csv::header::names(file, path),
        #[cfg(feature = "json")]
        Format::Ndjson => json::first_names(file),
        _ => Ok(None),
    }
}

/// Calls a decoder and turns its panic into damage.
///
/// Only for calls into other crates over bytes of the file: they check most of what they read, but
/// not all, and index or unwrap what they did not check. Nothing they leave behind is used after a
/// panic. The process's panic hook still runs; with `panic = "abort"` nothing can be contained.
pub(crate) fn contained<T>(location: &Location, call: impl FnOnce() -> T) -> Result<T, Damage> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| Damage::Panicked {
        location: location.clone(),
        message: panic_message(payload.as_ref()),
    })
}
