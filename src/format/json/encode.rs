//! Writing NDJSON, and checking what was written.
//!
//! Every line has every field, null ones too, so that a reader that infers the schema from some lines
//! sees all columns. Times are as RFC 3339 has them, in UTC where the offset has seconds, binary values in hexadecimal. JSON has no
//! numbers that are not finite: NaN and the infinities are an error, or become null or a text if that is
//! asked for. Times outside of the calendar are an error.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray as _, Float16Array, Float32Array, Float64Array, RecordBatch,
};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder as ValueEncoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder,
    WriterBuilder, make_encoder,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::lines;
use crate::error::{Error, Result, Step};
use crate::format::output::Output;
use crate::format::plain::{plain_batch, plain_schema};
use crate::format::source::Source;
use crate::format::text::{self, ROWS_AT_ONCE, TextDigests};
use crate::format::written::{Content, Written};
use crate::format::{Contents, Fault, NonFinite};
use crate::nested::{below, inner_fields, inner_types};
use crate::options::Verify;
use crate::refused::{Refused, plain};
use crate::remedy::Remedy;
use crate::staging::Draft;

/// An NDJSON file being written.
pub(in crate::format) struct Encoder {
    output: Output,
    schema: SchemaRef,
    values: Values,
    /// The number of rows written so far.
    rows: usize,
    buffer: Vec<u8>,
    digests: Option<TextDigests>,
}

impl Encoder {
    pub(in crate::format) fn new(
        output: Output,
        schema: &SchemaRef,
        non_finite: NonFinite,
        digesting: bool,
    ) -> Result<Self> {
        let fields = schema.fields();
        for (index, field) in fields.iter().enumerate() {
            if fields[..index]
                .iter()
                .any(|other| other.name() == field.name())
            {
                return Err(Error::InvalidOption {
                    option: "schema",
                    reason: format!(
                        "two columns are called {:?}, which JSON mixes up",
                        field.name()
                    ),
                });
            }
        }
        let encoder = Encoder {
            schema: plain_schema(schema)
                .map_err(|source| output.refused(Step::WriteRows, source))?,
            output,
            values: Values {
                non_finite,
                untold: Arc::default(),
            },
            rows: 0,
            buffer: Vec::new(),
            digests: digesting.then(|| TextDigests::new(fields.len())),
        };
        // Whether the types can be written is known only to an encoder of values.
        let none = RecordBatch::new_empty(Arc::clone(&encoder.schema));
        let options = encoder.options();
        for (field, column) in encoder.schema.fields().iter().zip(none.columns()) {
            let known = check_type(field.name(), field.data_type());
            let known = known.and_then(|()| {
                let made = make_encoder(field, column, &options);
                made.map_err(|error| Refused::new(field.name(), plain(&error)))?;
                Ok(())
            });
            known.map_err(|refused| encoder.output.refused(Step::WriteRows, refused))?;
        }
        Ok(encoder)
    }

    fn options(&self) -> EncoderOptions {
        let factory = Arc::new(self.values.clone());
        EncoderOptions::default()
            .with_explicit_nulls(true)
            .with_encoder_factory(factory)
    }

    pub(in crate::format) fn bytes_written(&self) -> u64 {
        self.output.len()
    }

