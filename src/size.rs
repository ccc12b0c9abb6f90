//! The size of rows in memory, where it differs from row to row.

use std::ops::Range;

use arrow::array::{Array, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    BinaryType, BinaryViewType, ByteViewType, DataType, LargeBinaryType, LargeUtf8Type,
    StringViewType, Utf8Type,
};

/// The longest value that a view holds in itself.
const INLINE: u32 = 12;
const VIEW: usize = 16;
/// The size that is assumed for a boolean, and for a value of an unknown type.
const UNKNOWN: usize = 1;

/// Whether rows of the type differ in size, so that [`size_of_rows`] tells more than an average.
pub(crate) fn varies(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::Map(_, _) => true,
        DataType::FixedSizeList(item, _) => varies(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| varies(field.data_type())),
        _ => false,
    }
}

/// The bytes of neighbouring rows of a column, but for nulls and offsets.
///
/// Of dictionaries it is what the values would take in the place of the keys. Types that have no texts,
/// bytes, lists or structures and no width count as [`UNKNOWN`].
pub(crate) fn size_of_rows(array: &dyn Array, rows: Range<usize>) -> usize {
    match array.data_type() {
        DataType::Utf8 => within(array.as_bytes::<Utf8Type>().offsets(), &rows).len(),
        DataType::LargeUtf8 => within(array.as_bytes::<LargeUtf8Type>().offsets(), &rows).len(),
        DataType::Binary => within(array.as_bytes::<BinaryType>().offsets(), &rows).len(),
        DataType::LargeBinary => within(array.as_bytes::<LargeBinaryType>().offsets(), &rows).len(),
        DataType::Utf8View => size_of_views::<StringViewType>(array, rows),
        DataType::BinaryView => size_of_views::<BinaryViewType>(array, rows),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            size_of_rows(lists.values(), within(lists.offsets(), &rows))
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            size_of_rows(lists.values(), within(lists.offsets(), &rows))
        }
        DataType::Map(_, _) => {
            let maps = array.as_map();
            size_of_rows(maps.entries(), within(maps.offsets(), &rows))
        }
        DataType::FixedSizeList(_, length) => {
            let items = *length as usize;
            let lists = array.as_fixed_size_list();
            size_of_rows(lists.values(), rows.start * items..rows.end * items)
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns
                .map(|column| size_of_rows(column, rows.clone()))
                .sum()
        }
        DataType::Dictionary(_, _) => size_of_keys(&array.slice(rows.start, rows.len())),
        DataType::FixedSizeBinary(width) => *width as usize * rows.len(),
        other => other.primitive_width().unwrap_or(UNKNOWN) * rows.len(),
    }
}

/// The memory that the values of dictionary columns would take in the place of their keys.
pub(crate) fn size_of_dictionaries(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let dictionaries = columns.filter(|column| column.as_any_dictionary_opt().is_some());
    dictionaries
        .map(|column| size_of_rows(column, 0..column.len()))
        .sum()
}

fn size_of_keys(array: &dyn Array) -> usize {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if values.is_empty() {
        return 0;
    }
    let size = |key: usize| match values.is_valid(key) {
        true => size_of_rows(values, key..key + 1),
        false => 0,
    };
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let keys = dictionary.normalized_keys().into_iter().enumerate();
    let keys = keys.filter(|(row, _)| nulls.is_none_or(|nulls| nulls.is_valid(*row)));
    if values.len() > array.len() {
        return keys.map(|(_, key)| size(key)).sum();
    }
    let sizes: Vec<usize> = (0..values.len()).map(size).collect();
    keys.map(|(_, key)| sizes[key]).sum()
}

fn within<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, rows: &Range<usize>) -> Range<usize> {
    offsets[rows.start].as_usize()..offsets[rows.end].as_usize()
}

fn size_of_views<T: ByteViewType>(array: &dyn Array, rows: Range<usize>) -> usize {
    let views = &array.as_byte_view::<T>().views()[rows];
    // The length is the lowest part of a view.
    let sizes = views.iter().map(|view| match *view as u32 {
        length if length > INLINE => VIEW + length as usize,
        _ => VIEW,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Int64Array, LargeBinaryArray,
        LargeListArray, LargeStringArray, ListArray, StringArray, StringViewArray, StructArray,
    };
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    const TEXTS: [&str; 4] = ["", "short", "a text of thirty-one characters", "x"];

    fn lists() -> [Option<Vec<Option<i32>>>; 4] {
        [
            Some(vec![]),
            None,
            Some(vec![Some(1); 100]),
            Some(vec![None, Some(2)]),
        ]
    }

    /// Columns of four rows, with the size of each.
    fn columns() -> Vec<(ArrayRef, [usize; 4])> {
        let texts = TEXTS.map(str::len);
        let views = [16, 16, 47, 16];
        let pair = StructArray::from(vec![
            (
                Arc::new(Field::new("text", DataType::Utf8, false)),
                Arc::new(StringArray::from_iter_values(TEXTS)) as ArrayRef,
            ),
            (
                Arc::new(Field::new("number", DataType::Int64, false)),
                Arc::new(Int64Array::from_iter_values(0..4)) as ArrayRef,
            ),
        ]);
        vec![
            (Arc::new(StringArray::from_iter_values(TEXTS)), texts),
            (Arc::new(LargeStringArray::from_iter_values(TEXTS)), texts),
            (Arc::new(BinaryArray::from_iter_values(TEXTS)), texts),
            (Arc::new(LargeBinaryArray::from_iter_values(TEXTS)), texts),
            (Arc::new(StringViewArray::from_iter_values(TEXTS)), views),
            (Arc::new(BinaryViewArray::from_iter_values(TEXTS)), views),
            (
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists())),
                [0, 0, 400, 8],
            ),
            (
                Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(
                    lists(),
                )),
                [0, 0, 400, 8],
            ),
            (Arc::new(pair), texts.map(|text| text + 8)),
        ]
    }

    #[test]
    fn rows_take_what_is_in_them() {
        for (column, sizes) in columns() {
            assert!(varies(column.data_type()), "{}", column.data_type());
            for start in 0..4 {
                for end in start..=4 {
                    let expected: usize = sizes[start..end].iter().sum();
                    let kind = column.data_type();
                    assert_eq!(size_of_rows(&column, start..end), expected, "{kind}");
                    let slice = column.slice(start, end - start);
                    assert_eq!(
                        size_of_rows(&slice, 0..end - start),
                        expected,
                        "{kind}, sliced"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_of_one_size_take_that() {
        let numbers = Int64Array::from_iter_values(0..4);
        assert_eq!(size_of_rows(&numbers, 1..3), 16);
        assert!(!varies(numbers.data_type()));
        assert!(!varies(BooleanArray::from(vec![true]).data_type()));
    }
}
