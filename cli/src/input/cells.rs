//! Cells: turns their text into null, or a value of the column's type.
//!
//! Owns turning texts into arrays, and that nothing is lost by it: a text that the type does not
//! hold as a whole is an error, never a null, a rounded number or a date without its time of day.
//! What a text says is in `exact`, which type a column has in `guess`. Where a cell stands in the
//! input is the reader's to know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Float16Type, Float32Type, TimeUnit};
use arrow::error::ArrowError;

use super::dates::DateFormat;
use super::exact::{self, Decimal, Moment};

/// The mark of a missing value that R and its data sets write.
const NOT_AVAILABLE: &str = "NA";

/// The texts that stand for null.
///
/// The empty cell is null in every column. `NA` is null in every column that is not text: there it
/// can be nothing else, while in text it may be a value, such as the code of Namibia. What the
/// user adds is null in every column.
#[derive(Debug, Clone)]
pub(super) struct Nulls {
    added: Vec<String>,
}

impl Nulls {
    pub(super) fn new(added: &[String]) -> Self {
        Self {
            added: added.to_vec(),
        }
    }

    /// Whether a cell, which may be a quoted empty one, is null in a column of text (`text`) or of another type.
    pub(super) fn is_null(&self, cell: &str, is_quoted_empty: bool, text: bool) -> bool {
        (cell.is_empty() && !is_quoted_empty)
            || (!text && (is_quoted_empty || cell == NOT_AVAILABLE))
            || self.added.iter().any(|null| null == cell)
    }
}

/// Whether a column of this type holds text as it stands.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The options of turning texts into values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    /// Whether the type was guessed: zeros before a number and a plus sign then say that it is none.
    pub(super) guessed: bool,
    /// The format of dates and times; ISO 8601 by default.
    pub(super) dates: Option<&'a DateFormat>,
}

/// Turns texts into values; the error is the index of the first that does not become one of this
/// type, or not without loss.
pub(super) fn parse(
    texts: &ArrayRef,
    data_type: &DataType,
    reading: Reading<'_>,
) -> Result<ArrayRef, Unparsed> {
    if texts.data_type() == data_type {
        return Ok(texts.clone());
    }
    match data_type {
        DataType::Dictionary(_, values) if !is_text(values) => {
            let plain = parse(texts, values, reading)?;
            return counted(&plain, data_type);
        }
        binary if is_binary(binary) => return from_hex(texts.as_string(), binary),
        _ => {}
    }
    let texts = match reading.dates {
        Some(format) if is_dated(data_type) => {
            &format.to_iso(texts.as_string()).map_err(Unparsed::Cell)?
        }
        _ => texts,
    };
    let strings = texts.as_string::<i32>();
    let fits = |text| is_kept(text, data_type, reading);
    let lost = strings
        .iter()
        .position(|text| text.is_some_and(|text| !fits(text)));
    let values = counted(texts, data_type)?;
    let nulls = values.logical_nulls();
    let unparsed = match values.logical_null_count() == texts.null_count() {
        true => None,
        false => (0..texts.len())
            .find(|&i| texts.is_valid(i) && nulls.as_ref().is_some_and(|nulls| nulls.is_null(i))),
    };
    let rounded = rounded(strings, &values)?;
    match [lost, unparsed, rounded].into_iter().flatten().min() {
        Some(index) => Err(Unparsed::Cell(index)),
        None => Ok(values),
    }
}

/// Casts values to a dictionary type; more values than its indices can count are an error.
fn counted(values: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, Unparsed> {
    let cast = |values: &ArrayRef| cast_with_options(values, data_type, &CastOptions::default());
    match cast(values) {
        Err(ArrowError::DictionaryKeyOverflowError) => {}
        cast => return Ok(cast?),
    }
    // A binary search: the first `roomy` values have room, the first `many` have not.
    let (mut roomy, mut many) = (0, values.len());
    while roomy + 1 < many {
        let half = roomy.midpoint(many);
        match cast(&values.slice(0, half)) {
            Ok(_) => roomy = half,
            Err(_) => many = half,
        }
    }
    Err(Unparsed::Cell(roomy))
}

/// Whether the type has dates that a format may spell.
pub(super) fn is_dated(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)
    )
}

