//! Which batches a writer takes for its own schema, by the [`SchemaPolicy`].
//!
//! One logical type has several physical ones in Arrow: a string may be `Utf8`, `LargeUtf8`,
//! `Utf8View` or a dictionary of them. What differs only so can be brought to the writer's types
//! without any value changing, and so can a column of type `Null`, which has no values, and one whose type the
//! writer's holds, as [`common_type`] has it. Nothing else is converted here: a wider integer, a finer
//! unit of time or another time zone than the writer's is a mismatch, never a cast.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef};

use crate::convert::{Problem, convert, strict_cast};
use crate::error::{Error, Result};
use crate::meaning::{MeaningDifference, writers_difference, writers_geometry_difference};
use crate::nested::{inner_types, is_binary, list_item};
use crate::nulls::{FILL_NULLS, forbidden_null};
use crate::options::SchemaPolicy;
use crate::schema::common_type;

/// Converts a batch to exactly the schema, or returns why it has another; `path`, and the number of `rows` that came
/// before, are for the error.
///
/// # Errors
/// [`Error::SchemaMismatch`], with the first field that differs; nested ones are named by their path,
/// `station.name`.
pub(crate) fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
    policy: SchemaPolicy,
    path: &Path,
    rows: u64,
) -> Result<RecordBatch> {
    let conformed = if Arc::ptr_eq(batch.schema_ref(), schema) {
        let mut columns = schema.fields().iter().zip(batch.columns());
        let checked = columns.try_for_each(|(field, column)| check_nulls(field, column));
        checked.map(|()| batch.clone())
    } else {
        conformed(batch, schema, policy)
    };
    conformed.map_err(|mismatch| Error::SchemaMismatch {
        path: path.to_owned(),
        field: mismatch.field.into(),
        row: mismatch.row.map(|row| rows + row as u64),
        expected: mismatch.expected.into(),
        found: mismatch.found.into(),
        remedy: mismatch.remedy,
    })
}

fn conformed(
    batch: &RecordBatch,
    schema: &SchemaRef,
    policy: SchemaPolicy,
) -> Outcome<RecordBatch> {
    columns(batch, schema, policy).and_then(|columns| {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|error| {
            Mismatch::new("", "the writer's schema", error) // A null deep within a column.
        })
    })
}

fn check_nulls(field: &Field, column: &ArrayRef) -> Outcome<()> {
    match forbidden_null(field, column) {
        Some((path, row)) => Err(Mismatch {
            row: Some(row),
            remedy: FILL_NULLS,
            ..Mismatch::new(path, "no nulls", "a null")
        }),
        None => Ok(()),
    }
}

/// The first difference between two schemas.
#[derive(Debug)]
struct Mismatch {
    field: String,
    row: Option<usize>,
    expected: String,
    found: String,
    remedy: &'static str,
}

/// What can be done about another type.
const OTHER_TYPE: &str = "cast it, or write with a schema that holds both";
/// What can be done about other columns.
pub(crate) const OTHER_COLUMNS: &str =
    "give every batch the columns of the schema, or write with a schema that has all";

impl Mismatch {
    fn new(field: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Mismatch {
            field: field.into(),
            row: None,
            expected: expected.to_string(),
            found: found.to_string(),
            remedy: OTHER_TYPE,
        }
    }

    /// The mismatch of a column that only one of both schemas has.
    fn of_columns(self) -> Self {
        Mismatch {
            remedy: OTHER_COLUMNS,
            ..self
        }
    }
}

impl From<MeaningDifference> for Mismatch {
    fn from(difference: MeaningDifference) -> Self {
        Mismatch {
            remedy: difference.remedy,
            ..Mismatch::new(difference.path, difference.first, difference.found)
        }
    }
}

type Outcome<T> = std::result::Result<T, Mismatch>;

