//! Names of columns and keys that some readers cannot tell apart.
//!
//! DuckDB and Spark do not tell names by case: of two columns, or a key and a column, that differ by it
//! alone, they show one under another name, or fail.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};
use crate::nearest::suggestion;
use crate::nested::{below, inner_fields};
use crate::partition::PartitionBy;
use crate::remedy::Remedy;

/// Refuses columns, members of structs and keys whose names differ by case alone.
///
/// # Errors
/// [`Error::InvalidOption`] with both names, and the path to them.
pub(crate) fn check_case<'a>(
    schema: &'a Schema,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    let columns = schema.fields().iter().map(|field| field.name().as_str());
    if let Some((one, other)) = alike(columns.chain(keys)) {
        return Err(refused(one, other));
    }
    let mut fields = schema.fields().iter();
    fields.try_for_each(|field| within(field.name(), field.data_type()))
}

/// The names of the keys, without those that are columns of the same name.
pub(crate) fn keys(by: &PartitionBy) -> impl Iterator<Item = &str> {
    by.keys().iter().map(|key| key.name())
}

/// Why there is no column of this name in the files, whose columns are `known`, where `given` has those that are written.
pub(crate) fn no_column<'a>(
    column: &str,
    given: &Schema,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    if given.field_with_name(column).is_ok() {
        return format!("column {column:?} is a partition key, which is in the paths alone");
    }
    let meant = suggestion(column, known.clone());
    let known: Vec<String> = known.map(|name| format!("{name:?}")).collect();
    let known = known.join(", ");
    format!("there is no column {column:?} in the files, which have {known}{meant}")
}

/// The first two names that differ by case alone.
pub(crate) fn alike<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
    let mut known: HashMap<String, &str> = HashMap::new();
    names.into_iter().find_map(|name| {
        let first = *known.entry(name.to_lowercase()).or_insert(name);
        (first != name).then_some((first, name))
    })
}

/// The first name that differs from one of `others` by case alone, with that one.
pub(crate) fn other_case<'a>(
    names: impl IntoIterator<Item = &'a str>,
    others: &[&'a str],
) -> Option<(&'a str, &'a str)> {
    let exact: HashSet<&str> = others.iter().copied().collect();
    let lower: HashMap<String, &str> = others
        .iter()
        .map(|name| (name.to_lowercase(), *name))
        .collect();
    names
        .into_iter()
        .filter(|name| !exact.contains(name))
        .find_map(|name| Some((name, *lower.get(&name.to_lowercase())?)))
}

/// Refuses struct members within a type whose names differ by case alone; the type is at `path`.
fn within(path: &str, data_type: &DataType) -> Result<()> {
    let inner = inner_fields(data_type);
    if let DataType::Struct(_) = data_type
        && let Some((one, other)) = alike(inner.iter().map(|field| field.name().as_str()))
    {
        return Err(refused(
            &format!("{path}.{one}"),
            &format!("{path}.{other}"),
        ));
    }
    inner
        .into_iter()
        .try_for_each(|field| within(&below(path, data_type, field), field.data_type()))
}

fn refused(one: &str, other: &str) -> Error {
    Error::InvalidOption {
        option: "schema",
        reason: format!(
            "the names {one:?} and {other:?} differ by case alone, and DuckDB and Spark take them for one; \
             rename one, or allow it with {}",
            Remedy::CaseSensitiveNames
        ),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    fn schema(names: &[&str]) -> Schema {
        let field = |name: &&str| Field::new(*name, DataType::Int8, true);
        Schema::new(names.iter().map(field).collect::<Vec<_>>())
    }

    #[test]
    fn names_that_differ_by_case_alone_are_refused_wherever_they_are() {
        assert!(check_case(&schema(&["a", "b"]), ["a", "c"]).is_ok());
        let within = Schema::new(vec![Field::new(
            "l",
            DataType::new_list(DataType::Struct(schema(&["Ä", "ä"]).fields), true),
            true,
        )]);
        for (outcome, names) in [
            (check_case(&schema(&["a", "A"]), []), r#""a" and "A""#),
            (
                check_case(&schema(&["year"]), ["Year"]),
                r#""year" and "Year""#,
            ),
            (
                check_case(&schema(&["n"]), ["Year", "year"]),
                r#""Year" and "year""#,
            ),
            (check_case(&within, []), r#""l[].Ä" and "l[].ä""#),
        ] {
            let text = outcome.unwrap_err().to_string();
            assert!(
                text.contains(&format!("{names} differ by case alone")),
                "{text}"
            );
        }
    }
}
