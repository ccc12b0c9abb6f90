//! Writing NDJSON, and checking what was written.
//!
//! Every line has every field, null ones too, so that a reader that infers the schema from some lines
//! sees all columns. Times are as RFC 3339 has them, binary values in hexadecimal. JSON has no
//! numbers that are not finite: NaN and the infinities become null. Times outside of the calendar
//! are an error.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder as ValueEncoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder,
    WriterBuilder, make_encoder,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::lines;
use crate::error::{Error, Result, Step};
use crate::format::encode::{Content, Written};
use crate::format::output::Output;
use crate::format::plain::{plain_batch, plain_schema};
use crate::format::source::Source;
use crate::format::text::{self, ROWS_AT_ONCE, TextDigests};
use crate::format::{Contents, Fault};
use crate::options::Verify;
use crate::staging::Draft;

/// An NDJSON file being written.
pub(in crate::format) struct Encoder {
    output: Output,
    schema: SchemaRef,
    times: Times,
    buffer: Vec<u8>,
    digests: Option<TextDigests>,
}

impl Encoder {
    pub(in crate::format) fn new(
        output: Output,
        schema: &SchemaRef,
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
            times: Times::default(),
            buffer: Vec::new(),
            digests: digesting.then(|| TextDigests::new(fields.len())),
        };
        // Whether the types can be written is known only to an encoder of values.
        let none = RecordBatch::new_empty(Arc::clone(&encoder.schema));
        let options = encoder.options();
        for (field, column) in encoder.schema.fields().iter().zip(none.columns()) {
            make_encoder(field, column, &options)
                .map_err(|source| encoder.output.refused(Step::WriteRows, source))?;
        }
        Ok(encoder)
    }

    fn options(&self) -> EncoderOptions {
        let factory = Arc::new(self.times.clone());
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
        }
        Ok(())
    }

    fn encode(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = plain_batch(rows, &self.schema)?;
        self.buffer.clear();
        let factory = Arc::new(self.times.clone());
        WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(factory)
            .build::<_, LineDelimited>(&mut self.buffer)
            .write(&rows)?;
        let options = self.options();
        if let Some(digests) = &mut self.digests {
            digest(&rows, &options, digests)?;
        }
        self.times.refused()
    }

    pub(in crate::format) fn finish(self) -> (Draft, Content, Option<Vec<u128>>) {
        let digests = self.digests.map(|digests| digests.finish());
        (self.output.into_draft(), Content::Ndjson, digests)
    }
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

/// Encodes times, and remembers the first that has no text: arrow would write the error's message.
#[derive(Debug, Default, Clone)]
struct Times {
    refused: Arc<Mutex<Option<ArrowError>>>,
}

impl Times {
    fn refused(&self) -> std::result::Result<(), ArrowError> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take().map_or(Ok(()), Err)
    }
}

impl EncoderFactory for Times {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> std::result::Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_temporal() {
            return Ok(None);
        }
        let shown = FormatOptions::new().with_display_error(false);
        let time = Time {
            formatter: ArrayFormatter::try_new(array, &shown)?,
            text: String::new(),
            times: self.clone(),
        };
        let nulls = array.nulls().cloned();
        Ok(Some(NullableEncoder::new(Box::new(time), nulls)))
    }
}

struct Time<'a> {
    formatter: ArrayFormatter<'a>,
    text: String,
    times: Times,
}

impl ValueEncoder for Time<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        self.text.clear();
        if let Err(error) = self.formatter.value(row).write(&mut self.text) {
            let refused = &self.times.refused;
            let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.get_or_insert(error);
        }
        // No time's text has a character that JSON would escape.
        out.push(b'"');
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'"');
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
