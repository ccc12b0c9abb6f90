//! Interprets quotes and escapes in delimited text, where the CSV parser says too little.
//!
//! [`Quoted`] stands before the parser and follows the same rules for where fields begin. The parser gives a
//! quoted empty field and a field of nothing both as no bytes: [`Quoted`] puts a byte between the quotes of a
//! field that has only them, one that is in no text of UTF-8. The parser drops quotes before further text of a
//! field (`"x"y`), which is an error here, and an escape before any character, which is kept here unless it
//! stands before a quote or an escape.

use std::io::{self, Read};

use thiserror::Error;

use super::stream::{CHUNK, Stream};

/// The byte that marks a quoted empty field for the parser: no byte of UTF-8, and none that [`Quoted`] lets through.
pub(super) const QUOTED_EMPTY: &[u8] = &[0xff];
/// The byte that replaces that mark where a text that is not UTF-8 has it.
const FOREIGN: u8 = 0xfe;

/// The state of the reader: where in a row the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Where a row begins.
    Row,
    /// Where a field begins that is not the first of its row.
    Field,
    /// In a field without quotes.
    Bare,
    /// Behind the quote that opens a field.
    Opened,
    /// Behind the two quotes of a field that has nothing else so far.
    Closed,
    /// In a quoted field.
    Inside,
    /// In a quoted field, behind what takes its meaning from a quote.
    Escaped,
    /// Behind a quote in a quoted field, which ends it unless another follows.
    Quote,
    /// In a line that is passed over.
    Comment,
}

/// A text whose quoted empty fields can be told from fields of nothing.
pub(super) struct Quoted {
    text: Stream,
    delimiter: u8,
    escape: Option<u8>,
    comment: Option<u8>,
    state: State,
    read: Vec<u8>,
    /// The bytes to pass on, those from index `given` on.
    marked: Vec<u8>,
    given: usize,
    /// The line of the byte that is read next.
    line: u64,
    /// The line on which a field goes on behind its quotes; nothing is read beyond.
    malformed: Option<u64>,
}

/// A field that goes on behind its closing quote, on this line.
#[derive(Debug, Error)]
#[error("line {line}: a quoted field goes on behind its closing quote")]
pub(super) struct BehindQuote {
    pub(super) line: u64,
}

impl Quoted {
    pub(super) fn new(
        text: Stream,
        delimiter: u8,
        (escape, comment): (Option<u8>, Option<u8>),
    ) -> Self {
        Self {
            text,
            delimiter,
            escape,
            comment,
            state: State::Row,
            read: vec![0; CHUNK],
            marked: Vec::with_capacity(CHUNK),
            given: 0,
            line: 1,
            malformed: None,
        }
    }

    /// The state behind a byte, in a place where the field may end.
    fn behind(&self, byte: u8) -> State {
        match byte {
            b'\r' | b'\n' => State::Row,
            byte if byte == self.delimiter => State::Field,
            _ => State::Bare,
        }
    }

    /// The state behind a byte that follows a closing quote, where the field has to end.
    fn behind_quote(&mut self, byte: u8) -> State {
        let state = self.behind(byte);
        if state == State::Bare {
            self.malformed.get_or_insert(self.line);
        }
        state
    }

    fn push(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        let ends = |state: State| matches!(state, State::Row | State::Field);
        self.state = match self.state {
            State::Row if Some(byte) == self.comment => State::Comment,
            State::Row | State::Field if byte == b'"' => State::Opened,
            State::Row | State::Field | State::Bare => self.behind(byte),
            State::Opened | State::Inside if Some(byte) == self.escape => State::Escaped,
            State::Opened if byte == b'"' => {
                // Given on with what follows, which tells what it is.
                self.state = State::Closed;
                return;
            }
            State::Opened | State::Inside if byte == b'"' => State::Quote,
            State::Escaped => {
                // The parser takes an escape away before anything; another keeps it.
                if byte != b'"' && Some(byte) != self.escape {
                    self.marked.extend(self.escape);
                }
                State::Inside
            }
            State::Opened | State::Inside => State::Inside,
            State::Quote if byte == b'"' => State::Inside,
            State::Quote => self.behind_quote(byte),
            State::Closed => {
                let next = match byte {
                    b'"' => State::Inside,
                    byte => self.behind_quote(byte),
                };
                if ends(next) {
                    self.marked.extend(QUOTED_EMPTY);
                }
                self.marked.push(b'"');
                next
            }
            State::Comment if byte == b'\n' => State::Row,
            State::Comment => State::Comment,
        };
        self.marked.push(match byte {
            0xff => FOREIGN,
            byte => byte,
        });
    }

