//! The encodings DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
//!
//! The source is <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use super::super::thrift::put_varint;
use super::bits::{pack, pack_32, width_of};
use super::values::ByteSlice;

/// How many differences a block has, and how many of them are packed with one width.
const BLOCK: usize = 128;
const MINI_BLOCK: usize = 32;

/// An integer that is stored as the difference to the one before it.
pub(super) trait Integer: Copy {
    /// The difference, which wraps around within the type's width.
    fn minus(self, other: Self) -> i64;
    fn wide(self) -> i64;
    /// What a difference has above another of the same block, within the type's width.
    fn above(difference: i64, least: i64) -> u64;
}

impl Integer for i32 {
    fn minus(self, other: Self) -> i64 {
        self.wrapping_sub(other).into()
    }

    fn wide(self) -> i64 {
        self.into()
    }

    fn above(difference: i64, least: i64) -> u64 {
        (difference as i32)
            .wrapping_sub(least as i32)
            .cast_unsigned()
            .into()
    }
}

impl Integer for i64 {
    fn minus(self, other: Self) -> i64 {
        self.wrapping_sub(other)
    }

    fn wide(self) -> i64 {
        self
    }

    fn above(difference: i64, least: i64) -> u64 {
        difference.wrapping_sub(least).cast_unsigned()
    }
}

/// Encodes integers in DELTA_BINARY_PACKED.
pub(super) fn binary_packed<T: Integer>(values: &[T], into: &mut Vec<u8>) {
    put_varint(BLOCK as u64, into);
    put_varint((BLOCK / MINI_BLOCK) as u64, into);
    put_varint(values.len() as u64, into);
    let Some(first) = values.first() else {
        put_zigzag(0, into);
        return;
    };
    put_zigzag(first.wide(), into);
    let mut differences = [0; BLOCK];
    for block in values[1..].chunks(BLOCK).scan(*first, |before, block| {
        let previous = *before;
        *before = block.last().copied().unwrap_or(previous);
        Some((previous, block))
    }) {
        let (mut before, block) = block;
        for (difference, value) in differences.iter_mut().zip(block) {
            *difference = value.minus(before);
            before = *value;
        }
        put_block::<T>(&mut differences, block.len(), into);
    }
}

/// Encodes one block, of which `count` differences are there.
fn put_block<T: Integer>(differences: &mut [i64; BLOCK], count: usize, into: &mut Vec<u8>) {
    let least = differences[..count].iter().min().copied().unwrap_or(0);
    // What is not there takes no bits.
    differences[count..].fill(least);
    put_zigzag(least, into);
    let widths = into.len();
    into.resize(widths + BLOCK / MINI_BLOCK, 0);
    for (number, mini) in differences.chunks(MINI_BLOCK).enumerate() {
        if number * MINI_BLOCK >= count {
            break;
        }
        let above = |difference: &i64| T::above(*difference, least);
        let width = width_of(mini.iter().map(above).fold(0, |all, bits| all | bits));
        into[widths + number] = width;
        let mut numbers = [0; MINI_BLOCK];
        for (number, difference) in numbers.iter_mut().zip(mini) {
            *number = above(difference) as u32;
        }
        if !pack_32(&numbers, width, into) {
            pack(mini.iter().map(above), width, into);
        }
    }
}

fn put_zigzag(value: i64, into: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 63).cast_unsigned(), into);
}

/// Encodes byte strings in DELTA_LENGTH_BYTE_ARRAY.
pub(super) fn length_byte_array(values: &ByteSlice<'_>, into: &mut Vec<u8>) {
    let lengths: Vec<i32> = values.iter().map(|value| value.len() as i32).collect();
    binary_packed(&lengths, into);
    into.extend_from_slice(values.content());
}

/// Encodes byte strings, of one length or any, in DELTA_BYTE_ARRAY.
pub(super) fn byte_array<'a>(values: impl Iterator<Item = &'a [u8]>, into: &mut Vec<u8>) {
    let (mut prefixes, mut lengths, mut suffixes) = (Vec::new(), Vec::new(), Vec::new());
    let mut before: &[u8] = &[];
    for value in values {
        let prefix = common_prefix(before, value);
        prefixes.push(prefix as i32);
        lengths.push((value.len() - prefix) as i32);
        suffixes.extend_from_slice(&value[prefix..]);
        before = value;
    }
    binary_packed(&prefixes, into);
    binary_packed(&lengths, into);
    into.extend_from_slice(&suffixes);
}

/// How many bytes two strings begin with in common.
pub(super) fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().zip(other);
    pairs.take_while(|(one, other)| one == other).count()
}
