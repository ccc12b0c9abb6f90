//! The parser of the text of a [`PartitionBy`](super::PartitionBy), and the quoting of names in it.

use std::fmt;

use super::PartitionKey;
use crate::partition::transform::bucket_count;
use crate::partition::{PartitionError, Transform};

/// The characters that end a name which is not in quotes.
const SPECIAL: [char; 5] = [',', '=', '(', ')', '"'];

/// A name, in quotes where it could not be read back without.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty()
            || self
                .0
                .contains(|c: char| c.is_whitespace() || SPECIAL.contains(&c))
        {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        } else {
            f.write_str(self.0)
        }
    }
}

/// Reads keys with commas between them; there are none in an empty text.
pub(super) fn keys(text: &str) -> Result<Vec<PartitionKey>, PartitionError> {
    let mut reader = Reader { text, at: 0 };
    let mut keys = Vec::new();
    if reader.peek().is_none() {
        return Ok(keys);
    }
    loop {
        keys.push(reader.key()?);
        if reader.peek().is_none() {
            return Ok(keys);
        }
        reader.expect(',', "a comma or the end")?;
    }
}

struct Reader<'a> {
    text: &'a str,
    /// The position in the text, in bytes.
    at: usize,
}

impl Reader<'_> {
    /// A key: `source` or `name=source`.
    fn key(&mut self) -> Result<PartitionKey, PartitionError> {
        let start = self.at;
        let first = self.name()?;
        if !self.accept('=') {
            self.at = start;
            let (column, transform) = self.source()?;
            let name = transform.default_key(&column);
            return Ok(PartitionKey {
                name,
                column,
                transform,
            });
        }
        let (column, transform) = self.source()?;
        Ok(PartitionKey {
            name: first,
            column,
            transform,
        })
    }

    /// A source: `column`, `transform(column)` or `transform(buckets, column)`.
    fn source(&mut self) -> Result<(String, Transform), PartitionError> {
        self.peek();
        let start = self.at;
        let first = self.name()?;
        if !self.accept('(') {
            return Ok((first, Transform::Identity));
        }
        let mut named = Transform::NAMED.into_iter();
        let transform = if let Some(transform) = named.find(|known| known.name() == first) {
            transform
        } else if Transform::bucket_named(&first, 0).is_some_and(|known| known.name() == first) {
            let buckets = self.buckets()?;
            self.expect(',', "a comma and the column")?;
            Transform::bucket_named(&first, buckets).unwrap_or(Transform::Bucket(buckets))
        } else {
            self.at = start;
            let known = Transform::NAMED.map(Transform::name).join(", ");
            return Err(self.error(format!(
                "{first:?} is none of {known}, bucket, spark_bucket"
            )));
        };
        let column = self.name()?;
        self.expect(')', "a closing parenthesis")?;
        Ok((column, transform))
    }

    fn buckets(&mut self) -> Result<u32, PartitionError> {
        self.peek();
        let start = self.at;
        let text = self.name()?;
        bucket_count(&text)
            .filter(|count| *count > 0)
            .ok_or_else(|| {
                self.at = start;
                self.error(format!("expected a number of buckets, found {text:?}"))
            })
    }

    fn name(&mut self) -> Result<String, PartitionError> {
        match self.peek() {
            Some('"') => self.quoted_name(),
            Some(character) if !SPECIAL.contains(&character) => {
                let rest = &self.text[self.at..];
                let length = rest.find(SPECIAL).unwrap_or(rest.len());
                self.at += length;
                Ok(rest[..length].trim_end().to_owned())
            }
            found => Err(self.unexpected("a name", found)),
        }
    }

    fn quoted_name(&mut self) -> Result<String, PartitionError> {
        let mut name = String::new();
        let mut end = self.at + 1;
        loop {
            let rest = &self.text[end..];
            let Some(length) = rest.find('"') else {
                return Err(self.error("this quote is not closed".to_owned()));
            };
            name.push_str(&rest[..length]);
            end += length + 1;
            if !self.text[end..].starts_with('"') {
                self.at = end;
                return Ok(name);
            }
            name.push('"');
            end += 1;
        }
    }

    /// The next character that is not white space, without taking it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char, described: &str) -> Result<(), PartitionError> {
        match self.peek() {
            Some(found) if found == wanted => {
                self.at += wanted.len_utf8();
                Ok(())
            }
            found => Err(self.unexpected(described, found)),
        }
    }

    fn unexpected(&self, wanted: &str, found: Option<char>) -> PartitionError {
        self.error(match found {
            None => format!("expected {wanted}, found the end"),
            Some(found) => format!("expected {wanted}, found {found:?}"),
        })
    }

    fn error(&self, problem: String) -> PartitionError {
        PartitionError::InvalidPartitionBy {
            text: self.text.to_owned(),
            position: self.text[..self.at].chars().count(),
            problem,
        }
    }
}