fn columns(
    batch: &RecordBatch,
    schema: &SchemaRef,
    policy: SchemaPolicy,
) -> Outcome<Vec<ArrayRef>> {
    if let Some(difference) = writers_geometry_difference(schema, batch.schema_ref()) {
        return Err(difference.into());
    }
    let (expected, found) = (schema.fields(), batch.schema_ref().fields());
    let order = match policy {
        SchemaPolicy::Exact => same_order(expected, found)?,
        SchemaPolicy::Unify => order_by_name(expected, found)?,
    };
    let columns = expected.iter().zip(order).map(|(field, position)| {
        let column = batch.column(position);
        if let Some(difference) = writers_difference(field, &found[position]) {
            return Err(difference.into());
        }
        let column = match policy {
            SchemaPolicy::Exact => exact(field, column)?,
            SchemaPolicy::Unify => unified(field, column)?,
        };
        check_nulls(field, &column)?;
        Ok(column)
    });
    columns.collect()
}

fn same_order(expected: &Fields, found: &Fields) -> Outcome<Vec<usize>> {
    if expected.len() != found.len() {
        return Err(Mismatch::new("", expected.len(), found.len()).of_columns());
    }
    for (expected, found) in expected.iter().zip(found) {
        if expected.name() != found.name() {
            let (name, other) = (expected.name(), found.name());
            return Err(
                Mismatch::new(name, format!("{name:?}"), format!("{other:?}")).of_columns(),
            );
        }
    }
    Ok((0..expected.len()).collect())
}

/// The index of each field in the batch, by name. Several columns of one name are taken in their order.
fn order_by_name(expected: &Fields, found: &Fields) -> Outcome<Vec<usize>> {
    let mut taken = vec![false; found.len()];
    let mut order = Vec::with_capacity(expected.len());
    for (position, field) in expected.iter().enumerate() {
        let is_it = |at: &usize| !taken[*at] && found[*at].name() == field.name();
        // Nearly always it is in its place.
        let at = (position < found.len() && is_it(&position)).then_some(position);
        let first = || (0..found.len()).find(is_it);
        let duplicated = |at: &usize| {
            found[..*at]
                .iter()
                .any(|other| other.name() == field.name())
        };
        let at = at.filter(|at| !duplicated(at)).or_else(first);
        let Some(at) = at else {
            return Err(
                Mismatch::new(field.name(), field.data_type(), "no such column").of_columns(),
            );
        };
        taken[at] = true;
        order.push(at);
    }
    match taken.iter().position(|taken| !taken) {
        None => Ok(order),
        Some(extra) => {
            let extra = &found[extra];
            Err(Mismatch::new(extra.name(), "no such column", extra.data_type()).of_columns())
        }
    }
}

fn exact(field: &Field, column: &ArrayRef) -> Outcome<ArrayRef> {
    match is_exact(field.data_type(), column.data_type()) {
        true => renamed(field, column),
        false => Err(mismatch(field, column)),
    }
}

fn unified(field: &Field, column: &ArrayRef) -> Outcome<ArrayRef> {
    let (expected, found) = (field.data_type(), column.data_type());
    if is_exact(expected, found) {
        return renamed(field, column);
    }
    same_logical(field.name(), expected, found)?;
    // By way of its own values, since arrow makes of a null among a dictionary's values an empty view.
    let plain = match expected {
        DataType::Dictionary(..) => found.clone(),
        expected => mended(found, expected, Mend::Dictionaries),
    };
    let sorted_alike = mended(&plain, expected, Mend::SortedKeys);
    if !can_cast_types(found, &plain) || !can_cast_types(&sorted_alike, expected) {
        return Err(mismatch(field, column));
    }
    strict_cast(column, &plain)
        .and_then(|column| convert(&column, &sorted_alike))
        .and_then(|column| strict_cast(&column, expected))
        .map_err(|problem| failed(field, column, problem))
}

/// The column in a type that is the field's, but for names and what [`is_exact`] overlooks.
fn renamed(field: &Field, column: &ArrayRef) -> Outcome<ArrayRef> {
    convert(column, field.data_type()).map_err(|problem| failed(field, column, problem))
}

