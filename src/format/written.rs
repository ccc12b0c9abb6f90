//! The facts of an encoded file, which its encoder tells and verification compares it with.

use std::sync::Arc;

use ::parquet::file::metadata::ParquetMetaData;
use arrow::datatypes::SchemaRef;

use super::parquet;

/// The metadata of an encoded file, by format.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Parquet(Arc<ParquetMetaData>),
    #[cfg(feature = "ipc")]
    Ipc {
        /// The schema of the file.
        schema: SchemaRef,
        batches: usize,
    },
    #[cfg(feature = "json")]
    Ndjson,
    #[cfg(feature = "csv")]
    Csv {
        /// The header line with its line end.
        header: Vec<u8>,
    },
}

impl Content {
    /// The footer of a Parquet file.
    pub(crate) fn parquet(&self) -> Option<&Arc<ParquetMetaData>> {
        match self {
            Content::Parquet(metadata) => Some(metadata),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }

    /// The row groups or record batches, where the format has them.
    pub(crate) fn row_groups(&self) -> Option<usize> {
        match self {
            Content::Parquet(metadata) => Some(metadata.num_row_groups()),
            #[cfg(feature = "ipc")]
            Content::Ipc { batches, .. } => Some(*batches),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }
}

/// The facts of a written file that verification compares it with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    /// The file's length.
    pub(crate) len: u64,
    /// How many rows were given.
    pub(crate) rows: u64,
    /// The schema of what was given.
    pub(crate) schema: &'a SchemaRef,
    /// The digests of what was given, one a column.
    pub(crate) digests: Option<&'a [u128]>,
    pub(crate) content: &'a Content,
    /// What is known of the schema in Parquet files from others of the same write.
    pub(crate) known: Option<&'a parquet::KnownSchema>,
    /// The decryption keys of an encrypted Parquet file.
    pub(crate) keys: Option<&'a parquet::Keys>,
}
