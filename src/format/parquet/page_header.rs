//! The header of a page that was just encoded, to be written with another size and with a checksum.
//!
//! Only what parquet-rs writes comes here; headers of files that exist are `pages.rs`'s.

use super::thrift::{I32, Malformed, Thrift};

/// A page header: what may change, and the bytes of what does not.
pub(super) struct Header<'a> {
    kind: i64,
    uncompressed_size: i64,
    length: usize,
    /// The number and type of the first field after the checksum, and what follows that.
    next: (i64, u8),
    rest: &'a [u8],
}

const TYPE: i64 = 1;
const UNCOMPRESSED_SIZE: i64 = 2;
const COMPRESSED_SIZE: i64 = 3;
const CRC: i64 = 4;

const DICTIONARY_PAGE: i64 = 2;

impl<'a> Header<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut walk = Thrift::new(bytes);
        let (mut last, mut kind, mut uncompressed_size) = (0, None, None);
        let next = loop {
            match walk.field(&mut last)? {
                Some((TYPE, I32)) => kind = Some(walk.integer()?),
                Some((UNCOMPRESSED_SIZE, I32)) => uncompressed_size = Some(walk.integer()?),
                Some((number, found)) if number <= CRC => walk.skip(found)?,
                Some(next) => break next,
                None => return Err(Malformed::Truncated),
            }
        };
        Ok(Header {
            kind: kind.ok_or(Malformed::Truncated)?,
            uncompressed_size: uncompressed_size.ok_or(Malformed::Truncated)?,
            length: bytes.len(),
            next,
            rest: &bytes[walk.position()..],
        })
    }

    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == DICTIONARY_PAGE
    }

    /// How long it was.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Writes the header for a page of `size` bytes, with their checksum `crc` if there is to be one, and
    /// returns the length of the header.
    pub(super) fn write(&self, size: usize, crc: Option<u32>, into: &mut Vec<u8>) -> usize {
        let mut last = 0;
        let mut put = |number: i64, value: i64, into: &mut Vec<u8>| {
            into.push(((number - last) as u8) << 4 | I32);
            put_integer(value, into);
            last = number;
        };
        put(TYPE, self.kind, into);
        put(UNCOMPRESSED_SIZE, self.uncompressed_size, into);
        put(COMPRESSED_SIZE, size as i64, into);
        let before = into.len();
        if let Some(crc) = crc {
            // Its 32 bits are those of a signed integer.
            put(CRC, i64::from(crc.cast_signed()), into);
        }
        let length = into.len() - before;
        let (number, kind) = self.next;
        // What is further away than 15 has its number spelt out.
        match u8::try_from(number - last) {
            Ok(delta @ 1..=15) => into.push(delta << 4 | kind),
            _ => {
                into.push(kind);
                put_integer(number, into);
            }
        }
        into.extend_from_slice(self.rest);
        length
    }
}

/// Zigzag, then seven bits a byte.
fn put_integer(value: i64, into: &mut Vec<u8>) {
    let mut rest = (value << 1 ^ value >> 63).cast_unsigned();
    while rest > 0x7f {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type 2, 8 bytes uncompressed, 5 compressed; a structure of one field, numbered 7.
    const DICTIONARY: [u8; 10] = [0x15, 4, 0x15, 16, 0x15, 10, 0x4c, 0x15, 6, 0];

    fn written(bytes: &[u8], size: usize, crc: Option<u32>) -> Vec<u8> {
        let mut into = Vec::new();
        Header::parse(bytes).unwrap().write(size, crc, &mut into);
        into
    }

    #[test]
    fn a_header_comes_back_as_it_was() {
        let header = Header::parse(&DICTIONARY).unwrap();
        assert!(header.is_dictionary());
        assert_eq!(header.length(), DICTIONARY.len());
        assert_eq!(written(&DICTIONARY, 5, None), DICTIONARY);
        let far = [0x15, 0, 0x15, 0, 0x15, 2, 0x0c, 60, 0x15, 6, 0];
        assert_eq!(written(&far, 1, None), far);
        assert!(!Header::parse(&far).unwrap().is_dictionary());
    }

    #[test]
    fn a_checksum_stands_after_the_sizes_and_replaces_one_that_was_there() {
        let with = written(&DICTIONARY, 300, Some(u32::MAX));
        let expected = [0x15, 4, 0x15, 16, 0x15, 0xd8, 4, 0x15, 1, 0x3c, 0x15, 6, 0];
        assert_eq!(with, expected);
        let other = written(&with, 5, Some(1 << 31));
        let value = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(
            other,
            [
                &[0x15, 4, 0x15, 16, 0x15, 10, 0x15],
                &value[..],
                &[0x3c, 0x15, 6, 0]
            ]
            .concat()
        );
        assert_eq!(written(&other, 5, None), DICTIONARY);
    }

    #[test]
    fn a_header_that_ends_too_early_is_malformed() {
        for end in 0..7 {
            assert!(Header::parse(&DICTIONARY[..end]).is_err(), "{end}");
        }
        assert!(Header::parse(&[0x15, 4, 0x15, 16, 0x15, 10, 0]).is_err());
        assert!(Header::parse(&[0x15, 4, 0x4c, 0x15, 6, 0]).is_err());
    }
}
