//! What the text of a CSV cell means: null or not, which type a column has, and its value.
//!
//! Owns the rules by which text becomes typed. They favour loss of convenience over loss of data:
//! a column whose sampled texts do not all survive as a narrower type stays text. Where a cell
//! stands in the input is the reader's to know.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;

/// The mark of a missing value that R and its data sets write.
const NOT_AVAILABLE: &str = "NA";

/// Which texts are null.
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

    /// Whether a cell is null in a column of text (`text`) or of another type.
    pub(super) fn is_null(&self, cell: &str, text: bool) -> bool {
        cell.is_empty()
            || (!text && cell == NOT_AVAILABLE)
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

/// Turns texts into values; the error is the index of the first that is none of this type.
pub(super) fn parse(texts: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, Unparsed> {
    if texts.data_type() == data_type {
        return Ok(texts.clone());
    }
    if matches!(data_type, DataType::Timestamp(_, None))
        && let Some(index) = texts.as_string::<i32>().iter().position(has_offset)
    {
        // Arrow would move it to UTC and forget that it did.
        return Err(Unparsed::Cell(index));
    }
    let values = cast_with_options(texts, data_type, &CastOptions::default())?;
    if values.logical_null_count() == texts.null_count() {
        return Ok(values);
    }
    let nulls = values.logical_nulls();
    let lost = (0..texts.len())
        .find(|&i| texts.is_valid(i) && nulls.as_ref().is_some_and(|nulls| nulls.is_null(i)));
    match lost {
        Some(index) => Err(Unparsed::Cell(index)),
        None => Ok(values),
    }
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

/// The types of columns of sampled cells, null ones given as empty.
///
/// # Errors
/// None that well-formed cells could raise.
pub(super) fn infer(sample: &[Vec<&str>], columns: usize) -> Result<Vec<DataType>, ArrowError> {
    let csv_error = |error: &dyn std::fmt::Display| ArrowError::CsvError(error.to_string());
    let mut csv = csv::Writer::from_writer(Vec::new());
    // A row for the columns' number, since there may be no other.
    csv.write_record(vec![""; columns])
        .map_err(|error| csv_error(&error))?;
    for row in sample {
        csv.write_record(row).map_err(|error| csv_error(&error))?;
    }
    let csv = csv.into_inner().map_err(|error| csv_error(&error))?;
    let (schema, _) = Format::default().infer_schema(csv.as_slice(), None)?;
    let inferred = schema.fields().iter().enumerate();
    Ok(inferred
        .map(|(index, field)| {
            let cells = sample.iter().map(|row| row[index]);
            refine(field.data_type(), cells.filter(|cell| !cell.is_empty()))
        })
        .collect())
}

/// Takes back what Arrow infers where it would change or hide what the cells say.
fn refine<'a>(inferred: &DataType, cells: impl Iterator<Item = &'a str> + Clone) -> DataType {
    let refined = match inferred {
        DataType::Null => DataType::Utf8,
        // A number would lose the zeros of a postal code or station name.
        DataType::Int64 if cells.clone().any(has_leading_zero) => DataType::Utf8,
        DataType::Timestamp(unit, _) => {
            let zoned = cells.clone().filter(|cell| has_offset(Some(cell))).count();
            // Parquet has no seconds, and microseconds are what every reader knows.
            let unit = match unit {
                TimeUnit::Nanosecond => TimeUnit::Nanosecond,
                _ => TimeUnit::Microsecond,
            };
            match zoned {
                0 => DataType::Timestamp(unit, None),
                n if n == cells.clone().count() => DataType::Timestamp(unit, Some("UTC".into())),
                _ => DataType::Utf8,
            }
        }
        other => other.clone(),
    };
    let texts: ArrayRef = std::sync::Arc::new(StringArray::from_iter_values(cells));
    match parse(&texts, &refined) {
        Ok(_) => refined,
        // It looked like a date, say, but is none: 2013-02-30.
        Err(_) => DataType::Utf8,
    }
}

fn has_leading_zero(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    digits.len() > 1 && digits.starts_with('0')
}

/// Whether the text of a point in time ends in `Z` or an offset such as `+02:00`.
fn has_offset(cell: Option<&str>) -> bool {
    // The date's own hyphens stand within the first ten bytes.
    let Some(clock) = cell.and_then(|cell| cell.get(10..)) else {
        return false;
    };
    clock.ends_with(['Z', 'z']) || clock.contains(['+', '-'])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn inferred(cells: &[&str]) -> DataType {
        let rows: Vec<Vec<&str>> = cells.iter().map(|cell| vec![*cell]).collect();
        infer(&rows, 1).unwrap().remove(0)
    }

    #[test]
    fn types_are_inferred_only_where_nothing_is_lost() {
        use DataType::{Boolean, Date32, Float64, Int64, Timestamp, Utf8};
        use TimeUnit::{Microsecond, Nanosecond};
        let utc = Timestamp(Microsecond, Some("UTC".into()));
        for (cells, expected) in [
            (&["1", "-2", "0", ""][..], Int64),
            (&["1", "2.5"], Float64),
            (&["0.5", "NaN"], Float64),
            (&["true", "FALSE"], Boolean),
            (&["2013-01-01"], Date32),
            (&["2013-02-30"], Utf8),
            (&["2013-01-01T06:00:00Z"], utc.clone()),
            (
                &["2013-01-01 06:00:00+02:00", "2013-01-01T06:00:00.5Z"],
                utc,
            ),
            (
                &["2013-01-01T06:00:00", "2013-01-01"],
                Timestamp(Microsecond, None),
            ),
            (
                &["2013-01-01T06:00:00.123456789"],
                Timestamp(Nanosecond, None),
            ),
            (&["2013-01-01T06:00:00Z", "2013-01-01T06:00:00"], Utf8),
            (&["2013-01-01T06:00:00 o'clock"], Utf8),
            (&["007", "8"], Utf8),
            (&["-01"], Utf8),
            (&["99999999999999999999"], Utf8),
            (&["1", "x"], Utf8),
            (&["a \"quoted\", text"], Utf8),
            (&["", ""], Utf8),
            (&[], Utf8),
        ] {
            assert_eq!(inferred(cells), expected, "{cells:?}");
        }
    }

    #[test]
    fn na_is_null_except_in_text() {
        let nulls = Nulls::new(&[]);
        assert!(nulls.is_null("", true) && nulls.is_null("", false));
        assert!(nulls.is_null("NA", false));
        assert!(!nulls.is_null("NA", true));
        assert!(!nulls.is_null("-", false));
        let nulls = Nulls::new(&["NA".to_owned(), "-".to_owned()]);
        assert!(nulls.is_null("NA", true) && nulls.is_null("-", true) && nulls.is_null("", true));
    }

    #[test]
    fn the_first_text_that_is_no_value_is_pointed_at() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), None, Some("x")]));
        let parsed = parse(&texts, &DataType::Int64);
        assert!(matches!(parsed, Err(Unparsed::Cell(2))), "{parsed:?}");
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert_eq!(parse(&texts, &dictionary).unwrap().null_count(), 1);
    }

    #[test]
    fn an_offset_is_not_dropped_silently() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            "2013-01-01T06:00:00",
            "2013-01-01T06:00:00+01:00",
        ]));
        let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert!(matches!(parse(&texts, &naive), Err(Unparsed::Cell(1))));
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert!(parse(&texts, &utc).is_ok());
    }
}
