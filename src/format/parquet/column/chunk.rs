//! Encoding one column chunk: values come array by array, pages go to the chunk's store.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::buffer::NullBuffer;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};

use super::super::page_header;
use super::super::page_store::Chunks;
use super::bits::width_of;
use super::choose::{self, Page};
use super::dictionary::{Dictionary, Limit};
use super::encode;
use super::flat::Column;
use super::levels::Levels;
use super::look::{LOOK_BYTES, LOOK_ROWS, least_enough};
use super::totals::ChunkTotals;
use super::values::{Slice, Values};
use crate::size::{is_within, size_of_rows};

/// The most bytes of values that are added at once, but for a single one.
const ADDED_BYTES: usize = 4 << 20;
/// While the encoding is to be chosen, it is asked each time that so many rows have come whether they are enough.
const STEP_ROWS: usize = 1024;
/// The size at which pages of numbers end, in the values that they stand for: or else the longer of it and
/// [`PLAIN_TIMES`] of what a page may have. Readers hold a whole page in memory, and the values of it.
const PLAIN_BYTES: usize = 16 << 20;
const PLAIN_TIMES: usize = 4;

/// A column chunk whose rows are still to come.
pub(in crate::format::parquet) struct ChunkEncoder {
    column: Arc<Column>,
    chunks: Arc<Chunks>,
    /// Whether the encoding is still to be chosen, and all rows wait for that.
    is_looking: bool,
    /// The encoding of values that are not in the dictionary.
    encoding: Encoding,
    /// What is in no page yet: the rows, which of them have a value if some may have none, and the values.
    rows: usize,
    levels: Levels,
    values: Values,
    dictionary: Option<Dictionary>,
    /// The numbers in the dictionary of the first values that are in no page yet.
    numbers: Vec<u32>,
    /// How many values of the dictionary the rows have that are in pages or were looked at: the same number whether rows
    /// came as values or as codes.
    known_entries: usize,
    /// The most bytes that any value which came as a code takes.
    longest_coded: usize,
    /// Whether the values that are in no page yet have numbers, all of them, and are nowhere else.
    is_coded: bool,
    /// The page of all rows, if they are still those by which the encoding was chosen.
    whole: Option<Page>,
    /// Whether any page has numbers of the dictionary.
    is_numbered: bool,
    totals: ChunkTotals,
    page: Vec<u8>,
}

impl ChunkEncoder {
    /// Begins a chunk, whose encoding is [chosen](ChunkEncoder::choose) by its first rows.
    pub(in crate::format::parquet) fn new(
        column: &Arc<Column>,
        chunks: &Arc<Chunks>,
    ) -> Result<Self> {
        Ok(ChunkEncoder {
            column: Arc::clone(column),
            chunks: Arc::clone(chunks),
            is_looking: true,
            encoding: Encoding::PLAIN,
            rows: 0,
            levels: Levels::default(),
            values: column.looks.empty.clone(),
            dictionary: None,
            numbers: Vec::new(),
            known_entries: 0,
            longest_coded: 0,
            is_coded: false,
            whole: None,
            is_numbered: false,
            totals: ChunkTotals::new(column)?,
            page: Vec::new(),
        })
    }

    /// Adds the rows of an array, and encodes the pages that they fill once the encoding is chosen.
    pub(in crate::format::parquet) fn write(&mut self, array: &ArrayRef) -> Result<()> {
        let mut start = 0;
        while start < array.len() {
            let most = match self.is_looking {
                true => LOOK_ROWS - self.rows,
                false => self.column.page_rows - self.rows,
            };
            let mut rows = most.min(array.len() - start);
            while rows > 1 && !is_within(array, start..start + rows, ADDED_BYTES) {
                rows = rows.div_ceil(2);
            }
            let may_be_enough =
                ADDED_BYTES + rows * size_of::<u32>() + self.plain_len_at_most() >= LOOK_BYTES;
            if self.is_looking && may_be_enough {
                rows = rows.min(STEP_ROWS - self.rows % STEP_ROWS);
            }
            self.add(&array.slice(start, rows))?;
            start += rows;
            match self.is_looking {
                true if self.is_enough() => self.choose()?,
                true => {}
                false => self.end_full_pages()?,
            }
        }
        Ok(())
    }

    /// Whether the rows so far are enough to choose the encoding by: where that is so must not depend on how they came.
    fn is_enough(&self) -> bool {
        self.rows == LOOK_ROWS
            || self.rows.is_multiple_of(STEP_ROWS) && self.plain_len_reaches(LOOK_BYTES)
    }

