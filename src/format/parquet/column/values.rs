//! The values of a column in Parquet's physical form, one after another, nulls left out.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeBinaryArray, GenericByteArray,
    GenericByteViewArray, PrimitiveArray,
};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowNativeType, ByteArrayType, ByteViewType, DataType, Date32Type, Date64Type, Decimal32Type,
    Decimal64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use parquet::basic::Type;
use parquet::schema::types::ColumnDescriptor;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Values of one physical type.
///
/// Floats are here by their bits, so that every NaN and both zeros stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// Booleans, one a byte: 0 or 1.
    Booleans(Vec<u8>),
    /// 32-bit integers, or the bits of floats.
    Four(Vec<i32>),
    /// 64-bit integers, or the bits of doubles.
    Eight(Vec<i64>),
    /// Byte strings of one length.
    Fixed {
        /// Their length.
        width: usize,
        /// All of them.
        bytes: Vec<u8>,
    },
    /// Byte strings of any length.
    Bytes(ByteStrings),
}

/// Byte strings, one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ByteStrings {
    /// Where each ends.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// Some of the values of a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slice<'a> {
    Booleans(&'a [u8]),
    Four(&'a [i32]),
    Eight(&'a [i64]),
    Fixed { width: usize, bytes: &'a [u8] },
    Bytes(ByteSlice<'a>),
}

/// Some byte strings.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByteSlice<'a> {
    /// Where the first begins.
    start: usize,
    ends: &'a [usize],
    bytes: &'a [u8],
}

impl ByteStrings {
    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn remove_first(&mut self, count: usize) {
        let start = self.slice(0..count).content().len();
        self.bytes.drain(..start);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= start);
    }

    pub(super) fn get(&self, number: usize) -> &[u8] {
        let slice = self.slice(number..number + 1);
        slice.content()
    }

    pub(super) fn slice(&self, range: Range<usize>) -> ByteSlice<'_> {
        let start = match range.start {
            0 => 0,
            first => self.ends[first - 1],
        };
        ByteSlice {
            start,
            ends: &self.ends[range],
            bytes: &self.bytes,
        }
    }
}

impl<'a> ByteSlice<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let ByteSlice { start, ends, bytes } = *self;
        let starts = std::iter::once(start).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, end)| &bytes[start..*end])
    }

    pub(super) fn get(&self, number: usize) -> &'a [u8] {
        let start = match number {
            0 => self.start,
            number => self.ends[number - 1],
        };
        &self.bytes[start..self.ends[number]]
    }

    /// All of them without their lengths.
    pub(super) fn content(&self) -> &'a [u8] {
        let end = self.ends.last().copied().unwrap_or(self.start);
        &self.bytes[self.start..end]
    }
}

impl<'a> Slice<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Slice::Booleans(values) => values.len(),
            Slice::Four(values) => values.len(),
            Slice::Eight(values) => values.len(),
            Slice::Fixed { width: 0, .. } => 0,
            Slice::Fixed { width, bytes } => bytes.len() / width,
            Slice::Bytes(values) => values.len(),
        }
    }

    /// The first of them.
    pub(super) fn first(&self, count: usize) -> Slice<'a> {
        match *self {
            Slice::Booleans(values) => Slice::Booleans(&values[..count]),
            Slice::Four(values) => Slice::Four(&values[..count]),
            Slice::Eight(values) => Slice::Eight(&values[..count]),
            Slice::Fixed { width, bytes } => Slice::Fixed {
                width,
                bytes: &bytes[..count * width],
            },
            Slice::Bytes(ByteSlice { start, ends, bytes }) => {
                let ends = &ends[..count];
                Slice::Bytes(ByteSlice { start, ends, bytes })
            }
        }
    }

    /// The length of the longest in the encoding PLAIN, a whole byte at least.
    pub(super) fn longest(&self) -> usize {
        match self {
            Slice::Booleans(_) => 1,
            Slice::Four(_) => 4,
            Slice::Eight(_) => 8,
            Slice::Fixed { width, .. } => *width,
            Slice::Bytes(values) => 4 + values.iter().map(<[u8]>::len).max().unwrap_or(0),
        }
    }

    /// The length of those of some numbers in the encoding PLAIN.
    pub(super) fn plain_len_of(&self, numbers: &[u32]) -> usize {
        match self {
            Slice::Bytes(values) => {
                let lengths = numbers
                    .iter()
                    .map(|number| 4 + values.get(*number as usize).len());
                lengths.sum()
            }
            Slice::Booleans(_) => numbers.len().div_ceil(8),
            Slice::Four(_) => numbers.len() * 4,
            Slice::Eight(_) => numbers.len() * 8,
            Slice::Fixed { width, .. } => numbers.len() * width,
        }
    }

    /// Their length in the encoding PLAIN.
    pub(super) fn plain_len(&self) -> usize {
        match self {
            Slice::Booleans(values) => values.len().div_ceil(8),
            Slice::Four(values) => size_of_val(*values),
            Slice::Eight(values) => size_of_val(*values),
            Slice::Fixed { bytes, .. } => bytes.len(),
            Slice::Bytes(values) => values.content().len() + 4 * values.len(),
        }
    }
}

