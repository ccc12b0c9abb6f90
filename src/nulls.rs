//! Nulls where a schema has none, also within lists, structs and maps.
//!
//! Arrow arrays that other libraries hand over are not checked for them, and an encoder that trusts the schema
//! writes other values, or a file that readers cannot decode.

use arrow::array::{Array, ArrayRef, AsArray as _, OffsetSizeTrait};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};

use crate::nested::below;
use crate::refused::Refused;

/// The path of the first field that has a null and may have none, and the first row with such a null.
///
/// What lies below a null, or in no list, is of no account. The column's type is the field's, but for the names of
/// items.
pub(crate) fn forbidden_null(field: &Field, column: &ArrayRef) -> Option<(String, usize)> {
    let find = |column: &dyn Array| find(field.name().clone(), field, column, None);
    let mut path = find(column)?;
    // The first row is sought by halves.
    let (mut row, mut rows) = (0, column.len());
    while rows > 1 {
        let half = rows / 2;
        match find(&column.slice(row, half)) {
            Some(first) => (path, rows) = (first, half),
            None => (row, rows) = (row + half, rows - half),
        }
    }
    Some((find(&column.slice(row, rows)).unwrap_or(path), row))
}

/// Refuses the first null in columns of a schema that has none there.
///
/// # Errors
/// The column and the row of the null.
pub fn check_nulls(fields: &Fields, columns: &[ArrayRef]) -> Result<(), Refused> {
    let mut columns = fields.iter().zip(columns);
    columns.try_for_each(|(field, column)| match forbidden_null(field, column) {
        Some((path, row)) => {
            let reason = format!("it is null, and the schema has no nulls there: {FILL_NULLS}");
            Err(Refused::new(path, reason).in_row(row as u64))
        }
        None => Ok(()),
    })
}

/// What can be done about a null.
pub(crate) const FILL_NULLS: &str = "fill it, or make the column nullable in the schema";

fn find(
    path: String,
    field: &Field,
    array: &dyn Array,
    visible: Option<&NullBuffer>,
) -> Option<String> {
    let deeper = may_have(field, array);
    if field.is_nullable() && !deeper {
        return None;
    }
    // Of dictionaries and runs they are computed, and mostly for nothing.
    let nulls = array.logical_nulls();
    if !field.is_nullable() && nulls.as_ref().is_some_and(|nulls| has_one(nulls, visible)) {
        return Some(path);
    }
    if !deeper {
        return None;
    }
    let visible = NullBuffer::union(visible, nulls.as_ref());
    let is_visible = |at: usize| visible.as_ref().is_none_or(|visible| visible.is_valid(at));
    let within = |item: &Field, values: &dyn Array, ranges: Vec<(usize, usize)>| {
        let mut listed = vec![false; values.len()];
        for (at, (from, to)) in ranges.into_iter().enumerate() {
            if is_visible(at) {
                listed[from..to].fill(true);
            }
        }
        let path = below(&path, field.data_type(), item);
        find(path, item, values, Some(&NullBuffer::from(listed)))
    };
    match field.data_type() {
        DataType::Struct(fields) => {
            fields
                .iter()
                .zip(array.as_struct().columns())
                .find_map(|(field, column)| {
                    let path = format!("{path}.{}", field.name());
                    find(path, field, column, visible.as_ref())
                })
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            within(item, list.values(), ranges(list.offsets()))
        }
        DataType::LargeList(item) => {
            let list = array.as_list::<i64>();
            within(item, list.values(), ranges(list.offsets()))
        }
        DataType::ListView(item) => {
            let list = array.as_list_view::<i32>();
            within(item, list.values(), views(list.offsets(), list.sizes()))
        }
        DataType::LargeListView(item) => {
            let list = array.as_list_view::<i64>();
            within(item, list.values(), views(list.offsets(), list.sizes()))
        }
        DataType::FixedSizeList(item, _) => {
            let list = array.as_fixed_size_list();
            let size = list.value_length() as usize;
            let ranges = (0..list.len()).map(|at| (at * size, (at + 1) * size));
            within(item, list.values(), ranges.collect())
        }
        DataType::Map(entries, _) => {
            let map = array.as_map();
            within(entries, map.entries(), ranges(map.offsets()))
        }
        _ => None,
    }
}

