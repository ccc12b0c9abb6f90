//! Checking JSON documents and NDJSON.
//!
//! Text is UTF-8 without a byte order mark, as RFC 8259 has it. A document is one value; if that is
//! an array, its elements count as rows. In NDJSON every line that is not blank is one object, and
//! one row: a line of `1` or `[]` is JSON, but no record, and readers of tables refuse it. A name that
//! an object has twice is damage, since readers keep either value; numbers too large for a double pass.
//! Nothing is kept of what is read but the nesting and hashes of the names of open objects, so memory does
//! not grow with the file. Both may be compressed as a whole; places are those of the text.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde::de::IgnoredAny;

use self::names::Names;
use super::compressed;
use super::source::Source;
use super::text::{BUFFER, HEAD, Utf8};
use super::{Contents, Fault};
use crate::damage::{Cause, Damage};
use crate::disk::DiskFile;

pub(super) mod encode;
mod lines;
mod names;

/// Checks that the file of this name is one JSON value.
pub(super) fn check_document(file: Arc<dyn DiskFile>, path: &Path) -> Result<Contents, Fault> {
    check(file, path, read_document)
}

/// Checks that every line of the file of this name is blank or one JSON object.
pub(super) fn check_lines(file: Arc<dyn DiskFile>, path: &Path) -> Result<Contents, Fault> {
    check(file, path, read_lines)
}

/// The member names of the first object in the lines of a file; `None` if it has none.
pub(super) fn first_names(file: Arc<dyn DiskFile>) -> Result<Option<Vec<String>>, Fault> {
    let source = Source::new(file)?;
    let names = compressed::reader(&source).and_then(|reader| {
        let head = BufReader::with_capacity(BUFFER, Utf8::new(reader.take(HEAD)));
        let objects = serde_json::Deserializer::from_reader(head);
        let first = objects.into_iter::<BTreeMap<String, IgnoredAny>>().next();
        let names = first.map(|object| object.map(|object| object.into_keys().collect()));
        names
            .transpose()
            .map_err(|error| compressed::undecodable(error.into()).into())
    });
    source.settle(names)
}

fn check(
    file: Arc<dyn DiskFile>,
    path: &Path,
    read: impl FnOnce(&Source) -> Result<Contents, Fault>,
) -> Result<Contents, Fault> {
    let source = Source::new(file)?;
    let contents = compressed::check_start(&source, path).and_then(|()| read(&source));
    source.settle(contents)
}

fn read_document(source: &Source) -> Result<Contents, Fault> {
    let is_array = matches!(first_byte(&mut text(source)?), Ok(Some(b'[')));
    let mut text = text(source)?;
    let rows = if is_array {
        // Elements have no size, so that counting them takes no memory.
        let elements: Result<Vec<IgnoredAny>, _> = serde_json::from_reader(&mut text);
        elements.map(|elements| Some(elements.len() as u64))
    } else {
        serde_json::from_reader(&mut text).map(|IgnoredAny| None)
    };
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            let (line, column) = (error.line() as u64, error.column() as u64);
            let start = start_of_line(source, line)?;
            return Err(syntax(line, column, start, Arc::new(error)).into());
        }
    };
    text.get_ref().outcome()?;
    Ok(Contents {
        rows,
        ..Contents::default()
    })
}

fn read_lines(source: &Source) -> Result<Contents, Fault> {
    let mut text = text(source)?;
    let (mut rows, mut number, mut start) = (0, 0, 0);
    while !text
        .fill_buf()
        .map_err(|error| unreadable(number + 1, 1, start, error))?
        .is_empty()
    {
        number += 1;
        let mut line = Line {
            text: &mut text,
            length: 0,
            ended: false,
        };
        let blank =
            read_line(&mut line).map_err(|(column, cause)| syntax(number, column, start, cause))?;
        rows += u64::from(!blank);
        start += line.length;
    }
    text.get_ref().outcome()?;
    Ok(Contents {
        rows: Some(rows),
        ..Contents::default()
    })
}

