//! Whether readers can take files of two schemas for one data set.
//!
//! Readers take the types of one file, often the first by name, for those of all. What was measured of
//! pyarrow 26, DuckDB 2.0, Polars 2.1 and DataFusion 55, whichever file came first:
//!
//! | the same column is | |
//! |---|---|
//! | a string, or bytes, in another physical form | all of them read both |
//! | in one of the files only | pyarrow and DataFusion fill in nulls; DuckDB needs `union_by_name`, Polars `missing_columns` and `extra_columns` |
//! | a narrower integer, a dictionary of the same values, a timestamp with another time zone | pyarrow and DuckDB read both, if all integers fit the file that comes first; Polars and DataFusion fail |
//! | of no type (`Null`) in one file | pyarrow, Polars and DuckDB fail if that comes first |
//! | ordered in one file only, or in another order | pyarrow takes the order of the file that comes first, or none; Polars fails on other enumerations |
//! | of an extension type in one file only | pyarrow takes the type of the file that comes first |
//! | of geometries of another CRS by GeoParquet, or of bytes | the bytes are read, and the CRS of one file is taken for that of all |
//! | of other extension types, or parameters of one | pyarrow fails, or takes the values of one for those of the other |
//! | any other type | at least one of pyarrow and DuckDB fails, or gives back other values |
//!
//! A write is refused for another order, for other extension types, for other geometries, and for any other type. The others are allowed, and
//! said; a column that may not be null is not allowed to be in one file only. Orders and extension types are compared in
//! [`meaning`](crate::meaning). Which type holds the values of both is another question
//! ([`schema`](crate::schema)), which readers do not ask.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};

use crate::categories::POLARS_ENUMERATION;
use crate::extension::Extension;
use crate::geometry::with_geometries;
use crate::nested::{is_binary, list_item};
use crate::receipt::Note;
use crate::schema::common_type;

/// A difference that keeps readers from taking two schemas for one: the column, and its type in both.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) column: String,
    pub(crate) given: String,
    pub(crate) there: String,
}

/// Whether readers take two types of a column for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unity {
    /// Every reader reads both as one.
    Same,
    /// Most readers read both as one type; the difference is reported as a note.
    Said,
}

/// Compares the schema of files that are to be written with that of a file beside them.
pub(crate) fn compare(given: &Schema, there: &Schema) -> Result<Vec<Note>, Difference> {
    let mut notes = Vec::new();
    for field in given.fields() {
        let Ok(other) = there.field_with_name(field.name()) else {
            check_nullable(field, true)?;
            let column = field.name().clone();
            notes.push(Note::ColumnAdded { column });
            continue;
        };
        let (given, there) = (field.data_type(), other.data_type());
        // That extension types go together is known already.
        let extensions = (Extension::of(field), Extension::of(other));
        match unite(given, there) {
            Some(_) if extensions.0.is_some() != extensions.1.is_some() => {
                notes.push(Note::ExtensionDiffers {
                    column: field.name().clone(),
                    written: described(given, extensions.0),
                    there: described(there, extensions.1),
                });
            }
            Some(Unity::Same) => {}
            Some(_) => notes.push(Note::TypeDiffers {
                column: field.name().clone(),
                written: described(given, extensions.0),
                there: described(there, extensions.1),
            }),
            None => {
                return Err(Difference {
                    column: field.name().clone(),
                    given: given.to_string(),
                    there: there.to_string(),
                });
            }
        }
    }
    for field in there.fields() {
        if given.field_with_name(field.name()).is_err() {
            check_nullable(field, false)?;
            let column = field.name().clone();
            notes.push(Note::ColumnMissing { column });
        }
    }
    Ok(notes)
}

fn described(data_type: &DataType, extension: Option<Extension<'_>>) -> String {
    match extension {
        Some(extension) => format!("{data_type} {extension}"),
        None => data_type.to_string(),
    }
}

/// Checks that a column which only one of two files has is nullable.
fn check_nullable(field: &Field, is_given: bool) -> Result<(), Difference> {
    if field.is_nullable() {
        return Ok(());
    }
    let (present, missing) = (
        format!("{} without nulls", field.data_type()),
        "missing".to_owned(),
    );
    let (given, there) = match is_given {
        true => (present, missing),
        false => (missing, present),
    };
    Err(Difference {
        column: field.name().clone(),
        given,
        there,
    })
}

/// Merges two schemas that [`compare`] accepted: all columns of both, and of two integer types the wider.
pub(crate) fn merge(one: &Schema, other: &Schema) -> Schema {
    let mut fields: Vec<FieldRef> = one.fields().to_vec();
    for field in other.fields() {
        match fields.iter_mut().find(|known| known.name() == field.name()) {
            None => fields.push(FieldRef::clone(field)),
            Some(known) if holds(field.data_type(), known.data_type()) => {
                *known = FieldRef::clone(field);
            }
            Some(_) => {}
        }
    }
    with_geometries(Schema::new(fields), one, other)
}