impl Values {
    /// No values of the physical type of a column, or `None` where this module does not know the type.
    pub(super) fn of_column(column: &ColumnDescriptor) -> Option<Self> {
        Some(match column.physical_type() {
            Type::BOOLEAN => Values::Booleans(Vec::new()),
            Type::INT32 | Type::FLOAT => Values::Four(Vec::new()),
            Type::INT64 | Type::DOUBLE => Values::Eight(Vec::new()),
            Type::FIXED_LEN_BYTE_ARRAY => Values::Fixed {
                width: usize::try_from(column.type_length())
                    .ok()
                    .filter(|width| *width > 0)?,
                bytes: Vec::new(),
            },
            Type::BYTE_ARRAY => Values::Bytes(ByteStrings::default()),
            Type::INT96 => return None,
        })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Values::Booleans(values) => values.len(),
            Values::Four(values) => values.len(),
            Values::Eight(values) => values.len(),
            Values::Fixed { width, bytes } => bytes.len() / width,
            Values::Bytes(values) => values.ends.len(),
        }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> Slice<'_> {
        match self {
            Values::Booleans(values) => Slice::Booleans(&values[range]),
            Values::Four(values) => Slice::Four(&values[range]),
            Values::Eight(values) => Slice::Eight(&values[range]),
            Values::Fixed { width, bytes } => Slice::Fixed {
                width: *width,
                bytes: &bytes[range.start * width..range.end * width],
            },
            Values::Bytes(values) => Slice::Bytes(values.slice(range)),
        }
    }

    pub(super) fn all(&self) -> Slice<'_> {
        self.slice(0..self.len())
    }

    /// Adds the values of an array that are not null. Says `false`, and adds nothing, where its type is none that is
    /// stored as these.
    ///
    /// # Errors
    /// The values of a dictionary take more than an array can have.
    pub(super) fn append(&mut self, array: &ArrayRef) -> Result<bool, ArrowError> {
        let array = &resolved(array)?;
        Ok(match self {
            Values::Booleans(into) => append_booleans(array, into),
            Values::Four(into) => append_four(array, into),
            Values::Eight(into) => append_eight(array, into),
            Values::Fixed { width, bytes } => append_fixed(array, *width, bytes),
            Values::Bytes(into) => append_bytes(array, into),
        })
    }

    /// Adds the values that have these numbers among others of the same type.
    pub(super) fn append_numbered(
        &mut self,
        values: Slice<'_>,
        numbers: impl Iterator<Item = u32>,
    ) {
        match (self, values) {
            (Values::Booleans(into), Slice::Booleans(values)) => {
                into.extend(numbers.map(|number| values[number as usize]));
            }
            (Values::Four(into), Slice::Four(values)) => {
                into.extend(numbers.map(|number| values[number as usize]));
            }
            (Values::Eight(into), Slice::Eight(values)) => {
                into.extend(numbers.map(|number| values[number as usize]));
            }
            (Values::Fixed { bytes: into, .. }, Slice::Fixed { width, bytes }) => {
                for number in numbers {
                    let start = number as usize * width;
                    into.extend_from_slice(&bytes[start..start + width]);
                }
            }
            (Values::Bytes(into), Slice::Bytes(values)) => {
                numbers.for_each(|number| into.push(values.get(number as usize)));
            }
            _ => {}
        }
    }

    /// Leaves the first values out.
    pub(super) fn remove_first(&mut self, count: usize) {
        match self {
            Values::Booleans(values) => drop(values.drain(..count)),
            Values::Four(values) => drop(values.drain(..count)),
            Values::Eight(values) => drop(values.drain(..count)),
            Values::Fixed { width, bytes } => drop(bytes.drain(..count * *width)),
            Values::Bytes(values) => values.remove_first(count),
        }
    }
}

