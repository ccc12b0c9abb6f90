//! Finds names that an object has twice, in the bytes on their way to a parser.
//!
//! A parser that keeps nothing of what it reads does not see them, and readers of such an object keep either
//! value, or fail. Of the names of the objects that are open, a hash each is kept. That the text is JSON is
//! for the parser to say: what is found here counts where it does.

use std::collections::HashSet;
use std::io::{self, Read};
use std::mem;
use std::sync::Arc;

use twox_hash::XxHash3_128;

use super::syntax;
use crate::damage::{Damage, Location};

/// The most names, levels of nesting and bytes of a name that are kept at once: memory has a limit whatever the file.
const LIMIT: usize = 1 << 20;

/// Passes bytes on, and compares the names in them.
pub(super) struct Names<R> {
    inner: R,
    /// For each open object the index of its first name; `None` for an array.
    open: Vec<Option<u32>>,
    /// Hashes of the names of the objects that are open, in their order.
    names: Vec<u128>,
    known: HashSet<u128>,
    /// The string that is being read.
    string: Option<Text>,
    /// Whether a string that comes next is a name.
    expects_name: bool,
    line: u64,
    line_start: u64,
    offset: u64,
    outcome: Result<(), Damage>,
}

/// A string whose end was not read yet.
struct Text {
    start: u64,
    /// Its bytes with both quotes, if it is a name.
    name: Option<Vec<u8>>,
    /// Whether the byte before was a backslash that begins an escape.
    escaping: bool,
}

impl<R> Names<R> {
    pub(super) fn new(inner: R) -> Self {
        Names {
            inner,
            open: Vec::new(),
            names: Vec::new(),
            known: HashSet::new(),
            string: None,
            expects_name: false,
            line: 1,
            line_start: 0,
            offset: 0,
            outcome: Ok(()),
        }
    }

    /// Damage if an object in what was read has a name twice: the first such name.
    pub(super) fn outcome(&self) -> Result<(), Damage> {
        self.outcome.clone()
    }

    fn look_at(&mut self, byte: u8) {
        match &mut self.string {
            Some(text) => {
                if let Some(name) = &mut text.name {
                    name.push(byte);
                    if name.len() > LIMIT {
                        return self.give_up();
                    }
                }
                match byte {
                    _ if text.escaping => text.escaping = false,
                    b'\\' => text.escaping = true,
                    b'"' => self.end_string(),
                    _ => {}
                }
            }
            None => match byte {
                b'"' => {
                    self.string = Some(Text {
                        start: self.offset,
                        name: mem::take(&mut self.expects_name).then(|| vec![byte]),
                        escaping: false,
                    });
                }
                b'{' => self.open(u32::try_from(self.names.len()).ok()),
                b'[' => self.open(None),
                b'}' | b']' => self.close(),
                b',' => self.expects_name = matches!(self.open.last(), Some(Some(_))),
                _ => {}
            },
        }
        self.offset += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.offset;
        }
    }

    fn open(&mut self, names: Option<u32>) {
        self.expects_name = names.is_some();
        self.open.push(names);
        if self.open.len() > LIMIT {
            self.give_up();
        }
    }

    fn close(&mut self) {
        self.expects_name = false;
        if let Some(Some(start)) = self.open.pop() {
            for name in self.names.drain(start as usize..) {
                self.known.remove(&name);
            }
        }
    }

    fn end_string(&mut self) {
        let Some(Text {
            start,
            name: Some(name),
            ..
        }) = self.string.take()
        else {
            return;
        };
        // Escapes that stand for no text, such as half a surrogate pair, are compared as they are written.
        let text = serde_json::from_slice::<String>(&name);
        let text = text.unwrap_or_else(|_| String::from_utf8_lossy(&name).into_owned());
        // Of the objects that are open, no two are at one level.
        let hash = XxHash3_128::oneshot_with_seed(self.open.len() as u64, text.as_bytes());
        if !self.known.insert(hash) {
            let what = format!("an object has the name {text:?} twice");
            let error = Arc::new(io::Error::new(io::ErrorKind::InvalidData, what));
            let column = start.saturating_sub(self.line_start) + 1;
            self.outcome = Err(syntax(self.line, column, self.line_start, error));
            return;
        }
        self.names.push(hash);
        if self.names.len() > LIMIT {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        let reason = format!(
            "whether objects have names twice is told for {LIMIT} names, levels of nesting and bytes of a name \
             at once"
        );
        let location = Location::file().at(self.offset);
        self.outcome = Err(Damage::NotCheckable { location, reason });
    }
}

impl<R: Read> Read for Names<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        for byte in &buffer[..count] {
            if self.outcome.is_err() {
                break;
            }
            self.look_at(*byte);
        }
        Ok(count)
    }
}
