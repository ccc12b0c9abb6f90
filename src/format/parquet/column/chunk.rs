//! Encoding one column chunk: values come array by array, pages go to the chunk's store.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::DataType;
use parquet::basic::{Encoding, PageType, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnDescPtr;

use super::super::page_header;
use super::super::page_store::Chunks;
use super::bits::width_of;
use super::bounds::{Bounds, Order, cut_least, cut_most};
use super::choose::Page;
use super::dictionary::{Dictionary, Limit};
use super::encode;
use super::look::{Chooser, LOOK_ROWS, Leaf};
use super::statistics::statistics;
use super::values::{Slice, Values, resolved};

/// What is the same for all chunks of a column.
pub(in crate::format::parquet) struct Column {
    leaf: usize,
    descriptor: ColumnDescPtr,
    looks: Leaf,
    order: Order,
    is_nullable: bool,
    is_text: bool,
    can_cut: bool,
    statistics: EnabledStatistics,
    bloom_filter: Option<(u64, f64)>,
    page_rows: usize,
    page_bytes: usize,
    dictionary_bytes: usize,
    offset_index: bool,
    /// At how many bytes bounds are cut off in statistics, and in column indexes.
    cut_at: (Option<usize>, Option<usize>),
}

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
    levels: Vec<u8>,
    values: Values,
    dictionary: Option<Dictionary>,
    /// The numbers in the dictionary of the first values that are in no page yet.
    numbers: Vec<u32>,
    /// The page of all rows, if they are still those by which the encoding was chosen.
    whole: Option<Page>,
    /// Whether any page has numbers of the dictionary.
    is_numbered: bool,
    totals: ChunkTotals,
    page: Vec<u8>,
}

/// What there is to say of the pages so far.
struct ChunkTotals {
    rows: u64,
    nulls: u64,
    /// The length of all pages and their headers before they were finished.
    bytes: usize,
    value_bytes: i64,
    bounds: Option<Bounds>,
    data_pages: Vec<PageEncodingStats>,
    column_index: ColumnIndexBuilder,
    offset_index: OffsetIndexBuilder,
    last_bounds: Option<Bounds>,
    is_ascending: bool,
    is_descending: bool,
    bloom_filter: Option<Sbbf>,
}

impl Column {
    /// A leaf column of values of an Arrow type, whose encodings are chosen. `None` where it is nested, or its type or
    /// properties are none that this module knows.
    pub(in crate::format::parquet) fn new(
        leaf: usize,
        descriptor: &ColumnDescPtr,
        data_type: &DataType,
        properties: &WriterProperties,
        chooser: &Chooser,
    ) -> Option<Self> {
        let path = descriptor.path();
        let is_flat = descriptor.max_rep_level() == 0 && descriptor.max_def_level() <= 1;
        let is_known = is_flat
            && path.parts().len() == 1
            && !is_geometry(descriptor)
            && !properties.write_page_header_statistics(path);
        let order = Order::of(descriptor);
        let physical = descriptor.physical_type();
        let bloom_filter = properties.bloom_filter_properties(path);
        let looks = chooser.leaf(leaf).filter(|_| is_known)?.clone();
        let mut empty = looks.empty.clone();
        if !matches!(empty.append(&new_empty_array(data_type)), Ok(true)) {
            return None;
        }
        Some(Column {
            leaf,
            looks,
            order,
            is_nullable: descriptor.max_def_level() > 0,
            is_text: is_text(descriptor),
            can_cut: match physical {
                Type::BYTE_ARRAY => true,
                Type::FIXED_LEN_BYTE_ARRAY => order == Order::Bytes,
                _ => false,
            },
            statistics: properties.statistics_enabled(path),
            bloom_filter: bloom_filter.map(|filter| (filter.ndv(), filter.fpp())),
            page_rows: properties.data_page_row_count_limit().max(1),
            page_bytes: properties.column_data_page_size_limit(path).max(1),
            dictionary_bytes: properties
                .column_dictionary_page_size_limit(path)
                .saturating_sub(1),
            offset_index: !properties.offset_index_disabled(),
            cut_at: (
                properties.statistics_truncate_length(),
                properties.column_index_truncate_length(),
            ),
            descriptor: Arc::clone(descriptor),
        })
    }
}

fn is_text(column: &ColumnDescPtr) -> bool {
    use parquet::basic::{ConvertedType, LogicalType};
    column.logical_type_ref() == Some(&LogicalType::String)
        || column.converted_type() == ConvertedType::UTF8
}

