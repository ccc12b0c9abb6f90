//! Reading delimited text: rows to batches, strictly.
//!
//! Owns which columns there are and how rows fill them. Memory holds one batch and, at the start,
//! the rows from which types are inferred. Where rows begin and end is in `csv_rows`, what cells
//! mean in `cells`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::builder::StringBuilder;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use csv::ByteRecord;

use super::cells::{self, Nulls, Reading, Unparsed};
use super::csv_rows::{Row, Rows};
use super::dates::DateFormat;
use super::encoding::to_utf8;
use super::error::shortened;
use super::guess::{Guess, Undated};
use super::quoted::QUOTED_EMPTY;
use super::source::read_error;
use super::stream::Stream;
use super::{BATCH_BYTES, InputError, InputOptions, Known, SAMPLE_BYTES};

/// An iterator over the batches of delimited text.
pub(super) struct CsvReader {
    rows: Rows,
    names: Vec<String>,
    /// Rows read ahead of the batches, for inference.
    sample: VecDeque<Row>,
    schema: SchemaRef,
    /// The index in a row of each field of the schema.
    places: Vec<usize>,
    /// Whether a field's type was guessed, and whether from no value at all.
    guessed: Vec<bool>,
    unseen: Vec<bool>,
    nulls: Nulls,
    dates: Option<DateFormat>,
    notes: Vec<String>,
    batch_rows: usize,
}