    /// Chooses the encoding by the rows so far, unless they were more than it takes, and encodes the pages that they fill.
    pub(in crate::format::parquet) fn choose(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.is_looking, false) {
            return Ok(());
        }
        if self.is_coded {
            let best = self.dictionary.as_ref().and_then(|dictionary| {
                choose::dictionary_of_codes(dictionary.entries(), &self.numbers)
            });
            match best {
                Some(encoding) => {
                    self.encoding = encoding;
                    self.know_entries(self.numbers.len());
                    return self.end_full_pages();
                }
                None => self.uncode(),
            }
            self.dictionary = None;
            self.numbers.clear();
        }
        let column = &self.column;
        let (count, bytes) = (self.values.len(), self.values.all().plain_len());
        // No encoding takes more than PLAIN, but for the numbers of very short values.
        let is_page = self.rows <= column.page_rows
            && bytes.max(count * size_of::<u32>()) < column.page_bytes;
        let mut levels = Vec::new();
        if column.is_nullable && is_page {
            self.levels.encode(self.rows, &mut levels);
        }
        let look = column
            .looks
            .look(&self.values, is_page.then_some(&levels))?;
        self.encoding = look.choice.encoding;
        self.whole = look.page;
        if let Some((dictionary, numbers)) = look.numbered {
            self.dictionary = Some(dictionary);
            self.numbers = numbers;
            self.know_entries(self.numbers.len());
        }
        self.end_full_pages()
    }

    /// The first values are in a page, or were looked at, and have numbers.
    fn know_entries(&mut self, count: usize) {
        let last = self.numbers[..count].iter().max();
        let known = last.map_or(0, |last| *last as usize + 1);
        self.known_entries = self.known_entries.max(known);
    }

    fn end_full_pages(&mut self) -> Result<()> {
        while let Some((rows, values)) = self.page_end() {
            self.end_page(rows, values)?;
        }
        Ok(())
    }

    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        let nulls = array.logical_nulls();
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        match (self.column.is_nullable, &nulls) {
            (true, None) => self.levels.add_values(array.len()),
            (true, Some(nulls)) => self.levels.add(nulls),
            (false, None) => {}
            (false, Some(_)) => {
                return Err(self.error("has a null, where its schema says that it has none"));
            }
        }
        let is_coded = self.takes_codes(array) && self.add_codes(array, nulls.as_ref())?;
        if !is_coded {
            self.uncode();
        }
        if !is_coded && !self.values.append(array)? {
            return Err(self.error("is of a type that is not stored as its schema says"));
        }
        self.rows += array.len();
        if !array.is_empty() {
            self.whole = None;
        }
        Ok(())
    }

    /// Whether the codes of an array are to be taken: those of a dictionary that is not larger than the array, as long as
    /// there are no values without numbers.
    fn takes_codes(&self, array: &ArrayRef) -> bool {
        let is_possible = self.is_looking || self.dictionary.is_some();
        let Some(dictionary) = array.as_any_dictionary_opt() else {
            return false;
        };
        let values = dictionary.values();
        // All values of it are copied, also those that no row has.
        let is_small = !values.is_empty()
            && values.len() <= array.len()
            && size_of_rows(values, 0..values.len()) <= ADDED_BYTES;
        let is_whole = self.is_coded || self.values.len() == 0;
        self.column.takes_codes && is_possible && is_whole && is_small && values.null_count() == 0
    }

    /// Adds the values of an array that is a dictionary by their codes, each of which gets its number once. Says `false`, and
    /// adds nothing, where the chunk's dictionary would become too large.
    fn add_codes(&mut self, array: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<bool> {
        let Some(codes) = array.as_any_dictionary_opt() else {
            return Ok(false);
        };
        let mut values = self.column.looks.empty.clone();
        if !values.append(codes.values())? {
            return Ok(false);
        }
        self.longest_coded = self.longest_coded.max(values.all().longest());
        if self.dictionary.is_none() {
            self.dictionary = Dictionary::new(&values, None);
        }
        let Some(dictionary) = &mut self.dictionary else {
            return Ok(false);
        };
        let before = self.numbers.len();
        let limit = Limit {
            entries: u32::MAX as usize,
            bytes: self.column.dictionary_bytes,
        };
        let mut number_of = vec![None; values.len()];
        for (row, code) in codes.normalized_keys().into_iter().enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            if let Some(number) = number_of[code] {
                self.numbers.push(number);
                continue;
            }
            if !dictionary.number(values.slice(code..code + 1), limit, &mut self.numbers) {
                self.numbers.truncate(before);
                return Ok(false);
            }
            number_of[code] = self.numbers.last().copied();
        }
        self.is_coded = true;
        Ok(true)
    }

    /// Puts values in the place of numbers that stand for them alone.
    fn uncode(&mut self) {
        if let Some(dictionary) = self.dictionary.as_ref().filter(|_| self.is_coded) {
            let numbers = self.numbers.iter().copied();
            self.values.append_numbered(dictionary.entries(), numbers);
        }
        self.is_coded = false;
        if self.is_looking {
            self.dictionary = None;
            self.numbers.clear();
        }
    }

    /// How many values are in no page yet.
    fn count(&self) -> usize {
        match self.is_coded {
            true => self.numbers.len(),
            false => self.values.len(),
        }
    }

    /// The length of the first values that are in no page yet in the encoding PLAIN.
    fn plain_len_of(&self, count: usize) -> usize {
        match &self.dictionary {
            Some(dictionary) if self.is_coded => {
                dictionary.entries().plain_len_of(&self.numbers[..count])
            }
            _ => self.values.slice(0..count).plain_len(),
        }
    }

    /// What the values that are in no page yet take at most in the encoding PLAIN.
    fn plain_len_at_most(&self) -> usize {
        match self.is_coded {
            true => self.numbers.len().saturating_mul(self.longest_coded),
            false => self.values.all().plain_len(),
        }
    }

    /// Whether the values that are in no page yet are as long as this in the encoding PLAIN.
    fn plain_len_reaches(&self, bytes: usize) -> bool {
        self.plain_len_at_most() >= bytes && self.plain_len_of(self.count()) >= bytes
    }

    fn error(&self, what: &str) -> ParquetError {
        let path = self.column.descriptor.path();
        ParquetError::General(format!("column {:?} {what}", path.string()))
    }

    /// How many rows and values the next page has, if there are enough for one: as many rows as a page may have, or those
    /// with which it reaches the size that it may have.
    fn page_end(&self) -> Option<(usize, usize)> {
        let rows = self.rows.min(self.column.page_rows);
        let count = self.values_of(rows);
        let page_bytes = self.column.page_bytes;
        let most_plain = PLAIN_BYTES.max(page_bytes.saturating_mul(PLAIN_TIMES));
        let may_be_long = self.plain_len_reaches(most_plain);
        let reaches = |count: usize| match &self.dictionary {
            Some(dictionary) => {
                let numbers = numbers_len(dictionary.entries().len(), count);
                numbers >= page_bytes || may_be_long && self.plain_len_of(count) >= most_plain
            }
            None => self.plain_len_of(count) >= page_bytes,
        };
        if !reaches(count) {
            return (rows >= self.column.page_rows).then_some((rows, count));
        }
        let least = least_enough(count, reaches);
        Some((self.rows_of(least), least))
    }

    /// How many values the first rows have.
    fn values_of(&self, rows: usize) -> usize {
        match rows == self.rows {
            true => self.count(),
            false if self.column.is_nullable => self.levels.values_of(rows),
            false => rows,
        }
    }

    /// How many rows it takes to have so many values.
    fn rows_of(&self, values: usize) -> usize {
        match self.column.is_nullable {
            true => self.levels.rows_of(values),
            false => values,
        }
    }

    /// Encodes the first rows, and the values that they have, as a page.
    fn end_page(&mut self, rows: usize, count: usize) -> Result<()> {
        let column = Arc::clone(&self.column);
        let mut page = std::mem::take(&mut self.page);
        page.clear();
        let whole = self.whole.take();
        let (encoding, length) = match &whole {
            Some(page) => (page.encoding, page.length),
            None => {
                if column.is_nullable {
                    self.levels.encode(rows, &mut page);
                }
                (self.encode_values(count, &mut page)?, page.len())
            }
        };
        if i32::try_from(length).is_err() {
            return Err(self.error(
                "has values of 2 GiB and more in one page, whose length Parquet cannot say",
            ));
        }
        if encoding == Encoding::RLE_DICTIONARY {
            self.is_numbered = true;
            self.know_entries(count);
        }
        let nulls = (rows - count) as u64;
        let once = self
            .each_once(count)
            .filter(|_| encoding == Encoding::RLE_DICTIONARY);
        let values = match &once {
            Some(once) => once.all(),
            None => self.values.slice(0..count),
        };
        let value_bytes = self.value_bytes(count);
        self.totals
            .add(&column, (rows, nulls), (values, value_bytes), encoding);
        let header = page_header::data_page(rows, encoding, length);
        self.totals.bytes += header.len() + length;
        match &whole {
            Some(page) => {
                let compressed = (length, page.compressed.as_slice());
                self.chunks
                    .push_compressed(column.leaf, &header, compressed)?;
            }
            None => self.chunks.push(column.leaf, &header, &page)?,
        }
        self.page = page;
        self.numbers.drain(..count.min(self.numbers.len()));
        self.rows -= rows;
        if column.is_nullable {
            self.levels.remove_first(rows);
        }
        if !self.is_coded {
            self.values.remove_first(count);
        }
        Ok(())
    }

    /// The first values, each once, where they are byte strings or only numbers are there.
    fn each_once(&self, count: usize) -> Option<Values> {
        let dictionary = self.dictionary.as_ref()?;
        let entries = dictionary.entries();
        if !self.is_coded && !matches!(entries, Slice::Bytes(_) | Slice::Fixed { .. }) {
            return None;
        }
        let mut is_there = vec![false; entries.len()];
        for number in self.numbers.get(..count)? {
            is_there[*number as usize] = true;
        }
        let there = is_there.iter().zip(0..).filter(|(is_there, _)| **is_there);
        let mut once = self.column.looks.empty.clone();
        once.append_numbered(entries, there.map(|(_, number)| number));
        Some(once)
    }

    /// How long the first values are without their lengths, if they are byte strings of any length.
    fn value_bytes(&self, count: usize) -> Option<i64> {
        let bytes = match (&self.dictionary, &self.values) {
            (_, Values::Bytes(values)) if !self.is_coded => values.slice(0..count).content().len(),
            (Some(dictionary), Values::Bytes(_)) => {
                let length = dictionary.entries().plain_len_of(&self.numbers[..count]);
                length - count * size_of::<u32>()
            }
            _ => return None,
        };
        Some(bytes as i64)
    }

    /// Encodes the first values, and says how.
    fn encode_values(&mut self, count: usize, page: &mut Vec<u8>) -> Result<Encoding> {
        if let Some(dictionary) = &mut self.dictionary {
            let limit = Limit {
                entries: u32::MAX as usize,
                bytes: self.column.dictionary_bytes,
            };
            let numbered = self.numbers.len().min(count);
            let is_whole = numbered == count
                || dictionary.number(self.values.slice(numbered..count), limit, &mut self.numbers);
            if is_whole {
                encode::numbers(&self.numbers[..count], page);
                return Ok(Encoding::RLE_DICTIONARY);
            }
            self.numbers.clear();
            self.end_dictionary()?;
        }
        encode::values(self.values.slice(0..count), self.encoding, page)?;
        Ok(self.encoding)
    }

    /// Writes the dictionary, to which nothing is added any more, if a page has numbers of it.
    fn end_dictionary(&mut self) -> Result<()> {
        let Some(dictionary) = self.dictionary.take().filter(|_| self.is_numbered) else {
            return Ok(());
        };
        let entries = dictionary.entries();
        let mut page = Vec::new();
        encode::plain(entries, &mut page);
        let header = page_header::dictionary_page(entries.len(), page.len());
        self.totals.bytes += header.len() + page.len();
        self.chunks.push(self.column.leaf, &header, &page)
    }

    /// The estimated size of the chunk in the file, in bytes.
    pub(in crate::format::parquet) fn estimate(&self) -> usize {
        let levels = if self.column.is_nullable {
            self.rows / 8
        } else {
            0
        };
        let (count, dictionary) = (self.count(), self.dictionary.as_ref());
        let waiting = match dictionary.filter(|_| !self.is_looking) {
            Some(dictionary) => {
                let known = dictionary.entries().first(self.known_entries);
                known.plain_len() + numbers_len(self.known_entries, count)
            }
            None => self.plain_len_of(count),
        };
        let encoded = self.totals.bytes + waiting + levels;
        self.chunks.estimate(self.column.leaf, encoded)
    }

    /// The memory of the encoder and of the pages that are not spilled, in bytes.
    pub(in crate::format::parquet) fn memory_size(&self) -> usize {
        let dictionary = self.dictionary.as_ref();
        let entries = dictionary.map_or(0, |dictionary| dictionary.entries().plain_len());
        let whole = self.whole.as_ref();
        self.values.all().plain_len()
            + self.levels.memory_size()
            + self.page.capacity()
            + whole.map_or(0, |page| page.compressed.capacity())
            + self.numbers.capacity() * size_of::<u32>()
            + entries * 2
            + self.chunks.memory_size(self.column.leaf)
    }

    /// Ends the chunk.
    pub(in crate::format::parquet) fn close(mut self) -> Result<ColumnCloseResult> {
        self.choose()?;
        if self.rows > 0 {
            self.end_page(self.rows, self.count())?;
        }
        self.end_dictionary()?;
        let (is_numbered, column) = (self.is_numbered, self.column);
        self.totals.close(&column, is_numbered)
    }
}

/// The length of numbers of a dictionary that has so many entries.
fn numbers_len(entries: usize, count: usize) -> usize {
    let width = width_of(entries.saturating_sub(1) as u64);
    (count * usize::from(width)).div_ceil(8)
}
