//! Checking CSV: UTF-8, a header, and as many fields in every record as the header has.
//!
//! Fields are separated by commas, or by tabs in a file whose name says so (`.tsv`), and quoted by `"`, which is doubled within them (RFC 4180); lines
//! end with LF or CRLF, the last one need not; blank lines count as nothing; a byte order mark is
//! skipped. A quote that is never closed is damage, although readers take the rest of the file for
//! one field. A file that was cut within its last field cannot be told from a whole one. Nothing is
//! kept of what is read, so memory does not grow with the file.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use csv_core::{ReadFieldResult, ReaderBuilder};

use super::compressed;
use super::source::Source;
use super::text::{BUFFER, Utf8};
use super::{Contents, Fault};
use crate::damage::Damage;
use crate::disk::DiskFile;

pub(super) mod encode;
pub(super) mod header;
#[cfg(test)]
mod tests;

/// The delimiter of the files that this crate writes.
const COMMA: u8 = b',';

/// Checks a CSV file of this name.
pub(super) fn check(file: Arc<dyn DiskFile>, path: &Path) -> Result<Contents, Fault> {
    let source = Source::new(file)?;
    let rows = compressed::check_start(&source, path)
        .and_then(|()| read(&source, delimiter(path), |_| {}));
    source.settle(rows.map(|rows| Contents {
        rows: Some(rows),
        ..Contents::default()
    }))
}

/// The delimiter of a file, by its name.
fn delimiter(path: &Path) -> u8 {
    let name = path.file_name().unwrap_or_default().to_ascii_lowercase();
    let name = name.as_encoded_bytes();
    let is_tsv = [".tsv", ".tsv.gz", ".tsv.zst"]
        .iter()
        .any(|suffix| name.ends_with(suffix.as_bytes()));
    if is_tsv { b'\t' } else { COMMA }
}

/// A piece of a CSV text, in the order of the file. The header has none.
enum Piece<'a> {
    /// Some of the text of a field; its column.
    Text(usize, &'a [u8]),
    /// The end of a field; its column, and whether there is nothing between the commas, not even quotes.
    End(usize, bool),
}

/// The position of the reader in the file.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// The byte of the file.
    offset: u64,
    /// The line, from 0, and the byte where it begins.
    line: u64,
    line_start: u64,
    /// Whether a part of a record was read.
    in_record: bool,
    /// The line, from 0, and the byte where the record begins.
    record: (u64, u64),
}

impl Place {
    /// Moves the position over bytes that were read.
    fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !self.in_record && !b"\r\n".contains(byte) {
                self.in_record = true;
                self.record = (self.line, self.offset);
            }
            self.offset += 1;
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = self.offset;
            }
        }
    }

    fn syntax(&self, error: io::Error) -> Damage {
        Damage::Syntax {
            line: self.line + 1,
            column: self.offset - self.line_start + 1,
            offset: self.offset,
            source: Arc::new(error),
        }
    }
}

/// Reads every record and gives back how many there are below the header.
fn read(source: &Source, delimiter: u8, mut on_piece: impl FnMut(Piece<'_>)) -> Result<u64, Fault> {
    let mut text = BufReader::with_capacity(BUFFER, Utf8::new(compressed::reader(source)?));
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let mut output = vec![0; BUFFER];
    let mut place = Place::default();
    let (mut header, mut rows, mut column) = (None, 0, 0);
    // Whether a byte of the field was read yet, and whether it is nothing so far.
    let (mut begun, mut nothing) = (false, true);
    let mut ended = false;
    loop {
        let input = text.fill_buf().map_err(|error| place.syntax(error))?;
        // After the last byte, the end of a line: within quotes it is but another character.
        let at_end = input.is_empty();
        let ending = at_end && place.in_record && !ended;
        let input = if ending { b"\n" } else { input };
        let (result, read, written) = reader.read_field(input, &mut output);
        let is_end_of_line = |byte: &&u8| b"\r\n".contains(byte);
        let mut bytes = input[..read].iter();
        let first = match place.in_record {
            true => bytes.next(),
            false => bytes.find(|byte| !is_end_of_line(byte)),
        };
        if let Some(first) = first.filter(|_| !begun) {
            begun = true;
            nothing &= *first != b'"';
        }
        nothing &= written == 0;
        if at_end {
            ended |= ending;
        } else {
            place.advance(&input[..read]);
            text.consume(read);
        }
        if header.is_some() && written > 0 {
            on_piece(Piece::Text(column, &output[..written]));
        }
        match result {
            ReadFieldResult::InputEmpty if ending => {
                return Err(Damage::Unfinished {
                    offset: place.offset,
                    missing: "the closing quote of a field",
                }
                .into());
            }
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::End => break,
            ReadFieldResult::Field { record_end } => {
                if header.is_some() {
                    on_piece(Piece::End(column, nothing));
                }
                (begun, nothing) = (false, true);
                column += 1;
                if record_end {
                    let expected = *header.get_or_insert(column);
                    check_fields(expected, column, &place)?;
                    rows += 1;
                    (column, place.in_record) = (0, false);
                }
            }
        }
    }
    if header.is_none() {
        let minimum = place.offset + 1;
        return Err(Damage::TooShort {
            len: place.offset,
            minimum,
        }
        .into());
    }
    Ok(rows - 1)
}

fn check_fields(expected: usize, found: usize, place: &Place) -> Result<(), Damage> {
    if expected == found {
        return Ok(());
    }
    let (line, offset) = place.record;
    let what = format!("{found} fields, but the header has {expected}");
    Err(Damage::Syntax {
        line: line + 1,
        column: 1,
        offset,
        source: Arc::new(io::Error::new(io::ErrorKind::InvalidData, what)),
    })
}
