//! What is made of the columns of the inputs before they are written: `--cast` and `--select`.
//!
//! Owns picking, renaming and casting whole columns. A value is cast only if the new type says the same: cast back, it
//! has to be what it was. Inputs are read and united as ever; all of this comes after it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use atomic_arrow::nearest;
use atomic_arrow::schema::common_metadata;

use super::{InputError, SchemaSpec};

/// The columns that are written, in this order: each by its name, or as `new=old`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Select(Vec<String>);

impl Select {
    pub(crate) fn new(columns: Vec<String>) -> Self {
        Select(columns)
    }
}

/// A value that its new type does not hold, or a type that no value can be cast to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotCast {
    pub(super) column: String,
    /// The row within the batch, from 0, where it is one value.
    pub(super) row: Option<u64>,
    pub(super) reason: String,
}

/// What is done to each batch of known columns.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The schema of what comes out.
    schema: SchemaRef,
    /// The position of each column in what comes in.
    from: Vec<usize>,
    /// Columns that come in and do not come out under their names.
    left_out: Vec<String>,
}

impl Shape {
    /// Finds the columns, and the types of what comes out.
    ///
    /// # Errors
    /// A column that is not there, or would be there twice, and a type that a column cannot be cast to.
    pub(super) fn new(
        schema: &SchemaRef,
        select: &Select,
        casts: &SchemaSpec,
    ) -> Result<Self, InputError> {
        for (column, to) in casts.iter() {
            let (_, field) = find(schema, column, "--cast")?;
            if let Err(reason) = can_be_cast(field.data_type(), to) {
                let column = column.to_owned();
                return Err(InputError::CastType { column, reason });
            }
        }
        let all: Vec<String> = schema.fields().iter().map(|it| it.name().clone()).collect();
        let asked = if select.0.is_empty() { &all } else { &select.0 };
        let (mut fields, mut from, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for text in asked {
            // A column of the whole text goes first.
            let (name, old) = match text.split_once('=') {
                Some((new, old)) if schema.column_with_name(text).is_none() => {
                    (new.trim(), old.trim())
                }
                _ => (text.as_str(), text.as_str()),
            };
            let (at, field) = find(schema, old, "--select")?;
            if name.is_empty() || !names.insert(name.to_owned()) {
                let column = name.to_owned();
                return Err(InputError::SelectTwice { column });
            }
            let mut field = Field::clone(field).with_name(name);
            if let Some(to) = casts.get(old) {
                // What was said of the other type may not hold of this one.
                field = Field::new(name, to.clone(), field.is_nullable());
            }
            fields.push(Arc::new(field));
            from.push(at);
        }
        let left_out = all.into_iter().filter(|name| !names.contains(name));
        let metadata = common_metadata(schema, &fields);
        Ok(Shape {
            left_out: left_out.collect(),
            schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
            from,
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether a column comes in, and does not come out under its name.
    pub(super) fn leaves_out(&self, column: &str) -> bool {
        self.left_out.iter().any(|name| name == column)
    }

    /// The batch as it comes out.
    ///
    /// # Errors
    /// A value that its new type does not hold.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, NotCast> {
        let columns = self.schema.fields().iter().zip(&self.from);
        let columns = columns.map(|(field, &at)| {
            let column = batch.column(at);
            match column.data_type() == field.data_type() {
                true => Ok(Arc::clone(column)),
                false => cast(column, field, batch.schema_ref().field(at).name()),
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(
            |error| NotCast {
                column: String::new(),
                row: None,
                reason: error.to_string(),
            },
        )
    }
}

fn find<'a>(
    schema: &'a Schema,
    column: &str,
    option: &'static str,
) -> Result<(usize, &'a FieldRef), InputError> {
    schema.fields().find(column).ok_or_else(|| {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        InputError::NoSuchColumn {
            option,
            column: column.to_owned(),
            hint: match nearest(column, names.clone()) {
                Some(near) => format!("is `{near}` meant?"),
                None => {
                    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                    format!("there are {}", names.join(", "))
                }
            },
        }
    })
}

/// What the values of a type say.
#[derive(PartialEq)]
enum Says {
    Text,
    Bytes,
    Truth,
    Number,
    Day,
    TimeOfDay,
    Duration,
}

fn says(data_type: &DataType) -> Option<Says> {
    use DataType as T;
    Some(match data_type {
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Says::Text,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => Says::Bytes,
        T::Boolean => Says::Truth,
        number if number.is_numeric() => Says::Number,
        T::Date32 | T::Date64 | T::Timestamp(..) => Says::Day,
        T::Time32(_) | T::Time64(_) => Says::TimeOfDay,
        T::Duration(_) => Says::Duration,
        T::Dictionary(_, values) => return says(values),
        _ => return None,
    })
}

fn can_be_cast(from: &DataType, to: &DataType) -> Result<(), String> {
    let none = |why: &str| Err(format!("is {from}, and is not cast to {to}: {why}"));
    if from == to || *from == DataType::Null {
        return Ok(());
    }
    let (Some(is), Some(wanted)) = (says(from), says(to)) else {
        return none("only columns without others in them are cast");
    };
    if is != wanted && is != Says::Text && wanted != Says::Text {
        return none("the one does not say what the other says; text says both");
    }
    match can_cast_types(from, to) && can_cast_types(to, from) {
        true => Ok(()),
        false => none("it is not known how"),
    }
}

/// The same values in another type.
fn cast(column: &ArrayRef, field: &Field, name: &str) -> Result<ArrayRef, NotCast> {
    let to = field.data_type();
    let refused = |row: Option<usize>, reason: String| NotCast {
        column: name.to_owned(),
        row: row.map(|row| row as u64),
        reason,
    };
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let plain = |error: arrow::error::ArrowError| refused(None, error.to_string());
    let cast = cast_with_options(column, to, &options).map_err(plain)?;
    if *column.data_type() == DataType::Null {
        return Ok(cast);
    }
    let back = cast_with_options(&cast, column.data_type(), &options).map_err(plain)?;
    let (was, back) = (flat(column).map_err(plain)?, flat(&back).map_err(plain)?);
    let differs = distinct(&was, &back).map_err(plain)?;
    match differs.values().set_indices().next() {
        None => Ok(cast),
        Some(row) => {
            let value = array_value_to_string(column, row).unwrap_or_default();
            Err(refused(
                Some(row),
                format!("the value {value} is not one of {to}, which --cast asks for"),
            ))
        }
    }
}

/// A dictionary as its values, which can be compared.
fn flat(column: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    match column.data_type() {
        DataType::Dictionary(_, values) => arrow::compute::cast(column, values),
        _ => Ok(Arc::clone(column)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Float64Array, Int64Array, StringArray, TimestampNanosecondArray,
    };
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn cast_to(column: ArrayRef, to: &DataType) -> Result<String, String> {
        let schema = Schema::new(vec![Field::new("n", column.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        let casts = format!("n={to}").parse().unwrap();
        let shape = Shape::new(batch.schema_ref(), &Select::default(), &casts);
        let shape = shape.map_err(|error| error.to_string())?;
        let cast = shape
            .apply(&batch)
            .map_err(|not| format!("{:?}: {}", not.row, not.reason))?;
        let rows = 0..cast.num_rows();
        let texts = rows.map(|row| array_value_to_string(cast.column(0), row).unwrap());
        Ok(texts.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_value_is_cast_only_if_the_type_says_the_same() {
        use DataType as T;
        let ints = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let floats = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let texts = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let nanos =
            |values: &[i64]| Arc::new(TimestampNanosecondArray::from(values.to_vec())) as ArrayRef;
        for (column, to, expected) in [
            (ints(&[1, -128]), T::Int8, Ok("1 -128")),
            (ints(&[1, 128]), T::Int8, Err("Some(1): the value 128")),
            (ints(&[-1]), T::UInt64, Err("Some(0): the value -1")),
            (ints(&[(1 << 53) + 1]), T::Float64, Err("Some(0)")),
            (ints(&[7]), T::Utf8, Ok("7")),
            (
                ints(&[0, 1]),
                T::Boolean,
                Err("does not say what the other says"),
            ),
            (
                ints(&[1]),
                T::Timestamp(TimeUnit::Second, None),
                Err("does not say"),
            ),
            (floats(&[1.0, -3.0]), T::Int64, Ok("1 -3")),
            (floats(&[1.0, 1.5]), T::Int64, Err("Some(1): the value 1.5")),
            (floats(&[f64::NAN]), T::Int64, Err("Some(0): the value NaN")),
            (floats(&[-0.0]), T::Int64, Err("Some(0): the value -0.0")),
            (floats(&[0.1]), T::Float32, Err("Some(0)")),
            (floats(&[f64::NAN, 0.5]), T::Float32, Ok("NaN 0.5")),
            (texts(&["7", "-8"]), T::Int32, Ok("7 -8")),
            (texts(&["007"]), T::Int32, Err("Some(0): the value 007")),
            (texts(&["x"]), T::Int32, Err("Some(0): the value x")),
            (texts(&["2026-01-02"]), T::Date32, Ok("2026-01-02")),
            (
                nanos(&[1_000]),
                T::Timestamp(TimeUnit::Microsecond, None),
                Ok("1970-01-01T00:00:00.000001"),
            ),
            (
                nanos(&[1]),
                T::Timestamp(TimeUnit::Microsecond, None),
                Err("Some(0)"),
            ),
            (nanos(&[1]), T::Date32, Err("Some(0)")),
            (
                Arc::new(BooleanArray::from(vec![true])),
                T::Utf8,
                Ok("true"),
            ),
        ] {
            let what = format!("{:?} to {to}", column.data_type());
            match (cast_to(column, &to), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{what}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{what}: {found}"),
                (found, expected) => panic!("{what}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn nulls_are_kept_and_dictionaries_are_their_values() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert_eq!(cast_to(column, &DataType::Int8), Ok("1 ".to_owned()));
        let nulls: ArrayRef = Arc::new(arrow::array::NullArray::new(2));
        assert_eq!(cast_to(nulls, &DataType::Int8), Ok(" ".to_owned()));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let texts = arrow::compute::cast(&texts, &dictionary).unwrap();
        assert_eq!(cast_to(texts, &DataType::LargeUtf8), Ok("a ".to_owned()));
    }
}
