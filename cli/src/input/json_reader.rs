//! Reading NDJSON: lines to batches, strictly.
//!
//! Owns what a JSON value may become. A key that is no column is an error, for dropping it would lose
//! data, and so is a fraction in a column of integers. Memory holds one batch of rows and, at the
//! start, those that are sampled. Where rows begin and end is in `json_lines`, what they say in
//! `json_rows`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, LargeListArray, ListArray, MapArray, RecordBatch, StringArray,
    StructArray,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use arrow::util::display::array_value_to_string;

use super::cells::{self, Reading, Unparsed};
use super::encoding::to_utf8;
use super::json_lines::{Block, Lines};
use super::json_rows::{self, BadRow, Misfit, ObjectGuess, Remarks};
use super::source::read_error;
use super::spot::Spot;
use super::stream::Stream;
use super::{BATCH_BYTES, InputError, InputOptions, Known, SAMPLE_BYTES, SchemaSpec};

/// An iterator over the batches of NDJSON.
pub(super) struct JsonReader {
    lines: Lines,
    /// Rows read ahead of the batches, for inference.
    sample: Option<Block>,
    schema: SchemaRef,
    /// The schema in which Arrow decodes: see `raw_field`.
    raw: SchemaRef,
    /// Whether the type of each column was guessed.
    guessed: Vec<bool>,
    /// Columns that were guessed from nothing but nulls.
    unseen: Vec<String>,
    /// Columns in which the user wants objects and lists as texts.
    texts: HashSet<String>,
    remarks: Remarks,
    decoder: Decoder,
    batch_rows: usize,
}

