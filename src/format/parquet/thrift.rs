//! A reader of Thrift's compact protocol: just enough to look at Parquet's structures before parquet-rs does.
//!
//! parquet-rs allocates some lists by their declared length alone, and a failed allocation ends the
//! process. So every structure is first walked here: no list is longer than the bytes left for it.
//! The walk also sees what parquet-rs reads but does not tell: checksums in page headers, and the
//! names and types in column chunks. It keeps nothing and gives values no meaning.

use std::fmt;

/// The types of the compact protocol that are looked for by name.
pub(super) const I32: u8 = 5;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// The deepest nesting that is read: Parquet nests at most eight deep.
const MAX_DEPTH: usize = 32;

/// Bytes that are not the compact protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    Truncated,
    UnknownType(u8),
    LongVarint,
    TooDeep,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Truncated => f.write_str("the structure goes on after its bytes end"),
            Malformed::UnknownType(kind) => write!(f, "{kind} is no type of Thrift"),
            Malformed::LongVarint => f.write_str("an integer of more than 64 bits"),
            Malformed::TooDeep => f.write_str("structures nested too deeply"),
        }
    }
}

impl std::error::Error for Malformed {}

type Result<T> = std::result::Result<T, Malformed>;

/// Takes an integer of seven bits a byte, the low ones first, off the beginning of `rest`.
pub(super) fn take_varint(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Malformed::Truncated)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed::LongVarint)
}

/// Appends an integer of seven bits a byte, the low ones first.
pub(super) fn put_varint(mut value: u64, into: &mut Vec<u8>) {
    while value > 0x7f {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// A position in bytes of the compact protocol.
#[derive(Debug, Clone)]
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Thrift { bytes, at: 0 }
    }

    /// The length of the structure that `bytes` begin with, all of which has been walked.
    pub(super) fn measure(bytes: &'a [u8]) -> Result<usize> {
        let mut walk = Thrift::new(bytes);
        walk.skip(STRUCT)?;
        Ok(walk.at)
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn advance(&mut self, count: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| self.at.checked_add(count));
        let range = self.at..end.ok_or(Malformed::Truncated)?;
        let slice = self.bytes.get(range).ok_or(Malformed::Truncated)?;
        self.at += slice.len();
        Ok(slice)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut rest = &self.bytes[self.at..];
        let value = take_varint(&mut rest)?;
        self.at = self.bytes.len() - rest.len();
        Ok(value)
    }

    /// A signed integer of any width.
    pub(super) fn integer(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8]> {
        let length = self.varint()?;
        self.advance(length)
    }

    /// The number and type of the next field of a structure; `last` is the number of the one before.
    pub(super) fn field(&mut self, last: &mut i64) -> Result<Option<(i64, u8)>> {
        let byte = self.byte()?;
        let (delta, kind) = (byte >> 4, byte & 0xf);
        if kind == 0 {
            return Ok(None);
        }
        *last = if delta == 0 {
            self.integer()?
        } else {
            last.wrapping_add(i64::from(delta))
        };
        Ok(Some((*last, kind)))
    }

    /// The type and number of the elements that follow, not more than there are bytes for.
    pub(super) fn list(&mut self) -> Result<(u8, usize)> {
        let byte = self.byte()?;
        let (short, kind) = (byte >> 4, byte & 0xf);
        let count = if short == 15 {
            self.varint()?
        } else {
            u64::from(short)
        };
        let count = usize::try_from(count).map_err(|_| Malformed::Truncated)?;
        if count > self.bytes.len() - self.at {
            return Err(Malformed::Truncated);
        }
        Ok((kind, count))
    }

    /// Walks over a value of a type that is a field of a structure.
    pub(super) fn skip(&mut self, kind: u8) -> Result<()> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: u8, depth: usize) -> Result<()> {
        let deeper = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
        match kind {
            // A boolean field's value is its type.
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => drop(self.advance(8)?),
            BINARY => drop(self.binary()?),
            LIST | 10 => {
                let (kind, count) = self.list()?;
                for _ in 0..count {
                    self.skip_element(kind, deeper)?;
                }
            }
            11 => self.skip_map(deeper)?,
            STRUCT => {
                while let Some((_, kind)) = self.field(&mut 0)? {
                    self.skip_within(kind, deeper)?;
                }
            }
            13 => drop(self.advance(16)?),
            other => return Err(Malformed::UnknownType(other)),
        }
        Ok(())
    }

    fn skip_map(&mut self, depth: usize) -> Result<()> {
        let count = self.varint()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        for _ in 0..count {
            self.skip_element(kinds >> 4, depth)?;
            self.skip_element(kinds & 0xf, depth)?;
        }
        Ok(())
    }

    /// Skips an element of a list or map, in which, other than in fields, a boolean has a byte of its own.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Result<()> {
        match kind {
            1 | 2 => self.byte().map(drop),
            other => self.skip_within(other, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_is_measured_without_what_follows_it() {
        // field 1 i32 = 1, field 2 binary "ab", field 3 list of two i32, stop
        let bytes = [0x15, 2, 0x18, 2, b'a', b'b', 0x19, 0x25, 2, 4, 0, 99, 99];
        assert_eq!(Thrift::measure(&bytes), Ok(11));
        for end in 0..11 {
            assert_eq!(
                Thrift::measure(&bytes[..end]),
                Err(Malformed::Truncated),
                "{end}"
            );
        }
    }

    #[test]
    fn a_list_longer_than_its_bytes_is_refused() {
        let two_billion = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
        assert_eq!(Thrift::measure(&two_billion), Err(Malformed::Truncated));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let nested = vec![0x1c; 10_000];
        assert_eq!(Thrift::measure(&nested), Err(Malformed::TooDeep));
    }

    #[test]
    fn an_integer_of_more_than_64_bits_is_refused() {
        let long = [[0x15].as_slice(), &[0xff; 20], &[0]].concat();
        assert_eq!(Thrift::measure(&long), Err(Malformed::LongVarint));
    }

    #[test]
    fn integers_are_zigzag() {
        for (bytes, value) in [
            (vec![0], 0),
            (vec![1], -1),
            (vec![2], 1),
            (vec![0x80, 1], 64),
        ] {
            assert_eq!(Thrift::new(&bytes).integer(), Ok(value));
        }
        let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Thrift::new(&least).integer(), Ok(i64::MIN));
    }
}