/// The field, with each part of type `Null` replaced by the type that `there` has in its place.
pub(crate) fn typed_like(given: &Field, there: &Field) -> FieldRef {
    let data_type = with_types_of(given.data_type(), there.data_type());
    let mut field = given.clone().with_data_type(data_type);
    if *given.data_type() == DataType::Null {
        field = field.with_dict_is_ordered(there.dict_is_ordered() == Some(true));
        if let Some(categories) = there.metadata().get(POLARS_ENUMERATION) {
            let mut metadata = field.metadata().clone();
            metadata.insert(POLARS_ENUMERATION.to_owned(), categories.clone());
            field.set_metadata(metadata);
        }
    }
    Arc::new(field)
}

/// The type, with each part of type `Null` replaced by the type that `there` has in its place.
fn with_types_of(given: &DataType, there: &DataType) -> DataType {
    let item = |given: &FieldRef, there: &FieldRef| typed_like(given, there);
    match (given, list_item(given), list_item(there)) {
        (DataType::Null, ..) => there.clone(),
        (DataType::List(_), Some(given), Some(there)) => DataType::List(item(given, there)),
        (DataType::LargeList(_), Some(given), Some(there)) => {
            DataType::LargeList(item(given, there))
        }
        (DataType::Struct(fields), ..) => match there {
            DataType::Struct(there) if fields.len() == there.len() => {
                let pairs = fields.iter().zip(there);
                DataType::Struct(pairs.map(|(given, there)| item(given, there)).collect())
            }
            _ => given.clone(),
        },
        _ => given.clone(),
    }
}

/// Whether the type is `Null`, or has `Null` somewhere within it.
pub(crate) fn lacks_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => true,
        DataType::List(item) | DataType::LargeList(item) => lacks_type(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| lacks_type(field.data_type())),
        _ => false,
    }
}

/// How readers take two types of one column; `None` if they cannot take them for one.
fn unite(one: &DataType, other: &DataType) -> Option<Unity> {
    use DataType::{
        Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, FixedSizeList, Map,
        RunEndEncoded, Struct, Timestamp,
    };
    match (one, other) {
        (Dictionary(_, one), Dictionary(_, other)) => unite(one, other),
        (Dictionary(_, values), plain) | (plain, Dictionary(_, values)) => {
            unite(values, plain).map(|_| Unity::Said)
        }
        (RunEndEncoded(_, values), plain) | (plain, RunEndEncoded(_, values)) => {
            unite(values.data_type(), plain)
        }
        (one, other) if one.is_string() && other.is_string() => Some(Unity::Same),
        (one, other) if is_binary(one) && is_binary(other) => Some(Unity::Same),
        (one, other) if holds(one, other) || holds(other, one) => Some(Unity::Said),
        (Timestamp(unit, Some(zone)), Timestamp(other, Some(other_zone))) if unit == other => {
            Some(match zone == other_zone {
                true => Unity::Same,
                false => Unity::Said,
            })
        }
        (
            Decimal32(precision, scale)
            | Decimal64(precision, scale)
            | Decimal128(precision, scale)
            | Decimal256(precision, scale),
            Decimal32(other_precision, other_scale)
            | Decimal64(other_precision, other_scale)
            | Decimal128(other_precision, other_scale)
            | Decimal256(other_precision, other_scale),
        ) => ((precision, scale) == (other_precision, other_scale)).then_some(Unity::Same),
        (FixedSizeList(one, size), FixedSizeList(other, other_size)) if size == other_size => {
            unite(one.data_type(), other.data_type())
        }
        (Struct(one), Struct(other)) => unite_fields(one, other, true),
        // What a map calls its keys and values is of no account.
        (Map(one, _), Map(other, _)) => match (one.data_type(), other.data_type()) {
            (Struct(one), Struct(other)) => unite_fields(one, other, false),
            _ => None,
        },
        (one, other) => match (list_item(one), list_item(other)) {
            (Some(one), Some(other)) => unite(one.data_type(), other.data_type()),
            _ => (one == other).then_some(Unity::Same),
        },
    }
}

fn unite_fields(one: &Fields, other: &Fields, named: bool) -> Option<Unity> {
    if one.len() != other.len() {
        return None;
    }
    let mut union = Unity::Same;
    for (one, other) in one.iter().zip(other) {
        if named && one.name() != other.name() {
            return None;
        }
        union = union.max(unite(one.data_type(), other.data_type())?);
    }
    Some(union)
}

/// Whether an integer type has a place for every value of another, narrower one.
fn holds(wide: &DataType, narrow: &DataType) -> bool {
    let integers = wide.is_integer() && narrow.is_integer() && wide != narrow;
    integers && common_type(wide, narrow).as_ref() == Some(wide)
}

#[cfg(test)]
mod tests;
