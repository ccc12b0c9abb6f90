//! Reading Parquet, and counting how far a file with a footer has been read.
//!
//! Owns what a truncated or foreign Parquet file looks like. Types are the file's own; nothing is
//! inferred or converted, but for INT96, see `int96`, for annotations that the decoder does not heed, see
//! `annotations`, and for dictionaries that it does not know.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use atomic_arrow::format::ParquetBatches;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use super::InputError;
use super::annotations::{self, TextCheck};
use super::int96::{self, Int96Check};
use super::integers::unknown_of_footer;
use super::leaves::{map_leaves, read_as};
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
    int96: Option<Int96Check>,
    texts: Option<TextCheck>,
    notes: Vec<String>,
    share: Share,
}

impl ParquetReader {
    /// Reads the footer; `int96` is the unit in which INT96 is read.
    ///
    /// # Errors
    /// A file that is not Parquet, lacks its end, or contradicts itself.
    pub(super) fn open(
        path: PathBuf,
        file: File,
        watch: Option<Watch>,
        batch_rows: usize,
        int96: TimeUnit,
    ) -> Result<Self, InputError> {
        let bytes = file_len(&path, &file)?;
        let batch_rows = batch_rows.max(1);
        let error = |source| InputError::Parquet {
            path: path.clone(),
            source,
        };
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .map_err(error)?;
        if let Some(found) = unknown_of_footer(footer.file_metadata()) {
            return Err(InputError::UnknownInteger { path, found });
        }
        let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), ArrowReaderOptions::new())
            .and_then(without_odd_dictionaries)
            .map_err(error)?;
        let footer = metadata.metadata().file_metadata().num_rows();
        let groups = metadata.metadata().row_groups().iter();
        let row_groups = groups.fold(0i64, |sum, group| sum.saturating_add(group.num_rows()));
        let negative = metadata
            .metadata()
            .row_groups()
            .iter()
            .any(|group| group.num_rows() < 0);
        if footer != row_groups || negative {
            return Err(InputError::RowCount {
                path,
                footer,
                row_groups,
            });
        }
        let open = || -> Result<_, ParquetError> {
            let annotated = annotations::open(metadata, &path)?;
            let (texts, notes) = (annotated.texts, annotated.notes);
            let (metadata, int96) = int96::open(&file, annotated.metadata, batch_rows, int96)?;
            let batches = ParquetBatches::new(file, metadata, batch_rows, BATCH_BYTES)?;
            Ok((batches, int96, texts, notes))
        };
        match open() {
            Ok((batches, int96, texts, notes)) => Ok(Self {
                path,
                batches,
                int96,
                texts,
                notes,
                share: Share::new(watch, bytes, u64::try_from(footer).unwrap_or_default()),
            }),
            Err(source) => Err(InputError::Parquet { path, source }),
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.batches.schema().clone()
    }

    /// Takes the notes on what the file says of its columns and is not kept.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<(), InputError> {
        if let Some(texts) = &mut self.texts {
            texts.check(&self.path, batch)?;
        }
        match &mut self.int96 {
            Some(int96) => int96.check(&self.path, batch),
            None => Ok(()),
        }
    }
}

/// Replaces dictionary types to which the decoder cannot decode, such as those of booleans and decimals, by the types
/// of their values.
fn without_odd_dictionaries(
    metadata: ArrowReaderMetadata,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let without = |field| map_leaves(field, &mut leaf_without_odd);
    let fields = metadata.schema().fields().iter().map(without).collect();
    read_as(metadata, fields)
}

fn leaf_without_odd(leaf: &DataType) -> DataType {
    let DataType::Dictionary(_, values) = leaf else {
        return leaf.clone();
    };
    let is_read = match values.as_ref() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => true,
        values => values.is_integer() || values.is_floating(),
    };
    if is_read {
        leaf.clone()
    } else {
        values.as_ref().clone()
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
                self.check(&batch).map(|()| batch)
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