/// Reads one line to its end and says whether it is blank; an error has its column.
fn read_line<R: BufRead>(line: &mut Line<'_, R>) -> Result<bool, (u64, Cause)> {
    let first = line
        .first_byte()
        .map_err(|error| -> (u64, Cause) { (line.length + 1, Arc::new(error)) })?;
    let before = line.length;
    match first {
        None => Ok(true),
        Some(b'{') => match serde_json::from_reader(&mut *line) {
            Ok(IgnoredAny) => Ok(false),
            Err(error) => Err((before + error.column() as u64, Arc::new(error))),
        },
        Some(other) => {
            let what = format!("expected an object, found {:?}", char::from(other));
            Err((
                before + 1,
                Arc::new(io::Error::new(io::ErrorKind::InvalidData, what)),
            ))
        }
    }
}

fn syntax(line: u64, column: u64, start: u64, source: Cause) -> Damage {
    let column = column.max(1);
    Damage::Syntax {
        line,
        column,
        offset: start + column - 1,
        source,
    }
}

fn unreadable(line: u64, column: u64, start: u64, error: io::Error) -> Damage {
    syntax(line, column, start, Arc::new(error))
}

/// A reader that checks for UTF-8 and duplicate names, which the parser does not.
type Text = BufReader<Names<Utf8<Box<dyn Read>>>>;

fn text(source: &Source) -> Result<Text, Fault> {
    let reader = compressed::reader(source)?;
    Ok(BufReader::with_capacity(
        BUFFER,
        Names::new(Utf8::new(reader)),
    ))
}

/// The first byte that is no white space, which is left unread; white space is read.
fn first_byte(text: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = text.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let blank = buffer
            .iter()
            .take_while(|byte| b" \t\r\n".contains(byte))
            .count();
        let found = buffer.get(blank).copied();
        text.consume(blank);
        if found.is_some() {
            return Ok(found);
        }
    }
}

/// Where a line begins, the first being 1. Only asked after an error.
fn start_of_line(source: &Source, line: u64) -> Result<u64, Fault> {
    let mut reader = BufReader::with_capacity(BUFFER, compressed::reader(source)?);
    let mut start = 0;
    for _ in 1..line {
        let skipped = reader.skip_until(b'\n');
        start += skipped.map_err(compressed::undecodable)? as u64;
    }
    Ok(start)
}

/// One line of a text, its end included, as a text of its own.
struct Line<'a, R> {
    text: &'a mut R,
    length: u64,
    ended: bool,
}

impl<R: BufRead> Line<'_, R> {
    /// The first byte of the line that is no white space; see [`first_byte`].
    fn first_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            match self.text.fill_buf()?.first() {
                None => return Ok(None),
                Some(byte) if b" \t\r\n".contains(byte) => drop(self.read(&mut [0])?),
                Some(byte) => return Ok(Some(*byte)),
            }
        }
    }
}

