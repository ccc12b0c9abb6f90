//! The header of a page that was just encoded, to be written with another size and with a checksum.
//!
//! Only what parquet-rs writes comes here, and what `column/` does; headers of files that exist are `pages.rs`'s.

use parquet::basic::Encoding;

use super::thrift::{I32, Malformed, STRUCT, Thrift, put_varint};

/// A page header: what may change, and the bytes of what does not.
pub(super) struct Header<'a> {
    kind: i64,
    uncompressed_size: i64,
    /// The number of bytes by which the content has grown.
    grown: i64,
    length: usize,
    /// The number and type of the first field after the checksum, and what follows that.
    next: (i64, u8),
    rest: &'a [u8],
}

const TYPE: i64 = 1;
const UNCOMPRESSED_SIZE: i64 = 2;
const COMPRESSED_SIZE: i64 = 3;
const CRC: i64 = 4;

const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_V2: i64 = 3;

/// The fields of a data page's header, and how a page is encoded that has the numbers of values in a dictionary.
const ENCODING: i64 = 2;
const ENCODING_V2: i64 = 4;
const DEFINITION_LEVELS_V2: i64 = 5;
const REPETITION_LEVELS_V2: i64 = 6;
const DATA_PAGE_HEADER: u8 = 5;
const DICTIONARY_PAGE_HEADER: u8 = 7;
const PLAIN: i64 = 0;
const RLE: i64 = 3;
const DICTIONARY_ENCODINGS: [i64; 2] = [2, 8];

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
            grown: 0,
            length: bytes.len(),
            next,
            rest: &bytes[walk.position()..],
        })
    }

    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == DICTIONARY_PAGE
    }

    pub(super) fn uncompressed_size(&self) -> i64 {
        self.uncompressed_size
    }

    /// The header for a content of another size.
    pub(super) fn resized(mut self, size: usize) -> Self {
        self.grown = size as i64 - self.uncompressed_size;
        self.uncompressed_size = size as i64;
        self
    }

    /// The number of bytes by which the content has grown.
    pub(super) fn grown(&self) -> i64 {
        self.grown
    }

    /// What follows of the header of a dictionary page, for another number of values.
    pub(super) fn rest_with_entries(&self, entries: usize) -> Result<Vec<u8>, Malformed> {
        let mut walk = Thrift::new(self.rest);
        let mut last = 0;
        match walk.field(&mut last)? {
            Some((1, I32)) => walk.integer()?,
            _ => return Err(Malformed::Truncated),
        };
        let mut rest = vec![1 << 4 | I32];
        put_integer(entries as i64, &mut rest);
        rest.extend_from_slice(&self.rest[walk.position()..]);
        Ok(rest)
    }

    /// The header with another rest.
    pub(super) fn with_rest(mut self, rest: &'a [u8]) -> Self {
        self.rest = rest;
        self
    }

    /// Of a data page: whether it has the numbers of values in a dictionary, and in version 2 how many bytes its
    /// levels take.
    pub(super) fn data(&self) -> Result<(bool, Option<usize>), Malformed> {
        let is_version_2 = self.kind == DATA_PAGE_V2;
        let encoding_is = if is_version_2 { ENCODING_V2 } else { ENCODING };
        let mut walk = Thrift::new(self.rest);
        let (mut last, mut encoding, mut levels) = (0, None, 0);
        while let Some((number, found)) = walk.field(&mut last)? {
            match (number, found) {
                (number, I32) if number == encoding_is => encoding = Some(walk.integer()?),
                (DEFINITION_LEVELS_V2 | REPETITION_LEVELS_V2, I32) if is_version_2 => {
                    levels += walk.integer()?;
                }
                (_, found) => walk.skip(found)?,
            }
        }
        let is_coded = encoding.is_some_and(|encoding| DICTIONARY_ENCODINGS.contains(&encoding));
        let levels = usize::try_from(levels).map_err(|_| Malformed::Truncated)?;
        Ok((is_coded, is_version_2.then_some(levels)))
    }

    /// The length of the header as it was.
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

/// The header of a data page of version 1 that is not compressed yet, with levels in RLE.
pub(super) fn data_page(rows: usize, encoding: Encoding, size: usize) -> Vec<u8> {
    let rows = rows as i64;
    header(
        DATA_PAGE,
        size,
        DATA_PAGE_HEADER,
        &[rows, encoding as i64, RLE, RLE],
    )
}

/// The header of a dictionary page that is not compressed yet.
pub(super) fn dictionary_page(entries: usize, size: usize) -> Vec<u8> {
    let entries = entries as i64;
    header(
        DICTIONARY_PAGE,
        size,
        DICTIONARY_PAGE_HEADER,
        &[entries, PLAIN],
    )
}

/// A header that says the numbers of a page of some kind, in a structure that is numbered `part`.
fn header(kind: i64, size: usize, part: u8, numbers: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [kind, size as i64, size as i64] {
        bytes.push(1 << 4 | I32);
        put_integer(number, &mut bytes);
    }
    bytes.push((part - COMPRESSED_SIZE as u8) << 4 | STRUCT);
    for number in numbers {
        bytes.push(1 << 4 | I32);
        put_integer(*number, &mut bytes);
    }
    // The end of the structure, and of the header.
    bytes.extend([0, 0]);
    bytes
}

/// Zigzag, then seven bits a byte.
fn put_integer(value: i64, into: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 63).cast_unsigned(), into);
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
