//! Reading Avro.
//!
//! Owns that all rows come which the file says it has, and how many are decoded at once. Types are the file's own; nothing
//! is inferred or converted.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_avro::reader::ReaderBuilder;

use super::InputError;
use super::avro_blocks::{self, Refusal};
use super::parquet_reader::{Share, file_len};
use super::source::Watch;

/// About the most bytes of the rows of a batch.
const BATCH_BYTES: u64 = 16 << 20;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// An iterator over the batches of an Avro file.
pub(super) struct AvroReader {
    path: PathBuf,
    schema: SchemaRef,
    batches: Batches,
    /// The rows that are still to come.
    left: u64,
    share: Share,
}

impl AvroReader {
    /// Looks at all blocks of an Avro file, and reads its schema.
    ///
    /// # Errors
    /// A file that is not Avro, is cut short, or has a type that Arrow has no place for.
    pub(super) fn open(
        path: PathBuf,
        mut file: File,
        watch: Option<Watch>,
        batch_rows: usize,
    ) -> Result<Self, InputError> {
        let bytes = file_len(&path, &file)?;
        let blocks = match avro_blocks::scan(&mut file) {
            Ok(blocks) => blocks,
            Err(Refusal::Io(source)) => return Err(InputError::Io { path, source }),
            Err(Refusal::Damaged(reason)) => return Err(InputError::Damaged { path, reason }),
        };
        let rows = BATCH_BYTES / blocks.bytes_of_row.max(1);
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let reader = ReaderBuilder::new()
            .with_batch_size(rows.clamp(1, batch_rows.max(1)))
            .build(BufReader::new(file));
        let reader = match reader {
            Ok(reader) => reader,
            Err(source) => return Err(InputError::Arrow { path, source }),
        };
        Ok(Self {
            // What Avro says of itself is not of the rows.
            schema: Arc::new(Schema::new(
                RecordBatchReader::schema(&reader).fields().clone(),
            )),
            path,
            batches: Box::new(reader),
            left: blocks.rows,
            share: Share::new(watch, bytes, blocks.rows),
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn damaged(&self, reason: &str) -> InputError {
        InputError::Damaged {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl Iterator for AvroReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = || self.path.clone();
        let batch = match self.batches.next() {
            None if self.left > 0 => {
                return Some(Err(self.damaged("it has fewer rows than it says")));
            }
            None => {
                self.share.finish();
                return None;
            }
            Some(Err(source)) => {
                return Some(Err(InputError::Arrow {
                    path: path(),
                    source,
                }));
            }
            Some(Ok(batch)) => batch,
        };
        let rows = batch.num_rows() as u64;
        let Some(left) = self.left.checked_sub(rows) else {
            return Some(Err(self.damaged("it has more rows than it says")));
        };
        self.left = left;
        self.share.advance(rows);
        let batch = batch.with_schema(Arc::clone(&self.schema));
        Some(batch.map_err(|source| InputError::Arrow {
            path: path(),
            source,
        }))
    }
}