    pub(in crate::format) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for start in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
            let rows = batch.slice(start, ROWS_AT_ONCE.min(batch.num_rows() - start));
            self.encode(&rows)
                .map_err(|source| self.output.refused(Step::WriteRows, source))?;
            self.output.put(Step::WriteRows, &self.buffer)?;
            self.rows += rows.num_rows();
        }
        Ok(())
    }

    fn encode(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = plain_batch(rows, &self.schema)?;
        for (field, values) in self.schema.fields().iter().zip(rows.columns()) {
            if !has_map(field.data_type()) {
                continue;
            }
            for row in 0..rows.num_rows() {
                check_keys(field.name(), values, row)
                    .map_err(|refused| refused.in_row((self.rows + row) as u64))?;
            }
        }
        self.buffer.clear();
        let factory = Arc::new(self.values.clone());
        WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(factory)
            .build::<_, LineDelimited>(&mut self.buffer)
            .write(&rows)?;
        let options = self.options();
        if let Some(digests) = &mut self.digests {
            digest(&rows, &options, digests)?;
        }
        match self.values.take() {
            Some(untold) => Err(self.named(untold, &rows)?.into()),
            None => Ok(()),
        }
    }

    /// Finds the first value that has no text, value by value, for the error.
    fn named(
        &self,
        untold: Untold,
        rows: &RecordBatch,
    ) -> std::result::Result<Refused, ArrowError> {
        let options = self.options();
        let mut text = Vec::new();
        let schema = rows.schema();
        for (field, values) in schema.fields().iter().zip(rows.columns()) {
            let mut encoder = make_encoder(field, values, &options)?;
            for row in (0..rows.num_rows()).filter(|row| values.is_valid(*row)) {
                text.clear();
                encoder.encode(row, &mut text);
                if let Some(Untold { member, problem }) = self.values.take() {
                    let path = find_member(field.name(), field.name(), field.data_type(), &member);
                    let path = path.unwrap_or_else(|| field.name().clone());
                    return Ok(Refused::new(path, problem).in_row((self.rows + row) as u64));
                }
            }
        }
        Ok(Refused::new(untold.member, untold.problem))
    }

    pub(in crate::format) fn finish(self) -> Result<(Draft, Content, Option<Vec<u128>>)> {
        let digests = self.digests.map(|digests| digests.finish());
        Ok((self.output.finish()?, Content::Ndjson, digests))
    }
}

/// Refuses types that JSON has no place for.
fn check_type(path: &str, data_type: &DataType) -> std::result::Result<(), Refused> {
    match data_type {
        DataType::Union(..) => {
            let reason = "JSON has no place for a union: give it as a struct of one nullable member for each type";
            return Err(Refused::new(path, reason));
        }
        DataType::Map(entries, _) => {
            let keys = inner_types(entries.data_type());
            if let Some(keys) = keys.first().filter(|keys| !keys.is_string()) {
                let reason = format!(
                    "keys of objects in JSON are texts, and these are {keys}: cast them to text"
                );
                return Err(Refused::new(path, reason));
            }
        }
        _ => {}
    }
    inner_fields(data_type)
        .into_iter()
        .try_for_each(|field| check_type(&below(path, data_type, field), field.data_type()))
}

fn has_map(data_type: &DataType) -> bool {
    let mut within = inner_types(data_type).into_iter();
    matches!(data_type, DataType::Map(..)) || within.any(has_map)
}

