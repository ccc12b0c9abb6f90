//! Writing a file again with types for columns that had none, because all their values are null.
//!
//! The chunks of the other columns are copied as they are.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, PARQUET_FIELD_ID_META_KEY, parquet_to_arrow_schema};
use parquet::basic::Compression;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::file::{Encoded, encoded, end_footer};
use super::footer;
use super::keys::is_encrypted;
use super::row_group::{Ended, FileTemplate};
use super::slot::{FileOutput as _, Slot};
use crate::damage::Damage;
use crate::disk::DiskFile;
use crate::error::{self, Error, Step};
use crate::format::Fault;
use crate::format::source::Source;
use crate::options::Encodings;
use crate::staging::Draft;

/// The rows of a chunk that are encoded at once.
const PIECE: usize = 1 << 16;

/// A file that is read to be written again.
pub(crate) struct Retyping {
    source: Source,
    metadata: ParquetMetaData,
    /// The schema that the file gets.
    schema: SchemaRef,
    template: FileTemplate,
    /// Writes the chunks of the columns that get a type, and those alone.
    columns: FileTemplate,
    /// The numbers of these columns.
    numbers: HashMap<usize, usize>,
}

impl Retyping {
    /// Opens a file to be written again with these fields, which have a type that is not nested, in place of those of the
    /// same names. `None` if the file is not copied: what is encrypted, and bloom filters.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read.
    pub(crate) fn open(
        file: Arc<dyn DiskFile>,
        typed: &[FieldRef],
    ) -> std::result::Result<Option<Self>, Fault> {
        let mut source = Source::new(file)?;
        let read = footer::read(&mut source, None);
        let metadata = match source.settle(read) {
            Err(Fault::Damage(Damage::NotCheckable { .. })) => return Ok(None),
            read => read?.metadata,
        };
        let groups = metadata.row_groups().iter();
        let mut chunks = groups.flat_map(RowGroupMetaData::columns);
        if chunks.any(|chunk| chunk.bloom_filter_offset().is_some() || is_encrypted(chunk)) {
            return Ok(None);
        }
        let opened = Self::planned(source, metadata, typed);
        opened
            .map(Some)
            .map_err(|error| Fault::Io(io::Error::other(error)))
    }

