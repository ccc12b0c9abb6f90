//! A receipt as a table: one row for each file.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, ListBuilder, MapBuilder, RecordBatch, StringArray, StringBuilder,
    StructBuilder, UInt64Array, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Fields};

use super::{Bound, FileRecord, Receipt, ReceiptError, StatisticsValue};
use crate::partition::PartitionValue;

impl Receipt {
    /// The receipt as a table, with a row for each file, in their order.
    ///
    /// | column | type | |
    /// |---|---|---|
    /// | `path` | `Utf8` | the final path below the root |
    /// | `partition` | `Map<Utf8, Utf8>` | each key and the text of its value; null for null |
    /// | `rows` | `UInt64` | |
    /// | `bytes` | `UInt64` | |
    /// | `footer_bytes` | `UInt64` | null where it is not known |
    /// | `row_groups` | `UInt64` | null where there are none |
    /// | `content_hash` | `Utf8` | 32 hexadecimal digits; null where the bytes were not hashed |
    /// | `columns` | `List<Struct>` | `column`, `min`, `max`: `Utf8`; `min_exact`, `max_exact`: `Boolean`; `null_count`: `UInt64`; null where not known |
    /// | `transaction` | `Utf8` | the same in each row |
    ///
    /// # Errors
    /// [`ReceiptError::Table`] if a column would be longer than Arrow's can be: over 2 GiB of text.
    pub fn to_record_batch(&self) -> Result<RecordBatch, ReceiptError> {
        let files = self.files();
        let numbers = |of: fn(&FileRecord) -> Option<u64>| -> ArrayRef {
            Arc::new(files.iter().map(of).collect::<UInt64Array>())
        };
        let whole = |of: fn(&FileRecord) -> u64| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(files.iter().map(of)))
        };
        let hashes = files.iter().map(|file| file.content_hash());
        let hashes: StringArray = hashes
            .map(|hash| hash.map(|hash| format!("{hash:032x}")))
            .collect();
        let paths = StringArray::from_iter_values(files.iter().map(FileRecord::path));
        let transaction = self.transaction().to_string();
        let transactions = StringArray::from_iter_values(files.iter().map(|_| &transaction));
        let columns: [(&str, ArrayRef, bool); 9] = [
            ("path", Arc::new(paths), false),
            (
                "partition",
                partitions(files).map_err(ReceiptError::Table)?,
                false,
            ),
            ("rows", whole(FileRecord::rows), false),
            ("bytes", whole(FileRecord::bytes), false),
            ("footer_bytes", numbers(FileRecord::footer_bytes), true),
            ("row_groups", numbers(FileRecord::row_groups), true),
            ("content_hash", Arc::new(hashes), true),
            ("columns", statistics(files), false),
            ("transaction", Arc::new(transactions), false),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).map_err(ReceiptError::Table)
    }
}

fn partitions(files: &[FileRecord]) -> Result<ArrayRef, arrow::error::ArrowError> {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for file in files {
        for (key, value) in file.partition().iter() {
            maps.keys().append_value(key);
            match value {
                PartitionValue::Null => maps.values().append_null(),
                value => maps.values().append_value(value.to_string()),
            }
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

/// The index of the first builder of [`statistics`].
const COLUMN: usize = 0;
const MIN: usize = 1;
const MAX: usize = 3;
const NULL_COUNT: usize = 5;

fn statistics(files: &[FileRecord]) -> ArrayRef {
    let fields: Fields = vec![
        Field::new("column", DataType::Utf8, false),
        Field::new("min", DataType::Utf8, true),
        Field::new("min_exact", DataType::Boolean, true),
        Field::new("max", DataType::Utf8, true),
        Field::new("max_exact", DataType::Boolean, true),
        Field::new("null_count", DataType::UInt64, true),
    ]
    .into();
    let item = Field::new("item", DataType::Struct(fields.clone()), true);
    let mut lists = ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(item);
    for file in files {
        for column in file.columns() {
            let columns = lists.values();
            if let Some(names) = columns.field_builder::<StringBuilder>(COLUMN) {
                names.append_value(&column.column);
            }
            append(columns, MIN, column.min.as_ref());
            append(columns, MAX, column.max.as_ref());
            if let Some(counts) = columns.field_builder::<UInt64Builder>(NULL_COUNT) {
                counts.append_option(column.null_count);
            }
            columns.append(true);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// Appends a bound, and after it whether it is exact.
fn append(columns: &mut StructBuilder, at: usize, bound: Option<&Bound>) {
    if let Some(texts) = columns.field_builder::<StringBuilder>(at) {
        texts.append_option(bound.map(|bound| text(&bound.value)));
    }
    if let Some(exact) = columns.field_builder::<BooleanBuilder>(at + 1) {
        exact.append_option(bound.map(|bound| bound.exact));
    }
}

fn text(value: &StatisticsValue) -> String {
    match value {
        StatisticsValue::Boolean(value) => value.to_string(),
        StatisticsValue::Int(value) => value.to_string(),
        StatisticsValue::UInt(value) => value.to_string(),
        StatisticsValue::Float(value) => format!("{value:?}"),
        StatisticsValue::Text(value) => value.to_string(),
    }
}
