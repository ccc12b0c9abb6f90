//! Reading Parquet columns in other types than those that the decoder would give.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;

/// The field with the type of each of its leaves mapped, in the order of the file's columns.
pub(super) fn map_leaves(
    field: &FieldRef,
    map: &mut impl FnMut(&DataType) -> DataType,
) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(map_leaves(item, map)),
        DataType::LargeList(item) => DataType::LargeList(map_leaves(item, map)),
        DataType::ListView(item) => DataType::ListView(map_leaves(item, map)),
        DataType::LargeListView(item) => DataType::LargeListView(map_leaves(item, map)),
        DataType::FixedSizeList(item, size) => {
            DataType::FixedSizeList(map_leaves(item, map), *size)
        }
        DataType::Map(entries, sorted) => DataType::Map(map_leaves(entries, map), *sorted),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| map_leaves(field, map)).collect())
        }
        leaf => map(leaf),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The metadata by which columns are read as these fields.
///
/// # Errors
/// The decoder cannot read a column so.
pub(super) fn read_as(
    metadata: ArrowReaderMetadata,
    fields: Fields,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let schema = metadata.schema();
    if fields == *schema.fields() {
        return Ok(metadata);
    }
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
}