/// Whether there is a null that no outer null hides.
fn has_one(nulls: &NullBuffer, visible: Option<&NullBuffer>) -> bool {
    match visible {
        None => nulls.null_count() > 0,
        Some(visible) => (&!nulls.inner() & visible.inner()).count_set_bits() > 0,
    }
}

/// Whether an array within this one has nulls though its field is not nullable, hidden or not.
fn may_have(field: &Field, array: &dyn Array) -> bool {
    let has = |field: &FieldRef, array: &dyn Array| {
        !field.is_nullable() && array.logical_null_count() > 0 || may_have(field, array)
    };
    match field.data_type() {
        DataType::Struct(fields) => {
            let mut members = fields.iter().zip(array.as_struct().columns());
            members.any(|(field, column)| has(field, column))
        }
        DataType::List(item) => has(item, array.as_list::<i32>().values()),
        DataType::LargeList(item) => has(item, array.as_list::<i64>().values()),
        DataType::ListView(item) => has(item, array.as_list_view::<i32>().values()),
        DataType::LargeListView(item) => has(item, array.as_list_view::<i64>().values()),
        DataType::FixedSizeList(item, _) => has(item, array.as_fixed_size_list().values()),
        DataType::Map(entries, _) => has(entries, array.as_map().entries()),
        _ => false,
    }
}

/// Where each list begins and ends.
fn ranges<O: OffsetSizeTrait>(offsets: &[O]) -> Vec<(usize, usize)> {
    let pairs = offsets.windows(2);
    pairs
        .map(|pair| (pair[0].as_usize(), pair[1].as_usize()))
        .collect()
}