fn mismatch(field: &Field, column: &ArrayRef) -> Mismatch {
    Mismatch::new(field.name(), field.data_type(), column.data_type())
}

fn failed(field: &Field, column: &ArrayRef, problem: Problem) -> Mismatch {
    let refused = problem.into_error(field, 0);
    let found = format!("{}: {}", column.data_type(), refused.reason);
    Mismatch {
        row: refused.row.and_then(|row| usize::try_from(row).ok()),
        ..Mismatch::new(refused.column, field.data_type(), found)
    }
}

/// Whether columns of the one type are columns of the other as they are. What lists and maps call their
/// items is of no account, but what structs call theirs is: readers find them by these names.
fn is_exact(expected: &DataType, found: &DataType) -> bool {
    use DataType::{
        Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView, Map, Null,
        RunEndEncoded, Struct,
    };
    let items = |expected: &Field, found: &Field| is_exact(expected.data_type(), found.data_type());
    match (expected, found) {
        (_, Null) => true,
        (Struct(expected), Struct(found)) => {
            let members = expected.iter().zip(found);
            let mut alike = members.map(|(e, f)| e.name() == f.name() && items(e, f));
            expected.len() == found.len() && alike.all(|alike| alike)
        }
        (Map(expected, sorted), Map(found, found_sorted)) => {
            (sorted == found_sorted || *found_sorted)
                && match (expected.data_type(), found.data_type()) {
                    (Struct(expected), Struct(found)) => {
                        let mut members = expected.iter().zip(found);
                        expected.len() == found.len() && members.all(|(e, f)| items(e, f))
                    }
                    _ => false,
                }
        }
        (List(expected), List(found))
        | (LargeList(expected), LargeList(found))
        | (ListView(expected), ListView(found))
        | (LargeListView(expected), LargeListView(found)) => items(expected, found),
        (FixedSizeList(expected, size), FixedSizeList(found, other)) => {
            size == other && items(expected, found)
        }
        (Dictionary(indices, expected), Dictionary(other, found)) => {
            indices == other && is_exact(expected, found)
        }
        (RunEndEncoded(ends, expected), RunEndEncoded(other, found)) => {
            ends.data_type() == other.data_type() && items(expected, found)
        }
        (expected, found) => expected.equals_datatype(found),
    }
}

/// A conversion that brings a type closer to another.
#[derive(Clone, Copy)]
enum Mend {
    /// Dictionaries become their values where the other type has none; where it has, they keep all categories.
    Dictionaries,
    /// Maps are sorted where those of the other type are, as arrow's cast demands.
    SortedKeys,
}

/// The type, brought closer to the other.
fn mended(found: &DataType, expected: &DataType, mend: Mend) -> DataType {
    use DataType::{
        Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView, Map, Struct,
    };
    let items = |found: &FieldRef, expected: &Field| -> FieldRef {
        let data_type = mended(found.data_type(), expected.data_type(), mend);
        Arc::new(found.as_ref().clone().with_data_type(data_type))
    };
    if let (Some(_), Some(expected)) = (list_item(found), list_item(expected)) {
        return match found {
            List(found) => List(items(found, expected)),
            LargeList(found) => LargeList(items(found, expected)),
            ListView(found) => ListView(items(found, expected)),
            LargeListView(found) => LargeListView(items(found, expected)),
            other => other.clone(),
        };
    }
    match (found, expected) {
        (Map(found, sorted), Map(expected, expected_sorted)) => {
            let sorted = match mend {
                Mend::Dictionaries => sorted,
                Mend::SortedKeys => expected_sorted,
            };
            Map(items(found, expected), *sorted)
        }
        (FixedSizeList(found, size), FixedSizeList(expected, _)) => {
            FixedSizeList(items(found, expected), *size)
        }
        (Struct(found), Struct(expected)) => Struct(
            found
                .iter()
                .zip(expected)
                .map(|(f, e)| items(f, e))
                .collect(),
        ),
        (Dictionary(..), Dictionary(..)) => found.clone(),
        (found, _) => match mend {
            Mend::Dictionaries => plain_type(found),
            Mend::SortedKeys => found.clone(),
        },
    }
}

