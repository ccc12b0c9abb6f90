//! Telling a quoted empty field of delimited text from a field of nothing.
//!
//! The parser of CSV gives both as no bytes. [`Quoted`] stands before it and puts a byte between the
//! quotes of a field that has only them: one that is in no text of UTF-8. It follows the same rules as the
//! parser for where fields begin.

use std::io::{self, Read};

use super::stream::{CHUNK, Stream};

/// What a quoted empty field holds: no byte of UTF-8, and none of what [`Quoted`] lets through.
pub(super) const QUOTED_EMPTY: &[u8] = &[0xff];
/// What stands for that byte where a text that is not UTF-8 has it.
const FOREIGN: u8 = 0xfe;

/// Where in the text the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Where a row begins.
    Row,
    /// Where a field begins that is not the first of its row.
    Field,
    /// In a field without quotes, or behind those of one.
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
    /// What is to be given on, from `given` on.
    marked: Vec<u8>,
    given: usize,
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

    fn push(&mut self, byte: u8) {
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
            State::Opened | State::Inside | State::Escaped => State::Inside,
            State::Quote if byte == b'"' => State::Inside,
            State::Quote => self.behind(byte),
            State::Closed => {
                let next = match byte {
                    b'"' => State::Inside,
                    byte => self.behind(byte),
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

    /// What is held back where the text ends.
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
            ("a\"\",\"\" ,x\"\"\n", "a\"\",\"\" ,x\"\"\n"),
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
    fn a_text_that_is_not_utf8_stays_so_and_has_no_marks() {
        let text = Box::new(io::Cursor::new(b"\xff,\"\xff\"\n".to_vec()));
        let mut bytes = Vec::new();
        let mut quoted = Quoted::new(text, b',', (None, None));
        quoted.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"\xfe,\"\xfe\"\n");
    }
}
