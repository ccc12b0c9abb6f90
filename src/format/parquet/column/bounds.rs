//! The least and the greatest of values, as statistics and page indexes have them.
//!
//! What compares how is <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>,
//! `ColumnOrder`: a zero is the negative one as the least and the positive one as the greatest value. It lets a NaN be left
//! out of bounds; values with a NaN among them have none here, because readers for which a NaN is greater than all
//! numbers would pass over it (docs/encodings.md).

use std::cmp::Ordering;

use arrow::datatypes::{ArrowPrimitiveType, Float16Type};
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::schema::types::ColumnDescriptor;

use super::values::Slice;

type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Boolean,
    Signed,
    Unsigned,
    Float,
    HalfFloat,
    /// Integers of any length, the highest byte first.
    Decimal,
    /// Byte by byte.
    Bytes,
    /// Not at all, so that there are no bounds.
    None,
}

/// The least and the greatest value in the encoding PLAIN, byte strings without their length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: Vec<u8>,
    pub(super) most: Vec<u8>,
}

impl Order {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        let is_unsigned = match column.logical_type_ref() {
            Some(LogicalType::Integer(integer)) => !integer.is_signed,
            _ => matches!(
                column.converted_type(),
                ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            ),
        };
        match column.physical_type() {
            Type::BOOLEAN => Order::Boolean,
            Type::INT32 | Type::INT64 if is_unsigned => Order::Unsigned,
            Type::INT32 | Type::INT64 => Order::Signed,
            Type::INT96 => Order::None,
            Type::FLOAT | Type::DOUBLE => Order::Float,
            Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => {
                match (column.logical_type_ref(), column.converted_type()) {
                    (Some(LogicalType::Decimal(_)), _) | (_, ConvertedType::DECIMAL) => {
                        Order::Decimal
                    }
                    (Some(LogicalType::Float16), _) => Order::HalfFloat,
                    _ => Order::Bytes,
                }
            }
        }
    }

    /// The bounds of values, if there are any and each can be in bounds.
    pub(super) fn bounds(self, values: Slice<'_>) -> Option<Bounds> {
        match (self, values) {
            (Order::Boolean, Slice::Booleans(values)) => of_integers(values, |value| [value]),
            (Order::Signed, Slice::Four(values)) => of_integers(values, i32::to_le_bytes),
            (Order::Signed, Slice::Eight(values)) => of_integers(values, i64::to_le_bytes),
            (Order::Unsigned, Slice::Four(values)) => {
                let values: Vec<u32> = values.iter().map(|value| value.cast_unsigned()).collect();
                of_integers(&values, u32::to_le_bytes)
            }
            (Order::Unsigned, Slice::Eight(values)) => {
                let values: Vec<u64> = values.iter().map(|value| value.cast_unsigned()).collect();
                of_integers(&values, u64::to_le_bytes)
            }
            (Order::Float, Slice::Four(values)) => {
                let bits = values.iter().map(|bits| bits.cast_unsigned());
                let floats: Vec<f32> = bits.map(f32::from_bits).collect();
                of_floats(&floats, f32::is_nan, (-0.0, 0.0), f32::to_le_bytes)
            }
            (Order::Float, Slice::Eight(values)) => {
                let bits = values.iter().map(|bits| bits.cast_unsigned());
                let floats: Vec<f64> = bits.map(f64::from_bits).collect();
                of_floats(&floats, f64::is_nan, (-0.0, 0.0), f64::to_le_bytes)
            }
            (Order::HalfFloat, Slice::Fixed { width: 2, bytes }) => {
                let floats: Vec<F16> = bytes.chunks_exact(2).map(half).collect();
                let zeros = (F16::NEG_ZERO, F16::ZERO);
                of_floats(&floats, F16::is_nan, zeros, F16::to_le_bytes)
            }
            (Order::Decimal | Order::Bytes, Slice::Fixed { width, bytes }) if width > 0 => {
                self.of_strings(bytes.chunks_exact(width))
            }
            (Order::Decimal | Order::Bytes, Slice::Bytes(values)) => self.of_strings(values.iter()),
            _ => None,
        }
    }

    fn of_strings<'a>(self, mut values: impl Iterator<Item = &'a [u8]>) -> Option<Bounds> {
        let first = values.next()?;
        let (mut least, mut most) = (first, first);
        for value in values {
            if self.compare_strings(value, least) == Ordering::Less {
                least = value;
            } else if self.compare_strings(value, most) == Ordering::Greater {
                most = value;
            }
        }
        Some(Bounds {
            least: least.to_vec(),
            most: most.to_vec(),
        })
    }

    fn compare_strings(self, one: &[u8], other: &[u8]) -> Ordering {
        match self {
            Order::Decimal => compare_decimals(one, other),
            _ => one.cmp(other),
        }
    }

    /// Compares two values in the encoding PLAIN, none of which is a NaN.
    pub(super) fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        match self {
            Order::Boolean | Order::Bytes | Order::None => one.cmp(other),
            Order::Unsigned => one.iter().rev().cmp(other.iter().rev()),
            Order::Decimal => compare_decimals(one, other),
            Order::Signed => {
                let high = |value: &[u8]| value.last().map(|byte| byte.cast_signed());
                high(one)
                    .cmp(&high(other))
                    .then_with(|| one.iter().rev().cmp(other.iter().rev()))
            }
            Order::HalfFloat => ordering(half(one).partial_cmp(&half(other))),
            Order::Float => match (one, other) {
                ([a, b, c, d], [e, f, g, h]) => {
                    let one = f32::from_le_bytes([*a, *b, *c, *d]);
                    ordering(one.partial_cmp(&f32::from_le_bytes([*e, *f, *g, *h])))
                }
                _ => ordering(double(one).partial_cmp(&double(other))),
            },
        }
    }
}