impl<R: BufRead> Read for Line<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let available = self.text.fill_buf()?;
        let mut count = available.len().min(buffer.len());
        if let Some(end) = available[..count].iter().position(|byte| *byte == b'\n') {
            count = end + 1;
            self.ended = true;
        }
        buffer[..count].copy_from_slice(&available[..count]);
        self.text.consume(count);
        self.length += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::memory::MemoryFile;

    type Check = fn(Arc<dyn DiskFile>, &Path) -> Result<Contents, Fault>;

    fn rows(check: Check, text: impl AsRef<[u8]>) -> Option<u64> {
        check(MemoryFile::open(text.as_ref()), Path::new("x"))
            .unwrap()
            .rows
    }

    /// Line, column and byte of the damage.
    fn place(check: Check, text: impl AsRef<[u8]>) -> (u64, u64, u64) {
        match check(MemoryFile::open(text.as_ref()), Path::new("x")) {
            Err(Fault::Damage(Damage::Syntax {
                line,
                column,
                offset,
                ..
            })) => (line, column, offset),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_document_is_one_value_and_an_array_has_rows() {
        assert_eq!(rows(check_document, "[1, {\"a\": [2]}, null]"), Some(3));
        assert_eq!(rows(check_document, " \n [ ] \n"), Some(0));
        assert_eq!(rows(check_document, "{\"a\": \"\u{e4}\"}\n"), None);
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(rows(check_document, deep), Some(1));
    }

    #[test]
    fn a_document_that_does_not_parse_is_told_with_its_place() {
        assert_eq!(place(check_document, "{\"a\": 1,\n \"b\": x}"), (2, 7, 15));
        assert_eq!(place(check_document, ""), (1, 1, 0));
        assert_eq!(place(check_document, "{} {}").0, 1);
        let whole = "{\"a\": [1, 2, {\"b\": \"c\u{e4}\"}], \"d\": -1.5e3}";
        for end in 0..whole.len() {
            place(check_document, &whole.as_bytes()[..end]);
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_damage_wherever_it_is_cut() {
        place(check_document, b"[\"\xff\"]");
        place(check_document, b"[\"\xc3\"]");
        place(check_lines, b"{\"a\": \"\xc3\"}\n");
        place(check_lines, b"\xef\xbb\xbf{}\n");
        // A character of four bytes across the end of what is read at once.
        for shift in 0..4 {
            let text = format!("\"{}\u{1f600}\"", "x".repeat(BUFFER - 4 + shift));
            assert_eq!(rows(check_document, text), None);
        }
    }

    #[test]
    fn every_line_that_is_not_blank_is_an_object() {
        assert_eq!(
            rows(check_lines, "{\"a\": 1}\n\n  \r\n{}\r\n{\"b\": [1]}"),
            Some(3)
        );
        assert_eq!(rows(check_lines, ""), Some(0));
        assert_eq!(place(check_lines, "{}\n[1]\n"), (2, 1, 3));
        assert_eq!(place(check_lines, "{}\n  7\n"), (2, 3, 5));
        assert_eq!(place(check_lines, "{} {}\n").0, 1);
        assert_eq!(place(check_lines, "{}\n{\"a\":\n1}\n").0, 2);
        assert_eq!(place(check_lines, "{}\n {\"a\": x}"), (2, 8, 10));
    }

    #[test]
    fn a_name_that_an_object_has_twice_is_damage_at_its_second_place() {
        for check in [check_document as Check, check_lines] {
            assert_eq!(place(check, r#"{"a": 1, "a": 1}"#), (1, 10, 9));
            assert_eq!(
                place(check, r#"{"b": [{"a": 1, "\u0061": 2}]}"#),
                (1, 17, 16)
            );
            assert_eq!(place(check, r#"{"": 1, "": 2}"#), (1, 9, 8));
            let apart = [
                r#"{"a": {"a": ["a", "a"]}, "b": "a"}"#,
                r#"{"a": [{"b": 1}, {"b": 2}], "b": {"b": 3, "a": 4}}"#,
                r#"{"a\"": 1, "a": 2, "a\\": 3, "\",\"a\":": 4}"#,
                r#"{"a": {"x": {}}, "c": {"x": {}}, "x": "{\"a\": 1, \"a\": 2}"}"#,
            ];
            for text in apart {
                check(MemoryFile::open(text), Path::new("x")).unwrap();
            }
        }
        assert_eq!(
            place(check_lines, "{\"a\": 1}\n{\"b\": 1,\"b\": 2}\n"),
            (2, 9, 17)
        );
        assert_eq!(rows(check_lines, "{\"a\": 1}\n".repeat(9)), Some(9));
    }

    #[test]
    fn names_beyond_what_is_kept_of_them_cannot_be_checked() {
        let many = |count| {
            let names: Vec<String> = (0..count).map(|name| format!("\"{name}\":0")).collect();
            check_document(
                MemoryFile::open(format!("{{{}}}", names.join(","))),
                Path::new("x"),
            )
        };
        many(1 << 20).unwrap();
        let outcome = many((1 << 20) + 1);
        let expected = matches!(outcome, Err(Fault::Damage(Damage::NotCheckable { .. })));
        assert!(expected, "{outcome:?}");
    }

    #[test]
    fn a_disk_that_does_not_read_is_no_damage() {
        let text = "{\"a\": 1}\n".repeat(20_000);
        for check in [check_document as Check, check_lines] {
            let outcome = check(MemoryFile::refusing_from(text.as_str(), 0), Path::new("x"));
            assert!(matches!(outcome, Err(Fault::Io(_))), "{outcome:?}");
        }
        let outcome = check_lines(
            MemoryFile::refusing_from(text.as_str(), 100_000),
            Path::new("x"),
        );
        assert!(matches!(outcome, Err(Fault::Io(_))), "{outcome:?}");
    }
}
