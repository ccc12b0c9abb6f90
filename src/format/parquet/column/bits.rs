//! Numbers packed by bits, and the hybrid of runs and packed numbers that levels, booleans and the numbers of
//! dictionary values are stored in.
//!
//! The source is <https://parquet.apache.org/docs/file-format/data-pages/encodings/>, "RLE".

use super::super::thrift::put_varint;

/// How many numbers are packed together.
const GROUP: usize = 8;
/// How many numbers are packed at once where there are as many.
const BLOCK: usize = 32;
/// The most numbers that are packed in one run: a whole number of blocks, whose groups are counted in one byte. Readers unpack
/// blocks fast that begin a run or follow another; who has read the numbers of 2,048 rows, some of them null, comes back to that
/// at the next run. DuckDB took twice as long to read one run of 20,000 numbers.
const MOST_PACKED: usize = 15 * BLOCK;

/// A number of a hybrid.
pub(super) trait Number: Copy + PartialEq + Into<u32> {}

impl<N: Copy + PartialEq + Into<u32>> Number for N {}

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

/// Packs 32 numbers of `WIDTH` bits each, of which higher bits are 0.
fn pack_block<const WIDTH: usize>(values: &[u32; BLOCK], into: &mut Vec<u8>) {
    let mut words = [0_u32; WIDTH];
    for (at, value) in values.iter().enumerate() {
        let (word, shift) = (at * WIDTH / BLOCK, at * WIDTH % BLOCK);
        words[word] |= value << shift;
        if shift + WIDTH > BLOCK {
            words[word + 1] |= value >> (BLOCK - shift);
        }
    }
    into.extend(words.into_iter().flat_map(u32::to_le_bytes));
}

/// Packs 32 numbers of `width` bits each, of which higher bits are 0; says `false`, and packs nothing, where that is more
/// than a number has.
pub(super) fn pack_32(values: &[u32; BLOCK], width: u8, into: &mut Vec<u8>) -> bool {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                0 => {}
                $($width => pack_block::<$width>(values, into),)*
                _ => return false,
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    true
}

/// Encodes numbers of `width` bits in the hybrid of runs and packed numbers.
pub(super) fn hybrid<N: Number>(values: &[N], width: u8, into: &mut Vec<u8>) {
    // Where the numbers begin that are not encoded yet, and are to be packed in groups until one is repeated.
    let mut begun = 0;
    loop {
        let mut groups = values[begun..].chunks_exact(GROUP);
        let Some(repeated) = groups.position(|group| is_run_of(group[0], group)) else {
            break;
        };
        let start = begun + repeated * GROUP;
        packed(&values[begun..start], width, into);
        let run = run_length(&values[start..]);
        counted(values[start].into(), run, width, into);
        begun = start + run;
    }
    packed(&values[begun..], width, into);
}

/// The [`hybrid`] of one number that is repeated.
pub(super) fn put_run(number: u8, count: usize, width: u8, into: &mut Vec<u8>) {
    match count < GROUP {
        true => packed(&[number; GROUP][..count], width, into),
        false => counted(number.into(), count, width, into),
    }
}

fn counted(number: u32, count: usize, width: u8, into: &mut Vec<u8>) {
    put_varint((count as u64) << 1, into);
    let bytes = usize::from(width).div_ceil(8);
    into.extend_from_slice(&number.to_le_bytes()[..bytes]);
}

/// Whether all are one number.
fn is_run_of<N: Number>(number: N, values: &[N]) -> bool {
    let differ = |differ: bool, value: &N| differ | (*value != number);
    !values.iter().fold(false, differ)
}

/// How often the first number is repeated.
fn run_length<N: Number>(values: &[N]) -> usize {
    let Some(first) = values.first() else {
        return 0;
    };
    let mut blocks = values.chunks_exact(BLOCK);
    let whole = blocks.by_ref().take_while(|block| is_run_of(*first, block));
    let start = whole.count() * BLOCK;
    let rest = values[start..].iter().take_while(|value| *value == first);
    start + rest.count()
}

fn packed<N: Number>(values: &[N], width: u8, into: &mut Vec<u8>) {
    let runs = values.chunks(MOST_PACKED);
    runs.for_each(|values| packed_run(values, width, into));
}

fn packed_run<N: Number>(values: &[N], width: u8, into: &mut Vec<u8>) {
    let groups = values.len().div_ceil(GROUP);
    put_varint((groups as u64) << 1 | 1, into);
    let end = into.len() + groups * usize::from(width);
    let mut block = [0; BLOCK];
    let mut blocks = values.chunks_exact(BLOCK);
    for values in &mut blocks {
        for (number, value) in block.iter_mut().zip(values) {
            *number = (*value).into();
        }
        pack_32(&block, width, into);
    }
    let rest = blocks.remainder().iter();
    pack(rest.map(|value| u64::from((*value).into())), width, into);
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
    fn blocks_are_packed_as_numbers_one_by_one() {
        for width in 0..=32 {
            let most = ((1_u64 << width) - 1) as u32;
            let values: [u32; BLOCK] =
                std::array::from_fn(|at| (at as u32).wrapping_mul(0x9e37_79b1) & most);
            let (mut block, mut single) = (Vec::new(), Vec::new());
            assert!(pack_32(&values, width, &mut block));
            pack(values.iter().copied().map(u64::from), width, &mut single);
            assert_eq!(block, single, "{width}");
        }
        assert!(!pack_32(&[0; BLOCK], 33, &mut Vec::new()));
    }

    #[test]
    fn a_run_of_packed_numbers_is_short() {
        let values: Vec<u32> = (0..1000).map(|number| number % 4).collect();
        let bytes = hybrid_of(&values, 2);
        let header = |numbers: usize| (numbers / GROUP) as u8 * 2 + 1;
        let runs = [480, 480, 40].map(|numbers| (numbers, header(numbers)));
        let mut at = 0;
        for (numbers, header) in runs {
            assert_eq!(bytes[at], header);
            at += 1 + numbers * 2 / 8;
        }
        assert_eq!(at, bytes.len());
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
