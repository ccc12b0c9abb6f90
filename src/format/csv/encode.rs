//! Writing CSV, and checking what was written.
//!
//! A header, commas, LF, quotes where they are needed; values as arrow shows them (times as RFC 3339
//! has them, in UTC where the offset has seconds). Null is nothing, or a text that was asked for, without quotes; the empty string is `""`. Nested
//! types have no text.

use std::io::Read as _;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Piece;
use crate::damage::{Damage, Location};
use crate::error::{Error, Result, Step};
use crate::format::compressed::{self, undecodable};
use crate::format::output::Output;
use crate::format::source::Source;
use crate::format::text::{self, ROWS_AT_ONCE, TextDigests};
use crate::format::written::{Content, Written};
use crate::format::{Contents, Fault};
use crate::options::Verify;
use crate::refused::{Refused, plain};
use crate::remedy::Remedy;
use crate::staging::Draft;

/// A CSV file being written.
pub(in crate::format) struct Encoder {
    output: Output,
    buffer: Vec<u8>,
    header: Vec<u8>,
    /// The text that stands for null.
    null: String,
    /// The number of rows written so far.
    rows: usize,
    digests: Option<TextDigests>,
}

impl Encoder {
    pub(in crate::format) fn new(
        mut output: Output,
        schema: &SchemaRef,
        null: String,
        digesting: bool,
    ) -> Result<Self> {
        if schema.fields().is_empty() {
            return Err(Error::InvalidOption {
                option: "schema",
                reason: "CSV has no rows without columns".to_owned(),
            });
        }
        let is_nested = |field: &&FieldRef| field.data_type().is_nested();
        if let Some(field) = schema.fields().iter().find(is_nested) {
            let (name, data_type) = (field.name(), field.data_type());
            let reason = format!(
                "CSV has no place for {data_type}: write Parquet, Arrow IPC or NDJSON, or give it as text"
            );
            return Err(output.refused(Step::WriteRows, Refused::new(name, reason)));
        }
        let mut header = Vec::new();
        for field in schema.fields() {
            push_field(&mut header, field.name());
            header.push(b',');
        }
        end_line(&mut header);
        output.put(Step::WriteRows, &header)?;
        Ok(Encoder {
            output,
            buffer: Vec::new(),
            header,
            null,
            rows: 0,
            digests: digesting.then(|| TextDigests::new(schema.fields().len())),
        })
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

    /// Encodes rows as text, and digests each value as it is before quoting.
    fn encode(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        self.buffer.clear();
        let options = FormatOptions::default().with_display_error(false);
        let columns = rows.columns().iter();
        let schema = rows.schema();
        let columns = columns.zip(schema.fields()).map(|(values, field)| {
            let shown = ArrayFormatter::try_new(values, &options);
            let shown = shown.map_err(|error| Refused::new(field.name(), plain(&error)))?;
            let in_utc = text::in_utc(values.as_ref());
            let in_utc = in_utc.map_err(|error| Refused::new(field.name(), plain(&error)))?;
            Ok((shown, in_utc, values.logical_nulls()))
        });
        let columns = columns.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
        let mut text = String::new();
        for row in 0..rows.num_rows() {
            for (column, (values, in_utc, nulls)) in columns.iter().enumerate() {
                if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    if self.null.is_empty() && columns.len() == 1 {
                        let problem = format!(
                            "null, whose line would be blank, as it is in the only column: \
                             give a text for null ({})",
                            Remedy::CsvNull
                        );
                        return Err(self.refusal(rows, column, row, &problem));
                    }
                    self.buffer.extend_from_slice(self.null.as_bytes());
                    if let Some(digests) = &mut self.digests {
                        match self.null.as_str() {
                            "" => digests.null(column),
                            null => {
                                digests.push(column, null.as_bytes());
                                digests.end(column);
                            }
                        }
                    }
                } else {
                    text.clear();
                    if let Some(instant) = in_utc.get(&row) {
                        text.push_str(instant);
                    } else if let Err(error) = values.value(row).write(&mut text) {
                        let problem = format!(
                            "it has no text ({}): write Parquet or Arrow IPC",
                            plain(&error)
                        );
                        return Err(self.refusal(rows, column, row, &problem));
                    }
                    if !text.is_empty() && text == self.null {
                        let problem = format!(
                            "{text:?} is the text that stands for null: give another ({})",
                            Remedy::CsvNull
                        );
                        return Err(self.refusal(rows, column, row, &problem));
                    }
                    push_field(&mut self.buffer, &text);
                    if let Some(digests) = &mut self.digests {
                        digests.push(column, text.as_bytes());
                        digests.end(column);
                    }
                }
                self.buffer.push(b',');
            }
            end_line(&mut self.buffer);
        }
        Ok(())
    }

    fn refusal(&self, rows: &RecordBatch, column: usize, row: usize, problem: &str) -> ArrowError {
        let (schema, row) = (rows.schema(), self.rows + row);
        let refused = Refused::new(schema.field(column).name(), problem);
        refused.in_row(row as u64).into()
    }

    pub(in crate::format) fn finish(self) -> Result<(Draft, Content, Option<Vec<u128>>)> {
        let digests = self.digests.map(|digests| digests.finish());
        let header = self.header;
        Ok((self.output.finish()?, Content::Csv { header }, digests))
    }
}

/// Writes a field that is not null, in quotes where it needs them.
fn push_field(buffer: &mut Vec<u8>, text: &str) {
    let needs_quotes = |byte: &u8| b",\"\r\n".contains(byte);
    if !text.is_empty() && !text.as_bytes().iter().any(needs_quotes) {
        buffer.extend_from_slice(text.as_bytes());
        return;
    }
    buffer.push(b'"');
    for byte in text.as_bytes() {
        if *byte == b'"' {
            buffer.push(b'"');
        }
        buffer.push(*byte);
    }
    buffer.push(b'"');
}

/// Puts the end of the line in the place of the last comma.
fn end_line(buffer: &mut [u8]) {
    if let Some(last) = buffer.last_mut() {
        *last = b'\n';
    }
}

/// Checks a file against what was written; its length is right.
pub(in crate::format) fn verify_written(
    source: &Source,
    written: &Written<'_>,
    header: &[u8],
    level: Verify,
) -> std::result::Result<Contents, Fault> {
    let mut found = Vec::new();
    let mut start = compressed::reader(source)?.take(header.len() as u64);
    start.read_to_end(&mut found).map_err(undecodable)?;
    if found != header {
        let shown = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes)).into();
        return Err(Damage::Differs {
            location: Location::file(),
            field: "the header",
            expected: shown(header),
            found: shown(&found),
        }
        .into());
    }
    text::check_end(source)?;
    if level < Verify::Decode {
        return Ok(Contents {
            rows: Some(written.rows),
            ..Contents::default()
        });
    }
    let mut digests = TextDigests::new(written.schema.fields().len());
    let rows = super::read(source, super::COMMA, |piece| match piece {
        Piece::Text(column, text) => digests.push(column, text),
        Piece::End(column, true) => digests.null(column),
        Piece::End(column, false) => digests.end(column),
    })?;
    let columns = written.schema.fields().iter().map(|field| field.name());
    let rows = (written.rows, rows);
    Ok(text::compare(rows, (written.digests, &digests), columns)?)
}