fn is_binary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::FixedSizeBinary(_) => true,
        DataType::Dictionary(_, values) => is_binary(values),
        _ => false,
    }
}

/// Reads bytes as they are written to text: two hexadecimal digits each.
fn from_hex(texts: &StringArray, data_type: &DataType) -> Result<ArrayRef, Unparsed> {
    let bytes = |text: &str| -> Option<Vec<u8>> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|n| u8::try_from(n).ok())
        };
        rest.is_empty().then_some(())?;
        pairs
            .iter()
            .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
            .collect()
    };
    let fits = |bytes: &Vec<u8>| match data_type {
        DataType::FixedSizeBinary(width) => usize::try_from(*width) == Ok(bytes.len()),
        _ => true,
    };
    let mut values = BinaryBuilder::new();
    for (index, text) in texts.iter().enumerate() {
        let value = text
            .map(|text| bytes(text).filter(fits).ok_or(Unparsed::Cell(index)))
            .transpose()?;
        values.append_option(value);
    }
    let values: ArrayRef = Arc::new(values.finish());
    Ok(cast_with_options(
        &values,
        data_type,
        &CastOptions::default(),
    )?)
}

/// Whether text can be read as this type. Arrow would put a text into a list of its own.
pub(super) fn is_readable(data_type: &DataType) -> bool {
    is_binary(data_type) || (!data_type.is_nested() && can_cast_types(&DataType::Utf8, data_type))
}

/// Whether the type can hold all that the text says, as far as the text alone tells.
fn is_kept(text: &str, data_type: &DataType, reading: Reading<'_>) -> bool {
    let unit_digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        integer if integer.is_integer() => !reading.guessed || exact::is_plain_integer(text),
        float if float.is_floating() && reading.guessed => {
            exact::is_special(text) || exact::is_plain_number(text)
        }
        DataType::Date32 | DataType::Date64 => {
            // What has nothing but digits and signs has no time of day that could be lost.
            let is_date = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+');
            match Moment::parse(text) {
                Some(moment) => match reading.guessed {
                    true => !moment.clock,
                    false => moment.midnight && !moment.zoned,
                },
                None => !reading.guessed && text.bytes().all(is_date),
            }
        }
        DataType::Timestamp(unit, zone) => {
            let known = Moment::parse(text);
            exact::fraction_digits(text) <= unit_digits(unit)
                && !exact::has_leap_second(text)
                && (zone.is_some() || !exact::has_offset(text))
                && (!reading.guessed || known.is_some_and(|moment| moment.zoned == zone.is_some()))
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            // A number would be taken for units since midnight.
            text.contains(':')
                && exact::fraction_digits(text) <= unit_digits(unit)
                && !text
                    .splitn(3, ':')
                    .nth(2)
                    .is_some_and(|second| second.starts_with("60"))
        }
        DataType::Boolean if reading.guessed => {
            text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
        }
        _ => true,
    }
}

/// The index of the first text whose value is another number; only floats and decimals round.
fn rounded(texts: &StringArray, values: &ArrayRef) -> Result<Option<usize>, ArrowError> {
    let differs = |index: usize, same: &dyn Fn(&Decimal) -> bool| {
        texts.is_valid(index)
            && values.is_valid(index)
            && Decimal::parse(texts.value(index))
                .map_or(!exact::is_special(texts.value(index)), |number| {
                    !same(&number)
                })
    };
    let rows = 0..texts.len();
    Ok(match values.data_type() {
        DataType::Float64 => {
            (0..texts.len()).find(|&at| texts.is_valid(at) && !exact::is_f64(texts.value(at)))
        }
        DataType::Float32 => {
            let floats = values.as_primitive::<Float32Type>();
            let is = |at: usize| f64::from(floats.value(at));
            rows.into_iter()
                .find(|&at| differs(at, &|number| number.is_float(is(at))))
        }
        DataType::Float16 => {
            let floats = values.as_primitive::<Float16Type>();
            let is = |at: usize| floats.value(at).to_f64();
            rows.into_iter()
                .find(|&at| differs(at, &|number| number.is_float(is(at))))
        }
        decimal if decimal.is_decimal() => {
            let printed = cast_with_options(values, &DataType::Utf8, &CastOptions::default())?;
            let printed = printed.as_string::<i32>();
            let is = |at: usize| Decimal::parse(printed.value(at));
            rows.into_iter().find(|&at| {
                differs(at, &|number| {
                    is(at).is_some_and(|value| value.equals(number))
                })
            })
        }
        _ => None,
    })
}