impl JsonReader {
    /// Reads enough rows to infer the schema, unless it is known.
    ///
    /// # Errors
    /// A sampled line that is not one JSON object, an input without rows, an unknown column.
    pub(super) fn open(
        path: PathBuf,
        stream: Stream,
        compressed: bool,
        options: &InputOptions,
        known: Option<Known<'_>>,
    ) -> Result<Self, InputError> {
        let stream = to_utf8(stream, options.encoding)
            .map_err(|source| read_error(&path, compressed, source))?;
        let mut lines = Lines::new(path, stream, compressed);
        let (schema, sample, remarks) = match known {
            Some(known) => {
                let remarks = Remarks {
                    unseen: known.unseen.to_vec(),
                    empty_objects: known.empty_objects.to_vec(),
                    ..Remarks::default()
                };
                let is_added = |field: &&FieldRef| known.keys.contains(&field.name().as_str());
                let fields = known.schema.fields().iter();
                let fields: Fields = fields.filter(|field| !is_added(field)).cloned().collect();
                (Arc::new(Schema::new(fields)), None, remarks)
            }
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
        let told = options.schema.iter();
        let told_texts = told.filter(|(_, data_type)| cells::is_text(data_type));
        let texts = told_texts.map(|(name, _)| name.to_owned());
        let told = |field: &FieldRef| options.schema.get(field.name()).is_some();
        Ok(Self {
            guessed: schema.fields().iter().map(|field| !told(field)).collect(),
            unseen: remarks.unseen.clone(),
            texts: texts.collect(),
            lines,
            sample,
            schema,
            raw,
            remarks,
            decoder,
            batch_rows,
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The remarks on values that no type of their own holds.
    pub(super) fn remarks(&self) -> &Remarks {
        &self.remarks
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, InputError> {
        let sample = self.sample.take();
        let mut block = match sample {
            Some(mut sample) if sample.rows.len() > self.batch_rows => {
                // The rest of the sample comes next.
                let end = sample.rows[self.batch_rows - 1].1;
                let rest = Block {
                    bytes: sample.bytes.split_off(end),
                    rows: sample.rows.split_off(self.batch_rows),
                };
                let rows = rest
                    .rows
                    .iter()
                    .map(|(line, at)| (*line, at - end))
                    .collect();
                self.sample = Some(Block { rows, ..rest });
                sample
            }
            Some(sample) => {
                let mut block = sample;
                let more = self
                    .lines
                    .block(self.batch_rows - block.rows.len(), BATCH_BYTES)?;
                let start = block.bytes.len();
                block.bytes.extend(more.bytes);
                let rows = more.rows.into_iter();
                block
                    .rows
                    .extend(rows.map(|(line, end)| (line, start + end)));
                block
            }
            None => self.lines.block(self.batch_rows, BATCH_BYTES)?,
        };
        if block.rows.is_empty() {
            return Ok(None);
        }
        for (at, bytes) in block.iter() {
            let row = text(&self.lines.path, at, bytes)?;
            json_rows::check(row).map_err(|source| bad_row(&self.lines.path, at, row, source))?;
        }
        if !self.texts.is_empty() || !self.remarks.empty_objects.is_empty() {
            block = self.with_texts(&block)?;
        }
        match self.decode(&block.bytes, block.rows.len()) {
            Ok(batch) => self.check_unseen(&block, batch).map(Some),
            Err(error) => Err(self.locate(&block, error)),
        }
    }

    /// The block with objects and lists as texts where columns hold such.
    fn with_texts(&self, block: &Block) -> Result<Block, InputError> {
        let mut written = Block::default();
        let is_text = |place: &str, value: &str| {
            let is_place = |empty: &String| empty == place;
            self.texts.contains(place)
                || (json_rows::is_empty_object(value)
                    && self.remarks.empty_objects.iter().any(is_place))
        };
        for (at, bytes) in block.iter() {
            let given = text(&self.lines.path, at, bytes)?;
            let mut row = String::with_capacity(bytes.len() + 16);
            json_rows::with_texts(given, &is_text, &mut row)
                .map_err(|source| bad_row(&self.lines.path, at, given, source))?;
            written.bytes.extend(row.bytes());
            written.bytes.push(b'\n');
            written.rows.push((at, written.bytes.len()));
        }
        Ok(written)
    }

    /// Refuses a value in a column that was guessed from nulls alone.
    fn check_unseen(&self, block: &Block, batch: RecordBatch) -> Result<RecordBatch, InputError> {
        if self.unseen.is_empty() {
            return Ok(batch);
        }
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            let Some(row) = first_seen(column, field.name(), &self.unseen) else {
                continue;
            };
            return Err(InputError::Value {
                path: self.lines.path.clone(),
                at: block.rows[row].0,
                column: field.name().clone(),
                value: array_value_to_string(column, row).unwrap_or_default(),
                data_type: DataType::Null,
            });
        }
        Ok(batch)
    }

    fn decode(&mut self, bytes: &[u8], rows: usize) -> Result<RecordBatch, ArrowError> {
        decode(&mut self.decoder, bytes, rows, &self.schema, &self.guessed)
    }

    /// Decodes line by line to find the one that a failed batch failed at.
    fn locate(&self, block: &Block, error: ArrowError) -> InputError {
        let path = self.lines.path.clone();
        for (at, bytes) in block.iter() {
            let one = decoder(&self.raw, 2).and_then(|mut decoder| {
                decode(&mut decoder, bytes, 1, &self.schema, &self.guessed)
            });
            if let Err(source) = one {
                return match text(&path, at, bytes) {
                    Ok(row) => {
                        self.misfit(at, row)
                            .unwrap_or(InputError::JsonRow { path, at, source })
                    }
                    Err(error) => error,
                };
            }
        }
        // Each row by itself is well: only the values of all can be too many.
        self.overflowing(block).unwrap_or(InputError::Arrow {
            path,
            source: error,
        })
    }

    /// The error of a row that does not decode.
    fn misfit(&self, at: Spot, row: &str) -> Option<InputError> {
        let path = self.lines.path.clone();
        if let Some(escape) = json_rows::lone_surrogate(row) {
            let escape = escape.to_owned();
            return Some(InputError::JsonSurrogate { path, at, escape });
        }
        let fits = |value: &str, data_type: &DataType, column: &str| {
            let is_column = |(at, _): &(usize, &FieldRef)| self.schema.field(*at).name() == column;
            let column = self.schema.fields().iter().enumerate().find(is_column);
            let guessed = column.is_some_and(|(at, _)| self.guessed[at]);
            let texts: ArrayRef = Arc::new(StringArray::from(vec![value]));
            let reading = Reading {
                guessed,
                dates: None,
            };
            match raw_type(data_type) {
                DataType::Utf8 => convert(&texts, data_type, reading).is_ok(),
                _ => true,
            }
        };
        Some(match json_rows::misfit(row, self.schema.fields(), &fits)? {
            Misfit::Key(key) => InputError::JsonKey { path, at, key },
            Misfit::Value {
                place,
                value,
                data_type,
            } => InputError::Value {
                path,
                at,
                column: place,
                value,
                data_type,
            },
        })
    }

    /// The first row whose text is one too many for the indices of a dictionary.
    fn overflowing(&self, block: &Block) -> Option<InputError> {
        let reading = Reading {
            guessed: false,
            dates: None,
        };
        let decoded = decoder(&self.raw, block.rows.len() + 1).and_then(|mut decoder| {
            decoder.decode(&block.bytes)?;
            decoder.flush()
        });
        let batch = decoded.ok()??;
        let columns = batch.columns().iter().zip(self.schema.fields());
        let mut misfits = columns.filter_map(|(column, field)| {
            let texts = column.as_string_opt::<i32>()?;
            match cells::parse(column, field.data_type(), reading) {
                Err(Unparsed::Cell(row)) => Some(InputError::Value {
                    path: self.lines.path.clone(),
                    at: block.rows.get(row)?.0,
                    column: field.name().clone(),
                    value: texts.value(row).to_owned(),
                    data_type: field.data_type().clone(),
                }),
                _ => None,
            }
        });
        misfits.next()
    }
}

impl Iterator for JsonReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// A row that is not one JSON object.
fn bad_row(path: &Path, at: Spot, row: &str, source: impl Into<BadRow>) -> InputError {
    let path = path.to_owned();
    match json_rows::lone_surrogate(row) {
        Some(escape) => InputError::JsonSurrogate {
            path,
            at,
            escape: escape.to_owned(),
        },
        None => InputError::JsonLine {
            path,
            at,
            source: Some(source.into()),
        },
    }
}

/// The first row with a value at a place that had only nulls; below a list, the first row of all.
fn first_seen(column: &ArrayRef, place: &str, unseen: &[String]) -> Option<usize> {
    if let Some(object) = column.as_struct_opt() {
        let mut children = object.columns().iter().zip(object.fields());
        return children.find_map(|(child, field)| {
            first_seen(child, &json_rows::below(place, field.name()), unseen)
        });
    }
    if let Some(list) = column.as_list_opt::<i32>() {
        let seen = first_seen(list.values(), &format!("{place}[]"), unseen);
        return seen.map(|_| 0);
    }
    let is_unseen = unseen.iter().any(|unseen| unseen == place);
    (0..column.len()).find(|&row| is_unseen && column.is_valid(row))
}

fn decoder(raw: &SchemaRef, rows: usize) -> Result<Decoder, ArrowError> {
    ReaderBuilder::new(raw.clone())
        .with_batch_size(rows)
        .with_strict_mode(true)
        .with_coerce_primitive(true)
        .build_decoder()
}

/// Decodes exactly `rows` rows and turns them from the raw to the wanted types.
fn decode(
    decoder: &mut Decoder,
    bytes: &[u8],
    rows: usize,
    schema: &SchemaRef,
    guessed: &[bool],
) -> Result<RecordBatch, ArrowError> {
    let consumed = decoder.decode(bytes)?;
    let batch = decoder.flush()?;
    let rest = bytes.get(consumed..).unwrap_or_default();
    let batch = batch
        .filter(|batch| batch.num_rows() == rows && rest.trim_ascii().is_empty())
        .ok_or_else(|| ArrowError::JsonError("not one JSON object a line".to_owned()))?;
    let columns = batch.columns().iter().zip(schema.fields()).zip(guessed);
    let columns = columns.map(|((column, field), &guessed)| {
        let reading = Reading {
            guessed,
            dates: None,
        };
        convert(column, field.data_type(), reading)
            .map_err(|error| ArrowError::JsonError(format!("column `{}`: {error}", field.name())))
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// Converts raw values to the wanted types; texts by the rules for all text.
fn convert(
    column: &ArrayRef,
    data_type: &DataType,
    reading: Reading<'_>,
) -> Result<ArrayRef, ArrowError> {
    let rebuilt: ArrayRef = match (column.data_type(), data_type) {
        (found, wanted) if found == wanted => column.clone(),
        (DataType::Utf8, _) => {
            return cells::parse(column, data_type, reading).map_err(|unparsed| match unparsed {
                Unparsed::Column(error) => error,
                Unparsed::Cell(row) => {
                    let text = column.as_string::<i32>().value(row);
                    ArrowError::CastError(format!("`{text}` is not a {data_type} without loss"))
                }
            });
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = column.as_list::<i32>();
            let values = convert(list.values(), item.data_type(), reading)?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls)?)
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            let list = column.as_list::<i64>();
            let values = convert(list.values(), item.data_type(), reading)?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(LargeListArray::try_new(
                item.clone(),
                offsets,
                values,
                nulls,
            )?)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let object = column.as_struct();
            let children = object.columns().iter().zip(fields);
            let children =
                children.map(|(child, field)| convert(child, field.data_type(), reading));
            let children = children.collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new(
                fields.clone(),
                children,
                object.nulls().cloned(),
            )?)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let map = column.as_map();
            let found: ArrayRef = Arc::new(map.entries().clone());
            let values = convert(&found, entries.data_type(), reading)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            let values = values.as_struct().clone();
            Arc::new(MapArray::try_new(
                entries.clone(),
                offsets,
                values,
                nulls,
                *sorted,
            )?)
        }
        _ => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(column, data_type, &options)?
        }
    };
    Ok(rebuilt)
}

/// The fields with every number and every date and time as text.
///
/// Arrow's JSON decoder cuts 1.5 to 1 for an integer column, rounds decimals and drops the time of
/// day from dates.
fn raw_fields<'a>(fields: impl Iterator<Item = &'a FieldRef>) -> Vec<FieldRef> {
    fields.map(raw_field).collect()
}

fn raw_field(field: &FieldRef) -> FieldRef {
    let data_type = raw_type(field.data_type());
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn raw_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) if cells::is_text(values) => DataType::Utf8,
        number if number.is_numeric() || number.is_temporal() => DataType::Utf8,
        DataType::List(item) => DataType::List(raw_field(item)),
        DataType::LargeList(item) => DataType::LargeList(raw_field(item)),
        DataType::Struct(fields) => DataType::Struct(raw_fields(fields.iter()).into()),
        DataType::Map(entries, sorted) => DataType::Map(raw_field(entries), *sorted),
        other => other.clone(),
    }
}

