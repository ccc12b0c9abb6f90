//! One row group being encoded, its columns side by side.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::template::{ParquetTemplate, Template};
use crate::format::parquet::Chunks;

/// A row group whose rows are in the encoders.
pub(super) struct Group {
    fields: Vec<Field>,
    /// The pages, where they are compressed here.
    chunks: Option<Arc<Chunks>>,
    rows: usize,
    most_rows: usize,
    most_bytes: Option<usize>,
    /// At how many rows the bytes are looked at next.
    look_at: usize,
}

/// The encoders of a field's leaves.
struct Field {
    first_leaf: usize,
    leaves: Mutex<Vec<ArrowColumnWriter>>,
}

/// A column chunk that is ready to go into the file.
pub(super) enum Ended {
    Pages(Bytes, Box<ColumnCloseResult>),
    Encoder(Box<ArrowColumnChunk>),
}

impl Field {
    fn leaves(&self) -> MutexGuard<'_, Vec<ArrowColumnWriter>> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    /// Begins the next row group of `file`, of at most so many rows and bytes.
    pub(super) fn new<W: Write + Send>(
        template: &Template,
        common: &ParquetTemplate,
        file: &SerializedFileWriter<W>,
        (most_rows, most_bytes): (usize, Option<usize>),
    ) -> Result<Self> {
        let schema = Arc::clone(&template.schema);
        let (factory, chunks) = match &common.compression {
            Some((compression, uncompressed)) => {
                let chunks = Arc::new(Chunks::new(compression));
                let stores = Arc::clone(&chunks);
                let factory = ArrowRowGroupWriterFactory::new(uncompressed, schema);
                (factory.with_page_store_factory(stores), Some(chunks))
            }
            None => (ArrowRowGroupWriterFactory::new(file, schema), None),
        };
        let number = file.flushed_row_groups().len();
        let mut leaves = factory.create_column_writers(number)?.into_iter();
        let mut first_leaf = 0;
        let fields = common.leaves.iter().map(|count| {
            let leaves = leaves.by_ref().take(*count).collect();
            let field = Field {
                first_leaf,
                leaves: Mutex::new(leaves),
            };
            first_leaf += count;
            field
        });
        Ok(Group {
            fields: fields.collect(),
            chunks,
            rows: 0,
            most_rows,
            look_at: most_bytes.map_or(usize::MAX, |_| template.chunk),
            most_bytes,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn add_rows(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// How many rows may be encoded before it is to be asked whether the row group ends.
    pub(super) fn room(&self) -> usize {
        self.most_rows.min(self.look_at) - self.rows
    }

    /// Encodes one field of some rows, so many at once.
    pub(super) fn encode(&self, field: usize, batch: &RecordBatch, chunk: usize) -> Result<()> {
        let mut leaves = self.fields[field].leaves();
        let (array, field) = (batch.column(field), batch.schema_ref().field(field));
        for start in (0..array.len()).step_by(chunk) {
            let rows = chunk.min(array.len() - start);
            let values = compute_leaves(field, &array.slice(start, rows))?;
            for (writer, leaf) in leaves.iter_mut().zip(&values) {
                writer.write(leaf)?;
            }
        }
        Ok(())
    }

    /// Whether the row group ends here; and if not, where it is to be asked again.
    ///
    /// The encoders are asked at few places, which depend on the rows alone.
    pub(super) fn is_full(&mut self, chunk: usize) -> bool {
        if self.rows >= self.most_rows {
            return true;
        }
        let Some(most) = self.most_bytes.filter(|_| self.rows >= self.look_at) else {
            return false;
        };
        let bytes: usize = self.fields.iter().map(|field| self.estimate(field)).sum();
        if bytes >= most {
            return true;
        }
        let rows_left = (most - bytes) as u128 * self.rows as u128 / bytes.max(1) as u128;
        let step = usize::try_from(rows_left * 3 / 4).unwrap_or(usize::MAX) / chunk * chunk;
        self.look_at = self.rows.saturating_add(step.max(chunk));
        false
    }

    /// What the rows so far would take in the file.
    fn estimate(&self, field: &Field) -> usize {
        let leaves = field.leaves();
        let sizes = leaves.iter().enumerate().map(|(number, leaf)| {
            let bytes = leaf.get_estimated_total_bytes();
            self.chunks.as_ref().map_or(bytes, |chunks| {
                chunks.estimate(field.first_leaf + number, bytes)
            })
        });
        sizes.sum()
    }

    /// Ends a field's column chunks.
    pub(super) fn end(&self, field: usize) -> Result<Vec<Ended>> {
        let field = &self.fields[field];
        let leaves = std::mem::take(&mut *field.leaves());
        let end = |(number, leaf): (usize, ArrowColumnWriter)| {
            let chunk = leaf.close()?;
            let Some(chunks) = &self.chunks else {
                return Ok(Ended::Encoder(Box::new(chunk)));
            };
            let close = chunk.close().clone();
            let (bytes, close) = chunks.take(field.first_leaf + number, close)?;
            Ok(Ended::Pages(bytes, Box::new(close)))
        };
        leaves.into_iter().enumerate().map(end).collect()
    }
}

impl Ended {
    pub(super) fn append_to<W: Write + Send>(
        self,
        writer: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        match self {
            Ended::Pages(bytes, close) => writer.append_column(&bytes, *close),
            Ended::Encoder(chunk) => chunk.append_to_row_group(writer),
        }
    }
}
