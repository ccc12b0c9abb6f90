//! Compares the footer that was read back with the one that the writer says it wrote.
//!
//! The two compare unequal as a whole even where nothing is wrong, so every field is compared by
//! itself; each exception is named where it is made.

use std::fmt::Debug;

use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetColumnIndex, ParquetMetaData, RowGroupMetaData,
};
use parquet::file::page_index::column_index::{ColumnIndexMetaData, PrimitiveColumnIndex};
use parquet::file::statistics::Statistics;

use super::keys::encryption;
use crate::damage::{Damage, Location};

/// The most characters of a value in a message.
const SHOWN: usize = 200;

/// Compares field by field what [`ArrowWriter::finish`](parquet::arrow::ArrowWriter::finish) returned
/// with what was read back.
pub(crate) fn compare(written: &ParquetMetaData, read: &ParquetMetaData) -> Result<(), Damage> {
    let location = Location::file();
    let (file, back) = (written.file_metadata(), read.file_metadata());
    same(&location, "the version", &file.version(), &back.version())?;
    same(
        &location,
        "the number of rows",
        &file.num_rows(),
        &back.num_rows(),
    )?;
    same(
        &location,
        "the writer's name",
        &file.created_by(),
        &back.created_by(),
    )?;
    let (metadata, metadata_back) = (file.key_value_metadata(), back.key_value_metadata());
    same(
        &location,
        "the key-value metadata",
        &metadata,
        &metadata_back,
    )?;
    same(
        &location,
        "the schema",
        file.schema_descr(),
        back.schema_descr(),
    )?;
    same(
        &location,
        "the column orders",
        &file.column_orders(),
        &back.column_orders(),
    )?;
    let (groups, groups_back) = (written.num_row_groups(), read.num_row_groups());
    same(&location, "the number of row groups", &groups, &groups_back)?;
    for (index, pair) in written
        .row_groups()
        .iter()
        .zip(read.row_groups())
        .enumerate()
    {
        compare_row_group(index, pair)?;
    }
    // A writer of no row groups has an empty offset index, a reader none.
    if groups > 0 {
        same(
            &location,
            "the offset index",
            &written.offset_index(),
            &read.offset_index(),
        )?;
    }
    // parquet-rs reads a column index only beside an offset index.
    if read.offset_index().is_some() {
        compare_bounds(bounds_of(written), bounds_of(read))?;
    }
    Ok(())
}

/// The column index, if it has bounds: a writer leaves an empty one out, and a reader makes one.
fn bounds_of(metadata: &ParquetMetaData) -> Option<&ParquetColumnIndex> {
    let says_something = |index: &&ParquetColumnIndex| {
        index
            .iter()
            .flatten()
            .any(|bounds| !matches!(bounds, ColumnIndexMetaData::NONE))
    };
    metadata.column_index().filter(says_something)
}

fn compare_bounds(
    written: Option<&ParquetColumnIndex>,
    read: Option<&ParquetColumnIndex>,
) -> Result<(), Damage> {
    let (Some(written), Some(read)) = (written, read) else {
        let (written, read) = (written.is_some(), read.is_some());
        return same(
            &Location::file(),
            "whether there is a column index",
            &written,
            &read,
        );
    };
    let field = "the column index";
    for (index, (columns, back)) in written.iter().zip(read).enumerate() {
        let location = Location::row_group(index);
        same(
            &location,
            "the number of column indexes",
            &columns.len(),
            &back.len(),
        )?;
        for (bounds, back) in columns.iter().zip(back) {
            let equal = match (bounds, back) {
                (ColumnIndexMetaData::FLOAT(bounds), ColumnIndexMetaData::FLOAT(back)) => {
                    bits_equal(bounds, back, |value| value.to_bits().into())
                }
                (ColumnIndexMetaData::DOUBLE(bounds), ColumnIndexMetaData::DOUBLE(back)) => {
                    bits_equal(bounds, back, |value| value.to_bits())
                }
                _ => bounds == back,
            };
            if !equal {
                return Err(differs(&location, field, bounds, back));
            }
        }
    }
    Ok(())
}

/// Floats are compared bit by bit: a NaN does not equal itself, and zeros of either sign equal each
/// other.
fn bits_equal<T: Copy>(
    written: &PrimitiveColumnIndex<T>,
    read: &PrimitiveColumnIndex<T>,
    bits: impl Fn(T) -> u64,
) -> bool {
    let bits_of = |values: &[T]| values.iter().map(|value| bits(*value)).collect::<Vec<_>>();
    **written == **read
        && bits_of(written.min_values()) == bits_of(read.min_values())
        && bits_of(written.max_values()) == bits_of(read.max_values())
}

