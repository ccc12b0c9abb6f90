//! Refuses values that are outside of their type, such as times beyond a day and decimals with too many digits
//! (promise P10).
//!
//! Decimals and times are integers in Arrow's arrays, which nobody checks on their way from one library to another. Of a
//! decimal of more digits than its type says readers see another one; a time of day before midnight or after a day
//! they wrap, make null or fail at.

use std::ops::RangeInclusive;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowNumericType, AsArray as _, OffsetSizeTrait,
    StructArray, make_array,
};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
};
use arrow::error::ArrowError;

use crate::convert::{DAY_MS, Problem, masked, reachable, row_of};
use crate::nested::inner_types;

/// Refuses the first value of a column, not hidden by a null, that is outside of its type.
///
/// # Errors
/// The value and its row in the column.
pub(crate) fn check(column: &ArrayRef) -> Result<(), Problem> {
    match may_have(column.data_type()) && is_within(column)? {
        // Perhaps only below nulls, or in no list.
        true => find(column),
        false => Ok(()),
    }
}

fn may_have(data_type: &DataType) -> bool {
    let is_kind = match data_type {
        DataType::Time32(_) | DataType::Time64(_) => true,
        other => other.is_decimal(),
    };
    is_kind || inner_types(data_type).into_iter().any(may_have)
}

/// Whether the array, or an array within it, has a value outside of its type, hidden by a null or not.
fn is_within(array: &ArrayRef) -> Result<bool, ArrowError> {
    let any = |arrays: &[ArrayRef]| {
        let mut arrays = arrays.iter().filter(|array| may_have(array.data_type()));
        arrays.try_fold(false, |found, array| Ok(found || is_within(array)?))
    };
    let listed =
        |values: &ArrayRef, from: usize, to: usize| is_within(&values.slice(from, to - from));
    fn ends<O: OffsetSizeTrait>(offsets: &[O]) -> (usize, usize) {
        let end = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
        (end(offsets.first()), end(offsets.last()))
    }
    match array.data_type() {
        DataType::Struct(_) => any(array.as_struct().columns()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (from, to) = ends(list.offsets());
            listed(list.values(), from, to)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let (from, to) = ends(list.offsets());
            listed(list.values(), from, to)
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (from, to) = ends(map.offsets());
            any(map.entries().slice(from, to - from).columns())
        }
        DataType::FixedSizeList(..) => {
            any(std::slice::from_ref(array.as_fixed_size_list().values()))
        }
        DataType::ListView(_) => any(std::slice::from_ref(array.as_list_view::<i32>().values())),
        DataType::LargeListView(_) => {
            any(std::slice::from_ref(array.as_list_view::<i64>().values()))
        }
        DataType::Dictionary(..) => any(std::slice::from_ref(array.as_any_dictionary().values())),
        DataType::RunEndEncoded(..) => any(&runs(array)),
        _ => Ok(first_of(array.as_ref()).is_some()),
    }
}

/// Finds the first value outside of its type that no null hides, with its row and path.
fn find(array: &ArrayRef) -> Result<(), Problem> {
    match array.data_type() {
        DataType::Struct(_) => {
            let array = array.as_struct();
            members(array, |column| masked(column, array.nulls()))
        }
        DataType::List(_) => {
            let array = reachable(array)?;
            let list = array.as_list::<i32>();
            items(list.values(), |at| row_of(list.offsets(), at))
        }
        DataType::LargeList(_) => {
            let array = reachable(array)?;
            let list = array.as_list::<i64>();
            items(list.values(), |at| row_of(list.offsets(), at))
        }
        DataType::Map(..) => {
            let array = reachable(array)?;
            let map = array.as_map();
            members(map.entries(), |column| Ok(ArrayRef::clone(column)))
                .map_err(|problem| problem.in_row(|at| row_of(map.offsets(), at)))
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let width = usize::try_from(*size).unwrap_or(0);
            let nulls = list.nulls().map(|nulls| nulls.expand(width));
            let values = masked(list.values(), nulls.as_ref())?;
            items(&values, |at| at.checked_div(width))
        }
        DataType::ListView(item) => find(&cast(array, &DataType::List(item.clone()))?),
        DataType::LargeListView(item) => find(&cast(array, &DataType::LargeList(item.clone()))?),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            find(dictionary.values()).map_err(|problem| {
                let keys = dictionary.normalized_keys();
                let is_at = |row: usize, value| keys[row] == value && dictionary.is_valid(row);
                problem.in_row(|value| (0..keys.len()).find(|row| is_at(*row, value)))
            })
        }
        // In which rows a run is, is not looked for.
        DataType::RunEndEncoded(..) => runs(array)
            .iter()
            .try_for_each(find)
            .map_err(|problem| problem.in_row(|_| None)),
        _ => match first_of(array.as_ref()) {
            None => Ok(()),
            Some((row, reason)) => Err(Problem::Value {
                below: String::new(),
                row: Some(row),
                reason,
            }),
        },
    }
}