/// An array with the values of a dictionary in their places.
///
/// # Errors
/// They take more than an array can have.
pub(super) fn resolved(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None),
        None => Ok(Arc::clone(array)),
    }
}

/// Goes through the ranges of an array that have no nulls.
pub(super) fn for_present<E>(
    array: &dyn Array,
    mut each: impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => each(0..array.len()),
        Some(nulls) => nulls
            .valid_slices()
            .try_for_each(|(start, end)| each(start..end)),
    }
}

fn present(array: &dyn Array, mut each: impl FnMut(Range<usize>)) {
    let Ok(()) = for_present(array, |range| {
        each(range);
        Ok::<(), std::convert::Infallible>(())
    });
}

fn append_booleans(array: &dyn Array, into: &mut Vec<u8>) -> bool {
    let Some(array) = array.as_boolean_opt() else {
        return false;
    };
    let values = array.values();
    present(array, |range| {
        into.extend(range.map(|at| u8::from(values.value(at))));
    });
    true
}

/// Adds the values of a primitive array as other ones.
fn append_as<T: ArrowPrimitiveType, V>(
    array: &dyn Array,
    into: &mut Vec<V>,
    convert: impl Fn(T::Native) -> V,
) -> bool {
    let array: &PrimitiveArray<T> = array.as_primitive();
    let values = array.values();
    present(array, |range| {
        into.extend(values[range].iter().map(|value| convert(*value)));
    });
    true
}

/// Adds the values of a primitive array as they are.
fn append_same<T: ArrowPrimitiveType>(array: &dyn Array, into: &mut Vec<T::Native>) -> bool {
    let array: &PrimitiveArray<T> = array.as_primitive();
    let values = array.values();
    present(array, |range| into.extend_from_slice(&values[range]));
    true
}

/// Those of 32 bits; what parquet-rs stores of each type.
fn append_four(array: &dyn Array, into: &mut Vec<i32>) -> bool {
    match array.data_type() {
        DataType::Int8 => append_as::<Int8Type, _>(array, into, i32::from),
        DataType::Int16 => append_as::<Int16Type, _>(array, into, i32::from),
        DataType::Int32 => append_same::<Int32Type>(array, into),
        DataType::UInt8 => append_as::<UInt8Type, _>(array, into, i32::from),
        DataType::UInt16 => append_as::<UInt16Type, _>(array, into, i32::from),
        DataType::UInt32 => append_as::<UInt32Type, _>(array, into, u32::cast_signed),
        DataType::Float32 => {
            append_as::<Float32Type, _>(array, into, |value| value.to_bits().cast_signed())
        }
        DataType::Date32 => append_same::<Date32Type>(array, into),
        DataType::Date64 => append_as::<Date64Type, _>(array, into, |value| (value / DAY) as i32),
        DataType::Time32(TimeUnit::Second) => append_same::<Time32SecondType>(array, into),
        DataType::Time32(TimeUnit::Millisecond) => {
            append_same::<Time32MillisecondType>(array, into)
        }
        DataType::Decimal32(_, _) => append_same::<Decimal32Type>(array, into),
        DataType::Decimal64(_, _) => {
            append_as::<Decimal64Type, _>(array, into, |value| value as i32)
        }
        DataType::Decimal128(_, _) => {
            append_as::<Decimal128Type, _>(array, into, |value| value as i32)
        }
        DataType::Decimal256(_, _) => {
            append_as::<Decimal256Type, _>(array, into, |value| value.as_i128() as i32)
        }
        _ => false,
    }
}

