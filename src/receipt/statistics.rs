//! Statistics of columns from the footer of a Parquet file: bounds and null counts.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, make_comparator};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type, Schema, UInt64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;
use serde::{Deserialize, Serialize};

use super::{LONGEST_TEXT, ReceiptError};
use crate::format::parquet::is_encrypted;

/// The statistics of one column of a file.
///
/// Columns of nested types are left out: their leaves have bounds, they have none. Of an encrypted column
/// nothing is told, since receipts and the records of commits are not encrypted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
#[non_exhaustive]
pub struct ColumnStatistics {
    /// The column's name.
    pub column: Arc<str>,
    /// A value that none is less than; `None` if that is not known, or all are null.
    pub min: Option<Bound>,
    /// A value that none is greater than; `None` if that is not known, or all are null.
    pub max: Option<Bound>,
    /// How many values are null.
    pub null_count: Option<u64>,
}

impl ColumnStatistics {
    /// Statistics of a column of which nothing is known.
    #[must_use]
    pub fn unknown(column: impl Into<Arc<str>>) -> Self {
        ColumnStatistics {
            column: column.into(),
            min: None,
            max: None,
            null_count: None,
        }
    }
}

/// A value that the values of a column do not go beyond.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Bound {
    /// The value.
    pub value: StatisticsValue,
    /// Whether it is one of the column's own; else it is shorter, and beyond them.
    pub exact: bool,
}

/// The value of a bound, as JSON has values.
///
/// ```
/// use atomic_arrow::receipt::StatisticsValue;
///
/// assert_eq!(StatisticsValue::from(7_u64), StatisticsValue::Int(7));
/// assert_eq!(StatisticsValue::from(f64::INFINITY), StatisticsValue::Text("inf".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum StatisticsValue {
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Int(i64),
    /// An integer that is too large for a signed one.
    UInt(u64),
    /// A number with a fraction; it is finite.
    Float(f64),
    /// Anything else: texts as they are, times and decimals as arrow shows them, bytes in
    /// hexadecimal, and numbers that are not finite.
    Text(Box<str>),
}

impl From<u64> for StatisticsValue {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(StatisticsValue::UInt(value), StatisticsValue::Int)
    }
}

