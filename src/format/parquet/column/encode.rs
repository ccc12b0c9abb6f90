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
            split(values.iter().map(|value| value.to_le_bytes()), into);
        }
        (Encoding::BYTE_STREAM_SPLIT, Slice::Eight(values)) => {
            split(values.iter().map(|value| value.to_le_bytes()), into);
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
            into.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        Slice::Eight(values) => {
            into.extend(values.iter().flat_map(|value| value.to_le_bytes()));
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

/// Encodes the numbers of values in a dictionary.
pub(super) fn numbers(numbers: &[u32], into: &mut Vec<u8>) {
    let width = width_of(numbers.iter().copied().max().unwrap_or(0).into());
    into.push(width);
    hybrid(numbers, width, into);
}

/// The first bytes of all values, then the second ones, and so on.
fn split<const WIDTH: usize>(
    values: impl ExactSizeIterator<Item = [u8; WIDTH]>,
    into: &mut Vec<u8>,
) {
    let (start, count) = (into.len(), values.len());
    into.resize(start + count * WIDTH, 0);
    let streams = &mut into[start..];
    for (at, value) in values.enumerate() {
        for (stream, byte) in value.into_iter().enumerate() {
            streams[stream * count + at] = byte;
        }
    }
}

/// Encodes numbers of one bit as the hybrid of runs and packed bits, after its length.
pub(super) fn bits(numbers: &[u8], into: &mut Vec<u8>) {
    let start = into.len();
    into.extend_from_slice(&[0; 4]);
    hybrid(numbers, 1, into);
    let length = (into.len() - start - 4) as u32;
    into[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