/// Those of 64 bits.
fn append_eight(array: &dyn Array, into: &mut Vec<i64>) -> bool {
    match array.data_type() {
        DataType::Int64 => append_same::<Int64Type>(array, into),
        DataType::UInt64 => append_as::<UInt64Type, _>(array, into, u64::cast_signed),
        DataType::Float64 => {
            append_as::<Float64Type, _>(array, into, |value| value.to_bits().cast_signed())
        }
        DataType::Date64 => append_same::<Date64Type>(array, into),
        DataType::Time64(TimeUnit::Microsecond) => {
            append_same::<Time64MicrosecondType>(array, into)
        }
        DataType::Time64(TimeUnit::Nanosecond) => append_same::<Time64NanosecondType>(array, into),
        DataType::Timestamp(TimeUnit::Second, _) => append_same::<TimestampSecondType>(array, into),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            append_same::<TimestampMillisecondType>(array, into)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            append_same::<TimestampMicrosecondType>(array, into)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            append_same::<TimestampNanosecondType>(array, into)
        }
        DataType::Duration(TimeUnit::Second) => append_same::<DurationSecondType>(array, into),
        DataType::Duration(TimeUnit::Millisecond) => {
            append_same::<DurationMillisecondType>(array, into)
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            append_same::<DurationMicrosecondType>(array, into)
        }
        DataType::Duration(TimeUnit::Nanosecond) => {
            append_same::<DurationNanosecondType>(array, into)
        }
        DataType::Decimal64(_, _) => append_same::<Decimal64Type>(array, into),
        DataType::Decimal128(_, _) => {
            append_as::<Decimal128Type, _>(array, into, |value| value as i64)
        }
        DataType::Decimal256(_, _) => {
            append_as::<Decimal256Type, _>(array, into, |value| value.as_i128() as i64)
        }
        _ => false,
    }
}

/// Adds the bytes of each value of a primitive array.
fn append_each<T: ArrowPrimitiveType>(
    array: &dyn Array,
    into: &mut Vec<u8>,
    each: impl Fn(T::Native, &mut Vec<u8>),
) -> bool {
    let array: &PrimitiveArray<T> = array.as_primitive();
    present(array, |range| {
        for value in &array.values()[range] {
            each(*value, into);
        }
    });
    true
}

/// Byte strings of one length.
fn append_fixed(array: &dyn Array, width: usize, into: &mut Vec<u8>) -> bool {
    match array.data_type() {
        DataType::FixedSizeBinary(length) if length.as_usize() == width => {
            let array: &FixedSizeBinaryArray = array.as_fixed_size_binary();
            present(array, |range| {
                range.for_each(|at| into.extend_from_slice(array.value(at)));
            });
            true
        }
        DataType::Float16 if width == 2 => {
            append_each::<Float16Type>(array, into, |value, into| {
                into.extend_from_slice(&value.to_le_bytes());
            })
        }
        DataType::Decimal32(_, _) if width <= 4 => {
            append_each::<Decimal32Type>(array, into, |value, into| {
                into.extend_from_slice(&value.to_be_bytes()[4 - width..]);
            })
        }
        DataType::Decimal64(_, _) if width <= 8 => {
            append_each::<Decimal64Type>(array, into, |value, into| {
                into.extend_from_slice(&value.to_be_bytes()[8 - width..]);
            })
        }
        DataType::Decimal128(_, _) if width <= 16 => {
            append_each::<Decimal128Type>(array, into, |value, into| {
                into.extend_from_slice(&value.to_be_bytes()[16 - width..]);
            })
        }
        DataType::Decimal256(_, _) if width <= 32 => {
            append_each::<Decimal256Type>(array, into, |value, into| {
                into.extend_from_slice(&value.to_be_bytes()[32 - width..]);
            })
        }
        _ => false,
    }
}

/// Byte strings of any length.
fn append_bytes(array: &dyn Array, into: &mut ByteStrings) -> bool {
    match array.data_type() {
        DataType::Utf8 => append_strings(array.as_string::<i32>(), into),
        DataType::LargeUtf8 => append_strings(array.as_string::<i64>(), into),
        DataType::Binary => append_strings(array.as_binary::<i32>(), into),
        DataType::LargeBinary => append_strings(array.as_binary::<i64>(), into),
        DataType::Utf8View => append_views(array.as_string_view(), into),
        DataType::BinaryView => append_views(array.as_binary_view(), into),
        _ => return false,
    }
    true
}

fn append_strings<T: ByteArrayType>(array: &GenericByteArray<T>, into: &mut ByteStrings) {
    let offsets = array.value_offsets();
    present(array, |range| {
        let (first, last) = (
            offsets[range.start].as_usize(),
            offsets[range.end].as_usize(),
        );
        let moved = into.bytes.len();
        into.bytes
            .extend_from_slice(&array.value_data()[first..last]);
        let ends = offsets[range.start + 1..=range.end].iter();
        into.ends
            .extend(ends.map(|end| end.as_usize() - first + moved));
    });
}

fn append_views<T: ByteViewType>(array: &GenericByteViewArray<T>, into: &mut ByteStrings) {
    present(array, |range| {
        range.for_each(|at| into.push(AsRef::<[u8]>::as_ref(array.value(at))));
    });
}
