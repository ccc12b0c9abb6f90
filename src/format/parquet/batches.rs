//! Reading any Parquet file in batches of bounded bytes.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;

use super::cost::{cost, with_views_in};
use super::keys::Keys;
use crate::damage::Location;
use crate::disk::{DiskFile, OsDisk};
use crate::format::source::Source;
use crate::format::{Fault, contained};
use crate::size::size_of_rows;

/// An iterator over the batches of a Parquet file, each of limited memory.
///
/// Rows are counted by what they take decoded, which has no bound by the length of the file: a dictionary
/// of one long text stands for any number of them. A batch has at least one row, and is of one row group.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::fs::File;
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use atomic_arrow::format::ParquetBatches;
/// use atomic_arrow::parquet::arrow::ArrowWriter;
/// use atomic_arrow::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
///
/// let text = "long ".repeat(1000);
/// let column: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 100]));
/// let rows = RecordBatch::try_from_iter([("text", column)])?;
/// let mut writer = ArrowWriter::try_new(tempfile::tempfile()?, rows.schema(), None)?;
/// writer.write(&rows)?;
/// let file: File = writer.into_inner()?;
///
/// let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
/// for batch in ParquetBatches::new(file, footer, 8192, 64 << 10)? {
///     assert!(batch?.num_rows() <= 16);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ParquetBatches {
    source: Source,
    arrow: ArrowReaderMetadata,
    most_rows: usize,
    most_bytes: usize,
    row_group: usize,
    /// The row group that is being read.
    reader: Option<ParquetRecordBatchReader>,
    /// The decoded batches that were not returned yet, the first at the end.
    waiting: Vec<RecordBatch>,
}

impl ParquetBatches {
    /// The batches of a file with this footer, in its types, each of at most `rows` rows and about `bytes`
    /// bytes.
    ///
    /// # Errors
    /// The system's, in [`ParquetError::External`].
    pub fn new(
        file: File,
        arrow: ArrowReaderMetadata,
        most_rows: usize,
        most_bytes: usize,
    ) -> Result<Self> {
        let source = Source::new(Arc::from(OsDisk::file(file)))
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Self::of(source, arrow, (most_rows, most_bytes)))
    }

    /// The batches of a file of any disk, which may be encrypted with these keys.
    pub(crate) fn of_disk(
        file: Arc<dyn DiskFile>,
        most: (usize, usize),
        keys: Option<&Keys>,
    ) -> Result<Self> {
        let source = Source::new(file).map_err(|error| ParquetError::External(Box::new(error)))?;
        let load = || {
            let options = Keys::opening(keys, &source, ArrowReaderOptions::new())?;
            ArrowReaderMetadata::load(&source, options)
        };
        let arrow = contained(&Location::file(), load)
            .map_err(|panicked| ParquetError::External(Box::new(panicked)))??;
        Ok(Self::of(source, arrow, most))
    }

    fn of(source: Source, arrow: ArrowReaderMetadata, (rows, bytes): (usize, usize)) -> Self {
        ParquetBatches {
            source,
            arrow,
            most_rows: rows.max(1),
            most_bytes: bytes,
            row_group: 0,
            reader: None,
            waiting: Vec::new(),
        }
    }

    /// The schema of every batch.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.arrow.schema()
    }

    /// The footer.
    #[must_use]
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.arrow.metadata()
    }

    /// Begins to read a row group. Texts and bytes are read as views, but dictionaries that are whole in the
    /// file as they are.
    fn begin(&self, index: usize) -> Result<ParquetRecordBatchReader, Fault> {
        let row_group = self.arrow.metadata().row_group(index);
        let schema = self.arrow.schema();
        let mut row = 0u64;
        let mut only_dictionary = vec![true; schema.fields().len()];
        for (leaf, chunk) in row_group.columns().iter().enumerate() {
            let location = Location::row_group(index).column(chunk.column_path().string());
            let rows = row_group.num_rows().unsigned_abs();
            let found = cost(&self.source, &location, chunk, rows)?;
            row = row.saturating_add(found.row);
            let root = self.arrow.parquet_schema().get_column_root_idx(leaf);
            if let Some(only) = only_dictionary.get_mut(root) {
                *only &= found.only_dictionary;
            }
        }
        let fields = schema.fields().iter().zip(only_dictionary);
        let fields: Vec<FieldRef> = fields
            .map(|(field, only)| match field.data_type() {
                DataType::Dictionary(_, _) if only => Arc::clone(field),
                _ => with_views_in(field),
            })
            .collect();
        let views = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let options = ArrowReaderOptions::new().with_schema(views);
        let metadata = Arc::clone(self.arrow.metadata());
        let arrow = ArrowReaderMetadata::try_new(metadata, options);
        let arrow = arrow.unwrap_or_else(|_| self.arrow.clone());
        let rows = usize::try_from(self.most_bytes as u64 / row.max(1)).unwrap_or(usize::MAX);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.source.clone(), arrow)
            .with_row_groups(vec![index])
            .with_batch_size(rows.clamp(1, self.most_rows))
            .build()
            .map_err(|error| Fault::Io(std::io::Error::other(error)))
    }

    /// The next decoded rows, of any size.
    fn decoded(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                return Ok(Some(batch?));
            }
            if self.row_group == self.arrow.metadata().num_row_groups() {
                return Ok(None);
            }
            let reader = self.begin(self.row_group);
            self.reader = Some(self.source.settle(reader).map_err(|fault| match fault {
                Fault::Io(error) => ParquetError::External(Box::new(error)),
                Fault::Damage(damage) => ParquetError::External(Box::new(damage)),
            })?);
            self.row_group += 1;
        }
    }

    /// The next batch of at most the allowed rows and about the allowed bytes, in the promised types.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(batch) = self.waiting.pop() else {
                match self.decoded()? {
                    Some(batch) => self.waiting.push(batch),
                    None => return Ok(None),
                }
                continue;
            };
            let rows = batch.num_rows();
            let is_as_promised = batch.schema_ref().fields() == self.schema().fields();
            if rows > 1 && !is_as_promised && size(&batch) > self.most_bytes {
                let half = rows / 2;
                self.waiting.push(batch.slice(half, rows - half));
                self.waiting.push(batch.slice(0, half));
                continue;
            }
            return self.converted(batch).map(Some);
        }
    }

    fn converted(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if batch.schema_ref().fields() == self.schema().fields() {
            return Ok(batch);
        }
        let columns = batch.columns().iter().zip(self.schema().fields());
        let columns = columns.map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            // A slice of lists has all values of the whole, and all of them would be converted.
            let rows = UInt64Array::from_iter_values(0..column.len() as u64);
            let own = match column.data_type().is_nested() {
                true => take(column, &rows, None)?,
                false => Arc::clone(column),
            };
            cast(&own, field.data_type())
        });
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(self.schema()), columns)?)
    }
}