impl Bounds {
    /// Widens the bounds to hold others.
    pub(super) fn widen(&mut self, other: &Bounds, order: Order) {
        if order.compare(&other.least, &self.least) == Ordering::Less {
            self.least.clone_from(&other.least);
        }
        if order.compare(&other.most, &self.most) == Ordering::Greater {
            self.most.clone_from(&other.most);
        }
    }
}

fn ordering(compared: Option<Ordering>) -> Ordering {
    compared.unwrap_or(Ordering::Equal)
}

fn half(bytes: &[u8]) -> F16 {
    match bytes {
        [low, high, ..] => F16::from_le_bytes([*low, *high]),
        _ => F16::NAN,
    }
}

fn double(bytes: &[u8]) -> f64 {
    bytes
        .first_chunk()
        .map_or(f64::NAN, |bytes| f64::from_le_bytes(*bytes))
}

/// How many values are compared side by side.
const LANES: usize = 8;

/// The least and the greatest of values, as the operator `<` has it, or the first one where nothing is less or greater.
fn extremes<T: Copy + PartialOrd>(first: T, values: &[T]) -> (T, T) {
    let less = |one: T, other: T| if one < other { one } else { other };
    let greater = |one: T, other: T| if one > other { one } else { other };
    let (mut least, mut most) = ([first; LANES], [first; LANES]);
    let mut blocks = values.chunks_exact(LANES);
    for block in &mut blocks {
        for lane in 0..LANES {
            least[lane] = less(block[lane], least[lane]);
            most[lane] = greater(block[lane], most[lane]);
        }
    }
    let rest = blocks.remainder();
    (
        least
            .iter()
            .chain(rest)
            .copied()
            .fold(first, |all, value| less(value, all)),
        most.iter()
            .chain(rest)
            .copied()
            .fold(first, |all, value| greater(value, all)),
    )
}

