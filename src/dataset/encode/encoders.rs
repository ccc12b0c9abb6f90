//! The memory of the encoders of a row group before the first row, which counts where columns are many.

use arrow::datatypes::{DataType, FieldRef, Schema};

/// The memory of the encoder of a leaf column with its share of the footer, as measured: a table for its
/// dictionary, buffers of values, and of indices. That of texts and bytes has smaller ones.
const NUMBERS: u64 = 24 << 10;
const TEXTS: u64 = 8 << 10;
/// Encoders that take no more than this together are not counted: every program takes as much.
const UNCOUNTED: u64 = 8 << 20;

/// The memory of the encoders of Parquet columns for each row group that is being encoded; 0 where that is too
/// little to count.
pub(in crate::dataset) fn encoder_bytes(schema: &Schema) -> u64 {
    let bytes: u64 = schema.fields().iter().map(of_field).sum();
    if bytes > UNCOUNTED { bytes } else { 0 }
}

fn of_field(field: &FieldRef) -> u64 {
    of_type(field.data_type())
}

fn of_type(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(of_field).sum(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => of_field(item),
        DataType::Dictionary(_, values) => of_type(values),
        DataType::RunEndEncoded(_, values) => of_field(values),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => TEXTS,
        _ => NUMBERS,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Field;

    use super::*;

    fn schema(data_type: &DataType, columns: usize) -> Schema {
        let field = |number| Field::new(format!("c{number}"), data_type.clone(), true);
        Schema::new((0..columns).map(field).collect::<Vec<_>>())
    }

    #[test]
    fn many_columns_count_with_what_is_in_them() {
        let item = |data_type| Arc::new(Field::new("item", data_type, true));
        let pair = DataType::Struct(vec![item(DataType::Int64), item(DataType::Utf8)].into());
        for (data_type, bytes) in [
            (DataType::Int64, NUMBERS),
            (DataType::Utf8, TEXTS),
            (DataType::List(item(DataType::Int8)), NUMBERS),
            (DataType::List(item(pair.clone())), NUMBERS + TEXTS),
            (pair, NUMBERS + TEXTS),
        ] {
            assert_eq!(encoder_bytes(&schema(&data_type, 2000)), 2000 * bytes);
            assert_eq!(encoder_bytes(&schema(&data_type, 200)), 0);
        }
    }
}