/// Why texts could not be turned into values.
#[derive(Debug)]
pub(super) enum Unparsed {
    /// The text at this index is not of the type.
    Cell(usize),
    /// The column as a whole could not be turned.
    Column(ArrowError),
}

impl From<ArrowError> for Unparsed {
    fn from(error: ArrowError) -> Self {
        Self::Column(error)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::BinaryArray;
    use arrow::datatypes::Field;

    use super::*;

    const TOLD: Reading<'static> = Reading {
        guessed: false,
        dates: None,
    };
    const GUESSED: Reading<'static> = Reading {
        guessed: true,
        dates: None,
    };

    fn parses(text: &str, data_type: &DataType, reading: Reading<'_>) -> bool {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
        parse(&texts, data_type, reading).is_ok()
    }

    #[test]
    fn na_and_quoted_nothing_are_null_except_in_text() {
        let nulls = Nulls::new(&[]);
        assert!(nulls.is_null("", false, true) && nulls.is_null("", false, false));
        assert!(nulls.is_null("NA", false, false) && nulls.is_null("", true, false));
        assert!(!nulls.is_null("NA", false, true) && !nulls.is_null("", true, true));
        assert!(!nulls.is_null("-", false, false));
        let nulls = Nulls::new(&["NA".to_owned(), "-".to_owned(), String::new()]);
        assert!(
            ["NA", "-"]
                .iter()
                .all(|cell| nulls.is_null(cell, false, true))
        );
        assert!(nulls.is_null("", true, true));
    }

    #[test]
    fn the_first_text_that_is_no_value_is_pointed_at() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), None, Some("x")]));
        let parsed = parse(&texts, &DataType::Int64, TOLD);
        assert!(matches!(parsed, Err(Unparsed::Cell(2))), "{parsed:?}");
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert_eq!(parse(&texts, &dictionary, TOLD).unwrap().null_count(), 1);
    }

    #[test]
    fn an_offset_is_not_dropped_silently() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            "2013-01-01T06:00:00",
            "2013-01-01T06:00:00+01:00",
        ]));
        let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert!(matches!(
            parse(&texts, &naive, TOLD),
            Err(Unparsed::Cell(1))
        ));
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert!(parse(&texts, &utc, TOLD).is_ok());
    }

    #[test]
    fn what_a_type_does_not_hold_as_a_whole_is_refused() {
        use DataType::{Date32, Decimal128, Float16, Float32, Float64, Int64, Time32, Timestamp};
        let micros = Timestamp(TimeUnit::Microsecond, None);
        for (text, data_type, told, guessed) in [
            ("007", Int64, true, false),
            ("7", Int64, true, true),
            ("2.5", Int64, false, false),
            ("2.50", Decimal128(10, 1), true, true),
            ("2.55", Decimal128(10, 1), false, false),
            ("1e-2", Decimal128(10, 1), false, false),
            ("12345", Decimal128(4, 0), false, false),
            ("9007199254740993", Float64, false, false),
            ("1e400", Float64, false, false),
            ("inf", Float64, true, true),
            ("39.02", Float32, true, true),
            ("16777217", Float32, false, false),
            ("1e39", Float32, false, false),
            ("0.5", Float16, true, true),
            ("70000", Float16, false, false),
            ("2013-01-06", Date32, true, true),
            ("2013-01-06T00:00:00", Date32, true, false),
            ("2013-01-06T10:30:00", Date32, false, false),
            ("2013-01-06T00:00:00Z", Date32, false, false),
            ("2013-01-06T10:30:00.1234560", micros.clone(), true, true),
            ("2013-01-06T10:30:00.1234567", micros.clone(), false, false),
            ("2013-01-06T10:30:60", micros.clone(), false, false),
            ("2013-01-06T10:30:00 Europe/Berlin", micros, false, false),
            ("10:30:00.5", Time32(TimeUnit::Second), false, false),
            ("10:30:00.0", Time32(TimeUnit::Second), true, true),
        ] {
            assert_eq!(
                parses(text, &data_type, TOLD),
                told,
                "{text} as {data_type}"
            );
            assert_eq!(
                parses(text, &data_type, GUESSED),
                guessed,
                "{text}, guessed {data_type}"
            );
        }
    }

    #[test]
    fn dates_of_a_format_are_held_to_the_rules_of_iso() {
        use DataType::{Date32, Timestamp};
        use TimeUnit::{Microsecond, Nanosecond};
        for (format, text, data_type, expected) in [
            ("%d/%m/%Y", "31/12/2013", Date32, true),
            ("%d/%m/%Y", "2013-12-31", Date32, false),
            ("%d/%m/%Y %H:%M", "31/12/2013 10:30", Date32, false),
            ("%d/%m/%Y %H:%M", "31/12/2013 00:00", Date32, true),
            (
                "%d/%m/%Y %H:%M %z",
                "31/12/2013 10:30 +0100",
                Timestamp(Microsecond, None),
                false,
            ),
            (
                "%d/%m/%Y %H:%M:%S",
                "31/12/2016 23:59:60",
                Timestamp(Microsecond, None),
                false,
            ),
            (
                "%d/%m/%Y %H:%M:%S.%f",
                "31/12/2013 10:30:00.123456789",
                Timestamp(Microsecond, None),
                false,
            ),
            (
                "%d/%m/%Y %H:%M:%S.%f",
                "31/12/2013 10:30:00.123456789",
                Timestamp(Nanosecond, None),
                true,
            ),
        ] {
            let format = format.parse().unwrap();
            let reading = Reading {
                guessed: false,
                dates: Some(&format),
            };
            assert_eq!(parses(text, &data_type, reading), expected, "{text}");
            let keys = Box::new(DataType::Int32);
            let dictionary = DataType::Dictionary(keys, Box::new(data_type));
            assert_eq!(parses(text, &dictionary, reading), expected, "{text}");
        }
    }

    #[test]
    fn a_number_is_no_date_in_a_dictionary_either() {
        let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
        let second = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
        for values in [DataType::Date32, second] {
            assert!(!parses("5", &values, TOLD), "{values}");
            assert!(!parses("5", &dictionary(values.clone()), TOLD), "{values}");
        }
    }

    #[test]
    fn bytes_are_hexadecimal_digits_and_lists_no_text() {
        use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
        for data_type in [Binary, LargeBinary, BinaryView, FixedSizeBinary(2)] {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("00fF"), None]));
            let bytes = parse(&texts, &data_type, TOLD).unwrap();
            let expected: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&[0, 255][..]), None]));
            assert_eq!(
                &bytes,
                &cast_with_options(&expected, &data_type, &CastOptions::default()).unwrap()
            );
            for text in ["0", "0x", "abc", "é"] {
                assert!(!parses(text, &data_type, TOLD), "{text} as {data_type}");
            }
        }
        assert!(!parses("00", &FixedSizeBinary(2), TOLD));
        let item = Arc::new(Field::new_list_field(DataType::Int8, true));
        for nested in [
            DataType::List(item.clone()),
            DataType::LargeList(item.clone()),
            DataType::ListView(item.clone()),
            DataType::FixedSizeList(item.clone(), 1),
        ] {
            assert!(!is_readable(&nested), "{nested}");
        }
    }

    mod properties {
        use arrow::util::display::array_value_to_string;
        use proptest::prelude::*;

        use super::super::*;
        use crate::input::guess::Guess;

        fn texts() -> impl Strategy<Value = String> {
            prop_oneof![
                "-?[0-9]{1,24}",
                "-?[0-9]{1,20}\\.[0-9]{0,20}",
                "-?[0-9]{1,3}(\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,4}",
                any::<f64>().prop_map(|value| value.to_string()),
                any::<f64>().prop_map(|value| format!("{value:.16e}")),
                any::<f32>().prop_map(|value| value.to_string()),
                "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-]0[0-9]:30)?)?",
                "[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?",
                "(true|FALSE|nan|inf|-Infinity|x|12e4567)",
            ]
        }

        fn types() -> impl Strategy<Value = DataType> {
            use DataType::*;
            use TimeUnit::*;
            prop::sample::select(vec![
                Boolean,
                Int8,
                Int32,
                Int64,
                UInt8,
                UInt64,
                Float16,
                Float32,
                Float64,
                Decimal128(10, 2),
                Decimal128(38, 10),
                Decimal256(50, 20),
                Date32,
                Date64,
                Timestamp(Second, None),
                Timestamp(Millisecond, None),
                Timestamp(Microsecond, None),
                Timestamp(Nanosecond, None),
                Timestamp(Microsecond, Some("UTC".into())),
                Timestamp(Nanosecond, Some("+02:00".into())),
                Time32(Second),
                Time64(Microsecond),
                Dictionary(Box::new(Int8), Box::new(Float32)),
            ])
        }

        /// Whether a value, as it is displayed, says all that the text did.
        fn says_the_same(text: &str, shown: &str, data_type: &DataType) -> bool {
            match data_type {
                DataType::Dictionary(_, values) => says_the_same(text, shown, values),
                DataType::Boolean => true,
                DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                    let Some(number) = Decimal::parse(text) else {
                        return exact::is_special(text);
                    };
                    // Shown with the fewest digits that tell it apart, and so as a number once more.
                    match data_type {
                        DataType::Float64 => number.is_float(shown.parse().unwrap()),
                        _ => {
                            number.equals(&Decimal::parse(shown).unwrap())
                                || number.is_float(f64::from(shown.parse::<f32>().unwrap()))
                        }
                    }
                }
                number if number.is_integer() || number.is_decimal() => Decimal::parse(text)
                    .unwrap()
                    .equals(&Decimal::parse(shown).unwrap()),
                DataType::Timestamp(_, Some(_)) => instant(text) == instant(shown),
                DataType::Date32 | DataType::Date64 => match text.len() {
                    // Midnight is shown or not, as the type is.
                    10 => shown.starts_with(text),
                    _ => Moment::parse(text).is_some_and(|moment| moment.midnight),
                },
                _ => {
                    let plain = |text: &str| {
                        let text = text.replace(' ', "T");
                        match text.contains('.') {
                            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                            false => text,
                        }
                    };
                    let midnight = format!("{text}T00:00:00");
                    plain(text) == plain(shown) || midnight == shown
                }
            }
        }

        /// The nanoseconds of a point in time; without an offset, those of its wall clock in UTC.
        fn instant(text: &str) -> Option<i64> {
            let zone: arrow::array::timezone::Tz = "+02:00".parse().unwrap();
            match Moment::parse(text).is_some_and(|moment| moment.zoned) {
                true => arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text).ok(),
                false => arrow::compute::kernels::cast_utils::string_to_datetime(&zone, text)
                    .ok()
                    .and_then(|time| time.timestamp_nanos_opt()),
            }
        }

        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

            #[test]
            fn what_is_read_says_what_was_written(text in texts(), data_type in types(), guessed: bool) {
                let reading = Reading { guessed, dates: None };
                let array: ArrayRef = std::sync::Arc::new(StringArray::from(vec![text.as_str()]));
                if let Ok(values) = parse(&array, &data_type, reading) {
                    let shown = array_value_to_string(&values, 0).unwrap();
                    // A wall clock in a zone that is told is not in the text.
                    let wall = matches!(&data_type, DataType::Timestamp(_, Some(zone)) if &**zone == "UTC")
                        && Moment::parse(&text).is_some_and(|moment| !moment.zoned);
                    prop_assert!(wall || says_the_same(&text, &shown, &data_type), "{text} as {data_type}: {shown}");
                }
            }

            #[test]
            fn every_text_is_of_the_type_guessed_from_it(texts in prop::collection::vec(texts(), 1..5)) {
                let mut guess = Guess::default();
                texts.iter().for_each(|text| guess.add(text, None));
                let array: ArrayRef = std::sync::Arc::new(StringArray::from(texts.clone()));
                let reading = Reading { guessed: true, dates: None };
                let parsed = parse(&array, &guess.data_type(), reading);
                prop_assert!(parsed.is_ok(), "{texts:?} as {}: {parsed:?}", guess.data_type());
            }
        }
    }
}
