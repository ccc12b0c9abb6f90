//! Reading Parquet, and counting how far a file with a footer has been read.
//!
//! Owns what a truncated or foreign Parquet file looks like. Types are the file's own; nothing is
//! inferred or converted.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use atomic_arrow::format::ParquetBatches;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::InputError;
use super::source::Watch;

/// About the most bytes of the rows of a batch.
const BATCH_BYTES: usize = 4 << 20;

/// Counts the bytes of a file by the share of it that was decoded.
pub(super) struct Share {
    watch: Option<Watch>,
    bytes: u64,
    units: u64,
    done: u64,
    counted: u64,
}

impl Share {
    /// `units` are all there are; `watch` is `None` where the bytes were counted while they were copied.
    pub(super) fn new(watch: Option<Watch>, bytes: u64, units: u64) -> Self {
        Self {
            watch,
            bytes,
            units,
            done: 0,
            counted: 0,
        }
    }

    pub(super) fn advance(&mut self, units: u64) {
        self.done = (self.done + units).min(self.units);
        let share = u128::from(self.bytes) * u128::from(self.done);
        let share = share
            .checked_div(u128::from(self.units))
            .unwrap_or_default();
        let counted = u64::try_from(share).unwrap_or(self.bytes);
        if let Some(watch) = &self.watch {
            watch.add(counted.saturating_sub(self.counted));
        }
        self.counted = counted;
    }

    pub(super) fn finish(&mut self) {
        if let Some(watch) = &self.watch {
            watch.add(self.bytes.saturating_sub(self.counted));
        }
        self.counted = self.bytes;
    }
}

/// An iterator over the batches of a Parquet file.
pub(super) struct ParquetReader {
    path: PathBuf,
    batches: ParquetBatches,
    share: Share,
}

impl ParquetReader {
    /// Reads the footer.
    ///
    /// # Errors
    /// A file that is not Parquet or lacks its end.
    pub(super) fn open(
        path: PathBuf,
        file: File,
        watch: Option<Watch>,
        batch_rows: usize,
    ) -> Result<Self, InputError> {
        let bytes = file_len(&path, &file)?;
        let open = |file| {
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
            ParquetBatches::new(file, metadata, batch_rows, BATCH_BYTES)
        };
        match open(file) {
            Ok(batches) => {
                let rows = batches.metadata().file_metadata().num_rows();
                Ok(Self {
                    path,
                    share: Share::new(watch, bytes, u64::try_from(rows).unwrap_or_default()),
                    batches,
                })
            }
            Err(source) => Err(InputError::Parquet { path, source }),
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.batches.schema().clone()
    }
}

impl Iterator for ParquetReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(batch) = self.batches.next() else {
            self.share.finish();
            return None;
        };
        Some(match batch {
            Ok(batch) => {
                self.share.advance(batch.num_rows() as u64);
                Ok(batch)
            }
            Err(source) => Err(InputError::Parquet {
                path: self.path.clone(),
                source,
            }),
        })
    }
}

/// The length of an open file.
pub(super) fn file_len(path: &Path, file: &File) -> Result<u64, InputError> {
    let metadata = file.metadata().map_err(|source| InputError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(metadata.len())
}
