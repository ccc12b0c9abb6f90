//! Whether Arrow's schema has to stand in the footer of a file.

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::{ArrowSchemaConverter, PARQUET_FIELD_ID_META_KEY, parquet_to_arrow_schema};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;

use crate::nested::inner_fields;

/// Whether Arrow's schema tells more of the columns than the types that Parquet has for them.
pub(super) fn tells_more(schema: &Schema, properties: &WriterProperties) -> Result<bool> {
    let stored = ArrowSchemaConverter::new()
        .with_coerce_types(properties.coerce_types())
        .convert(schema)?;
    let read = parquet_to_arrow_schema(&stored, None);
    let are_known = schema.fields().iter().all(|field| is_known(field));
    Ok(!are_known || read.map_or(true, |read| read.fields() != schema.fields()))
}

/// Whether every reader knows the type by Parquet's own: Polars, for one, takes a column of nulls for integers, and pyarrow
/// UUIDs for bytes.
fn is_known(field: &Field) -> bool {
    let mut keys = field.metadata().keys();
    let is_plain = keys.all(|key| key == PARQUET_FIELD_ID_META_KEY);
    let is_known_type = match field.data_type() {
        DataType::Boolean
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::FixedSizeBinary(_)
        | DataType::Date32
        | DataType::Timestamp(_, _)
        | DataType::Decimal128(_, _) => true,
        nested @ (DataType::List(_) | DataType::Struct(_)) => inner_fields(nested)
            .into_iter()
            .all(|field| is_known(field)),
        other => other.is_integer(),
    };
    is_plain && is_known_type
}
