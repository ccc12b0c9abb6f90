//! What there is to say of a column chunk beside its pages: statistics, page index, bloom filter, metadata.

use std::cmp::Ordering;
use std::sync::Arc;

use parquet::basic::{Encoding, PageType, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::EnabledStatistics;

use super::bounds::{Bounds, Order, cut_least, cut_most};
use super::flat::Column;
use super::statistics::statistics;
use super::values::Slice;

/// What there is to say of the pages so far.
pub(super) struct ChunkTotals {
    rows: u64,
    nulls: u64,
    /// The length of all pages and their headers before they were finished.
    pub(super) bytes: usize,
    value_bytes: i64,
    bounds: Option<Bounds>,
    /// Whether a page has values without bounds, so that there are none of the chunk.
    is_unbounded: bool,
    data_pages: Vec<PageEncodingStats>,
    column_index: ColumnIndexBuilder,
    offset_index: OffsetIndexBuilder,
    last_bounds: Option<Bounds>,
    is_ascending: bool,
    is_descending: bool,
    bloom_filter: Option<Sbbf>,
}

impl ChunkTotals {
    /// Of no page yet.
    pub(super) fn new(column: &Column) -> Result<Self> {
        let bloom_filter = match column.bloom_filter {
            Some((values, rate)) => Some(Sbbf::new_with_ndv_fpp(values, rate)?),
            None => None,
        };
        let mut column_index = ColumnIndexBuilder::new(column.descriptor.physical_type());
        if column.statistics != EnabledStatistics::Page {
            column_index.to_invalid();
        }
        Ok(ChunkTotals {
            rows: 0,
            nulls: 0,
            bytes: 0,
            value_bytes: 0,
            bounds: None,
            is_unbounded: false,
            data_pages: Vec::new(),
            column_index,
            offset_index: OffsetIndexBuilder::new(),
            last_bounds: None,
            is_ascending: true,
            is_descending: true,
            bloom_filter,
        })
    }

    /// Adds a page of so many rows and nulls. `values` are those of it, or each of them once; `value_bytes` is how long all of
    /// them are, if they are byte strings of any length.
    pub(super) fn add(
        &mut self,
        column: &Column,
        (rows, nulls): (usize, u64),
        (values, value_bytes): (Slice<'_>, Option<i64>),
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
        self.value_bytes += value_bytes.unwrap_or(0);
        let bounds = match column.statistics {
            EnabledStatistics::None => None,
            EnabledStatistics::Chunk | EnabledStatistics::Page => column.order.bounds(values),
        };
        self.add_to_index(column, (rows, nulls), bounds.as_ref());
        self.is_unbounded |= bounds.is_none() && (rows as u64) > nulls;
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
            if matches!(column.order, Order::Float | Order::HalfFloat) {
                insert_zeros(values, filter);
            }
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

    pub(super) fn close(self, column: &Column, is_numbered: bool) -> Result<ColumnCloseResult> {
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
                (
                    self.bounds.as_ref().filter(|_| !self.is_unbounded),
                    self.nulls,
                ),
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

/// Adds both zeros where one is among floats: they are equal, and whoever looks for one finds the other.
fn insert_zeros(values: Slice<'_>, filter: &mut Sbbf) {
    match values {
        Slice::Four(values) if values.iter().any(|bits| bits << 1 == 0) => {
            filter.insert(&0_f32);
            filter.insert(&-0_f32);
        }
        Slice::Eight(values) if values.iter().any(|bits| bits << 1 == 0) => {
            filter.insert(&0_f64);
            filter.insert(&-0_f64);
        }
        Slice::Fixed { width: 2, bytes } if bytes.chunks_exact(2).any(is_half_zero) => {
            filter.insert(&[0, 0][..]);
            filter.insert(&[0, 0x80][..]);
        }
        _ => {}
    }
}

fn is_half_zero(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0 | 0x80])
}
