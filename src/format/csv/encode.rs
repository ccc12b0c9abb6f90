//! Writing CSV, and checking what was written.
//!
//! A header, commas, LF, quotes where they are needed; values as arrow shows them (times as RFC 3339
//! has them). Null is an empty field and so is an empty string: the text does not tell them apart.
//! Nested types have no text.

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Piece;
use crate::error::{Error, Result, Step};
use crate::format::encode::{Content, Written};
use crate::format::output::Output;
use crate::format::source::Source;
use crate::format::text::{self, ROWS_AT_ONCE, TextDigests};
use crate::format::{Contents, Fault};
use crate::options::Verify;
use crate::staging::Draft;
use crate::verify::{Damage, Location};

/// A CSV file being written.
pub(in crate::format) struct Encoder {
    output: Output,
    buffer: Vec<u8>,
    header: Vec<u8>,
    digests: Option<TextDigests>,
}

impl Encoder {
    pub(in crate::format) fn new(
        mut output: Output,
        schema: &SchemaRef,
        digesting: bool,
    ) -> Result<Self> {
        if schema.fields().is_empty() {
            return Err(Error::InvalidOption {
                option: "schema",
                reason: "CSV has no rows without columns".to_owned(),
            });
        }
        let mut header = Vec::new();
        let none = RecordBatch::new_empty(schema.clone());
        text_of(&none, true, &mut header)
            .map_err(|source| output.refused(Step::WriteRows, source))?;
        output.put(Step::WriteRows, &header)?;
        Ok(Encoder {
            output,
            buffer: Vec::new(),
            header,
            digests: digesting.then(|| TextDigests::new(schema.fields().len())),
        })
    }

    pub(in crate::format) fn bytes_written(&self) -> u64 {
        self.output.len()
    }

    pub(in crate::format) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for start in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
            let rows = batch.slice(start, ROWS_AT_ONCE.min(batch.num_rows() - start));
            self.buffer.clear();
            text_of(&rows, false, &mut self.buffer)
                .and_then(|()| match &mut self.digests {
                    Some(digests) => digest(&rows, digests),
                    None => Ok(()),
                })
                .map_err(|source| self.output.refused(Step::WriteRows, source))?;
            self.output.put(Step::WriteRows, &self.buffer)?;
        }
        Ok(())
    }

    pub(in crate::format) fn finish(self) -> (Draft, Content, Option<Vec<u128>>) {
        let digests = self.digests.map(|digests| digests.finish());
        let header = self.header;
        (self.output.into_draft(), Content::Csv { header }, digests)
    }
}

fn text_of(
    batch: &RecordBatch,
    header: bool,
    buffer: &mut Vec<u8>,
) -> std::result::Result<(), ArrowError> {
    WriterBuilder::new()
        .with_header(header)
        .build(buffer)
        .write(batch)
}

/// Digests the text of every value, as it is before quoting.
fn digest(batch: &RecordBatch, digests: &mut TextDigests) -> std::result::Result<(), ArrowError> {
    let options = FormatOptions::default().with_null("");
    let mut text = String::new();
    for (column, values) in batch.columns().iter().enumerate() {
        let formatter = ArrayFormatter::try_new(values, &options)?;
        for row in 0..batch.num_rows() {
            text.clear();
            formatter.value(row).write(&mut text)?;
            digests.push(column, text.as_bytes());
            digests.end(column);
        }
    }
    Ok(())
}

/// Checks a file against what was written; its length is right.
pub(in crate::format) fn verify_written(
    source: &Source,
    written: &Written<'_>,
    header: &[u8],
    level: Verify,
) -> std::result::Result<Contents, Fault> {
    let found = source.read(0, header.len() as u64)?;
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
    let rows = super::read(source, |piece| match piece {
        Piece::Text(column, text) => digests.push(column, text),
        Piece::End(column) => digests.end(column),
    })?;
    let columns = written.schema.fields().iter().map(|field| field.name());
    let rows = (written.rows, rows);
    Ok(text::compare(rows, (written.digests, &digests), columns)?)
}
