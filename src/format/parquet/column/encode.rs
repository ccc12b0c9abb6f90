//! Encoding values as the content of a page, levels left out.

use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};

use super::bits::{hybrid, pack, width_of};
use super::delta;
use super::values::Slice;

/// Encodes values by themselves. Dictionaries have [`numbers`] instead.
pub(super) fn values(values: Slice<'_>, encoding: Encoding, into: &mut Vec<u8>) -> Result<()> {
    match (encoding, values) {
        (Encoding::PLAIN, values) => plain(values, into),
        (Encoding::DELTA_BINARY_PACKED, Slice::Four(values)) => delta::binary_packed(values, into),
        (Encoding::DELTA_BINARY_PACKED, Slice::Eight(values)) => delta::binary_packed(values, into),
        (Encoding::DELTA_LENGTH_BYTE_ARRAY, Slice::Bytes(values)) => {
            delta::length_byte_array(&values, into);
        }
        (Encoding::DELTA_BYTE_ARRAY, Slice::Bytes(values)) => {
            delta::byte_array(values.iter(), into);
        }
        (Encoding::DELTA_BYTE_ARRAY, Slice::Fixed { width, bytes }) if width > 0 => {
            delta::byte_array(bytes.chunks_exact(width), into);
        }
        (Encoding::BYTE_STREAM_SPLIT, Slice::Four(values)) => {
            split(4, values.len(), into, |stream, bytes| {
                for (byte, value) in bytes.iter_mut().zip(values) {
                    *byte = (value >> (8 * stream)) as u8;
                }
            });
        }
        (Encoding::BYTE_STREAM_SPLIT, Slice::Eight(values)) => {
            split(8, values.len(), into, |stream, bytes| {
                for (byte, value) in bytes.iter_mut().zip(values) {
                    *byte = (value >> (8 * stream)) as u8;
                }
            });
        }
        (Encoding::RLE, Slice::Booleans(values)) => bits(values, into),
        (encoding, _) => {
            return Err(ParquetError::NYI(format!(
                "these values cannot be encoded as {encoding}"
            )));
        }
    }
    Ok(())
}

pub(super) fn plain(values: Slice<'_>, into: &mut Vec<u8>) {
    into.reserve(values.plain_len());
    match values {
        Slice::Booleans(values) => pack(values.iter().map(|value| u64::from(*value)), 1, into),
        Slice::Four(values) => {
            fill(values, into, |value| value.to_le_bytes());
        }
        Slice::Eight(values) => {
            fill(values, into, |value| value.to_le_bytes());
        }
        Slice::Fixed { bytes, .. } => into.extend_from_slice(bytes),
        Slice::Bytes(values) => {
            for value in values.iter() {
                into.extend_from_slice(&(value.len() as u32).to_le_bytes());
                into.extend_from_slice(value);
            }
        }
    }
}

fn fill<T: Copy, const WIDTH: usize>(
    values: &[T],
    into: &mut Vec<u8>,
    bytes: impl Fn(T) -> [u8; WIDTH],
) {
    let start = into.len();
    into.resize(start + values.len() * WIDTH, 0);
    let (places, _) = into[start..].as_chunks_mut::<WIDTH>();
    for (place, value) in places.iter_mut().zip(values) {
        *place = bytes(*value);
    }
}

/// Encodes the numbers of values in a dictionary.
pub(super) fn numbers(numbers: &[u32], into: &mut Vec<u8>) {
    let width = width_of(numbers.iter().copied().max().unwrap_or(0).into());
    into.push(width);
    hybrid(numbers, width, into);
}

/// The first bytes of all values of so many bytes, then the second ones, and so on.
fn split(width: usize, count: usize, into: &mut Vec<u8>, fill: impl Fn(usize, &mut [u8])) {
    let start = into.len();
    into.resize(start + count * width, 0);
    if count > 0 {
        let streams = into[start..].chunks_exact_mut(count);
        streams
            .enumerate()
            .for_each(|(stream, bytes)| fill(stream, bytes));
    }
}

/// Encodes numbers of one bit as the hybrid of runs and packed bits, after its length.
pub(super) fn bits(numbers: &[u8], into: &mut Vec<u8>) {
    sized(into, |into| hybrid(numbers, 1, into));
}

/// Adds what `write` adds, after its length.
pub(super) fn sized(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0; 4]);
    write(into);
    let length = (into.len() - start - 4) as u32;
    into[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
