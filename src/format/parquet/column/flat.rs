//! What is the same for all chunks of a column that is encoded here.

use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::datatypes::DataType;
use parquet::basic::Type;
use parquet::file::properties::{DEFAULT_PAGE_SIZE, EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnDescPtr;

use super::bounds::Order;
use super::look::{Chooser, Leaf};

/// The size at which pages of byte strings end where the properties leave it as it is by default. What is compressed by itself
/// is then longer than the window of zstd's usual levels, and long texts take a twentieth less.
const STRING_PAGE: usize = 4 << 20;

/// What is the same for all chunks of a column.
pub(in crate::format::parquet) struct Column {
    pub(super) leaf: usize,
    pub(super) descriptor: ColumnDescPtr,
    pub(super) looks: Leaf,
    pub(super) order: Order,
    pub(super) is_nullable: bool,
    pub(super) is_text: bool,
    pub(super) can_cut: bool,
    pub(super) statistics: EnabledStatistics,
    pub(super) bloom_filter: Option<(u64, f64)>,
    pub(super) page_rows: usize,
    pub(super) page_bytes: usize,
    pub(super) dictionary_bytes: usize,
    pub(super) offset_index: bool,
    /// Whether the codes of dictionaries in Arrow are taken, as far as they are numbers in the chunk's own.
    pub(super) takes_codes: bool,
    /// At how many bytes bounds are cut off in statistics, and in column indexes.
    pub(super) cut_at: (Option<usize>, Option<usize>),
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
        let page_rows = properties.data_page_row_count_limit().max(1);
        let page_bytes = match properties.column_data_page_size_limit(path) {
            DEFAULT_PAGE_SIZE if physical == Type::BYTE_ARRAY => STRING_PAGE,
            bytes => bytes.max(1),
        };
        // Where pages end because of their bytes depends on how many numbers there are when they do.
        let ends_by_rows = page_rows.saturating_mul(size_of::<u32>()) < page_bytes;
        Some(Column {
            leaf,
            takes_codes: ends_by_rows && looks.takes_codes(),
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
            page_rows,
            page_bytes,
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

impl Column {
    /// Whether codes of a dictionary in Arrow are taken in the place of values.
    pub(in crate::format::parquet) fn takes_codes(&self) -> bool {
        self.takes_codes
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