impl CsvReader {
    /// Reads the header and, unless the schema is known, enough rows to infer it.
    ///
    /// # Errors
    /// An empty input, a broken row, columns that are not those wanted.
    pub(super) fn open(
        path: PathBuf,
        stream: Stream,
        compressed: bool,
        delimiter: u8,
        options: &InputOptions,
        known: Option<Known<'_>>,
    ) -> Result<Self, InputError> {
        let stream = to_utf8(stream, options.encoding)
            .map_err(|source| read_error(&path, compressed, source))?;
        let mut rows = Rows::new(path, stream, compressed, delimiter, options);
        let mut sample = VecDeque::new();
        let names = rows.names(options.header, &mut sample)?;
        let mut reader = Self {
            rows,
            names,
            sample,
            schema: Arc::new(Schema::empty()),
            places: Vec::new(),
            guessed: Vec::new(),
            unseen: Vec::new(),
            nulls: Nulls::new(&options.null_values),
            dates: options.dates.clone(),
            notes: Vec::new(),
            batch_rows: options.batch_size.max(1),
        };
        match known {
            Some(known) => reader.agree(known, options.header)?,
            None => reader.infer(options)?,
        }
        let told = |field: &Arc<Field>| options.schema.get(field.name()).is_some();
        reader.guessed = reader.schema.fields().iter().map(|f| !told(f)).collect();
        reader.check_castable()?;
        Ok(reader)
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Takes the notes for the user on dates that are not of his format.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The columns whose sampled cells were all null.
    pub(super) fn unseen(&self) -> Vec<String> {
        let fields = self.schema.fields().iter().zip(&self.unseen);
        let unseen = fields.filter(|(_, unseen)| **unseen);
        unseen.map(|(field, _)| field.name().clone()).collect()
    }

    /// Another delimiter than the one used, if the text looks as if that were meant.
    pub(super) fn other_delimiter(&self, used: u8) -> Option<char> {
        let [name] = self.names.as_slice() else {
            return None;
        };
        let row = self.sample.front().map(|(_, record)| record.as_slice());
        [',', ';', '\t', '|'].into_iter().find(|other| {
            let count = name.matches(*other).count();
            let same =
                |row: &[u8]| row.iter().filter(|b| char::from(**b) == *other).count() == count;
            u32::from(*other) != u32::from(used) && count > 0 && row.is_none_or(same)
        })
    }

    /// Takes the known types for the columns of the same names, in whatever order. Without a header they are
    /// known by their number, and so must be as many.
    fn agree(&mut self, known: Known<'_>, header: bool) -> Result<(), InputError> {
        let path = self.rows.path.clone();
        let disagree = |column: &str, difference: &str| {
            let (column, difference) = (column.to_owned(), difference.to_owned());
            match header {
                true => InputError::TypesDisagree {
                    path: path.clone(),
                    column,
                    difference,
                },
                false => InputError::Disagree {
                    path: path.clone(),
                    column,
                    difference,
                },
            }
        };
        let mut fields = Vec::with_capacity(known.schema.fields().len());
        for field in known.schema.fields() {
            match self.names.iter().position(|name| name == field.name()) {
                Some(place) => {
                    self.places.push(place);
                    self.unseen.push(known.unseen.contains(field.name()));
                    fields.push(Arc::clone(field));
                }
                None if known.keys.contains(&field.name().as_str()) || header => {}
                None => return Err(disagree(field.name(), "is missing; other inputs have it")),
            }
        }
        let extra = |name: &&String| known.schema.column_with_name(name).is_none();
        if let Some(name) = self.names.iter().find(extra) {
            return Err(disagree(name, "is not in the inputs before it"));
        }
        self.schema = Arc::new(Schema::new(fields));
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
        let mut guesses = vec![Guess::default(); self.names.len()];
        for (line, record) in &self.sample {
            self.add(&mut guesses, *line, record)?;
        }
        self.notes = date_notes(&self.rows.path, self.names.iter().zip(&guesses), options);
        let fields = self.names.iter().zip(&guesses).map(|(name, guess)| {
            let told = options.schema.get(name).cloned();
            Field::new(name, told.unwrap_or_else(|| guess.data_type()), true)
        });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let told = |name: &String| options.schema.get(name).is_some();
        let unseen = self.names.iter().zip(&guesses);
        self.unseen = unseen
            .map(|(name, guess)| !guess.is_seen() && !told(name))
            .collect();
        self.places = (0..self.names.len()).collect();
        Ok(())
    }

    /// Takes a row into account for the types of the columns.
    fn add(&self, guesses: &mut [Guess], line: u64, row: &ByteRecord) -> Result<(), InputError> {
        for ((cell, guess), name) in row.iter().zip(guesses).zip(&self.names) {
            let is_quoted_empty = cell == QUOTED_EMPTY;
            let cell = self.rows.text(cell, line, name)?;
            if !self.nulls.is_null(cell, is_quoted_empty, false) {
                guess.add(cell, self.dates.as_ref().map(|format| (format, line)));
            }
        }
        Ok(())
    }

    /// Reads to the end, and returns the columns, each with a guess from all its cells.
    ///
    /// # Errors
    /// A broken row.
    pub(super) fn survey(mut self) -> Result<Vec<(String, Guess)>, InputError> {
        let mut guesses = vec![Guess::default(); self.names.len()];
        while let Some((line, row)) = self.sample.pop_front() {
            self.add(&mut guesses, line, &row)?;
        }
        let mut row = ByteRecord::new();
        while let Some(line) = self.rows.next(&mut row)? {
            self.add(&mut guesses, line, &row)?;
        }
        Ok(self.names.into_iter().zip(guesses).collect())
    }

    fn check_castable(&self) -> Result<(), InputError> {
        match self
            .schema
            .fields()
            .iter()
            .find(|field| !cells::is_readable(field.data_type()))
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
                let cell = &record[self.places[index]];
                let is_quoted_empty = cell == QUOTED_EMPTY;
                let cell = self.rows.text(cell, line, fields[index].name())?;
                if self.nulls.is_null(cell, is_quoted_empty, text[index]) {
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
        for (index, (mut builder, field)) in builders.into_iter().zip(&fields).enumerate() {
            let texts: ArrayRef = Arc::new(builder.finish());
            columns.push(self.parse(&texts, index, field, &lines)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        batch.map(Some).map_err(|source| InputError::Arrow {
            path: self.rows.path.clone(),
            source,
        })
    }

    fn parse(
        &self,
        texts: &ArrayRef,
        index: usize,
        field: &Field,
        lines: &[u64],
    ) -> Result<ArrayRef, InputError> {
        let path = self.rows.path.clone();
        let reading = Reading {
            guessed: self.guessed[index],
            dates: self.dates.as_ref(),
        };
        // An empty text says nothing of the type.
        let says = |at: &usize| !texts.as_string::<i32>().value(*at).is_empty();
        let seen =
            (0..texts.len()).find(|at| self.unseen[index] && texts.is_valid(*at) && says(at));
        let parsed = match seen {
            Some(at) => Err(Unparsed::Cell(at)),
            None => cells::parse(texts, field.data_type(), reading),
        };
        parsed.map_err(|unparsed| match unparsed {
            Unparsed::Cell(index) => InputError::Value {
                path,
                at: lines[index].into(),
                column: field.name().clone(),
                value: texts.as_string::<i32>().value(index).to_owned(),
                data_type: field.data_type().clone(),
            },
            Unparsed::Column(_) => InputError::SchemaUnsupported {
                path,
                column: field.name().clone(),
                data_type: field.data_type().clone(),
            },
        })
    }
}

/// Notes for the user on columns that are not of the date format that he gave.
pub(super) fn date_notes<'a>(
    path: &Path,
    columns: impl Iterator<Item = (&'a String, &'a Guess)>,
    options: &InputOptions,
) -> Vec<String> {
    let Some(format) = &options.dates else {
        return Vec::new();
    };
    let path = path.display();
    let (mut any_dated, mut any_seen, mut notes) = (false, false, Vec::new());
    for (name, guess) in columns {
        let told = options.schema.get(name);
        let data_type = told.cloned().unwrap_or_else(|| guess.data_type());
        any_dated |= cells::is_dated(&data_type);
        any_seen |= guess.is_seen();
        if let (None, Some(Undated { line, text })) = (told, guess.undated()) {
            notes.push(format!(
                "{path}, line {line}: column `{name}` has no dates: `{}` is not of --date-format {format}",
                shortened(text)
            ));
        }
    }
    if notes.is_empty() && any_seen && !any_dated {
        notes.push(format!("{path}: no column is of --date-format {format}"));
    }
    notes
}

impl Iterator for CsvReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
