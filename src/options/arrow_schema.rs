//! What only Arrow's own schema in the footer of a Parquet file tells, and is lost with it.
//!
//! Readers that know that schema give a column the type that it was given in. Without it every reader goes by Parquet's own
//! types. Where these are another form of the same values, as `LargeUtf8` is of `Utf8`, nothing is lost; where they say less,
//! the column is refused here.

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::schema::types::SchemaDescriptor;

use crate::error::{Error, Result};
use crate::extension::Extension;
use crate::nested::{below, inner_fields};

/// Refuses columns that are stored as `known`, and whose types are others without Arrow's schema.
///
/// # Errors
/// [`Error::InvalidOption`] that names the first of them.
pub(super) fn check(schema: &Schema, known: &SchemaDescriptor) -> Result<()> {
    let Ok(read) = parquet_to_arrow_schema(known, None) else {
        // The writer says what is wrong with it.
        return Ok(());
    };
    let fields = schema.fields().iter().zip(read.fields());
    for (given, read) in fields {
        if let Some(lost) = lost(given.name(), given, read) {
            return Err(Error::InvalidOption {
                option: "arrow_schema",
                reason: format!(
                    "{lost} in Arrow's schema alone: cast the column to what Parquet has, or leave the schema in the files"
                ),
            });
        }
    }
    Ok(())
}

/// What is lost of a field that is read back as another, with the path of the column.
fn lost(path: &str, given: &Field, read: &Field) -> Option<String> {
    let told = |what: String| Some(format!("column {path:?} has {what}"));
    if let Some(extension) = Extension::of(given)
        && Extension::of(read) != Some(extension)
    {
        return told(format!("what makes it {extension}"));
    }
    if given.dict_is_ordered() == Some(true) {
        return told("the order of its categories".to_owned());
    }
    match (given.data_type(), read.data_type()) {
        (DataType::Timestamp(_, Some(given)), DataType::Timestamp(_, read))
            if read.as_ref() != Some(given) =>
        {
            return told(format!("its time zone {given}"));
        }
        (DataType::Duration(_), _) => return told("what makes it a duration".to_owned()),
        (DataType::FixedSizeList(_, length), _) => {
            return told(format!("the length {length} of its lists"));
        }
        _ => {}
    }
    let within = inner_fields(given.data_type()).into_iter();
    let mut within = within.zip(inner_fields(read.data_type()));
    within.find_map(|(inner, read)| lost(&below(path, given.data_type(), inner), inner, read))
}
