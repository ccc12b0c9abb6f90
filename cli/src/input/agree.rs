//! Unites the columns of several inputs in one schema.
//!
//! Owns what is said of inputs that do not have the same columns. Which types unite, and how values get
//! there, is the library's ([`atomic_arrow::schema`]): columns go by name, and nothing that could change a
//! value is converted.

use std::path::Path;

use arrow::datatypes::{Schema, SchemaRef};
use atomic_arrow::schema::{common_schema, lacking};

use super::InputError;

/// Checks that the columns hold those of another input, and says which of them that input lacks.
///
/// # Errors
/// A column that they do not hold: it is new, or of another type.
pub(super) fn check(
    path: &Path,
    known: &SchemaRef,
    found: &Schema,
) -> Result<Vec<String>, InputError> {
    let disagree = |column: &str, difference: String| InputError::TypesDisagree {
        path: path.to_owned(),
        column: column.to_owned(),
        difference,
    };
    let common = common_schema(known, found).map_err(|none| {
        let difference = match none.difference {
            Some(difference) => {
                format!("is, in the inputs before it and in this one, {difference}")
            }
            None => format!(
                "is {}, but {} in the inputs before it",
                none.found, none.first
            ),
        };
        disagree(&none.column, difference)
    })?;
    for (index, needed) in common.fields().iter().enumerate() {
        match known.fields().get(index) {
            None => {
                let difference = "is not in the inputs before it".to_owned();
                return Err(disagree(needed.name(), difference));
            }
            Some(field) if field != needed => {
                let (needs, is) = (needed.data_type(), field.data_type());
                let difference = match needs == is {
                    true => "may be null, but not in the inputs before it".to_owned(),
                    false => format!("needs {needs}, but is {is} in the inputs before it"),
                };
                return Err(disagree(needed.name(), difference));
            }
            Some(_) => {}
        }
    }
    let is_known = |key: &&String| common.metadata().get(*key) == known.metadata().get(*key);
    let mut keys = common.metadata().keys().chain(known.metadata().keys());
    if let Some(key) = keys.find(|key| !is_known(key)) {
        return Err(InputError::MetadataDisagree {
            path: path.to_owned(),
            key: key.to_owned(),
        });
    }
    Ok(lacking(known, found))
}

/// A note for the user on the columns that an input lacks.
pub(super) fn note(path: &Path, columns: &[String]) -> Option<String> {
    let names: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| {
        let (path, names) = (path.display(), names.join(", "));
        format!("{path}: lacks columns that other inputs have, which are null in its rows: {names}")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
        let fields = fields
            .iter()
            .map(|(n, t, null)| Field::new(*n, t.clone(), *null));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    #[test]
    fn each_difference_that_needs_other_columns_is_named() {
        use DataType::{Int32, Int64, Utf8};
        let first = schema(&[("a", Int64, false), ("b", Utf8, true)]);
        let found = [
            (
                schema(&[("b", Utf8, true)]),
                "f: column `a` may be null, but not in the inputs before it",
            ),
            (
                schema(&[("a", Int64, false), ("b", Int64, true)]),
                "f: column `b` is Int64, but Utf8 in the inputs before it",
            ),
            (
                schema(&[("a", Int64, false), ("b", Utf8, true), ("c", Utf8, true)]),
                "f: column `c` is not in the inputs before it",
            ),
        ];
        for (found, expected) in found {
            let error = check(Path::new("f"), &first, &found).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let found = schema(&[("a", Int32, false)]);
        assert_eq!(check(Path::new("f"), &first, &found).unwrap(), ["b"]);
    }
}