/// Reads a whole text, and adds all its rows to the guesses of types.
///
/// # Errors
/// A row that is not one JSON object.
pub(super) fn survey(
    path: PathBuf,
    stream: Stream,
    compressed: bool,
    options: &InputOptions,
    guess: &mut ObjectGuess,
) -> Result<(), InputError> {
    let stream = to_utf8(stream, options.encoding)
        .map_err(|source| read_error(&path, compressed, source))?;
    let mut lines = Lines::new(path, stream, compressed);
    loop {
        let block = lines.block(options.batch_size.max(1), BATCH_BYTES)?;
        if block.rows.is_empty() {
            return Ok(());
        }
        guess_rows(&lines.path, &block, guess)?;
    }
}

/// Infers the schema from the first rows, and gives these back too.
fn infer(
    lines: &mut Lines,
    options: &InputOptions,
) -> Result<(SchemaRef, Option<Block>, Remarks), InputError> {
    let block = lines.block(options.infer_rows, SAMPLE_BYTES)?;
    let whole = block.rows.len() < options.infer_rows && block.bytes.len() < SAMPLE_BYTES;
    let mut guess = ObjectGuess::default();
    guess_rows(&lines.path, &block, &mut guess)?;
    let mut remarks = Remarks::default();
    let mut fields = fields(&lines.path, &guess, &options.schema, &mut remarks)?;
    for (name, data_type) in options.schema.iter() {
        if !fields.iter().any(|field| field.name() == name) {
            // Beyond the sample the column may well come; all of the input says that it does not.
            if whole && !block.rows.is_empty() {
                return Err(InputError::SchemaMissing {
                    path: lines.path.clone(),
                    column: name.to_owned(),
                });
            }
            fields.push(Arc::new(Field::new(name, data_type.clone(), true)));
        }
    }
    if fields.is_empty() {
        let path = lines.path.clone();
        return Err(match block.rows.len() {
            0 => InputError::Empty {
                path,
                missing: "no row says which columns there are",
            },
            rows => InputError::NoKeys { path, rows },
        });
    }
    Ok((Arc::new(Schema::new(fields)), Some(block), remarks))
}

