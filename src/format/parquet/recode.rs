//! Rewrites the pages of an ordered dictionary so that its categories are in their order.
//!
//! parquet-rs numbers values as rows have them. When its dictionary page is there, each of its numbers has a category,
//! and the numbers in data pages are replaced, run by run. The source of the encodings is
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use parquet::errors::{ParquetError, Result};

use super::ordered::OrderedColumn;
use super::thrift::{put_varint, take_varint};

/// The new dictionary page of a column chunk, and the new number of each old one in its data pages.
#[derive(Debug)]
pub(super) struct Recoding {
    /// The dictionary page.
    pub(super) page: Vec<u8>,
    /// The number of values of the page.
    pub(super) entries: usize,
    /// The place of the category for each number of parquet-rs.
    places: Vec<u32>,
    /// How many bits a place takes.
    width: u8,
}

impl Recoding {
    /// Makes the new page from a dictionary page that parquet-rs encoded.
    pub(super) fn new(column: &OrderedColumn, dictionary: &[u8]) -> Result<Self> {
        let categories = column.categories();
        let mut places = Vec::new();
        let mut rest = dictionary;
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let (value, after) = after.split_at_checked(length).ok_or_else(truncated)?;
            let place = categories.place(value).ok_or_else(|| {
                ParquetError::General(format!(
                    "column {:?} is an ordered dictionary, and {:?} is none of its categories",
                    column.path(),
                    String::from_utf8_lossy(value)
                ))
            })?;
            places.push(place);
            rest = after;
        }
        let mut page = Vec::new();
        for value in &categories.values {
            page.extend_from_slice(&(value.len() as u32).to_le_bytes());
            page.extend_from_slice(value);
        }
        let last = categories.values.len().saturating_sub(1) as u64;
        Ok(Recoding {
            page,
            entries: categories.values.len(),
            places,
            width: (u64::BITS - last.leading_zeros()) as u8,
        })
    }

    /// The content of a data page of version 1 or 2, with the places of categories for the numbers of parquet-rs.
    /// `levels` is how many bytes come before the numbers.
    pub(super) fn data_page(&self, page: &[u8], levels: usize) -> Result<Vec<u8>> {
        let (levels, numbers) = page.split_at_checked(levels).ok_or_else(truncated)?;
        let mut into = levels.to_vec();
        let Some((width, mut rest)) = numbers.split_first() else {
            return Ok(into);
        };
        let width = usize::from(*width);
        into.push(self.width);
        while !rest.is_empty() {
            let header = take_varint(&mut rest).map_err(|_| truncated())?;
            put_varint(header, &mut into);
            if header & 1 == 0 {
                let value = take(&mut rest, width.div_ceil(8))?;
                let mut number = [0; 8];
                number[..value.len()].copy_from_slice(value);
                let place = self.place(u64::from_le_bytes(number))?;
                let bytes = usize::from(self.width).div_ceil(8);
                into.extend_from_slice(&place.to_le_bytes()[..bytes]);
            } else {
                let groups = usize::try_from(header >> 1).map_err(|_| truncated())?;
                let packed = groups.checked_mul(width).ok_or_else(truncated)?;
                self.packed(take(&mut rest, packed)?, width, groups * 8, &mut into)?;
            }
        }
        Ok(into)
    }

    /// Replaces numbers of `width` bits.
    fn packed(&self, from: &[u8], width: usize, count: usize, into: &mut Vec<u8>) -> Result<()> {
        let mut bytes = from.iter();
        let (mut held, mut held_bits) = (0_u64, 0);
        let (mut out, mut out_bits) = (0_u64, 0);
        for _ in 0..count {
            while held_bits < width {
                held |= u64::from(*bytes.next().ok_or_else(truncated)?) << held_bits;
                held_bits += 8;
            }
            let place = self.place(held & ((1 << width) - 1))?;
            held >>= width;
            held_bits -= width;
            out |= u64::from(place) << out_bits;
            out_bits += usize::from(self.width);
            while out_bits >= 8 {
                into.push(out as u8);
                out >>= 8;
                out_bits -= 8;
            }
        }
        Ok(())
    }

    fn place(&self, number: u64) -> Result<u32> {
        let place = usize::try_from(number)
            .ok()
            .and_then(|number| self.places.get(number));
        place.copied().ok_or_else(truncated)
    }
}

/// How many bytes the levels take that a data page of version 1 begins with: `kinds` of them, each with its length.
pub(super) fn levels(page: &[u8], kinds: usize) -> Result<usize> {
    let mut rest = page;
    for _ in 0..kinds {
        let (length, after) = rest.split_first_chunk().ok_or_else(truncated)?;
        rest = after;
        take(&mut rest, u32::from_le_bytes(*length) as usize)?;
    }
    Ok(page.len() - rest.len())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count).ok_or_else(truncated)?;
    *rest = after;
    Ok(taken)
}

fn truncated() -> ParquetError {
    ParquetError::General(
        "a page of an ordered dictionary is not as parquet-rs writes it".to_owned(),
    )
}
