//! The size of rows in memory, where it differs from row to row.

use std::ops::Range;

use arrow::array::{Array, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    BinaryType, BinaryViewType, ByteArrayType, ByteViewType, DataType, LargeBinaryType,
    LargeUtf8Type, StringViewType, Utf8Type,
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

/// The bytes of neighbouring rows of a column, but for offsets and for what stands below nulls.
///
/// Of dictionaries it is what the values would take in the place of the keys. Types that have no texts,
/// bytes, lists or structures and no width count as [`UNKNOWN`].
pub(crate) fn size_of_rows(array: &dyn Array, rows: Range<usize>) -> usize {
    match array.data_type() {
        DataType::Utf8 => size_of_strings::<Utf8Type>(array, rows),
        DataType::LargeUtf8 => size_of_strings::<LargeUtf8Type>(array, rows),
        DataType::Binary => size_of_strings::<BinaryType>(array, rows),
        DataType::LargeBinary => size_of_strings::<LargeBinaryType>(array, rows),
        DataType::Utf8View => size_of_views::<StringViewType>(array, rows),
        DataType::BinaryView => size_of_views::<BinaryViewType>(array, rows),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let size = |items| size_of_rows(lists.values(), items);
            size_of_present(array, rows, lists.offsets(), size)
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let size = |items| size_of_rows(lists.values(), items);
            size_of_present(array, rows, lists.offsets(), size)
        }
        DataType::Map(_, _) => {
            let maps = array.as_map();
            let size = |entries| size_of_rows(maps.entries(), entries);
            size_of_present(array, rows, maps.offsets(), size)
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

/// Whether neighbouring rows of a column take no more than so many [bytes](size_of_rows). Of dictionaries without a look at
/// each key where the longest value tells.
pub(crate) fn is_within(array: &dyn Array, rows: Range<usize>, bytes: usize) -> bool {
    let dictionary = array.as_any_dictionary_opt();
    let values = dictionary.map(|dictionary| dictionary.values());
    if let Some(values) = values.filter(|values| values.len() <= rows.len()) {
        let sizes = (0..values.len()).map(|value| size_of_rows(values, value..value + 1));
        if sizes.max().unwrap_or(0).saturating_mul(rows.len()) <= bytes {
            return true;
        }
    }
    size_of_rows(array, rows) <= bytes
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

/// The size of what is in ranges of another array, but for those of nulls: what stands below them may be left out on the way.
fn size_of_present<O: OffsetSizeTrait>(
    array: &dyn Array,
    rows: Range<usize>,
    offsets: &OffsetBuffer<O>,
    size: impl Fn(Range<usize>) -> usize,
) -> usize {
    let within = |rows: Range<usize>| offsets[rows.start].as_usize()..offsets[rows.end].as_usize();
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => size(within(rows)),
        Some(nulls) => {
            let nulls = nulls.slice(rows.start, rows.len());
            let present = nulls.valid_slices();
            let sizes =
                present.map(|(start, end)| size(within(rows.start + start..rows.start + end)));
            sizes.sum()
        }
    }
}

fn size_of_strings<T: ByteArrayType>(array: &dyn Array, rows: Range<usize>) -> usize {
    let offsets = array.as_bytes::<T>().offsets();
    size_of_present(array, rows, offsets, |bytes| bytes.len())
}

fn size_of_views<T: ByteViewType>(array: &dyn Array, rows: Range<usize>) -> usize {
    let views = array.as_byte_view::<T>().views();
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    // The length is the lowest part of a view.
    let sizes = rows.map(|row| match views[row] as u32 {
        length if length > INLINE && nulls.is_none_or(|nulls| nulls.is_valid(row)) => {
            VIEW + length as usize
        }
        _ => VIEW,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray, Int32Array,
        Int64Array, LargeBinaryArray, LargeListArray, LargeStringArray, ListArray, StringArray,
        StringViewArray, StructArray, make_array,
    };
    use arrow::buffer::NullBuffer;
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
    fn what_stands_below_a_null_takes_nothing() {
        let nulls = NullBuffer::from(vec![true, false, false, true]);
        for (column, sizes) in columns() {
            let data = column.to_data().into_builder().nulls(Some(nulls.clone()));
            let column = make_array(data.build().unwrap());
            let of_null = match column.data_type() {
                DataType::Utf8View | DataType::BinaryView => VIEW,
                // Its columns have their own nulls.
                DataType::Struct(_) => continue,
                _ => 0,
            };
            let expected = sizes[0] + 2 * of_null + sizes[3];
            assert_eq!(
                size_of_rows(&column, 0..4),
                expected,
                "{}",
                column.data_type()
            );
            assert_eq!(size_of_rows(&column.slice(1, 3), 0..2), 2 * of_null);
        }
    }

    #[test]
    fn the_longest_value_of_a_dictionary_says_that_rows_are_within_a_size() {
        let keys = Int32Array::from_iter((0..100).map(|row| (row % 9 > 0).then_some(row % 2)));
        let values = Arc::new(StringArray::from_iter_values(["", "four"]));
        let dictionary = DictionaryArray::new(keys, values);
        let size = size_of_rows(&dictionary, 0..100);
        assert!(size < 400);
        for (bytes, expected) in [(size - 1, false), (size, true), (400, true)] {
            assert_eq!(is_within(&dictionary, 0..100, bytes), expected, "{bytes}");
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
