//! Estimates the memory that decoding a row group takes, from its pages, before anything is decoded.
//!
//! A few bytes of a file can stand for any number of values: a dictionary of one long text, a run, a page
//! that compresses well. So texts and bytes are read as views, which share the page they stand in, and the
//! rows that are decoded at once are limited by the page that holds the most of them for its rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::basic::Type;
use parquet::file::metadata::ColumnChunkMetaData;

use super::keys::is_encrypted;
use super::pages::walk_headers;
use crate::damage::Location;
use crate::format::Fault;
use crate::format::source::Source;

/// The memory of a value beside its bytes: a view or number, and its levels.
const VALUE: u64 = 24;

/// The memory that decoding a column takes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// The memory for each row that is decoded at once, at most.
    pub(super) row: u64,
    /// The memory for pages, however few rows are decoded.
    pub(super) pages: u64,
    /// Whether all values are in the dictionary.
    pub(super) only_dictionary: bool,
}

/// The memory that decoding a column chunk takes, by its number of rows.
///
/// Rows of a column that is repeated are as long as the average: where one row ends and another begins is
/// not told by the headers of pages.
pub(super) fn cost(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
    rows: u64,
) -> Result<Cost, Fault> {
    let descriptor = chunk.column_descr();
    let width = match descriptor.physical_type() {
        Type::FIXED_LEN_BYTE_ARRAY => VALUE + descriptor.type_length().unsigned_abs() as u64,
        _ => VALUE,
    };
    let values = chunk.num_values().unsigned_abs();
    let total = chunk.uncompressed_size().unsigned_abs();
    let average = (values.saturating_mul(width).saturating_add(total)) / rows.max(1);
    if is_encrypted(chunk) {
        return Ok(Cost {
            row: average,
            pages: total,
            only_dictionary: false,
        });
    }
    let mut cost = Cost {
        row: width,
        pages: 0,
        only_dictionary: true,
    };
    let mut dictionary = 0;
    for (_, header) in walk_headers(source, location, chunk)? {
        let size = header.uncompressed.unsigned_abs();
        if !header.is_data() {
            dictionary = size;
            continue;
        }
        cost.pages = cost.pages.max(size);
        cost.only_dictionary &= header.is_dictionary_encoded();
        let held = match header.is_dictionary_encoded() {
            true => 0,
            false => size / header.values.unsigned_abs().max(1),
        };
        cost.row = cost.row.max(width.saturating_add(held));
    }
    if descriptor.max_rep_level() > 0 {
        cost.row = average.max(width);
    }
    // A page is there as it is stored and as it is decompressed.
    cost.pages = cost.pages.saturating_mul(2).saturating_add(dictionary);
    Ok(cost)
}

/// A schema with all texts and bytes as views.
pub(super) fn with_views(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(with_views_in).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A field with all texts and bytes in it as views.
pub(super) fn with_views_in(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => match viewed(values) {
            Some(view) => view,
            None => return Arc::clone(field),
        },
        DataType::List(item) => DataType::List(with_views_in(item)),
        DataType::LargeList(item) => DataType::LargeList(with_views_in(item)),
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(with_views_in(item), *length)
        }
        DataType::Map(entries, sorted) => DataType::Map(with_views_in(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(with_views_in).collect()),
        other => match viewed(other) {
            Some(view) => view,
            None => return Arc::clone(field),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn viewed(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => Some(DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => Some(DataType::BinaryView),
        _ => None,
    }
}