    fn planned(source: Source, metadata: ParquetMetaData, typed: &[FieldRef]) -> Result<Self> {
        let file = metadata.file_metadata();
        let pairs = file.key_value_metadata();
        let known = parquet_to_arrow_schema(file.schema_descr(), pairs)?;
        let mut numbers = HashMap::new();
        let mut retyped = Vec::new();
        let fields = known.fields().iter().enumerate().map(|(number, field)| {
            match typed.iter().find(|typed| typed.name() == field.name()) {
                Some(typed) if field.data_type().is_null() => {
                    let field = with_id_of(typed, field);
                    numbers.insert(number, retyped.len());
                    retyped.push(Arc::clone(&field));
                    field
                }
                _ => Arc::clone(field),
            }
        });
        let fields: Vec<FieldRef> = fields.collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, known.metadata().clone()));
        let pairs = pairs.cloned().unwrap_or_default().into_iter();
        let (embedded, rest): (Vec<_>, Vec<_>) =
            pairs.partition(|pair| pair.key == ARROW_SCHEMA_META_KEY);
        let embedded = !embedded.is_empty();
        let first = metadata.row_groups().first();
        let sorted = first.and_then(|group| group.sorting_columns().cloned());
        let version = match file.version() {
            1 => WriterVersion::PARQUET_1_0,
            _ => WriterVersion::PARQUET_2_0,
        };
        let compression = first.map_or(Compression::UNCOMPRESSED, |group| {
            let mut chunks = group.columns().iter();
            let first = chunks.next().map(|chunk| chunk.compression());
            first.unwrap_or(Compression::UNCOMPRESSED)
        });
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(compression)
            .set_sorting_columns(sorted)
            .set_key_value_metadata((!rest.is_empty()).then_some(rest));
        let properties = properties.build();
        let template = |schema: &SchemaRef, properties| {
            FileTemplate::new(
                schema,
                properties,
                (true, Some(embedded)),
                Encodings::Compatible,
            )
        };
        let columns: SchemaRef = Arc::new(Schema::new(retyped));
        Ok(Retyping {
            template: template(&schema, properties.clone())?,
            columns: template(&columns, properties)?,
            source,
            metadata,
            schema,
            numbers,
        })
    }

    /// The schema that the file gets.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Writes the file. `path` is its final path, for errors.
    ///
    /// # Errors
    /// [`Error::Io`] of the new file; [`Error::Encode`], also where the old one cannot be read.
    pub(crate) fn write(&self, draft: Draft, path: &Path) -> error::Result<Encoded> {
        let mut slot = Slot::new(draft);
        let written = self.write_to(&mut slot);
        match written {
            Ok(metadata) => encoded(&mut slot, metadata, path.to_owned()),
            Err(source) => Err(match slot.take_fault() {
                Some((source, path)) => Error::Io {
                    step: Step::WriteRows,
                    path,
                    source,
                },
                None => Error::encode(Step::WriteRows, path, source),
            }),
        }
    }

    fn write_to(&self, slot: &mut Slot) -> Result<ParquetMetaData> {
        let mut writer = self.template.file(slot)?;
        for (number, group) in self.metadata.row_groups().iter().enumerate() {
            let mut typed = self.typed_chunks(number, group.num_rows())?;
            let mut row_group = writer.next_row_group()?;
            for column in 0..group.num_columns() {
                let field = group.schema_descr().get_column_root_idx(column);
                match self.numbers.get(&field) {
                    Some(typed_number) => {
                        let chunk = typed[*typed_number].take();
                        let chunk = chunk.ok_or_else(|| {
                            ParquetError::General("a column without a type is nested".to_owned())
                        })?;
                        // All chunks of a file have an offset index, or none.
                        let chunk = match self.metadata.offset_index() {
                            Some(_) => chunk,
                            None => chunk.without_page_index(),
                        };
                        chunk.append_to(&mut row_group)?;
                    }
                    None => row_group.append_column(&self.source, self.copied(number, column))?,
                }
            }
            row_group.close()?;
        }
        let end = writer.bytes_written() as u64;
        writer.inner_mut().row_groups_ended(end);
        let metadata = writer.finish()?;
        end_footer(*writer.inner_mut(), metadata)
    }

    /// What is known of a chunk that is copied.
    fn copied(&self, group: usize, column: usize) -> ColumnCloseResult {
        let metadata = self.metadata.row_group(group).column(column).clone();
        let column_index = self.metadata.column_index();
        let offset_index = self.metadata.offset_index();
        ColumnCloseResult {
            bytes_written: u64::try_from(metadata.compressed_size()).unwrap_or(0),
            rows_written: u64::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0),
            metadata,
            bloom_filter: None,
            column_index: column_index.map(|index| index[group][column].clone()),
            offset_index: offset_index.map(|index| index[group][column].clone()),
        }
    }

    /// The chunks of the columns that get a type.
    fn typed_chunks(&self, group: usize, rows: i64) -> Result<Vec<Option<Ended>>> {
        let rows = usize::try_from(rows)?;
        let file = self.columns.file(io::sink())?;
        let unchosen = self.columns.unchosen();
        let encoders = self.columns.row_group(&file, group, None, unchosen)?;
        let schema = self.columns.arrow_schema();
        for start in (0..rows).step_by(PIECE) {
            let length = PIECE.min(rows - start);
            let nulls = schema.fields().iter();
            let nulls = nulls.map(|field| new_null_array(field.data_type(), length));
            let options = RecordBatchOptions::new().with_row_count(Some(length));
            let batch =
                RecordBatch::try_new_with_options(Arc::clone(schema), nulls.collect(), &options)?;
            for field in 0..self.columns.fields() {
                encoders.encode(field, &batch, std::slice::from_ref(&(0..length)))?;
            }
        }
        let end = |field| Ok(encoders.end(field)?.into_iter().next());
        (0..self.columns.fields()).map(end).collect()
    }
}

/// The field, with the id that a field of a file has.
fn with_id_of(field: &Field, known: &Field) -> FieldRef {
    let mut metadata = field.metadata().clone();
    if let Some(id) = known.metadata().get(PARQUET_FIELD_ID_META_KEY) {
        metadata.insert(PARQUET_FIELD_ID_META_KEY.to_owned(), id.clone());
    }
    Arc::new(field.clone().with_metadata(metadata).with_nullable(true))
}