/// Whether the one type holds the values of the other; `name` is that of the field.
fn same_logical(name: &str, expected: &DataType, found: &DataType) -> Outcome<()> {
    use DataType::{Dictionary, FixedSizeList, Map, Struct};
    match (expected, found) {
        (expected, found) if is_exact(expected, found) => Ok(()),
        (expected, found) if expected.is_string() && found.is_string() => Ok(()),
        (expected, found) if is_binary(expected) && is_binary(found) => Ok(()),
        (expected, found) if is_widened(expected, found) => Ok(()),
        (Dictionary(_, expected), Dictionary(_, found)) => same_logical(name, expected, found),
        (Dictionary(_, expected), found) => same_logical(name, expected, found),
        (expected, Dictionary(_, found)) => same_logical(name, expected, found),
        (Struct(expected), Struct(found)) => same_fields(name, expected, found),
        (FixedSizeList(expected, size), FixedSizeList(found, other)) if size == other => {
            let name = format!("{name}[]");
            same_logical(&name, expected.data_type(), found.data_type())
        }
        (Map(expected, sorted), Map(found, found_sorted)) if !sorted || *found_sorted => {
            // The names of entries, keys and values are of no account.
            match (expected.data_type(), found.data_type()) {
                (Struct(expected), Struct(found)) if expected.len() == found.len() => {
                    expected.iter().zip(found).try_for_each(|(e, f)| {
                        same_logical(&below(name, e.name()), e.data_type(), f.data_type())
                    })
                }
                (expected, found) => Err(Mismatch::new(name, expected, found)),
            }
        }
        (expected, found) => match (list_item(expected), list_item(found)) {
            (Some(expected), Some(found)) => same_logical(
                &format!("{name}[]"),
                expected.data_type(),
                found.data_type(),
            ),
            _ => Err(Mismatch::new(name, expected, found)),
        },
    }
}

/// Whether a type without others within holds every value of another, as [`common_type`] has it.
fn is_widened(expected: &DataType, found: &DataType) -> bool {
    let is_plain = |data_type: &DataType| inner_types(data_type).is_empty();
    is_plain(expected) && is_plain(found) && common_type(expected, found).as_ref() == Some(expected)
}

fn same_fields(name: &str, expected: &Fields, found: &Fields) -> Outcome<()> {
    if expected.len() != found.len() {
        let count = |fields: &Fields| format!("{} fields", fields.len());
        return Err(Mismatch::new(name, count(expected), count(found)));
    }
    for (expected, found) in expected.iter().zip(found) {
        let name = below(name, expected.name());
        if expected.name() != found.name() {
            let (expected, found) = (expected.name(), found.name());
            return Err(Mismatch::new(
                name,
                format!("{expected:?}"),
                format!("{found:?}"),
            ));
        }
        same_logical(&name, expected.data_type(), found.data_type())?;
    }
    Ok(())
}

fn below(name: &str, field: &str) -> String {
    format!("{name}.{field}")
}

/// The field with every dictionary replaced by its values; see [`plain_type`].
pub(crate) fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    if plain == *field.data_type() {
        return Arc::clone(field);
    }
    let plain = Field::new(field.name(), plain, field.is_nullable());
    Arc::new(plain.with_metadata(field.metadata().clone()))
}

/// The type with every dictionary replaced by its values.
pub(crate) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(field) => DataType::List(plain_field(field)),
        DataType::LargeList(field) => DataType::LargeList(plain_field(field)),
        DataType::ListView(field) => DataType::ListView(plain_field(field)),
        DataType::LargeListView(field) => DataType::LargeListView(plain_field(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(plain_field(field), *size),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