impl From<f64> for StatisticsValue {
    fn from(value: f64) -> Self {
        match value.is_finite() {
            true => StatisticsValue::Float(value),
            false => StatisticsValue::Text(value.to_string().into()),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    column: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<StatisticsValue>,
    #[serde(default, skip_serializing_if = "is_false")]
    min_inexact: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<StatisticsValue>,
    #[serde(default, skip_serializing_if = "is_false")]
    max_inexact: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    null_count: Option<u64>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl From<ColumnStatistics> for Wire {
    fn from(column: ColumnStatistics) -> Self {
        let inexact = |bound: &Option<Bound>| bound.as_ref().is_some_and(|bound| !bound.exact);
        Wire {
            column: column.column,
            min_inexact: inexact(&column.min),
            min: column.min.map(|bound| bound.value),
            max_inexact: inexact(&column.max),
            max: column.max.map(|bound| bound.value),
            null_count: column.null_count,
        }
    }
}

impl TryFrom<Wire> for ColumnStatistics {
    type Error = ReceiptError;

    fn try_from(wire: Wire) -> Result<Self, ReceiptError> {
        for (value, inexact) in [(&wire.min, wire.min_inexact), (&wire.max, wire.max_inexact)] {
            match value {
                Some(StatisticsValue::Text(text)) if text.len() > LONGEST_TEXT => {
                    return Err(ReceiptError::invalid(
                        "bound",
                        text,
                        "is longer than 4096 bytes",
                    ));
                }
                None if inexact => {
                    return Err(ReceiptError::invalid(
                        "column",
                        &wire.column,
                        "lacks a bound",
                    ));
                }
                _ => {}
            }
        }
        let bound = |value: Option<_>, inexact: bool| {
            value.map(|value| Bound {
                value,
                exact: !inexact,
            })
        };
        Ok(ColumnStatistics {
            min: bound(wire.min, wire.min_inexact),
            max: bound(wire.max, wire.max_inexact),
            column: wire.column,
            null_count: wire.null_count,
        })
    }
}

/// Reads the statistics of files that have one schema; their columns' names are kept once.
#[derive(Debug)]
pub(crate) struct StatisticsReader {
    columns: Vec<(Arc<str>, FieldRef)>,
}

impl StatisticsReader {
    pub(crate) fn new(schema: &Schema) -> Self {
        let columns = schema.fields().iter();
        StatisticsReader {
            columns: columns
                .map(|field| (field.name().as_str().into(), Arc::clone(field)))
                .collect(),
        }
    }

    /// The statistics of each column that is not nested, from the footer of a file of the schema. What cannot be
    /// read, or is encrypted, is not known.
    pub(crate) fn read(&self, metadata: &ParquetMetaData) -> Vec<ColumnStatistics> {
        let schema = metadata.file_metadata().schema_descr();
        let mut columns = Vec::with_capacity(self.columns.len());
        for leaf in 0..schema.num_columns() {
            if schema.column(leaf).path().parts().len() > 1 {
                continue;
            }
            let Some((name, field)) = self.columns.get(schema.get_column_root_idx(leaf)) else {
                continue;
            };
            let groups = metadata.row_groups();
            // Receipts and records are not encrypted.
            let is_secret = groups.iter().any(|group| is_encrypted(group.column(leaf)));
            let statistics = match is_secret {
                true => None,
                false => read_column(field, leaf, schema, groups).ok(),
            };
            columns.push(ColumnStatistics {
                column: Arc::clone(name),
                ..statistics.unwrap_or_else(|| ColumnStatistics::unknown(""))
            });
        }
        columns
    }
}

fn read_column(
    field: &FieldRef,
    leaf: usize,
    schema: &SchemaDescriptor,
    groups: &[RowGroupMetaData],
) -> Result<ColumnStatistics, ParquetError> {
    let converter = StatisticsConverter::from_column_index(leaf, field, schema)?;
    let group = |group: &RowGroupMetaData| {
        let statistics = group.column(leaf).statistics();
        let null_count = statistics.and_then(Statistics::null_count_opt);
        Group {
            null_count,
            // A group of nulls has no bounds and needs none.
            is_empty: null_count.unwrap_or(0) == group.num_rows().unsigned_abs(),
            min_is_exact: statistics.is_some_and(Statistics::min_is_exact),
            max_is_exact: statistics.is_some_and(Statistics::max_is_exact),
        }
    };
    let known: Vec<Group> = groups.iter().map(group).collect();
    let (mins, maxes) = (
        converter.row_group_mins(groups)?,
        converter.row_group_maxes(groups)?,
    );
    Ok(ColumnStatistics {
        min: outermost(&mins, &known, Ordering::Less, |group| group.min_is_exact)?,
        max: outermost(&maxes, &known, Ordering::Greater, |group| {
            group.max_is_exact
        })?,
        null_count: known.iter().map(|group| group.null_count).sum(),
        ..ColumnStatistics::unknown("")
    })
}

/// The statistics of a column in one row group, beside its bounds.
struct Group {
    null_count: Option<u64>,
    is_empty: bool,
    min_is_exact: bool,
    max_is_exact: bool,
}

/// The bound of a file, from those of its row groups.
fn outermost(
    bounds: &ArrayRef,
    groups: &[Group],
    wanted: Ordering,
    is_exact: fn(&Group) -> bool,
) -> Result<Option<Bound>, ArrowError> {
    // An array without a type is all nulls, but has no bitmap that says so.
    let nulls = bounds.logical_nulls();
    let is_null = |at: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(at));
    let unknown = |(at, group): (usize, &Group)| is_null(at) && !group.is_empty;
    if groups.iter().enumerate().any(unknown) {
        return Ok(None);
    }
    let mut with_bounds = (0..groups.len()).filter(|at| !is_null(*at));
    let Some(mut best) = with_bounds.next() else {
        return Ok(None);
    };
    if groups.len() > 1 {
        let compare = make_comparator(bounds, bounds, SortOptions::default())?;
        for at in with_bounds {
            match compare(at, best) {
                order if order == wanted => best = at,
                Ordering::Equal if is_exact(&groups[at]) => best = at,
                _ => {}
            }
        }
    }
    let value = value_at(bounds, best)?;
    Ok(bound(value, is_exact(&groups[best]), wanted))
}

/// The bound, shortened if it is too long; a long upper bound cannot be shortened, and is dropped.
fn bound(value: StatisticsValue, exact: bool, wanted: Ordering) -> Option<Bound> {
    match value {
        StatisticsValue::Text(text) if text.len() > LONGEST_TEXT => {
            let end = (0..=LONGEST_TEXT)
                .rev()
                .find(|end| text.is_char_boundary(*end));
            let end = end.unwrap_or(0);
            (wanted == Ordering::Less).then(|| Bound {
                value: StatisticsValue::Text(text[..end].into()),
                exact: false,
            })
        }
        value => Some(Bound { value, exact }),
    }
}

fn value_at(values: &ArrayRef, at: usize) -> Result<StatisticsValue, ArrowError> {
    let value = values.slice(at, 1);
    Ok(match values.data_type() {
        DataType::Boolean => StatisticsValue::Boolean(value.as_boolean().value(0)),
        integer if integer.is_signed_integer() => {
            let value = cast(&value, &DataType::Int64)?;
            StatisticsValue::Int(value.as_primitive::<Int64Type>().value(0))
        }
        integer if integer.is_unsigned_integer() => {
            let value = cast(&value, &DataType::UInt64)?;
            value.as_primitive::<UInt64Type>().value(0).into()
        }
        float if float.is_floating() => {
            let value = cast(&value, &DataType::Float64)?;
            value.as_primitive::<Float64Type>().value(0).into()
        }
        _ => {
            let options = FormatOptions::default().with_display_error(false);
            let formatter = ArrayFormatter::try_new(&value, &options)?;
            StatisticsValue::Text(formatter.value(0).try_to_string()?.into())
        }
    })
}
