//! The values of each leaf column of a field.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Fields};
use arrow::error::ArrowError;

use super::values::{Values, for_present};
use crate::nested::inner_fields;

/// Adds what an array has that is not null to the values of its leaf columns. Values that are not known how to add
/// make their leaf's `None`.
///
/// What stands below a null is no value, whatever it is.
///
/// # Errors
/// The values of a dictionary take more than an array can have.
pub(super) fn append(array: &ArrayRef, leaves: &mut [Option<Values>]) -> Result<(), ArrowError> {
    let lists = |ranges: &dyn Fn(usize, usize) -> (usize, usize),
                 items: &ArrayRef,
                 leaves: &mut [Option<Values>]| {
        for_present(array, |rows| {
            let (start, end) = ranges(rows.start, rows.end);
            append(&items.slice(start, end - start), leaves)
        })
    };
    match array.data_type() {
        DataType::List(_) => {
            let array = array.as_list::<i32>();
            let offsets = array.offsets();
            let range = |start: usize, end: usize| (offsets[start] as usize, offsets[end] as usize);
            lists(&range, array.values(), leaves)
        }
        DataType::LargeList(_) => {
            let array = array.as_list::<i64>();
            let offsets = array.offsets();
            let range = |start: usize, end: usize| (offsets[start] as usize, offsets[end] as usize);
            lists(&range, array.values(), leaves)
        }
        DataType::Map(_, _) => {
            let array = array.as_map();
            let offsets = array.offsets();
            let range = |start: usize, end: usize| (offsets[start] as usize, offsets[end] as usize);
            let entries: ArrayRef = Arc::new(array.entries().clone());
            lists(&range, &entries, leaves)
        }
        DataType::FixedSizeList(_, length) => {
            let array = array.as_fixed_size_list();
            let length = *length as usize;
            let range = |start: usize, end: usize| (start * length, end * length);
            lists(&range, array.values(), leaves)
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            let counts = columns
                .iter()
                .map(|column| leaf_types(column.data_type()).len());
            let counts: Vec<usize> = counts.collect();
            for_present(array, |rows| {
                let mut rest = &mut *leaves;
                for (column, count) in columns.iter().zip(&counts) {
                    let (of_column, after) = rest.split_at_mut((*count).min(rest.len()));
                    append(&column.slice(rows.start, rows.len()), of_column)?;
                    rest = after;
                }
                Ok(())
            })
        }
        _ => {
            let is_known = match leaves.first_mut() {
                Some(Some(values)) => values.append(array)?,
                Some(None) | None => true,
            };
            if !is_known {
                leaves.fill_with(|| None);
            }
            Ok(())
        }
    }
}

/// Whether each leaf column of some fields is a dictionary.
pub(super) fn are_dictionaries(fields: &Fields) -> Vec<bool> {
    let leaves = fields
        .iter()
        .flat_map(|field| leaf_types(field.data_type()));
    leaves
        .map(|leaf| matches!(leaf, DataType::Dictionary(_, _)))
        .collect()
}

/// The types of the leaf columns of a type.
fn leaf_types(data_type: &DataType) -> Vec<&DataType> {
    let inner = inner_fields(data_type);
    match inner.is_empty() && !matches!(data_type, DataType::Struct(_)) {
        true => vec![data_type],
        false => inner
            .into_iter()
            .flat_map(|field| leaf_types(field.data_type()))
            .collect(),
    }
}
