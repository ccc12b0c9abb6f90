//! Whether an input's columns are those of the first input, and giving its batches that schema.
//!
//! Owns what "the same schema" means here: the same names in the same order, the same types, and
//! nulls only where the first input allows them; metadata may differ. It converts no values.

use std::path::Path;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use super::InputError;

/// Compares the columns of an input with those of the first.
///
/// # Errors
/// The first difference, with the input and the column.
pub(super) fn check(path: &Path, first: &Schema, found: &Schema) -> Result<(), InputError> {
    let disagree = |column: &str, difference: String| {
        Err(InputError::Disagree {
            path: path.to_owned(),
            column: column.to_owned(),
            difference,
        })
    };
    for (index, expected) in first.fields().iter().enumerate() {
        let name = expected.name();
        let Some((at, field)) = found.column_with_name(name) else {
            return disagree(name, "is missing; the first input has it".to_owned());
        };
        if !field.data_type().equals_datatype(expected.data_type()) {
            let (is, was) = (field.data_type(), expected.data_type());
            return disagree(name, format!("is {is}, but {was} in the first input"));
        }
        if field.is_nullable() && !expected.is_nullable() {
            return disagree(name, "may be null, but not in the first input".to_owned());
        }
        if at != index {
            let (is, was) = (at + 1, index + 1);
            return disagree(
                name,
                format!("stands at place {is}, but {was} in the first input"),
            );
        }
    }
    match found.fields().get(first.fields().len()) {
        Some(extra) => disagree(extra.name(), "is not in the first input".to_owned()),
        None => Ok(()),
    }
}

/// Gives a batch of a checked input the first input's schema.
///
/// # Errors
/// None for a batch whose schema `check` has let through.
pub(super) fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column.clone())
            } else {
                // Types equal but for nested metadata or a list item's name.
                cast(column, field.data_type())
            }
        })
        .collect::<Result<_, _>>()?;
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, Int64Array, ListArray};
    use arrow::datatypes::{DataType, Field, Int64Type};

    use super::*;

    fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
        let fields = fields
            .iter()
            .map(|(n, t, null)| Field::new(*n, t.clone(), *null));
        Schema::new(fields.collect::<Vec<_>>())
    }

    #[test]
    fn each_difference_is_named() {
        use DataType::{Int64, Utf8};
        let first = schema(&[("a", Int64, false), ("b", Utf8, true)]);
        let found = [
            (
                schema(&[("a", Int64, false)]),
                "f: column `b` is missing; the first input has it",
            ),
            (
                schema(&[("a", Int64, false), ("b", Int64, true)]),
                "f: column `b` is Int64, but Utf8 in the first input",
            ),
            (
                schema(&[("a", Int64, true), ("b", Utf8, true)]),
                "f: column `a` may be null, but not in the first input",
            ),
            (
                schema(&[("b", Utf8, true), ("a", Int64, false)]),
                "f: column `a` stands at place 2, but 1 in the first input",
            ),
            (
                schema(&[("a", Int64, false), ("b", Utf8, true), ("c", Utf8, true)]),
                "f: column `c` is not in the first input",
            ),
        ];
        for (found, message) in found {
            let error = check(Path::new("f"), &first, &found).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let stricter = schema(&[("a", Int64, false), ("b", Utf8, false)]);
        check(Path::new("f"), &first, &stricter).unwrap();
    }

    #[test]
    fn metadata_may_differ_and_becomes_that_of_the_first() {
        let list = |item: Field| DataType::List(Arc::new(item));
        let plain = Field::new("item", DataType::Int64, true);
        let marked = plain
            .clone()
            .with_metadata([("id".into(), "1".into())].into());
        let first = Arc::new(
            schema(&[("a", DataType::Int64, true), ("b", list(plain), true)])
                .with_metadata([("made".into(), "first".into())].into()),
        );
        let second = Arc::new(schema(&[
            ("a", DataType::Int64, true),
            ("b", list(marked.clone()), true),
        ]));
        check(Path::new("f"), &first, &second).unwrap();

        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)]), None]);
        let (_, offsets, values, nulls) = lists.into_parts();
        let lists = ListArray::new(Arc::new(marked), offsets, values, nulls);
        let numbers = Int64Array::from(vec![1, 2]);
        let batch = RecordBatch::try_new(second, vec![Arc::new(numbers), Arc::new(lists)]).unwrap();
        let batch = conform(batch, &first).unwrap();
        assert_eq!(batch.schema(), first);
        assert_eq!(batch.column(1).null_count(), 1);
    }
}
