//! Numbers packed by bits, and the hybrid of runs and packed numbers that levels, booleans and the numbers of
//! dictionary values are stored in.
//!
//! The source is <https://parquet.apache.org/docs/file-format/data-pages/encodings/>, "RLE".

use super::super::thrift::put_varint;

/// How many numbers are packed together.
const GROUP: usize = 8;

/// How many bits the largest of some numbers takes.
pub(super) fn width_of(most: u64) -> u8 {
    (u64::BITS - most.leading_zeros()) as u8
}

/// Packs numbers of `width` bits each, the lowest bits first. Higher bits than these are left out; a last byte is filled
/// up with zeros.
pub(super) fn pack(values: impl Iterator<Item = u64>, width: u8, into: &mut Vec<u8>) {
    let width = u32::from(width);
    if width == 0 {
        return;
    }
    let mask = u64::MAX >> (u64::BITS - width);
    let (mut held, mut bits) = (0_u64, 0);
    for value in values {
        let value = value & mask;
        held |= value << bits;
        bits += width;
        if bits >= u64::BITS {
            into.extend_from_slice(&held.to_le_bytes());
            bits -= u64::BITS;
            // What did not fit; all of the number did where no bits are left.
            held = match bits {
                0 => 0,
                left => value >> (width - left),
            };
        }
    }
    let bytes = (bits as usize).div_ceil(8);
    into.extend_from_slice(&held.to_le_bytes()[..bytes]);
}

/// Encodes numbers of `width` bits in the hybrid of runs and packed numbers.
pub(super) fn hybrid<N: Copy + PartialEq + Into<u32>>(values: &[N], width: u8, into: &mut Vec<u8>) {
    // Where the numbers begin that are not encoded yet, and are to be packed.
    let mut begun = 0;
    let mut at = 0;
    while at < values.len() {
        let run = run_length(&values[at..]);
        // A run begins after a whole number of groups, which its first numbers fill up.
        let filling = (GROUP - (at - begun) % GROUP) % GROUP;
        if run < filling + GROUP {
            at += run;
            continue;
        }
        let start = at + filling;
        packed(&values[begun..start], width, into);
        put_varint(((at + run - start) as u64) << 1, into);
        let bytes = usize::from(width).div_ceil(8);
        into.extend_from_slice(&values[at].into().to_le_bytes()[..bytes]);
        at += run;
        begun = at;
    }
    packed(&values[begun..], width, into);
}

/// How often the first number is repeated.
fn run_length<N: PartialEq>(values: &[N]) -> usize {
    let Some(first) = values.first() else {
        return 0;
    };
    values.iter().take_while(|value| *value == first).count()
}

fn packed<N: Copy + Into<u32>>(values: &[N], width: u8, into: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    put_varint((groups as u64) << 1 | 1, into);
    let end = into.len() + groups * usize::from(width);
    let values = values.iter().map(|value| u64::from((*value).into()));
    pack(values, width, into);
    into.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hybrid_of(values: &[u32], width: u8) -> Vec<u8> {
        let mut into = Vec::new();
        hybrid(values, width, &mut into);
        into
    }

    #[test]
    fn numbers_are_packed_from_the_lowest_bit_on() {
        // The example of the format's description.
        let mut into = Vec::new();
        pack(0..8, 3, &mut into);
        assert_eq!(into, [0b1000_1000, 0b1100_0110, 0b1111_1010]);
        let mut wide = Vec::new();
        pack([u64::MAX, 1, 2].into_iter(), 64, &mut wide);
        assert_eq!(
            wide,
            [[0xff; 8], 1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat()
        );
        let mut odd = Vec::new();
        pack([1_u64 << 62, 1, 3].into_iter(), 63, &mut odd);
        let all = 1_u128 << 62 | 1 << 63 | 3 << 126;
        assert_eq!(odd[..16], all.to_le_bytes());
        assert_eq!(odd.len(), 24);
    }

    #[test]
    fn long_runs_are_counted_and_short_ones_packed() {
        assert_eq!(hybrid_of(&[5; 20], 3), [40, 5]);
        assert!(hybrid_of(&[], 3).is_empty());
        let mut bytes = Vec::new();
        hybrid(&[1_u8; 20], 1, &mut bytes);
        assert_eq!(bytes, [40, 1]);
        assert_eq!(hybrid_of(&[1, 0, 1], 1), [3, 0b101]);
        // Seven of the run fill the group of the first number.
        let values = [[0].as_slice(), &[1; 20]].concat();
        assert_eq!(hybrid_of(&values, 1), [3, 0b1111_1110, 26, 1]);
        assert_eq!(hybrid_of(&[300; 9], 9), [18, 44, 1]);
    }
}