/// Refuses a value that has a key of a map twice: of such an object, readers keep one of both, or fail.
fn check_keys(path: &str, values: &ArrayRef, row: usize) -> std::result::Result<(), Refused> {
    if values.is_null(row) {
        return Ok(());
    }
    let (inner, rows): (&ArrayRef, Range<usize>) = match values.data_type() {
        DataType::Struct(fields) => {
            let members = fields.iter().zip(values.as_struct().columns());
            return members
                .filter(|(field, _)| has_map(field.data_type()))
                .try_for_each(|(field, member)| {
                    check_keys(&below(path, values.data_type(), field), member, row)
                });
        }
        DataType::Map(..) => {
            let map = values.as_map();
            let (start, end) = (map.value_offsets()[row], map.value_offsets()[row + 1]);
            let entries = start as usize..end as usize;
            let mut known = HashSet::new();
            for entry in entries.clone() {
                let keys = map.keys();
                let key = if let Some(keys) = keys.as_string_opt::<i32>() {
                    keys.value(entry)
                } else if let Some(keys) = keys.as_string_opt::<i64>() {
                    keys.value(entry)
                } else if let Some(keys) = keys.as_string_view_opt() {
                    keys.value(entry)
                } else {
                    continue;
                };
                if !known.insert(key) {
                    let reason = format!(
                        "the map has the key {key:?} twice, and readers of JSON keep one of both: keep one, give it \
                         as a list of structs, or write Parquet or Arrow IPC"
                    );
                    return Err(Refused::new(path, reason));
                }
            }
            (map.values(), entries)
        }
        DataType::List(_) => {
            let offsets = values.as_list::<i32>().value_offsets();
            let items = offsets[row] as usize..offsets[row + 1] as usize;
            (values.as_list::<i32>().values(), items)
        }
        DataType::LargeList(_) => {
            let offsets = values.as_list::<i64>().value_offsets();
            let items = offsets[row] as usize..offsets[row + 1] as usize;
            (values.as_list::<i64>().values(), items)
        }
        DataType::ListView(_) => {
            let list = values.as_list_view::<i32>();
            let start = list.value_offset(row) as usize;
            (list.values(), start..start + list.value_size(row) as usize)
        }
        DataType::LargeListView(_) => {
            let list = values.as_list_view::<i64>();
            let start = list.value_offset(row) as usize;
            (list.values(), start..start + list.value_size(row) as usize)
        }
        DataType::FixedSizeList(_, size) => {
            let list = values.as_fixed_size_list();
            let start = list.value_offset(row) as usize;
            (list.values(), start..start + *size as usize)
        }
        _ => return Ok(()),
    };
    if !has_map(inner.data_type()) {
        return Ok(());
    }
    let path = match values.data_type() {
        DataType::Map(..) => format!("{path}.value"),
        _ => format!("{path}[]"),
    };
    rows.into_iter()
        .try_for_each(|row| check_keys(&path, inner, row))
}

/// The path of the first time or number of this name; an item of a list has the path of the list.
fn find_member(path: &str, name: &str, data_type: &DataType, member: &str) -> Option<String> {
    let within = inner_fields(data_type);
    if within.is_empty() && name == member {
        return Some(path.to_owned());
    }
    within.into_iter().find_map(|field| {
        let name = match data_type {
            DataType::Struct(_) => field.name(),
            _ => name,
        };
        find_member(
            &below(path, data_type, field),
            name,
            field.data_type(),
            member,
        )
    })
}

/// Digests the text of every value.
fn digest(
    rows: &RecordBatch,
    options: &EncoderOptions,
    digests: &mut TextDigests,
) -> std::result::Result<(), ArrowError> {
    let schema = rows.schema();
    let mut text = Vec::new();
    for (column, (field, values)) in schema.fields().iter().zip(rows.columns()).enumerate() {
        let mut encoder = make_encoder(field, values, options)?;
        for row in 0..rows.num_rows() {
            text.clear();
            if encoder.is_null(row) {
                text.extend_from_slice(b"null");
            } else {
                encoder.encode(row, &mut text);
            }
            digests.push(column, &text);
            digests.end(column);
        }
    }
    Ok(())
}

/// Encodes times and numbers, and remembers the first value that has no text: arrow would write null, or
/// the error's message.
#[derive(Debug, Clone)]
struct Values {
    non_finite: NonFinite,
    untold: Arc<Mutex<Option<Untold>>>,
}

/// A value that has no text.
#[derive(Debug)]
struct Untold {
    /// The name of the column, or of the member of one.
    member: String,
    problem: String,
}

impl Values {
    fn take(&self) -> Option<Untold> {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.take()
    }

    fn refuse(&self, column: &str, problem: String) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.get_or_insert_with(|| Untold {
            member: column.to_owned(),
            problem,
        });
    }
}