/// The fields that were guessed, with the types that the user set.
///
/// # Errors
/// A column of objects or lists in some rows and of something else in others.
pub(super) fn fields(
    path: &Path,
    guess: &ObjectGuess,
    told: &SchemaSpec,
    remarks: &mut Remarks,
) -> Result<Vec<FieldRef>, InputError> {
    let mut fields = guess.fields("", remarks);
    let is_told = |place: &String| {
        let column = place.split(['.', '[']).next().unwrap_or_default();
        told.get(place).or_else(|| told.get(column)).is_some()
    };
    for places in [
        &mut remarks.mixed,
        &mut remarks.empty_objects,
        &mut remarks.unseen,
    ] {
        places.retain(|place| !is_told(place));
    }
    if let Some(column) = remarks.conflict.take().filter(|place| !is_told(place)) {
        return Err(InputError::JsonConflict {
            path: path.to_owned(),
            column,
        });
    }
    for field in &mut fields {
        if let Some(data_type) = told.get(field.name()) {
            *field = Arc::new(Field::new(field.name(), data_type.clone(), true));
        }
    }
    Ok(fields)
}

fn guess_rows(path: &Path, block: &Block, guess: &mut ObjectGuess) -> Result<(), InputError> {
    for (at, bytes) in block.iter() {
        let row = text(path, at, bytes)?;
        guess.add(row).map_err(|error| {
            // Which knows the place.
            let source = json_rows::check(row).err();
            bad_row(path, at, row, source.unwrap_or_else(|| error.into()))
        })?;
    }
    Ok(())
}

/// A row as text.
///
/// # Errors
/// It is no UTF-8, or lies deeper in itself than is read: rows are looked into by recursion.
fn text<'a>(path: &Path, at: Spot, bytes: &'a [u8]) -> Result<&'a str, InputError> {
    let row = std::str::from_utf8(bytes).map_err(|source| InputError::JsonText {
        path: path.to_owned(),
        at,
        source,
    })?;
    match json_rows::is_too_deep(row) {
        true => Err(InputError::JsonDeep {
            path: path.to_owned(),
            at,
            deepest: json_rows::DEEPEST,
        }),
        false => Ok(row),
    }
}