fn views<O: OffsetSizeTrait>(offsets: &[O], sizes: &[O]) -> Vec<(usize, usize)> {
    let views = offsets.iter().zip(sizes);
    views
        .map(|(offset, size)| (offset.as_usize(), offset.as_usize() + size.as_usize()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow::array::{
        FixedSizeListArray, Int32Array, ListArray, ListViewArray, MapArray, StructArray,
    };
    use arrow::buffer::{OffsetBuffer, ScalarBuffer};

    fn number(nullable: bool) -> FieldRef {
        Arc::new(Field::new("n", DataType::Int32, nullable))
    }

    fn numbers(values: &[Option<i32>]) -> ArrayRef {
        Arc::new(Int32Array::from(values.to_vec()))
    }

    /// What is said of a column whose nulls are in order, if the innermost field may have none.
    fn required(column: ArrayRef) -> Option<(String, usize)> {
        fn with_required(data_type: &DataType) -> DataType {
            let inner = |field: &FieldRef| -> FieldRef {
                let data_type = with_required(field.data_type());
                let leaf = data_type == DataType::Int32;
                let nullable = field.is_nullable() && !leaf;
                Arc::new(Field::new(field.name(), data_type, nullable))
            };
            match data_type {
                DataType::List(item) => DataType::List(inner(item)),
                DataType::ListView(item) => DataType::ListView(inner(item)),
                DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item), *size),
                DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
                DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
                other => other.clone(),
            }
        }
        let optional = Field::new("c", column.data_type().clone(), true);
        assert_eq!(forbidden_null(&optional, &column), None);
        let field = Field::new("c", with_required(column.data_type()), true);
        forbidden_null(&field, &column)
    }

    #[test]
    fn a_column_of_its_own() {
        let column = numbers(&[Some(1), None]);
        let field = |nullable| Field::new("c", DataType::Int32, nullable);
        assert_eq!(forbidden_null(&field(true), &column), None);
        let found = forbidden_null(&field(false), &column).unwrap();
        assert_eq!(found, ("c".to_owned(), 1));
        assert_eq!(forbidden_null(&field(false), &numbers(&[Some(1)])), None);
    }

    #[test]
    fn members_of_structs_but_not_of_those_that_are_null() {
        let of = |nulls: Option<Vec<bool>>| -> ArrayRef {
            let fields = Fields::from(vec![number(true)]);
            let columns = vec![numbers(&[Some(1), None])];
            Arc::new(StructArray::new(
                fields,
                columns,
                nulls.map(NullBuffer::from),
            ))
        };
        assert_eq!(required(of(None)).unwrap(), ("c.n".to_owned(), 1));
        assert_eq!(required(of(Some(vec![true, true]))).unwrap().0, "c.n");
        assert_eq!(required(of(Some(vec![true, false]))), None);
    }

    #[test]
    fn items_of_lists_but_not_those_in_no_list() {
        let values = numbers(&[None, Some(1), Some(2), None]);
        let list = |offsets: Vec<i32>, nulls: Option<Vec<bool>>| -> ArrayRef {
            let offsets = OffsetBuffer::new(offsets.into());
            let nulls = nulls.map(NullBuffer::from);
            Arc::new(ListArray::new(
                number(true),
                offsets,
                Arc::clone(&values),
                nulls,
            ))
        };
        assert_eq!(required(list(vec![1, 2, 3], None)), None);
        assert_eq!(
            required(list(vec![1, 2, 4], None)).unwrap(),
            ("c[]".to_owned(), 1)
        );
        assert_eq!(required(list(vec![1, 3, 4], Some(vec![true, false]))), None);
        // A slice has the values of the whole.
        let whole = list(vec![0, 1, 3, 4], None);
        assert_eq!(required(whole.slice(1, 1)), None);
        assert_eq!(required(whole.slice(1, 2)).unwrap(), ("c[]".to_owned(), 1));
        let view = |offset: i32, size: i32| -> ArrayRef {
            let (offsets, sizes) = (vec![offset].into(), ScalarBuffer::from(vec![size]));
            let values = Arc::clone(&values);
            Arc::new(ListViewArray::new(
                number(true),
                offsets,
                sizes,
                values,
                None,
            ))
        };
        assert_eq!(required(view(1, 2)), None);
        assert_eq!(required(view(2, 2)).unwrap().0, "c[]");
        let fixed = |nulls: Option<Vec<bool>>| -> ArrayRef {
            let (item, nulls) = (number(true), nulls.map(NullBuffer::from));
            Arc::new(FixedSizeListArray::new(item, 2, Arc::clone(&values), nulls))
        };
        assert_eq!(required(fixed(None)).unwrap(), ("c[]".to_owned(), 0));
        assert_eq!(required(fixed(Some(vec![false, false]))), None);
        assert_eq!(required(fixed(None).slice(1, 1)).unwrap().0, "c[]");
    }

    #[test]
    fn values_of_maps_and_what_lies_deeper() {
        let map = |offsets: Vec<i32>| -> ArrayRef {
            let fields = Fields::from(vec![
                Field::new("key", DataType::Int64, false),
                Field::new("value", DataType::Int32, true),
            ]);
            let keys: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2]));
            let entries = StructArray::new(fields, vec![keys, numbers(&[Some(1), None])], None);
            let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(MapArray::new(field, offsets, entries, None, false))
        };
        assert_eq!(required(map(vec![0, 1])), None);
        assert_eq!(required(map(vec![0, 2])).unwrap().0, "c.value");
        let item = Arc::new(Field::new("m", map(vec![0, 2]).data_type().clone(), true));
        let list = |to| -> ArrayRef {
            let (offsets, maps) = (OffsetBuffer::new(vec![0, to].into()), map(vec![0, 1, 2]));
            Arc::new(ListArray::new(Arc::clone(&item), offsets, maps, None))
        };
        assert_eq!(required(list(1)), None);
        assert_eq!(required(list(2)).unwrap().0, "c[].value");
    }
}