impl EncoderFactory for Values {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> std::result::Result<Option<NullableEncoder<'a>>, ArrowError> {
        let (column, values) = (field.name(), self.clone());
        let encoder: Box<dyn ValueEncoder + 'a> = if array.data_type().is_temporal() {
            let shown = FormatOptions::new().with_display_error(false);
            Box::new(Time {
                formatter: ArrayFormatter::try_new(array, &shown)
                    .map_err(|error| Refused::new(column, plain(&error)))?,
                in_utc: text::in_utc(array).map_err(|error| Refused::new(column, plain(&error)))?,
                text: String::new(),
                column,
                values,
            })
        } else if let Some(numbers) = floats(array) {
            Box::new(Number {
                numbers,
                finite: make_encoder(field, array, &DEFAULT)?,
                column,
                values,
            })
        } else {
            return Ok(None);
        };
        let nulls = array.nulls().cloned();
        Ok(Some(NullableEncoder::new(encoder, nulls)))
    }
}

struct Time<'a> {
    formatter: ArrayFormatter<'a>,
    in_utc: HashMap<usize, String>,
    text: String,
    column: &'a str,
    values: Values,
}

impl ValueEncoder for Time<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        self.text.clear();
        if let Some(instant) = self.in_utc.get(&row) {
            self.text.push_str(instant);
        } else if let Err(error) = self.formatter.value(row).write(&mut self.text) {
            let problem = format!(
                "it has no text ({}): write Parquet or Arrow IPC",
                plain(&error)
            );
            self.values.refuse(self.column, problem);
        }
        // No time's text has a character that JSON would escape.
        out.push(b'"');
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'"');
    }
}
/// Floating-point numbers of any width.
#[derive(Clone, Copy)]
enum Floats<'a> {
    Half(&'a Float16Array),
    Single(&'a Float32Array),
    Double(&'a Float64Array),
}

fn floats(array: &dyn Array) -> Option<Floats<'_>> {
    match array.data_type() {
        DataType::Float16 => array.as_primitive_opt().map(Floats::Half),
        DataType::Float32 => array.as_primitive_opt().map(Floats::Single),
        DataType::Float64 => array.as_primitive_opt().map(Floats::Double),
        _ => None,
    }
}

impl Floats<'_> {
    fn value(self, row: usize) -> f64 {
        match self {
            Floats::Half(values) => values.value(row).to_f64(),
            Floats::Single(values) => values.value(row).into(),
            Floats::Double(values) => values.value(row),
        }
    }
}

/// The options of the encoder of finite numbers.
static DEFAULT: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);

struct Number<'a> {
    numbers: Floats<'a>,
    finite: NullableEncoder<'a>,
    column: &'a str,
    values: Values,
}

impl ValueEncoder for Number<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let number = self.numbers.value(row);
        if number.is_finite() {
            self.finite.encode(row, out);
            return;
        }
        let text: &[u8] = match self.values.non_finite {
            NonFinite::Text if number.is_nan() => b"\"NaN\"",
            NonFinite::Text if number > 0.0 => b"\"Infinity\"",
            NonFinite::Text => b"\"-Infinity\"",
            NonFinite::Null => b"null",
            NonFinite::Refuse => {
                let problem = format!(
                    "{number} is no number of JSON: have it written as null or as a text ({})",
                    Remedy::JsonNonFinite
                );
                self.values.refuse(self.column, problem);
                b"null"
            }
        };
        out.extend_from_slice(text);
    }
}

/// Checks a file against what was written; its length is right.
pub(in crate::format) fn verify_written(
    source: &Source,
    written: &Written<'_>,
    level: Verify,
) -> std::result::Result<Contents, Fault> {
    text::check_end(source)?;
    if level < Verify::Decode {
        return Ok(Contents {
            rows: Some(written.rows),
            ..Contents::default()
        });
    }
    let (rows, digests) = lines::read(source, written.schema)?;
    let columns = written.schema.fields().iter().map(|field| field.name());
    let rows = (written.rows, rows);
    Ok(text::compare(rows, (written.digests, &digests), columns)?)
}
