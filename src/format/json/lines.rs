//! Reading NDJSON that was just written: lines, and the text of every value in them.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::sync::Arc;

use arrow::datatypes::{Fields, Schema};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::damage::Damage;
use crate::format::Fault;
use crate::format::compressed;
use crate::format::source::Source;
use crate::format::text::{BUFFER, TextDigests};

/// Counts the lines, each of which is an object of the schema's fields in their order, and digests
/// the values.
pub(super) fn read(source: &Source, schema: &Schema) -> Result<(u64, TextDigests), Fault> {
    let mut digests = TextDigests::new(schema.fields().len());
    let mut text = BufReader::with_capacity(BUFFER, compressed::reader(source)?);
    let (mut line, mut rows, mut offset) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let length = text.read_until(b'\n', &mut line);
        let length = length.map_err(compressed::undecodable)? as u64;
        if length == 0 {
            return Ok((rows, digests));
        }
        let damage = |column: u64, error| Damage::Syntax {
            line: rows + 1,
            column,
            offset: offset + column - 1,
            source: error,
        };
        let utf8 = std::str::from_utf8(&line).map_err(|error| {
            let column = error.valid_up_to() as u64 + 1;
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            damage(column, Arc::new(error))
        })?;
        let mut parser = serde_json::Deserializer::from_str(utf8);
        let row = Row {
            fields: schema.fields(),
            digests: &mut digests,
        };
        row.deserialize(&mut parser)
            .and_then(|()| parser.end())
            .map_err(|error| damage(error.column().max(1) as u64, Arc::new(error)))?;
        rows += 1;
        offset += length;
    }
}

/// One object of the fields.
struct Row<'a> {
    fields: &'a Fields,
    digests: &'a mut TextDigests,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the schema's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        for (column, field) in self.fields.iter().enumerate() {
            match entries.next_key::<String>()? {
                Some(name) if name == *field.name() => {}
                found => {
                    let expected = field.name();
                    let what = format!("expected the field {expected:?}, found {found:?}");
                    return Err(A::Error::custom(what));
                }
            }
            let value: &RawValue = entries.next_value()?;
            self.digests.push(column, value.get().as_bytes());
            self.digests.end(column);
        }
        match entries.next_key::<String>()? {
            None => Ok(()),
            Some(name) => Err(A::Error::custom(format!("unexpected field {name:?}"))),
        }
    }
}
