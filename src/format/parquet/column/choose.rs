//! Which encoding a column chunk gets: what makes it smallest, by its own values.
//!
//! The values at the beginning of a chunk are looked at, which is most often all of it, and a part of them is encoded and
//! compressed in each way that may be the best. So the choice depends on the values alone: neither on memory nor on
//! threads nor on other files.

use parquet::basic::Encoding;
use parquet::errors::Result;

use super::dictionary::{Dictionary, Limit};
use super::encode;
use super::values::{Slice, Values};

/// How many values are encoded for comparison.
const SAMPLE: usize = 4096;
/// The most bytes of them in the encoding PLAIN.
const SAMPLE_BYTES: usize = 256 << 10;

/// How a column chunk is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::format::parquet) struct Choice {
    /// Whether values are numbers in a dictionary.
    pub(in crate::format::parquet) dictionary: bool,
    /// The encoding of values that are not in the dictionary.
    pub(in crate::format::parquet) encoding: Encoding,
}

/// The encodings of leaf columns, `None` of one where the properties say it.
pub(in crate::format::parquet) type Choices = Vec<Option<Choice>>;

/// Which encodings may be chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// The most bytes of a dictionary's values, if there may be a dictionary.
    pub(super) dictionary_bytes: Option<usize>,
    /// Whether encodings other than a dictionary, PLAIN and RLE of levels may be chosen.
    pub(super) all: bool,
    /// Whether 32 and 64 bits are integers, not floats.
    pub(super) integers: bool,
}

/// What PLAIN must be larger by, as a part of itself, before something else is better: it is read the fastest.
const MARGIN: u64 = 32;

impl Choice {
    const PLAIN: Choice = Choice {
        dictionary: false,
        encoding: Encoding::PLAIN,
    };
}

/// Chooses the encoding of values; `compressed` says how long bytes are when they are compressed.
pub(super) fn choose(
    values: &Values,
    allowed: Allowed,
    compressed: &mut dyn FnMut(&[u8]) -> Result<usize>,
) -> Result<Choice> {
    let all = values.all();
    if all.len() == 0 {
        return Ok(Choice::PLAIN);
    }
    let numbered = allowed
        .dictionary_bytes
        .and_then(|bytes| numbered(values, allowed.integers, bytes));
    if let Some((dictionary, _)) = &numbered
        && dictionary.entries().len() == 1
    {
        return Ok(Choice {
            dictionary: true,
            encoding: Encoding::PLAIN,
        });
    }
    let others = others(all, allowed);
    if numbered.is_none() && others.is_empty() {
        return Ok(Choice::PLAIN);
    }
    let sample = sample(values);
    let part = values.slice(sample.clone());
    let (of_all, of_part) = (all.plain_len() as u64, part.plain_len() as u64);
    let scaled = |length: usize| length as u64 * of_all / of_part.max(1);
    let mut page = Vec::new();
    let mut size_as = |encoding, compressed: &mut dyn FnMut(&[u8]) -> Result<usize>| {
        page.clear();
        encode::values(part, encoding, &mut page)?;
        compressed(&page).map(scaled)
    };
    let plain = size_as(Encoding::PLAIN, compressed)?;
    let mut best = (plain - plain / MARGIN, Encoding::PLAIN);
    for encoding in others {
        best = best.min((size_as(*encoding, compressed)?, *encoding));
    }
    let (least, encoding) = best;
    let Some((dictionary, numbers)) = numbered else {
        return Ok(Choice {
            dictionary: false,
            encoding,
        });
    };
    page.clear();
    encode::numbers(&numbers[sample], dictionary.entries().len(), &mut page);
    let of_numbers = compressed(&page)? as u64 * of_all / of_part.max(1);
    page.clear();
    encode::plain(dictionary.entries(), &mut page);
    let dictionary = of_numbers + compressed(&page)? as u64;
    Ok(Choice {
        dictionary: dictionary <= least,
        encoding,
    })
}

/// The values as numbers in a dictionary, if they repeat enough for one.
fn numbered(values: &Values, integers: bool, bytes: usize) -> Option<(Dictionary, Vec<u32>)> {
    let all = values.all();
    let range = if integers { range(all) } else { None };
    let limit = Limit {
        entries: all.len().div_ceil(2),
        bytes,
    };
    let mut dictionary = Dictionary::new(values, range)?;
    let mut numbers = Vec::with_capacity(all.len());
    let is_whole = dictionary.number(all, limit, &mut numbers);
    is_whole.then_some((dictionary, numbers))
}

/// The least and the greatest of integers.
fn range(values: Slice<'_>) -> Option<(i64, i64)> {
    match values {
        Slice::Four(values) => {
            let (least, most) = (values.iter().min()?, values.iter().max()?);
            Some((i64::from(*least), i64::from(*most)))
        }
        Slice::Eight(values) => Some((*values.iter().min()?, *values.iter().max()?)),
        Slice::Booleans(_) | Slice::Fixed { .. } | Slice::Bytes(_) => None,
    }
}

/// The encodings that are compared with PLAIN.
fn others(values: Slice<'_>, allowed: Allowed) -> &'static [Encoding] {
    if !allowed.all {
        return &[];
    }
    match values {
        Slice::Booleans(_) => &[Encoding::RLE],
        Slice::Four(_) | Slice::Eight(_) if allowed.integers => &[Encoding::DELTA_BINARY_PACKED],
        Slice::Four(_) | Slice::Eight(_) => &[Encoding::BYTE_STREAM_SPLIT],
        Slice::Fixed { .. } => &[],
        Slice::Bytes(_) => &[
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Encoding::DELTA_BYTE_ARRAY,
        ],
    }
}

/// The values in the middle that are encoded for comparison.
fn sample(values: &Values) -> std::ops::Range<usize> {
    let count = values.len();
    let mut most = SAMPLE.min(count);
    loop {
        let start = (count - most) / 2;
        let range = start..start + most;
        if most == 1 || values.slice(range.clone()).plain_len() <= SAMPLE_BYTES {
            return range;
        }
        most /= 2;
    }
}