fn compare_row_group(
    index: usize,
    (group, back): (&RowGroupMetaData, &RowGroupMetaData),
) -> Result<(), Damage> {
    let location = Location::row_group(index);
    same(
        &location,
        "the number of rows",
        &group.num_rows(),
        &back.num_rows(),
    )?;
    same(
        &location,
        "the size",
        &group.total_byte_size(),
        &back.total_byte_size(),
    )?;
    same(&location, "the ordinal", &group.ordinal(), &back.ordinal())?;
    same(
        &location,
        "the file offset",
        &group.file_offset(),
        &back.file_offset(),
    )?;
    same(
        &location,
        "the sorting",
        &group.sorting_columns(),
        &back.sorting_columns(),
    )?;
    same(
        &location,
        "the schema",
        group.schema_descr(),
        back.schema_descr(),
    )?;
    same(
        &location,
        "the number of columns",
        &group.num_columns(),
        &back.num_columns(),
    )?;
    for (chunk, back) in group.columns().iter().zip(back.columns()) {
        compare_chunk(
            &location.clone().column(chunk.column_path().string()),
            chunk,
            back,
        )?;
    }
    Ok(())
}

/// Compares each of the fields, a getter, of two structures.
macro_rules! same_fields {
    ($location:expr, $written:expr, $read:expr, $($field:ident => $what:literal),+ $(,)?) => {
        $(same($location, $what, &$written.$field(), &$read.$field())?;)+
    };
}

fn compare_chunk(
    location: &Location,
    chunk: &ColumnChunkMetaData,
    back: &ColumnChunkMetaData,
) -> Result<(), Damage> {
    same_fields!(location, chunk, back,
        column_descr => "the column's description",
        file_path => "the file path",
        file_offset => "the file offset",
        encodings_mask => "the encodings",
        compression_codec => "the compression",
        num_values => "the number of values",
        compressed_size => "the compressed size",
        uncompressed_size => "the uncompressed size",
        data_page_offset => "the first data page's offset",
        index_page_offset => "the index page's offset",
        dictionary_page_offset => "the dictionary page's offset",
        page_encoding_stats => "the pages' encodings",
        bloom_filter_offset => "the bloom filter's offset",
        bloom_filter_length => "the bloom filter's length",
        column_index_offset => "the column index's offset",
        column_index_length => "the column index's length",
        offset_index_offset => "the offset index's offset",
        offset_index_length => "the offset index's length",
        unencoded_byte_array_data_bytes => "the unencoded size",
        repetition_level_histogram => "the repetition levels' histogram",
        definition_level_histogram => "the definition levels' histogram",
        geo_statistics => "the geospatial statistics",
    );
    same(
        location,
        "the encryption",
        &encryption(chunk),
        &encryption(back),
    )?;
    let bounds = chunk.statistics().map(StatisticsBytes::of);
    same(
        location,
        "the statistics",
        &bounds,
        &back.statistics().map(StatisticsBytes::of),
    )
}

/// Statistics as they are stored. [`Statistics`] itself also remembers which of two ways of storing
/// bounds was used, which a writer does not set, and a NaN in it would not equal itself.
#[derive(Debug, PartialEq)]
struct StatisticsBytes<'a> {
    physical_type: parquet::basic::Type,
    min: Option<&'a [u8]>,
    max: Option<&'a [u8]>,
    exact: (bool, bool),
    deprecated: bool,
    null_count: Option<u64>,
    distinct_count: Option<u64>,
}

impl<'a> StatisticsBytes<'a> {
    fn of(statistics: &'a Statistics) -> Self {
        // Without bounds a reader takes them for the deprecated ones.
        let has_bounds =
            statistics.min_bytes_opt().is_some() || statistics.max_bytes_opt().is_some();
        StatisticsBytes {
            physical_type: statistics.physical_type(),
            min: statistics.min_bytes_opt(),
            max: statistics.max_bytes_opt(),
            exact: (statistics.min_is_exact(), statistics.max_is_exact()),
            deprecated: has_bounds && statistics.is_min_max_deprecated(),
            null_count: statistics.null_count_opt(),
            distinct_count: statistics.distinct_count_opt(),
        }
    }
}

pub(super) fn same<T: PartialEq + Debug + ?Sized>(
    location: &Location,
    field: &'static str,
    written: &T,
    read: &T,
) -> Result<(), Damage> {
    if written == read {
        return Ok(());
    }
    Err(differs(location, field, written, read))
}

fn differs<T: Debug + ?Sized>(
    location: &Location,
    field: &'static str,
    written: &T,
    read: &T,
) -> Damage {
    let (expected, found) = (shown(written), shown(read));
    Damage::Differs {
        location: location.clone(),
        field,
        expected,
        found,
    }
}

pub(super) fn shown<T: Debug + ?Sized>(value: &T) -> Box<str> {
    let text = format!("{value:?}");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
