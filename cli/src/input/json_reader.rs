//! Reading NDJSON: lines to batches, strictly.
//!
//! Owns lines and their numbers, and what a JSON value may become. A key that is no column is an
//! error, for dropping it would lose data, and so is a fraction in a column of integers. Memory
//! holds one batch of lines and, at the start, those that are sampled.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::{Decoder, infer_json_schema_from_iterator};
use serde_json::Value;

use super::source::{CHUNK, Stream, read_error, without_bom};
use super::{BATCH_BYTES, InputError, InputOptions, ROW_BYTES, SAMPLE_BYTES};

/// An iterator over the batches of NDJSON.
pub(super) struct JsonReader {
    lines: Lines,
    schema: SchemaRef,
    /// The schema in which Arrow decodes: integers are text, see `raw_fields`.
    raw: SchemaRef,
    decoder: Decoder,
    batch_rows: usize,
}

impl JsonReader {
    /// Reads enough lines to infer the schema, unless `first` gives it.
    ///
    /// # Errors
    /// A sampled line that is not one JSON object, an input without rows, an unknown column.
    pub(super) fn open(
        path: PathBuf,
        stream: Stream,
        compressed: bool,
        options: &InputOptions,
        first: Option<&SchemaRef>,
    ) -> Result<Self, InputError> {
        let stream = without_bom(stream).map_err(|source| read_error(&path, compressed, source))?;
        let mut lines = Lines {
            path,
            compressed,
            reader: Box::new(BufReader::with_capacity(CHUNK, stream)),
            number: 0,
        };
        let schema = match first {
            Some(first) => first.clone(),
            None => infer(&mut lines, options)?,
        };
        let raw = Arc::new(Schema::new(raw_fields(schema.fields().iter())));
        for (field, raw) in schema.fields().iter().zip(raw.fields()) {
            if !can_cast_types(raw.data_type(), field.data_type()) {
                return Err(InputError::SchemaUnsupported {
                    path: lines.path,
                    column: field.name().clone(),
                    data_type: field.data_type().clone(),
                });
            }
        }
        let batch_rows = options.batch_size.max(1);
        let decoder = decoder(&raw, batch_rows).map_err(|source| InputError::Arrow {
            path: lines.path.clone(),
            source,
        })?;
        Ok(Self {
            lines,
            schema,
            raw,
            decoder,
            batch_rows,
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, InputError> {
        let block = self.lines.block(self.batch_rows, BATCH_BYTES)?;
        if block.rows.is_empty() {
            return Ok(None);
        }
        match decode(
            &mut self.decoder,
            &block.bytes,
            block.rows.len(),
            &self.schema,
        ) {
            Ok(batch) => Ok(Some(batch)),
            Err(error) => Err(self.locate(&block, error)),
        }
    }

    /// Decodes line by line to find the one that a failed batch failed at.
    fn locate(&self, block: &Block, error: ArrowError) -> InputError {
        let path = self.lines.path.clone();
        for (line, bytes) in block.iter() {
            let one = decoder(&self.raw, 2)
                .and_then(|mut decoder| decode(&mut decoder, bytes, 1, &self.schema));
            if let Err(source) = one {
                return match parse_object(&path, line, bytes) {
                    Err(error) => error,
                    Ok(_) => InputError::JsonRow { path, line, source },
                };
            }
        }
        InputError::Arrow {
            path,
            source: error,
        }
    }
}

impl Iterator for JsonReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

fn decoder(raw: &SchemaRef, rows: usize) -> Result<Decoder, ArrowError> {
    ReaderBuilder::new(raw.clone())
        .with_batch_size(rows)
        .with_strict_mode(true)
        .with_coerce_primitive(true)
        .build_decoder()
}

/// Decodes exactly so many rows and turns them from the raw to the wanted types.
fn decode(
    decoder: &mut Decoder,
    bytes: &[u8],
    rows: usize,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let consumed = decoder.decode(bytes)?;
    let batch = decoder.flush()?;
    let rest = bytes.get(consumed..).unwrap_or_default();
    let batch = batch
        .filter(|batch| batch.num_rows() == rows && rest.trim_ascii().is_empty())
        .ok_or_else(|| ArrowError::JsonError("not one JSON object a line".to_owned()))?;
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| {
        cast_with_options(column, field.data_type(), &options)
            .map_err(|error| ArrowError::JsonError(format!("column `{}`: {error}", field.name())))
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// The fields with every integer as text.
///
/// Arrow's JSON decoder cuts 1.5 to 1 for an integer column; the text's cast refuses it.
fn raw_fields<'a>(fields: impl Iterator<Item = &'a FieldRef>) -> Vec<FieldRef> {
    fields.map(raw_field).collect()
}

fn raw_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        integer if integer.is_integer() => DataType::Utf8,
        DataType::List(item) => DataType::List(raw_field(item)),
        DataType::LargeList(item) => DataType::LargeList(raw_field(item)),
        DataType::Struct(fields) => DataType::Struct(raw_fields(fields.iter()).into()),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// Infers the schema from the first lines and puts them back.
fn infer(lines: &mut Lines, options: &InputOptions) -> Result<SchemaRef, InputError> {
    let block = lines.block(options.infer_rows, SAMPLE_BYTES)?;
    let whole = block.rows.len() < options.infer_rows && block.bytes.len() < SAMPLE_BYTES;
    let mut objects = Vec::with_capacity(block.rows.len());
    for (line, bytes) in block.iter() {
        objects.push(Ok(parse_object(&lines.path, line, bytes)?));
    }
    let inferred = infer_json_schema_from_iterator(objects.into_iter());
    let inferred = inferred.map_err(|source| InputError::Infer {
        path: lines.path.clone(),
        source,
    })?;
    let mut fields: Vec<FieldRef> = inferred.fields().iter().map(nulls_as_text).collect();
    for (name, data_type) in options.schema.iter() {
        let field = Arc::new(Field::new(name, data_type.clone(), true));
        match fields.iter_mut().find(|field| field.name() == name) {
            Some(inferred) => *inferred = field,
            // Beyond the sample the column may well come; all of the input says that it does not.
            None if whole && !block.rows.is_empty() => {
                return Err(InputError::SchemaMissing {
                    path: lines.path.clone(),
                    column: name.to_owned(),
                });
            }
            None => fields.push(field),
        }
    }
    if fields.is_empty() {
        return Err(InputError::Empty {
            path: lines.path.clone(),
            missing: "no row says which columns there are",
        });
    }
    lines.put_back(block);
    Ok(Arc::new(Schema::new(fields)))
}

/// The field with text wherever only nulls were seen.
fn nulls_as_text(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Null => DataType::Utf8,
        DataType::List(item) => DataType::List(nulls_as_text(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(nulls_as_text).collect()),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn parse_object(path: &Path, line: u64, bytes: &[u8]) -> Result<Value, InputError> {
    let (value, source) = match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    };
    value
        .filter(Value::is_object)
        .ok_or_else(|| InputError::JsonLine {
            path: path.to_owned(),
            line,
            source,
        })
}

/// The lines of the text, numbered.
struct Lines {
    path: PathBuf,
    compressed: bool,
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

/// Some lines, blank ones included in the bytes but not among the rows.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// The number of each line that holds something, and where it ends.
    rows: Vec<(u64, usize)>,
    first_line: u64,
}

impl Block {
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut start = 0;
        self.rows.iter().map(move |&(line, end)| {
            let bytes = self.bytes[start..end].trim_ascii();
            start = end;
            (line, bytes)
        })
    }
}

impl Lines {
    /// Reads lines until there are so many rows or bytes.
    fn block(&mut self, rows: usize, bytes: usize) -> Result<Block, InputError> {
        let mut block = Block {
            first_line: self.number,
            ..Block::default()
        };
        while block.rows.len() < rows && block.bytes.len() < bytes {
            let start = block.bytes.len();
            let mut reader = self.reader.by_ref().take(ROW_BYTES + 1);
            let n = reader
                .read_until(b'\n', &mut block.bytes)
                .map_err(|source| read_error(&self.path, self.compressed, source))?;
            if n == 0 {
                break;
            }
            self.number += 1;
            if n as u64 > ROW_BYTES {
                return Err(InputError::TooLong {
                    path: self.path.clone(),
                    line: self.number,
                    limit: ROW_BYTES,
                });
            }
            if !block.bytes[start..].trim_ascii().is_empty() {
                block.rows.push((self.number, block.bytes.len()));
            }
        }
        Ok(block)
    }

    /// Makes a block the next to be read again.
    fn put_back(&mut self, block: Block) {
        let empty: Box<dyn BufRead + Send> = Box::new(std::io::empty());
        let rest = std::mem::replace(&mut self.reader, empty);
        self.reader = Box::new(Cursor::new(block.bytes).chain(rest));
        self.number = block.first_line;
    }
}