fn items(values: &ArrayRef, row: impl FnOnce(usize) -> Option<usize>) -> Result<(), Problem> {
    find(values).map_err(|problem| problem.in_row(row).at("[]"))
}

/// Checks the members of a struct, each as `visible` returns it.
fn members(
    array: &StructArray,
    visible: impl Fn(&ArrayRef) -> Result<ArrayRef, Problem>,
) -> Result<(), Problem> {
    let mut members = array.fields().iter().zip(array.columns());
    members.try_for_each(|(field, column)| {
        find(&visible(column)?).map_err(|problem| problem.at(&format!(".{}", field.name())))
    })
}

/// The values of a run-end-encoded array.
fn runs(array: &ArrayRef) -> Vec<ArrayRef> {
    let data = array.to_data();
    // The ends come first.
    let values = data.child_data().iter().skip(1);
    values.cloned().map(make_array).collect()
}

/// The first value outside of its type in an array that has no arrays within it: its row, and what is wrong.
fn first_of(array: &dyn Array) -> Option<(usize, String)> {
    const SECOND: i64 = 1_000;
    let day = |per_ms: i64| 0..=DAY_MS * per_ms - 1;
    match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            time::<Time32SecondType>(array, 0..=(DAY_MS / SECOND - 1) as i32, "seconds")
        }
        DataType::Time32(_) => {
            time::<Time32MillisecondType>(array, 0..=(DAY_MS - 1) as i32, "milliseconds")
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            time::<Time64MicrosecondType>(array, day(1_000), "microseconds")
        }
        DataType::Time64(_) => time::<Time64NanosecondType>(array, day(1_000_000), "nanoseconds"),
        DataType::Decimal32(precision, scale) => {
            decimal::<Decimal32Type>(array, *precision, *scale)
        }
        DataType::Decimal64(precision, scale) => {
            decimal::<Decimal64Type>(array, *precision, *scale)
        }
        DataType::Decimal128(precision, scale) => {
            decimal::<Decimal128Type>(array, *precision, *scale)
        }
        DataType::Decimal256(precision, scale) => {
            decimal::<Decimal256Type>(array, *precision, *scale)
        }
        _ => None,
    }
}

/// The row of the first value outside of a range.
fn outside<T: ArrowNumericType>(
    array: &dyn Array,
    within: RangeInclusive<T::Native>,
) -> Option<usize>
where
    T::Native: PartialOrd,
{
    let array = array.as_primitive::<T>();
    let is_outside = |value: &T::Native| !within.contains(value);
    let ends = [min(array), max(array)];
    match ends.iter().flatten().any(is_outside) {
        true => array
            .iter()
            .position(|value| value.as_ref().is_some_and(is_outside)),
        false => None,
    }
}

fn time<T: ArrowNumericType>(
    array: &dyn Array,
    within: RangeInclusive<T::Native>,
    unit: &str,
) -> Option<(usize, String)>
where
    T::Native: PartialOrd + std::fmt::Display,
{
    let row = outside::<T>(array, within)?;
    let value = array.as_primitive::<T>().value(row);
    Some((
        row,
        format!(
            "{value} {unit} are no time of day, which readers wrap, make null or fail at; give a duration"
        ),
    ))
}

fn decimal<T: DecimalType + ArrowNumericType>(
    array: &dyn Array,
    precision: u8,
    scale: i8,
) -> Option<(usize, String)>
where
    T::Native: PartialOrd,
{
    let most = *T::MAX_FOR_EACH_PRECISION.get(usize::from(precision))?;
    let least = T::Native::ZERO.sub_wrapping(most);
    let row = outside::<T>(array, least..=most)?;
    let value = array.as_primitive::<T>().value(row);
    let value = T::format_decimal(value, T::MAX_PRECISION, scale);
    Some((
        row,
        format!(
            "{value} has more than {precision} digits, and readers would see another number; give the \
             column more digits"
        ),
    ))
}
