//! Divides delimited text into rows and fields, and counts lines.
//!
//! Owns the strictness: a row that is cut short or has a field too many is an error, never padded,
//! and so are an unclosed quote, a row without end and text that is not UTF-8. Blank
//! lines are passed over. It knows no types.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;

use csv::ByteRecord;

use super::quoted::{QUOTED_EMPTY, Quoted};
use super::source::read_error;
use super::stream::{CHUNK, Stream};
use super::{InputError, InputOptions, ROW_BYTES};

/// A row and the line on which it starts.
pub(super) type Row = (u64, ByteRecord);

/// The rows of the text, each with its line.
pub(super) struct Rows {
    pub(super) path: PathBuf,
    compressed: bool,
    reader: csv::Reader<Tail>,
    /// Whether lines end in CR LF: the LF is then counted with the next row only.
    crlf: Option<bool>,
}

impl Rows {
    pub(super) fn new(
        path: PathBuf,
        stream: Stream,
        compressed: bool,
        delimiter: u8,
        options: &InputOptions,
    ) -> Self {
        let quoted = Quoted::new(stream, delimiter, (options.escape, options.comment));
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .escape(options.escape)
            .comment(options.comment)
            .has_headers(false)
            .buffer_capacity(CHUNK)
            .from_reader(Tail::new(Box::new(quoted)));
        Self {
            path,
            compressed,
            reader,
            crlf: None,
        }
    }

    /// The columns' names: the header, or `column_1` and so on, the first row then kept.
    pub(super) fn names(
        &mut self,
        header: bool,
        sample: &mut VecDeque<Row>,
    ) -> Result<Vec<String>, InputError> {
        let mut record = ByteRecord::new();
        let Some(line) = self.next(&mut record)? else {
            return Err(InputError::Empty {
                path: self.path.clone(),
                missing: if header {
                    "it has no header"
                } else {
                    "it has no rows"
                },
            });
        };
        if !header {
            let names = (1..=record.len()).map(|n| format!("column_{n}")).collect();
            sample.push_back((line, record));
            return Ok(names);
        }
        let mut names: Vec<String> = Vec::with_capacity(record.len());
        for (index, cell) in record.iter().enumerate() {
            let name = self.text(cell, line, &format!("column_{}", index + 1))?;
            if names.iter().any(|other| other == name) {
                return Err(InputError::DuplicateName {
                    path: self.path.clone(),
                    line,
                    column: name.to_owned(),
                });
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// Reads the next row and gives the line on which it starts; `None` is the end.
    pub(super) fn next(&mut self, record: &mut ByteRecord) -> Result<Option<u64>, InputError> {
        let before = self.reader.position().line();
        let read = self.reader.read_byte_record(record);
        let tail = self.reader.get_mut();
        let (ended, long) = (tail.ended, tail.since_row > ROW_BYTES);
        // A line that `Tail` ended has its LF counted, whatever the others end in.
        let lf = tail.line_ended;
        tail.since_row = 0;

        let newlines = record.as_slice().iter().filter(|b| **b == b'\n').count() as u64;
        // The line on which the parser stands now, the row's own line ends taken off.
        let reached = self.reader.position().line().saturating_sub(newlines);
        let crlf = *self.crlf.get_or_insert(reached == before);
        let line = match ended || (crlf && !lf) {
            true => reached,
            false => reached.saturating_sub(1),
        };
        let path = || self.path.clone();
        match read {
            // The end was seen before the row was whole: it stands in an open quote.
            Ok(true) if ended => Err(InputError::UnclosedQuote { path: path(), line }),
            Ok(true) => Ok(Some(line)),
            Ok(false) => Ok(None),
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::UnequalLengths { .. } if ended => {
                    InputError::UnclosedQuote { path: path(), line }
                }
                csv::ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => InputError::Ragged {
                    path: path(),
                    line,
                    expected: expected_len,
                    found: len,
                },
                csv::ErrorKind::Io(_) if long => InputError::TooLong {
                    path: path(),
                    line: before,
                    limit: ROW_BYTES,
                },
                csv::ErrorKind::Io(source) => read_error(&path(), self.compressed, source),
                other => {
                    let source = io::Error::other(format!("{other:?}"));
                    read_error(&path(), self.compressed, source)
                }
            }),
        }
    }

    /// A cell as text, a quoted empty one as the empty text; `line` and `column` are where it stands.
    pub(super) fn text<'a>(
        &self,
        cell: &'a [u8],
        line: u64,
        column: &str,
    ) -> Result<&'a str, InputError> {
        if cell == QUOTED_EMPTY {
            return Ok("");
        }
        std::str::from_utf8(cell).map_err(|source| InputError::Utf8 {
            path: self.path.clone(),
            line,
            column: column.to_owned(),
            source,
        })
    }
}

/// A stream that ends its last line, tells whether its end was seen, and bounds a row.
///
/// With the last line ended, a row is whole before the parser has to ask for more and sees the
/// end; only a row in an open quote reads on. Asking the parser alone could not tell the two apart.
struct Tail {
    stream: Stream,
    line_ended: bool,
    ended: bool,
    since_row: u64,
}

impl Tail {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            line_ended: false,
            ended: false,
            since_row: 0,
        }
    }
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.since_row > ROW_BYTES {
            return Err(io::Error::other("row too long"));
        }
        let mut n = 0;
        if !self.line_ended {
            n = self.stream.read(into)?;
            if n == 0 && !into.is_empty() {
                self.line_ended = true;
                into[0] = b'\n';
                return Ok(1);
            }
        }
        self.ended |= n == 0;
        self.since_row += n as u64;
        Ok(n)
    }
}
