//! The rows of a JSON text, each with the line on which it starts.
//!
//! Owns where a row begins and ends: a line, or an element where the whole text is one array. It
//! looks into no row beyond what that takes, and holds no more than one block of them.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;

use super::source::read_error;
use super::spot::Spot;
use super::stream::{CHUNK, Stream};
use super::{InputError, ROW_BYTES};

/// The rows of the text, numbered by lines.
pub(super) struct Lines {
    pub(super) path: PathBuf,
    compressed: bool,
    reader: Box<dyn BufRead + Send>,
    number: u64,
    form: Form,
}

/// The form of a JSON text: lines, or one array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Not known yet.
    Unread,
    /// One a line.
    Lines,
    /// As elements of an array, with the number of those that were read.
    Array(u64),
    /// The array has ended.
    Ended,
}

/// Some rows, one a line, blank ones included in the bytes but not among the rows.
#[derive(Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// The position of each row in the text, and its end in the bytes.
    pub(super) rows: Vec<(Spot, usize)>,
}

impl Block {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Spot, &[u8])> {
        let mut start = 0;
        self.rows.iter().map(move |&(at, end)| {
            let bytes = self.bytes[start..end].trim_ascii();
            start = end;
            (at, bytes)
        })
    }
}

impl Lines {
    pub(super) fn new(path: PathBuf, stream: Stream, compressed: bool) -> Self {
        Self {
            path,
            compressed,
            reader: Box::new(BufReader::with_capacity(CHUNK, stream)),
            number: 0,
            form: Form::Unread,
        }
    }

    /// Reads rows until there are `rows` of them, or `bytes` bytes.
    pub(super) fn block(&mut self, rows: usize, bytes: usize) -> Result<Block, InputError> {
        if self.form == Form::Unread {
            self.form = self.recognise()?;
        }
        let mut block = Block::default();
        while block.rows.len() < rows && block.bytes.len() < bytes {
            let more = match self.form {
                Form::Lines | Form::Unread => self.line(&mut block)?,
                Form::Array(read) => self.element(&mut block, read)?,
                Form::Ended => false,
            };
            if !more {
                break;
            }
        }
        Ok(block)
    }

    /// Whether the text is an array, whose bracket is then read.
    fn recognise(&mut self) -> Result<Form, InputError> {
        let mut blank = Vec::new();
        let form = loop {
            match self.peek()? {
                Some(b'[') => {
                    self.reader.consume(1);
                    self.number = 1 + newlines(&blank);
                    return Ok(Form::Array(0));
                }
                Some(byte) if byte.is_ascii_whitespace() && blank.len() < CHUNK => {
                    blank.push(byte);
                    self.reader.consume(1);
                }
                _ => break Form::Lines,
            }
        };
        let empty: Box<dyn BufRead + Send> = Box::new(std::io::empty());
        let rest = std::mem::replace(&mut self.reader, empty);
        self.reader = Box::new(Cursor::new(blank).chain(rest));
        Ok(form)
    }

    fn line(&mut self, block: &mut Block) -> Result<bool, InputError> {
        let start = block.bytes.len();
        let mut reader = self.reader.by_ref().take(ROW_BYTES + 1);
        let n = reader
            .read_until(b'\n', &mut block.bytes)
            .map_err(|source| read_error(&self.path, self.compressed, source))?;
        if n == 0 {
            return Ok(false);
        }
        self.number += 1;
        if n as u64 > ROW_BYTES {
            return Err(self.too_long(self.number));
        }
        if !block.bytes[start..].trim_ascii().is_empty() {
            block.rows.push((self.number.into(), block.bytes.len()));
        }
        Ok(true)
    }

    /// Reads one element, the comma before it, or the bracket that ends the array.
    fn element(&mut self, block: &mut Block, read: u64) -> Result<bool, InputError> {
        self.skip_blank()?;
        match self.peek()? {
            None => return Err(self.array("is cut short: its closing bracket is missing")),
            Some(b']') => {
                self.reader.consume(1);
                self.skip_blank()?;
                if self.peek()?.is_some() {
                    return Err(self.array("is followed by something else"));
                }
                self.form = Form::Ended;
                return Ok(false);
            }
            Some(b',') if read > 0 => {
                self.reader.consume(1);
                self.skip_blank()?;
            }
            Some(_) if read > 0 => return Err(self.array("lacks a comma between two elements")),
            Some(_) => {}
        }
        let (line, start) = (self.number, block.bytes.len());
        let (mut depth, mut in_text, mut escaped) = (0u32, false, false);
        loop {
            let available = self.reader.fill_buf();
            let available =
                available.map_err(|source| read_error(&self.path, self.compressed, source))?;
            if available.is_empty() {
                return Err(self.array("is cut short: its closing bracket is missing"));
            }
            let mut taken = 0;
            let mut ended = false;
            for &byte in available {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_text => escaped = true,
                    b'"' => in_text = !in_text,
                    _ if in_text => {}
                    b'{' | b'[' => depth += 1,
                    b',' | b']' | b'}' if depth == 0 => {
                        ended = true;
                        break;
                    }
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                taken += 1;
                self.number += u64::from(byte == b'\n');
                // A line end within a text is an error, and has to stay one.
                let blank = matches!(byte, b'\n' | b'\r') && !in_text;
                block.bytes.push(if blank { b' ' } else { byte });
            }
            self.reader.consume(taken);
            if (block.bytes.len() - start) as u64 > ROW_BYTES {
                return Err(self.too_long(line));
            }
            if ended {
                break;
            }
        }
        block.bytes.push(b'\n');
        let element = Some(read + 1);
        block.rows.push((Spot { line, element }, block.bytes.len()));
        self.form = Form::Array(read + 1);
        Ok(true)
    }

    fn skip_blank(&mut self) -> Result<(), InputError> {
        while let Some(byte) = self.peek()?.filter(u8::is_ascii_whitespace) {
            self.number += u64::from(byte == b'\n');
            self.reader.consume(1);
        }
        Ok(())
    }

    fn peek(&mut self) -> Result<Option<u8>, InputError> {
        let available = self.reader.fill_buf();
        let available =
            available.map_err(|source| read_error(&self.path, self.compressed, source))?;
        Ok(available.first().copied())
    }

    fn array(&self, reason: &'static str) -> InputError {
        InputError::JsonArray {
            path: self.path.clone(),
            line: self.number,
            reason,
        }
    }

    fn too_long(&self, line: u64) -> InputError {
        InputError::TooLong {
            path: self.path.clone(),
            line,
            limit: ROW_BYTES,
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
