//! Which encoding is the best as far as that can be told without compressing anything.
//!
//! A context of zstd that compresses a few hundred bytes costs more than these are worth: small chunks are most often decided
//! here.

use parquet::basic::Encoding;

use super::bits::width_of;
use super::choice::{Allowed, Choice, Numbered};
use super::delta;
use super::encode;
use super::values::{ByteSlice, Slice};

/// How many values of the middle are looked at one by one.
const SAMPLE: usize = 512;
/// The average length from which on byte strings are long.
const LONG: usize = 128;

/// The encoding that values are to have, where one is clearly the best.
pub(super) fn choice(values: Slice<'_>, allowed: Allowed, numbered: &Numbered) -> Option<Choice> {
    let plain = values.plain_len();
    let coded = match numbered {
        Numbered::Whole(dictionary, numbers) => {
            let entries = dictionary.entries();
            if entries.len() == 1 {
                return Some(Choice::dictionary(Encoding::PLAIN));
            }
            Some(entries.plain_len() + coded_len(numbers, entries.len()))
        }
        Numbered::TooLarge { .. } | Numbered::Not => None,
    };
    let is_small = coded.filter(|coded| *coded <= plain / 2);
    if !allowed.all {
        // PLAIN is all that is left.
        return is_small.map(|_| Choice::dictionary(Encoding::PLAIN));
    }
    match values {
        Slice::Four(_) | Slice::Eight(_) if allowed.integers => {
            let differences = differences(values);
            if is_small.is_some_and(|coded| coded <= differences) {
                let rest = match differences <= plain / 4 * 3 {
                    true => Encoding::DELTA_BINARY_PACKED,
                    false => Encoding::PLAIN,
                };
                return Some(Choice::dictionary(rest));
            }
            if coded.is_none() && differences >= plain {
                return Some(Choice::PLAIN);
            }
            let is_best = coded.is_none_or(|coded| differences <= coded / 2);
            let is_small = differences <= plain * 3 / 8;
            (is_best && is_small).then_some(Choice::values(Encoding::DELTA_BINARY_PACKED))
        }
        Slice::Four(_) | Slice::Eight(_) => match (is_small, numbered) {
            (Some(_), _) => Some(Choice::dictionary(Encoding::BYTE_STREAM_SPLIT)),
            (
                None,
                Numbered::TooLarge {
                    values: some,
                    distinct,
                },
            ) if *distinct >= some - some / 8 => of_floats(values),
            (None, _) => None,
        },
        Slice::Booleans(booleans) => {
            let mut runs = Vec::new();
            encode::bits(booleans, &mut runs);
            match runs.len() {
                runs if runs <= plain / 2 => Some(Choice::values(Encoding::RLE)),
                runs if runs >= plain - plain / 8 => Some(Choice::PLAIN),
                _ => None,
            }
        }
        Slice::Bytes(strings) if coded.is_none() && are_long_and_apart(&strings) => {
            Some(Choice::PLAIN)
        }
        Slice::Fixed { .. } | Slice::Bytes(_) => {
            is_small.map(|_| Choice::dictionary(Encoding::PLAIN))
        }
    }
}

/// The encoding of floats that are mostly distinct, by the lower halves of some of them. Those of decimal fractions are alike,
/// which makes whole values compress well; where they are not, the bytes are better sorted by their weights.
fn of_floats(values: Slice<'_>) -> Option<Choice> {
    let mut halves: Vec<u32> = match values {
        Slice::Four(values) => middle(values)
            .iter()
            .map(|bits| *bits as u32 & 0xffff)
            .collect(),
        Slice::Eight(values) => middle(values).iter().map(|bits| *bits as u32).collect(),
        Slice::Booleans(_) | Slice::Fixed { .. } | Slice::Bytes(_) => return None,
    };
    let count = halves.len();
    halves.sort_unstable();
    halves.dedup();
    match halves.len() {
        distinct if distinct * 4 <= count * 3 => Some(Choice::PLAIN),
        distinct if distinct * 16 > count * 15 => Some(Choice::values(Encoding::BYTE_STREAM_SPLIT)),
        _ => None,
    }
}

/// Whether byte strings are so long that it does not matter how their lengths are stored, and do not begin as those before.
fn are_long_and_apart(values: &ByteSlice<'_>) -> bool {
    let count = values.len();
    let taken = SAMPLE.min(count);
    let start = (count - taken) / 2;
    let (mut bytes, mut shared) = (0, 0);
    let mut before: &[u8] = &[];
    for number in start..start + taken {
        let value = values.get(number);
        shared += delta::common_prefix(before, value);
        bytes += value.len();
        before = value;
    }
    bytes >= LONG * taken && shared * 16 < bytes
}

/// Some of the values, in the middle.
fn middle<T>(values: &[T]) -> &[T] {
    let taken = SAMPLE.min(values.len());
    let start = (values.len() - taken) / 2;
    &values[start..start + taken]
}

/// Whether a dictionary of these entries, in which values have these numbers, is clearly better than PLAIN.
pub(super) fn is_dictionary_best(entries: Slice<'_>, numbers: &[u32], plain: usize) -> bool {
    entries.len() == 1 || entries.plain_len() + coded_len(numbers, entries.len()) <= plain / 2
}

/// About how long the numbers of values in a dictionary are.
fn coded_len(numbers: &[u32], entries: usize) -> usize {
    let width = usize::from(width_of(entries.saturating_sub(1) as u64));
    let changes = numbers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let packed = (numbers.len() * width).div_ceil(8);
    packed.min((changes + 1) * (width.div_ceil(8) + 2))
}

/// About how long integers are in DELTA_BINARY_PACKED.
fn differences(values: Slice<'_>) -> usize {
    let count = values.len();
    let taken = SAMPLE.min(count);
    let mut into = Vec::new();
    match values {
        Slice::Four(values) => delta::binary_packed(middle(values), &mut into),
        Slice::Eight(values) => delta::binary_packed(middle(values), &mut into),
        Slice::Booleans(_) | Slice::Fixed { .. } | Slice::Bytes(_) => return usize::MAX,
    }
    (into.len() as u128 * count as u128 / taken.max(1) as u128) as usize
}

/// Whether more than about 3 in 5 of `count` values are distinct, if of the first ones `repeated` are there again.
pub(super) fn are_mostly_distinct(first: usize, repeated: usize, count: usize) -> bool {
    // Of values that are drawn from so many that are as likely, about so many are drawn again: `first² / 2 / all`. There
    // are more distinct ones than 3 in 5 of `count` where `count` is less than 1.08 of `all`.
    let (first, repeated, count) = (first as u128, repeated as u128, count as u128);
    count * repeated * 200 < first * first * 108
}

#[cfg(test)]
mod tests {
    use super::super::tests::noise;
    use super::*;

    #[test]
    fn values_are_mostly_distinct_where_few_of_the_first_come_again() {
        for (all, is_distinct) in [(1_000, false), (10_000, false), (200_000, true)] {
            let drawn: Vec<u64> = noise(7).map(|value| value % all).take(40_000).collect();
            let distinct = |values: &[u64]| {
                let distinct: std::collections::HashSet<_> = values.iter().collect();
                distinct.len()
            };
            let first = 1024;
            let repeated = first - distinct(&drawn[..first]);
            assert_eq!(
                are_mostly_distinct(first, repeated, drawn.len()),
                is_distinct,
                "{all}"
            );
            assert_eq!(distinct(&drawn) > drawn.len() * 3 / 5, is_distinct, "{all}");
        }
    }
}