fn of_integers<T: Copy + Ord, const WIDTH: usize>(
    values: &[T],
    bytes: impl Fn(T) -> [u8; WIDTH],
) -> Option<Bounds> {
    let (least, most) = extremes(*values.first()?, values);
    Some(Bounds {
        least: bytes(least).to_vec(),
        most: bytes(most).to_vec(),
    })
}

/// The bounds of floats, if no NaN is among them. A zero is the negative one as the least and the positive one as the greatest.
fn of_floats<T: Copy + PartialOrd, const WIDTH: usize>(
    values: &[T],
    is_nan: impl Fn(T) -> bool,
    (negative_zero, zero): (T, T),
    bytes: impl Fn(T) -> [u8; WIDTH],
) -> Option<Bounds> {
    if values.iter().any(|value| is_nan(*value)) {
        return None;
    }
    let (least, most) = extremes(*values.first()?, values);
    let or_zero = |value: T, zero: T| if value == zero { zero } else { value };
    Some(Bounds {
        least: bytes(or_zero(least, negative_zero)).to_vec(),
        most: bytes(or_zero(most, zero)).to_vec(),
    })
}

/// Compares integers of any length, the highest byte first.
fn compare_decimals(one: &[u8], other: &[u8]) -> Ordering {
    let sign = |value: &[u8]| value.first().is_some_and(|byte| *byte >= 0x80);
    match (sign(one), sign(other)) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        _ => {}
    }
    let filling = if sign(one) { 0xff } else { 0 };
    let length = one.len().max(other.len());
    let whole = |value: &[u8]| {
        let missing = std::iter::repeat_n(filling, length - value.len());
        missing.chain(value.to_vec())
    };
    match one.len() == other.len() {
        true => one.cmp(other),
        false => whole(one).cmp(whole(other)),
    }
}

/// Cuts the least value off at `length` bytes, of text before a character; says whether it did.
pub(super) fn cut_least(value: &[u8], length: Option<usize>, is_text: bool) -> (Vec<u8>, bool) {
    match cut(value, length, is_text) {
        Some(cut) => (cut.to_vec(), true),
        None => (value.to_vec(), false),
    }
}

/// Cuts the greatest value off at `length` bytes, and makes what is left greater than the value; says whether it did,
/// which it does not where nothing of that length is greater.
pub(super) fn cut_most(value: &[u8], length: Option<usize>, is_text: bool) -> (Vec<u8>, bool) {
    let greater = cut(value, length, is_text).and_then(|cut| match std::str::from_utf8(cut) {
        Ok(text) if is_text && std::str::from_utf8(value).is_ok() => next_text(text),
        _ => next_bytes(cut),
    });
    match greater {
        Some(greater) => (greater, true),
        None => (value.to_vec(), false),
    }
}

fn cut(value: &[u8], length: Option<usize>, is_text: bool) -> Option<&[u8]> {
    let length = length.filter(|length| value.len() > *length)?;
    match std::str::from_utf8(value) {
        Ok(text) if is_text => {
            let end = (1..=length).rev().find(|end| text.is_char_boundary(*end))?;
            Some(&value[..end])
        }
        _ => Some(&value[..length]),
    }
}

/// The least byte string of no more bytes that is greater than all that begin as this one.
fn next_bytes(value: &[u8]) -> Option<Vec<u8>> {
    let mut next = value.to_vec();
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(next);
        }
    }
    None
}

/// A text of no more bytes that is greater than all that begin as this one: a last character is replaced by the next one
/// of the same length, and what follows it is left out.
fn next_text(text: &str) -> Option<Vec<u8>> {
    text.char_indices().rev().find_map(|(at, last)| {
        let next = char::from_u32(last as u32 + 1)?;
        let mut bytes = [0; 4];
        let next = next.encode_utf8(&mut bytes);
        (next.len() == last.len_utf8()).then(|| [&text.as_bytes()[..at], next.as_bytes()].concat())
    })
}