/// Whether statistics of places are written, too.
fn is_geometry(column: &ColumnDescPtr) -> bool {
    use parquet::basic::LogicalType;
    matches!(
        column.logical_type_ref(),
        Some(LogicalType::Geometry(_) | LogicalType::Geography(_))
    )
}

impl ChunkEncoder {
    /// Begins a chunk, whose encoding is [chosen](ChunkEncoder::choose) by its first rows.
    pub(in crate::format::parquet) fn new(
        column: &Arc<Column>,
        chunks: &Arc<Chunks>,
    ) -> Result<Self> {
        let bloom_filter = match column.bloom_filter {
            Some((values, rate)) => Some(Sbbf::new_with_ndv_fpp(values, rate)?),
            None => None,
        };
        let mut column_index = ColumnIndexBuilder::new(column.descriptor.physical_type());
        if column.statistics != EnabledStatistics::Page {
            column_index.to_invalid();
        }
        Ok(ChunkEncoder {
            column: Arc::clone(column),
            chunks: Arc::clone(chunks),
            is_looking: true,
            encoding: Encoding::PLAIN,
            rows: 0,
            levels: Vec::new(),
            values: column.looks.empty.clone(),
            dictionary: None,
            numbers: Vec::new(),
            whole: None,
            is_numbered: false,
            totals: ChunkTotals {
                rows: 0,
                nulls: 0,
                bytes: 0,
                value_bytes: 0,
                bounds: None,
                data_pages: Vec::new(),
                column_index,
                offset_index: OffsetIndexBuilder::new(),
                last_bounds: None,
                is_ascending: true,
                is_descending: true,
                bloom_filter,
            },
            page: Vec::new(),
        })
    }

    /// Adds the rows of an array, and encodes the pages that they fill once the encoding is chosen.
    pub(in crate::format::parquet) fn write(&mut self, array: &ArrayRef) -> Result<()> {
        let array = resolved(array)?;
        let mut start = 0;
        while start < array.len() {
            let most = match self.is_looking {
                true => LOOK_ROWS,
                false => self.column.page_rows,
            };
            let rows = (most - self.rows).min(array.len() - start);
            self.add(&array.slice(start, rows))?;
            start += rows;
            match self.is_looking {
                true if self.rows == LOOK_ROWS => self.choose()?,
                true => {}
                false => self.end_full_pages()?,
            }
        }
        Ok(())
    }