    /// Passes on what was held back, at the end of the text.
    fn end(&mut self) {
        if self.state == State::Closed {
            self.marked.extend(QUOTED_EMPTY);
            self.marked.push(b'"');
            self.state = State::Bare;
        }
    }
}

impl Read for Quoted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.marked.len() {
            self.marked.clear();
            self.given = 0;
            if let Some(line) = self.malformed {
                return Err(io::Error::other(BehindQuote { line }));
            }
            let read = self.text.read(&mut self.read)?;
            if read == 0 {
                self.end();
                if self.marked.is_empty() {
                    return Ok(0);
                }
                break;
            }
            let bytes = std::mem::take(&mut self.read);
            for byte in &bytes[..read] {
                self.push(*byte);
                if self.malformed.is_some() {
                    break;
                }
            }
            self.read = bytes;
        }
        let rest = &self.marked[self.given..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with each quoted empty field as `∅`, read a few bytes at a time.
    fn marked(text: &str, escape: Option<u8>, comment: Option<u8>) -> String {
        let mut quoted = Quoted::new(
            Box::new(io::Cursor::new(text.to_owned())),
            b',',
            (escape, comment),
        );
        let mut bytes = Vec::new();
        let mut few = [0; 3];
        loop {
            match quoted.read(&mut few).unwrap() {
                0 => break,
                read => bytes.extend(&few[..read]),
            }
        }
        let parts = bytes.split(|byte| *byte == 0xff);
        let parts: Vec<&str> = parts
            .map(|part| std::str::from_utf8(part).unwrap())
            .collect();
        parts.join("∅")
    }

    #[test]
    fn only_fields_of_two_quotes_are_marked() {
        for (text, expected) in [
            ("\"\",a,\"\"\n", "\"∅\",a,\"∅\"\n"),
            ("a,\"\"\r\n\"\"", "a,\"∅\"\r\n\"∅\""),
            (",\n,,\n", ",\n,,\n"),
            ("\"\"\"\"\n", "\"\"\"\"\n"),
            ("\"\"\"x\",\"\"\n", "\"\"\"x\",\"∅\"\n"),
            ("\"x\"\"\",\"\"\n", "\"x\"\"\",\"∅\"\n"),
            ("\"a,\"\",\"\n", "\"a,\"\",\"\n"),
            ("a\"\",\"\",x\"\"\n", "a\"\",\"∅\",x\"\"\n"),
            ("\"open", "\"open"),
        ] {
            assert_eq!(marked(text, None, None), expected, "{text}");
        }
        assert_eq!(
            marked("\"\\\"\",\"\"\n", Some(b'\\'), None),
            "\"\\\"\",\"∅\"\n"
        );
        assert_eq!(
            marked("#,\"\"\n\"\"\n", None, Some(b'#')),
            "#,\"\"\n\"∅\"\n"
        );
    }

    #[test]
    fn an_escape_is_kept_unless_it_stands_before_a_quote_or_an_escape() {
        for (text, expected) in [
            (r#""C:\new\table",1"#, r#""C:\\new\\table",1"#),
            (r#""say \"no\"""#, r#""say \"no\"""#),
            (r#""a\\b""#, r#""a\\b""#),
            (r"C:\new", r"C:\new"),
        ] {
            assert_eq!(marked(text, Some(b'\\'), None), expected, "{text}");
        }
    }

    #[test]
    fn what_follows_a_closing_quote_is_an_error_with_its_line() {
        for text in ["a,b\n\"x\"y,1\n", "\n\"\" ,1", "\"a\nb\"c"] {
            let mut quoted = Quoted::new(Box::new(io::Cursor::new(text)), b',', (None, None));
            let error = quoted.read_to_end(&mut Vec::new()).unwrap_err();
            assert!(error.to_string().starts_with("line 2: "), "{text}: {error}");
        }
    }

    #[test]
    fn a_text_that_is_not_utf8_stays_so_and_has_no_marks() {
        let text = Box::new(io::Cursor::new(b"\xff,\"\xff\"\n".to_vec()));
        let mut bytes = Vec::new();
        let mut quoted = Quoted::new(text, b',', (None, None));
        quoted.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"\xfe,\"\xfe\"\n");
    }
}
