//! Reading delimited text: rows to batches, strictly.
//!
//! Owns which columns there are and how rows fill them. Memory holds one batch and, at the start,
//! the rows from which types are inferred. Where rows begin and end is in `csv_rows`, what cells
//! mean in `cells`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::builder::StringBuilder;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use csv::ByteRecord;

use super::cells::{self, Nulls, Unparsed};
use super::csv_rows::{Row, Rows};
use super::source::{Stream, read_error, without_bom};
use super::{BATCH_BYTES, InputError, InputOptions, SAMPLE_BYTES};

/// An iterator over the batches of delimited text.
pub(super) struct CsvReader {
    rows: Rows,
    names: Vec<String>,
    /// Rows read ahead of the batches, for inference.
    sample: VecDeque<Row>,
    schema: SchemaRef,
    /// Where in a row each field of the schema stands.
    places: Vec<usize>,
    nulls: Nulls,
    batch_rows: usize,
}

impl CsvReader {
    /// Reads the header and, unless `first` gives the schema, enough rows to infer it.
    ///
    /// # Errors
    /// An empty input, a broken row, columns that are not those wanted.
    pub(super) fn open(
        path: PathBuf,
        stream: Stream,
        compressed: bool,
        delimiter: u8,
        options: &InputOptions,
        first: Option<&SchemaRef>,
    ) -> Result<Self, InputError> {
        let stream = without_bom(stream).map_err(|source| read_error(&path, compressed, source))?;
        let mut rows = Rows::new(path, stream, compressed, delimiter);
        let mut sample = VecDeque::new();
        let names = rows.names(options.header, &mut sample)?;
        let mut reader = Self {
            rows,
            names,
            sample,
            schema: Arc::new(Schema::empty()),
            places: Vec::new(),
            nulls: Nulls::new(&options.null_values),
            batch_rows: options.batch_size.max(1),
        };
        match first {
            Some(first) => reader.agree(first)?,
            None => reader.infer(options)?,
        }
        reader.check_castable()?;
        Ok(reader)
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Takes the first input's types for the columns of the same names, in whatever order.
    fn agree(&mut self, first: &SchemaRef) -> Result<(), InputError> {
        let disagree = |column: &str, difference: &str| InputError::Disagree {
            path: self.rows.path.clone(),
            column: column.to_owned(),
            difference: difference.to_owned(),
        };
        for field in first.fields() {
            let place = self.names.iter().position(|name| name == field.name());
            let missing = || disagree(field.name(), "is missing; the first input has it");
            self.places.push(place.ok_or_else(missing)?);
        }
        let extra = |name: &&String| first.column_with_name(name).is_none();
        if let Some(name) = self.names.iter().find(extra) {
            return Err(disagree(name, "is not in the first input"));
        }
        self.schema = first.clone();
        Ok(())
    }

    fn infer(&mut self, options: &InputOptions) -> Result<(), InputError> {
        for (column, _) in options.schema.iter() {
            if !self.names.iter().any(|name| name == column) {
                return Err(InputError::SchemaMissing {
                    path: self.rows.path.clone(),
                    column: column.to_owned(),
                });
            }
        }
        let mut bytes = 0;
        while self.sample.len() < options.infer_rows && bytes < SAMPLE_BYTES {
            let mut record = ByteRecord::new();
            let Some(line) = self.rows.next(&mut record)? else {
                break;
            };
            bytes += record.as_slice().len();
            self.sample.push_back((line, record));
        }
        let mut sample = Vec::with_capacity(self.sample.len());
        for (line, record) in &self.sample {
            let mut row = Vec::with_capacity(record.len());
            for (index, cell) in record.iter().enumerate() {
                let cell = self.rows.text(cell, *line, &self.names[index])?;
                let null = self.nulls.is_null(cell, false);
                row.push(if null { "" } else { cell });
            }
            sample.push(row);
        }
        let types =
            cells::infer(&sample, self.names.len()).map_err(|source| InputError::Infer {
                path: self.rows.path.clone(),
                source,
            })?;
        let fields = self.names.iter().zip(types).map(|(name, inferred)| {
            let data_type = options.schema.get(name).cloned().unwrap_or(inferred);
            Field::new(name, data_type, true)
        });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.places = (0..self.names.len()).collect();
        Ok(())
    }

    fn check_castable(&self) -> Result<(), InputError> {
        let castable = |data_type| can_cast_types(&DataType::Utf8, data_type);
        match self
            .schema
            .fields()
            .iter()
            .find(|field| !castable(field.data_type()))
        {
            None => Ok(()),
            Some(field) => Err(InputError::SchemaUnsupported {
                path: self.rows.path.clone(),
                column: field.name().clone(),
                data_type: field.data_type().clone(),
            }),
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, InputError> {
        let fields = self.schema.fields().clone();
        let text: Vec<bool> = fields
            .iter()
            .map(|f| cells::is_text(f.data_type()))
            .collect();
        let mut builders: Vec<StringBuilder> =
            fields.iter().map(|_| StringBuilder::new()).collect();
        let mut lines = Vec::new();
        let mut bytes = 0;
        let mut record = ByteRecord::new();
        while lines.len() < self.batch_rows && bytes < BATCH_BYTES {
            let line = match self.sample.pop_front() {
                Some((line, sampled)) => {
                    record = sampled;
                    line
                }
                None => match self.rows.next(&mut record)? {
                    Some(line) => line,
                    None => break,
                },
            };
            for (index, builder) in builders.iter_mut().enumerate() {
                let cell =
                    self.rows
                        .text(&record[self.places[index]], line, fields[index].name())?;
                if self.nulls.is_null(cell, text[index]) {
                    builder.append_null();
                } else {
                    builder.append_value(cell);
                }
            }
            bytes += record.as_slice().len();
            lines.push(line);
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(builders.len());
        for (mut builder, field) in builders.into_iter().zip(&fields) {
            let texts: ArrayRef = Arc::new(builder.finish());
            columns.push(self.parse(&texts, field, &lines)?);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        batch.map(Some).map_err(|source| InputError::Arrow {
            path: self.rows.path.clone(),
            source,
        })
    }

    fn parse(
        &self,
        texts: &ArrayRef,
        field: &Field,
        lines: &[u64],
    ) -> Result<ArrayRef, InputError> {
        let path = self.rows.path.clone();
        cells::parse(texts, field.data_type()).map_err(|unparsed| match unparsed {
            Unparsed::Cell(index) => InputError::Value {
                path,
                line: lines[index],
                column: field.name().clone(),
                value: texts.as_string::<i32>().value(index).to_owned(),
                data_type: field.data_type().clone(),
            },
            Unparsed::Column(source) => InputError::Arrow { path, source },
        })
    }
}

impl Iterator for CsvReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