    /// Chooses the encoding by the rows so far, unless they were more than it takes, and encodes the pages that they fill.
    pub(in crate::format::parquet) fn choose(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.is_looking, false) {
            return Ok(());
        }
        let column = &self.column;
        let (count, bytes) = (self.values.len(), self.values.all().plain_len());
        // No encoding takes more than PLAIN, but for the numbers of very short values.
        let is_page = self.rows <= column.page_rows
            && bytes.max(count * size_of::<u32>()) < column.page_bytes;
        let mut levels = Vec::new();
        if column.is_nullable && is_page {
            encode::bits(&self.levels, &mut levels);
        }
        let look = column
            .looks
            .look(&self.values, is_page.then_some(&levels))?;
        self.encoding = look.choice.encoding;
        self.whole = look.page;
        if let Some((dictionary, numbers)) = look.numbered {
            self.dictionary = Some(dictionary);
            self.numbers = numbers;
        }
        self.end_full_pages()
    }

    fn end_full_pages(&mut self) -> Result<()> {
        while let Some((rows, values)) = self.page_end() {
            self.end_page(rows, values)?;
        }
        Ok(())
    }

    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        match (self.column.is_nullable, nulls) {
            (true, None) => self.levels.resize(self.levels.len() + array.len(), 1),
            (true, Some(nulls)) => self.levels.extend(nulls.iter().map(u8::from)),
            (false, None) => {}
            (false, Some(_)) => {
                return Err(self.error("has a null, where its schema says that it has none"));
            }
        }
        if !self.values.append(array)? {
            return Err(self.error("is of a type that is not stored as its schema says"));
        }
        self.rows += array.len();
        if !array.is_empty() {
            self.whole = None;
        }
        Ok(())
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
        let reaches = |count: usize| {
            let bytes = match &self.dictionary {
                Some(dictionary) => {
                    let width = width_of(dictionary.entries().len().saturating_sub(1) as u64);
                    (count * usize::from(width)).div_ceil(8)
                }
                None => self.values.slice(0..count).plain_len(),
            };
            bytes >= self.column.page_bytes
        };
        if !reaches(count) {
            return (rows >= self.column.page_rows).then_some((rows, count));
        }
        let (mut without, mut with) = (0, count);
        while without + 1 < with {
            let middle = without.midpoint(with);
            match reaches(middle) {
                true => with = middle,
                false => without = middle,
            }
        }
        Some((self.rows_of(with), with))
    }

    /// How many values the first rows have.
    fn values_of(&self, rows: usize) -> usize {
        match rows == self.rows {
            true => self.values.len(),
            false if self.column.is_nullable => {
                self.levels[..rows].iter().copied().map(usize::from).sum()
            }
            false => rows,
        }
    }

    /// How many rows it takes to have so many values.
    fn rows_of(&self, values: usize) -> usize {
        if !self.column.is_nullable {
            return values;
        }
        let mut found = 0;
        let last = self.levels.iter().position(|level| {
            found += usize::from(*level);
            found == values
        });
        last.map_or(self.rows, |last| last + 1)
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
                    encode::bits(&self.levels[..rows], &mut page);
                }
                (self.encode_values(count, &mut page)?, page.len())
            }
        };
        self.is_numbered |= encoding == Encoding::RLE_DICTIONARY;
        let values = self.values.slice(0..count);
        let nulls = (rows - count) as u64;
        self.totals.add(&column, (rows, nulls), values, encoding);
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
            self.levels.drain(..rows);
        }
        self.values.remove_first(count);
        Ok(())
    }

    /// Encodes the first values, and says how.
    fn encode_values(&mut self, count: usize, page: &mut Vec<u8>) -> Result<Encoding> {
        if let Some(dictionary) = &mut self.dictionary {
            let limit = Limit {
                entries: u32::MAX as usize,
                bytes: self.column.dictionary_bytes,
            };
            let numbered = self.numbers.len().min(count);
            let rest = self.values.slice(numbered..count);
            if dictionary.number(rest, limit, &mut self.numbers) {
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
        let waiting = self.values.all().plain_len() + self.levels.len() / 8;
        let dictionary = self.dictionary.as_ref();
        let entries = dictionary.map_or(0, |dictionary| dictionary.entries().plain_len());
        let encoded = self.totals.bytes + waiting + entries;
        self.chunks.estimate(self.column.leaf, encoded)
    }

    /// The memory of the encoder and of the pages that are not spilled, in bytes.
    pub(in crate::format::parquet) fn memory_size(&self) -> usize {
        let dictionary = self.dictionary.as_ref();
        let entries = dictionary.map_or(0, |dictionary| dictionary.entries().plain_len());
        let whole = self.whole.as_ref();
        self.values.all().plain_len()
            + self.levels.capacity()
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
            self.end_page(self.rows, self.values.len())?;
        }
        self.end_dictionary()?;
        let (is_numbered, column) = (self.is_numbered, self.column);
        self.totals.close(&column, is_numbered)
    }
}

impl ChunkTotals {
    /// Adds a page of so many rows and nulls.
    fn add(
        &mut self,
        column: &Column,
        (rows, nulls): (usize, u64),
        values: Slice<'_>,
        encoding: Encoding,
    ) {
        self.rows += rows as u64;
        self.nulls += nulls;
        match self
            .data_pages
            .last_mut()
            .filter(|last| last.encoding == encoding)
        {
            Some(last) => last.count += 1,
            None => self.data_pages.push(PageEncodingStats {
                page_type: PageType::DATA_PAGE,
                encoding,
                count: 1,
            }),
        }
        let value_bytes = match values {
            Slice::Bytes(values) => Some(values.content().len() as i64),
            _ => None,
        };
        self.value_bytes += value_bytes.unwrap_or(0);
        let bounds = match column.statistics {
            EnabledStatistics::None => None,
            EnabledStatistics::Chunk | EnabledStatistics::Page => column.order.bounds(values),
        };
        self.add_to_index(column, (rows, nulls), bounds.as_ref());
        if let Some(bounds) = bounds {
            match &mut self.bounds {
                Some(all) => all.widen(&bounds, column.order),
                None => self.bounds = Some(bounds),
            }
        }
        self.offset_index.append_row_count(rows as i64);
        // Where pages stand is known when they are finished.
        self.offset_index.append_offset_and_size(0, 0);
        self.offset_index
            .append_unencoded_byte_array_data_bytes(value_bytes);
        if let Some(filter) = &mut self.bloom_filter {
            insert(values, filter);
        }
    }

