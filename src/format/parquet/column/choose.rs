//! Which encoding a column chunk gets: what makes it smallest, by its own values.
//!
//! The values at the beginning of a chunk are looked at, which is most often all of it. How many are distinct, and how far
//! one is from the next, says most often which way is the best (`estimate.rs`); where it does not, a part of the values is
//! encoded and compressed in each way that may be. So the choice depends on the values alone: neither on memory nor on threads
//! nor on other files.

use std::ops::Range;

use parquet::basic::{Compression, Encoding};
use parquet::errors::Result;

use super::super::compress::Compressors;
use super::choice::{Allowed, Choice, Numbered};
use super::dictionary::{Dictionary, Limit};
use super::encode;
use super::estimate;
use super::values::{Slice, Values};

/// The values that are encoded for comparison: few of them first, in every way, then more in the ways that are about as
/// good as the best.
const ROUNDS: [Sample; 2] = [
    Sample {
        values: 256,
        bytes: 16 << 10,
    },
    Sample {
        values: 4096,
        bytes: 256 << 10,
    },
];
/// By what part of the best size, and how many bytes of the sample, another way may be larger and be looked at again.
const CLOSE: (u64, u64) = (8, 32);

/// How much of a chunk is encoded for comparison.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// The most values.
    values: usize,
    /// The most bytes of them in the encoding PLAIN.
    bytes: usize,
}

/// How many values are numbered before it is asked whether a dictionary is worth it.
const FIRST: usize = 1024;
/// What PLAIN must be larger by, as a part of itself, before something else is better: it is read the fastest.
const MARGIN: u64 = 32;

/// What the values that a chunk begins with are encoded as, and what was made of them to choose that.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) choice: Choice,
    /// The dictionary, if it was chosen, and the numbers of all values.
    pub(super) numbered: Option<(Dictionary, Vec<u32>)>,
    /// The page of all values.
    pub(super) page: Option<Page>,
}

/// A page that is encoded and compressed by zstd.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) encoding: Encoding,
    /// Its length before it was compressed.
    pub(super) length: usize,
    pub(super) compressed: Vec<u8>,
}

/// Chooses the encoding of values by how long they are when a codec has compressed them. Where all of them are to be one
/// page, `levels` are what that page begins with.
pub(super) fn choose(
    values: &Values,
    allowed: Allowed,
    codec: (Compression, &Compressors),
    levels: Option<&[u8]>,
) -> Result<Look> {
    let all = values.all();
    if all.len() == 0 {
        return Ok(Look::of(Choice::PLAIN));
    }
    let numbered = match allowed.dictionary_bytes {
        Some(bytes) => numbered(values, allowed.integers, bytes),
        None => Numbered::Not,
    };
    if let Some(choice) = estimate::choice(all, allowed, &numbered) {
        let numbered = numbered.whole().filter(|_| choice.dictionary);
        return Ok(Look {
            numbered,
            ..Look::of(choice)
        });
    }
    let numbered = numbered.whole();
    let encodings = [Encoding::PLAIN]
        .into_iter()
        .chain(others(all, allowed).iter().copied());
    let mut ways: Vec<Way> = encodings.map(Way::Values).collect();
    ways.extend(numbered.is_some().then_some(Way::Numbers));
    if ways.len() == 1 {
        return Ok(Look::of(Choice::PLAIN));
    }
    let mut trial = Trial {
        values,
        numbered: numbered.as_ref(),
        levels,
        codec,
        content: Vec::new(),
        pages: Vec::new(),
    };
    let entries = trial.size_of_entries()?;
    let mut sizes = Vec::new();
    let mut sample = 0..0;
    for round in ROUNDS {
        let larger = round.middle_of(values);
        if ways.len() == 1 || larger == sample {
            break;
        }
        sample = larger;
        sizes.clear();
        for way in ways.drain(..) {
            let size = trial.size(way, &sample)?;
            let size = match way {
                Way::Numbers => entries + size,
                Way::Values(Encoding::PLAIN) => size - size / MARGIN,
                Way::Values(_) => size,
            };
            sizes.push((size, way));
        }
        sizes.sort_unstable();
        let least = sizes[0].0;
        let most = least + least / CLOSE.0 + trial.scaled(CLOSE.1, &sample);
        let close = sizes.iter().filter(|(size, _)| *size <= most);
        ways.extend(close.map(|(_, way)| *way));
    }
    let encoding = sizes.iter().find_map(|(_, way)| way.encoding());
    let best = ways.first().copied();
    let mut pages = trial.pages.into_iter();
    let page = pages.find_map(|(way, page)| (Some(way) == best).then_some(page));
    let dictionary = best == Some(Way::Numbers);
    Ok(Look {
        choice: Choice {
            dictionary,
            encoding: encoding.unwrap_or(Encoding::PLAIN),
        },
        numbered: numbered.filter(|_| dictionary),
        page,
    })
}

impl Look {
    fn of(choice: Choice) -> Self {
        Look {
            choice,
            numbered: None,
            page: None,
        }
    }
}

/// A way to encode a chunk. Of two that are as good, the one that is less is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// As numbers in a dictionary.
    Numbers,
    /// By themselves.
    Values(Encoding),
}

impl Way {
    /// The encoding of values by themselves.
    fn encoding(self) -> Option<Encoding> {
        match self {
            Way::Numbers => None,
            Way::Values(encoding) => Some(encoding),
        }
    }
}

/// The encoding of parts of a chunk for comparison.
struct Trial<'a> {
    values: &'a Values,
    numbered: Option<&'a (Dictionary, Vec<u32>)>,
    levels: Option<&'a [u8]>,
    codec: (Compression, &'a Compressors),
    content: Vec<u8>,
    /// The pages of all values.
    pages: Vec<(Way, Page)>,
}