fn size(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|column| size_of_rows(column, 0..batch.num_rows()))
        .sum()
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use arrow::array::{
        ArrayRef, AsArray, DictionaryArray, Int32Array, ListArray, StringArray, StructArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::compute::concat_batches;
    use arrow::datatypes::Field;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_writer::ArrowWriterOptions;
    use parquet::file::properties::WriterProperties;

    use super::*;

    const LONG: usize = 100_000;

    /// Rows that all have the same long texts: as such, in lists and in a structure.
    fn long_rows(rows: usize) -> RecordBatch {
        let words = [format!("a{}", "x".repeat(LONG)), "short".to_owned()];
        let keys = Int32Array::from_iter_values((0..rows as i32).map(|row| row % 2));
        let words = StringArray::from_iter_values(words);
        let texts: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(words)));
        let item = Arc::new(Field::new("item", texts.data_type().clone(), false));
        let offsets = OffsetBuffer::from_lengths(vec![1; rows]);
        let lists = ListArray::new(Arc::clone(&item), offsets, Arc::clone(&texts), None);
        let pair = StructArray::from(vec![(item, Arc::clone(&texts))]);
        let columns: [(&str, ArrayRef); 3] = [
            ("text", texts),
            ("list", Arc::new(lists)),
            ("struct", Arc::new(pair)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// A Parquet file of the rows, which says or does not say that they are dictionaries.
    fn file(rows: &RecordBatch, arrow_schema: bool) -> File {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(700))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(!arrow_schema);
        let file = tempfile::tempfile().unwrap();
        let mut writer = ArrowWriter::try_new_with_options(file, rows.schema(), options).unwrap();
        writer.write(rows).unwrap();
        let mut file = writer.into_inner().unwrap();
        file.rewind().unwrap();
        file
    }

    fn open(file: File, bytes: usize) -> ParquetBatches {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
        ParquetBatches::new(file, metadata, 8192, bytes).unwrap()
    }

    #[test]
    fn a_batch_takes_no_more_than_it_may_however_few_bytes_stand_for_it() {
        let rows = long_rows(1_000);
        let file = file(&rows, false);
        assert!(file.metadata().unwrap().len() < 2_000_000);
        let mut found = 0;
        for batch in open(file, 1 << 20) {
            let batch = batch.unwrap();
            assert!(size(&batch) <= 1 << 20, "{}", size(&batch));
            let held = batch.get_array_memory_size();
            assert!(held < 3 << 20, "{held} bytes of {} rows", batch.num_rows());
            let texts = batch.column(0).as_string::<i32>();
            for row in 0..batch.num_rows() {
                let long = (found + row).is_multiple_of(2);
                assert_eq!(texts.value(row).len(), if long { LONG + 1 } else { 5 });
            }
            found += batch.num_rows();
        }
        assert_eq!(found, 1_000);
    }

    #[test]
    fn rows_and_types_are_those_of_the_file() {
        let rows = long_rows(80);
        for arrow_schema in [true, false] {
            let expected = ParquetRecordBatchReaderBuilder::try_new(file(&rows, arrow_schema))
                .unwrap()
                .build()
                .unwrap();
            let schema = Arc::clone(&arrow::array::RecordBatchReader::schema(&expected));
            let expected = expected
                .collect::<std::result::Result<Vec<_>, _>>()
                .unwrap();
            let expected = concat_batches(&schema, &expected).unwrap();
            let batches = open(file(&rows, arrow_schema), 1 << 20);
            assert_eq!(batches.schema().fields(), schema.fields());
            let found = batches.collect::<Result<Vec<_>>>().unwrap();
            assert_eq!(concat_batches(&schema, &found).unwrap(), expected);
        }
    }
}