    fn add_to_index(
        &mut self,
        column: &Column,
        (rows, nulls): (usize, u64),
        bounds: Option<&Bounds>,
    ) {
        if !self.column_index.valid() {
            return;
        }
        let Some(bounds) = bounds else {
            match rows as u64 == nulls {
                true => self.column_index.append(true, vec![], vec![], nulls as i64),
                // Without bounds of each page there is no index.
                false => self.column_index.to_invalid(),
            }
            self.add_histogram(column, (rows, nulls));
            return;
        };
        if let Some(last) = &self.last_bounds {
            let order = column.order;
            let least = order.compare(&bounds.least, &last.least);
            let most = order.compare(&bounds.most, &last.most);
            self.is_ascending &= least != Ordering::Less && most != Ordering::Less;
            self.is_descending &= least != Ordering::Greater && most != Ordering::Greater;
        }
        let (_, cut_at) = column.cut_at;
        let cut_at = cut_at.filter(|_| column.can_cut);
        self.column_index.append(
            false,
            cut_least(&bounds.least, cut_at, column.is_text).0,
            cut_most(&bounds.most, cut_at, column.is_text).0,
            nulls as i64,
        );
        self.last_bounds = Some(bounds.clone());
        self.add_histogram(column, (rows, nulls));
    }

    fn add_histogram(&mut self, column: &Column, (rows, nulls): (usize, u64)) {
        let histogram = histogram(column, rows as u64, nulls);
        self.column_index.append_histograms(&None, &histogram);
    }

    fn close(self, column: &Column, is_numbered: bool) -> Result<ColumnCloseResult> {
        let mut pages = self.data_pages;
        let mut encodings = vec![Encoding::RLE];
        encodings.extend(pages.iter().map(|pages| pages.encoding));
        if is_numbered {
            encodings.push(Encoding::PLAIN);
            let dictionary = PageEncodingStats {
                page_type: PageType::DICTIONARY_PAGE,
                encoding: Encoding::PLAIN,
                count: 1,
            };
            pages.insert(0, dictionary);
        }
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(&column.descriptor))
            .set_encodings(encodings)
            .set_page_encoding_stats(pages)
            .set_total_uncompressed_size(self.bytes as i64)
            .set_num_values(self.rows as i64);
        if column.statistics != EnabledStatistics::None {
            let is_bytes = column.descriptor.physical_type() == Type::BYTE_ARRAY;
            let (cut_at, _) = column.cut_at;
            let statistics = statistics(
                &column.descriptor,
                (self.bounds.as_ref(), self.nulls),
                (cut_at.filter(|_| column.can_cut), column.is_text),
            );
            metadata = metadata
                .set_statistics(statistics?)
                .set_unencoded_byte_array_data_bytes(is_bytes.then_some(self.value_bytes))
                .set_definition_level_histogram(histogram(column, self.rows, self.nulls));
        }
        let mut bloom_filter = self.bloom_filter;
        if let (Some(filter), Some((_, rate))) = (&mut bloom_filter, column.bloom_filter) {
            filter.fold_to_target_fpp(rate);
        }
        Ok(ColumnCloseResult {
            bytes_written: self.bytes as u64,
            rows_written: self.rows,
            metadata: metadata.build()?,
            bloom_filter,
            column_index: column_index(self.column_index, (self.is_ascending, self.is_descending))?,
            offset_index: column.offset_index.then(|| self.offset_index.build()),
        })
    }
}

fn column_index(
    mut index: ColumnIndexBuilder,
    (is_ascending, is_descending): (bool, bool),
) -> Result<Option<ColumnIndexMetaData>> {
    use parquet::basic::BoundaryOrder;
    if !index.valid() {
        return Ok(None);
    }
    index.set_boundary_order(match (is_ascending, is_descending) {
        (true, _) => BoundaryOrder::ASCENDING,
        (false, true) => BoundaryOrder::DESCENDING,
        (false, false) => BoundaryOrder::UNORDERED,
    });
    index.build().map(Some)
}

/// How many rows have no value, and how many have one, if that is to be said.
fn histogram(column: &Column, rows: u64, nulls: u64) -> Option<LevelHistogram> {
    let levels = vec![nulls as i64, (rows - nulls) as i64];
    column.is_nullable.then(|| LevelHistogram::from(levels))
}

fn insert(values: Slice<'_>, filter: &mut Sbbf) {
    match values {
        Slice::Booleans(values) => values
            .iter()
            .for_each(|value| filter.insert(&(*value == 1))),
        Slice::Four(values) => values.iter().for_each(|value| filter.insert(value)),
        Slice::Eight(values) => values.iter().for_each(|value| filter.insert(value)),
        Slice::Fixed { width, bytes } => bytes
            .chunks_exact(width.max(1))
            .for_each(|value| filter.insert(value)),
        Slice::Bytes(values) => values.iter().for_each(|value| filter.insert(value)),
    }
}