impl Trial<'_> {
    /// The size of a chunk's values when they are encoded in some way, by some of them.
    fn size(&mut self, way: Way, sample: &Range<usize>) -> Result<u64> {
        let part = self.values.slice(sample.clone());
        let levels = self.levels.filter(|_| part.len() == self.values.len());
        self.content.clear();
        self.content.extend_from_slice(levels.unwrap_or_default());
        match (way, self.numbered) {
            (Way::Values(encoding), _) => encode::values(part, encoding, &mut self.content)?,
            (Way::Numbers, Some((_, numbers))) => {
                encode::numbers(&numbers[sample.clone()], &mut self.content);
            }
            (Way::Numbers, None) => {}
        }
        let (codec, compressors) = self.codec;
        let size = match codec {
            Compression::ZSTD(level) if levels.is_some() => {
                let encoding = way.encoding().unwrap_or(Encoding::RLE_DICTIONARY);
                let (length, pages) = (self.content.len(), &mut self.pages);
                let level = level.compression_level();
                compressors.compress(level, &self.content, |compressed| {
                    let page = Page {
                        encoding,
                        length,
                        compressed: compressed.to_vec(),
                    };
                    pages.push((way, page));
                    Ok(compressed.len())
                })?
            }
            codec => compressors.length(codec, &self.content)?,
        };
        Ok(self.scaled(size as u64, sample))
    }

    /// How many bytes the chunk takes where some of its values take so many.
    fn scaled(&self, size: u64, sample: &Range<usize>) -> u64 {
        let of_all = self.values.all().plain_len() as u64;
        let of_part = self.values.slice(sample.clone()).plain_len() as u64;
        size * of_all / of_part.max(1)
    }

    /// The size of the dictionary, if there is one.
    fn size_of_entries(&mut self) -> Result<u64> {
        let Some((dictionary, _)) = self.numbered else {
            return Ok(0);
        };
        self.content.clear();
        encode::plain(dictionary.entries(), &mut self.content);
        let (codec, compressors) = self.codec;
        let size = compressors.length(codec, &self.content)?;
        Ok(size as u64)
    }
}

fn numbered(values: &Values, integers: bool, bytes: usize) -> Numbered {
    let count = values.len();
    let range = if integers { range(values.all()) } else { None };
    let limit = Limit {
        entries: count.div_ceil(2),
        bytes,
    };
    let Some(mut dictionary) = Dictionary::new(values, range) else {
        return Numbered::Not;
    };
    let mut numbers = Vec::with_capacity(count);
    let first = FIRST.min(count);
    let mut is_whole = dictionary.number(values.slice(0..first), limit, &mut numbers);
    if is_whole && first < count {
        let repeated = first - dictionary.entries().len();
        is_whole = !estimate::are_mostly_distinct(first, repeated, count)
            && dictionary.number(values.slice(first..count), limit, &mut numbers);
    }
    match is_whole {
        true => Numbered::Whole(dictionary, numbers),
        false => Numbered::TooLarge {
            values: numbers.len(),
            distinct: dictionary.entries().len(),
        },
    }
}

/// What values are encoded as that have no numbers in a dictionary, if it is the best for those that have these numbers in one
/// of these entries, and nothing but PLAIN is another way.
pub(super) fn dictionary_of_codes(entries: Slice<'_>, numbers: &[u32]) -> Option<Encoding> {
    let (count, first) = (numbers.len(), FIRST.min(numbers.len()));
    let distinct = numbers[..first]
        .iter()
        .max()
        .map_or(0, |most| *most as usize + 1);
    let is_small = entries.len() <= count.div_ceil(2)
        && (first == count || !estimate::are_mostly_distinct(first, first - distinct, count));
    let is_best = || estimate::is_dictionary_best(entries, numbers, entries.plain_len_of(numbers));
    (count > 0 && is_small && is_best()).then_some(Encoding::PLAIN)
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

impl Sample {
    /// So many values in the middle.
    fn middle_of(self, values: &Values) -> Range<usize> {
        let count = values.len();
        let mut most = self.values.min(count);
        loop {
            let start = (count - most) / 2;
            let range = start..start + most;
            if most == 1 || values.slice(range.clone()).plain_len() <= self.bytes {
                return range;
            }
            most /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use parquet::basic::ZstdLevel;

    use super::super::tests::noise;
    use super::*;

    const ALLOWED: Allowed = Allowed {
        dictionary_bytes: Some(1 << 20),
        all: true,
        integers: true,
    };

    fn look(values: &Values, levels: Option<&[u8]>) -> Look {
        let codec = Compression::ZSTD(ZstdLevel::default());
        choose(values, ALLOWED, (codec, &Compressors::default()), levels).unwrap()
    }

    #[test]
    fn the_page_that_was_compressed_to_choose_is_that_of_all_values() {
        let few = noise(1).take(1000).map(|value| (value % 7) as i64);
        let near = noise(2).take(1000).map(|value| (value >> 24) as i64);
        let levels = b"levels";
        let mut pages = 0;
        for values in [few.collect(), near.collect::<Vec<_>>()] {
            let values = Values::Eight(values);
            let look = look(&values, Some(levels));
            assert!(self::look(&values, None).page.is_none());
            let Some(page) = look.page else {
                continue;
            };
            pages += 1;
            let mut content = levels.to_vec();
            match &look.numbered {
                Some((_, numbers)) => encode::numbers(numbers, &mut content),
                None => encode::values(values.all(), page.encoding, &mut content).unwrap(),
            }
            assert_eq!(page.length, content.len());
            let decompressed = zstd::bulk::decompress(&page.compressed, page.length).unwrap();
            assert_eq!(decompressed, content);
        }
        assert!(pages > 0, "no two ways were close");
    }
}
