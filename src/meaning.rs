//! Whether two columns mean the same beside their types: the order of categories, extension types, geometries
//! (promise P10).
//!
//! One rule wherever rows of different origin become one column:
//!
//! | one is | the other is | |
//! |---|---|---|
//! | ordered | ordered | one list of categories has to begin with the other |
//! | an enumeration of Polars | the same | of the same categories |
//! | an enumeration of Polars | another ordered dictionary | they do not go together: Polars reads them as two types |
//! | ordered | without an order | they do not go together: the order would be lost, or made up |
//! | of an extension type | of another, or with other parameters | they do not go together: the values mean something else |
//! | of an extension type | of none | readers of both as files get the same values, which is said; within one write they do not go together |
//! | of geometries by GeoParquet | of other geometries, or not of geometries | they do not go together: the same bytes are other places |
//! | anything | only nulls | they go together |

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use crate::categories::{Categories, KnownCategories, REMEDY, enumeration_text};
use crate::extension::Extension;
use crate::geometry::{Geometries, Geometry, GeometryDifference, is_same_text};
use crate::nested::{below, inner_fields, list_item};

/// What to do about columns whose extension types do not go together.
const EXTENSION_REMEDY: &str =
    "give the column one extension type everywhere, or convert it to one storage type";
/// What to do about geometries that do not go together.
const GEOMETRY_REMEDY: &str = "reproject the geometries to one CRS and say the same of the column in `geo` everywhere, or \
     leave `geo` out of the metadata of every schema";
/// What to do about geometries that are not what the writer's schema says of all.
const EXTENT_REMEDY: &str = "give the writer a schema whose `geo` has no `bbox` and no entries in `geometry_types` for the column";

/// A difference in the meaning of two columns, or of parts of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MeaningDifference {
    /// The column, with the path to what is within it.
    pub(crate) path: String,
    pub(crate) first: String,
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) remedy: &'static str,
}

/// The purpose for which two columns are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Readers read both as one column, from two files.
    Read,
    /// Both become one column, of a type that holds both.
    Unite,
    /// Rows of the second are written as the first, the column of the writer.
    Write,
}

/// Whether the values of the field are an ordered dictionary.
fn is_ordered(field: &Field) -> bool {
    field.dict_is_ordered() == Some(true)
}

/// Whether a column of the schema, or what is within one, is an ordered dictionary.
pub(crate) fn has_order(schema: &Schema) -> bool {
    fn has_one(field: &FieldRef) -> bool {
        is_ordered(field) || inner_fields(field.data_type()).into_iter().any(has_one)
    }
    schema.fields().iter().any(has_one)
}

/// A schema with the known categories of its ordered dictionaries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ordered<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) categories: &'a KnownCategories,
}

/// The first difference between the columns of two schemas.
pub(crate) fn difference(first: Ordered<'_>, found: Ordered<'_>) -> Option<MeaningDifference> {
    let sides = first.schema.fields().iter().find_map(|field| {
        let other = found.schema.field_with_name(field.name()).ok()?;
        let first = Side::new(field, first.categories);
        let found = Side::new(other, found.categories);
        side_difference(&first, &found, Purpose::Read)
    });
    sides.or_else(|| geometry_difference(first.schema, found.schema))
}

/// The first difference between what two schemas say of columns of geometries.
pub(crate) fn geometry_difference(first: &Schema, found: &Schema) -> Option<MeaningDifference> {
    geometries_differ(first, found, Purpose::Unite)
}

/// The first difference in geometry metadata that keeps rows from being written with the schema of a writer.
pub(crate) fn writers_geometry_difference(
    writers: &Schema,
    found: &Schema,
) -> Option<MeaningDifference> {
    geometries_differ(writers, found, Purpose::Write)
}

fn geometries_differ(
    first: &Schema,
    found: &Schema,
    purpose: Purpose,
) -> Option<MeaningDifference> {
    if is_same_text(first, found) {
        return None;
    }
    let (geometries, others) = (Geometries::of(first), Geometries::of(found));
    geometries.names().chain(others.names()).find_map(|name| {
        let field = first.field_with_name(name).ok()?;
        let other = found.field_with_name(name).ok()?;
        let (difference, remedy) = match (geometries.get(name), others.get(name)) {
            (Some(one), Some(two)) => match one.difference(two) {
                Some(difference) => (difference, GEOMETRY_REMEDY),
                None if purpose == Purpose::Write => (one.lacks(two)?, EXTENT_REMEDY),
                None => return None,
            },
            (one, two) => {
                if is_untyped(field) || is_untyped(other) {
                    return None;
                }
                let described = |said: Option<&Geometry>, field: &Field| {
                    let plain = || format!("{} without `geo` metadata", field.data_type());
                    said.map_or_else(plain, ToString::to_string)
                };
                let (first, found) = (described(one, field), described(two, other));
                (GeometryDifference { first, found }, GEOMETRY_REMEDY)
            }
        };
        Some(MeaningDifference {
            path: name.to_owned(),
            first: difference.first,
            found: difference.found,
            remedy,
        })
    })
}

/// Whether the column is of type `Null`.
fn is_untyped(field: &Field) -> bool {
    match field.data_type() {
        DataType::Null => true,
        DataType::Dictionary(_, values) => **values == DataType::Null,
        _ => false,
    }
}

/// The first difference between two fields, of whose categories nothing is known but what Polars has in the metadata.
pub(crate) fn field_difference(first: &Field, found: &Field) -> Option<MeaningDifference> {
    let none = KnownCategories::new();
    side_difference(
        &Side::new(first, &none),
        &Side::new(found, &none),
        Purpose::Unite,
    )
}

/// The first difference that keeps rows of one field from being written as the field of the writer. Where that has
/// the categories itself, values without an order are told to be among them when they come.
pub(crate) fn writers_difference(writers: &Field, found: &Field) -> Option<MeaningDifference> {
    let none = KnownCategories::new();
    side_difference(
        &Side::new(writers, &none),
        &Side::new(found, &none),
        Purpose::Write,
    )
}

/// A field with its path.
struct Side<'a> {
    field: &'a Field,
    path: String,
    known: &'a KnownCategories,
}

impl<'a> Side<'a> {
    fn new(field: &'a Field, known: &'a KnownCategories) -> Self {
        Side {
            path: field.name().clone(),
            field,
            known,
        }
    }

    fn below(&self, field: &'a Field) -> Self {
        Side {
            path: below(&self.path, self.field.data_type(), field),
            field,
            known: self.known,
        }
    }

    fn enumeration(&self) -> Option<&'a str> {
        enumeration_text(self.field)
    }

    fn categories(&self) -> Option<Arc<Categories>> {
        let known = self.known.get(&self.path).cloned();
        known.or_else(|| Categories::of_enumeration(self.enumeration()?).map(Arc::new))
    }

    fn described(&self, other: &Side<'_>) -> String {
        if !is_ordered(self.field) {
            return match self.field.data_type() {
                DataType::Dictionary(..) => "a dictionary without an order".to_owned(),
                other => format!("{other}, which has no order"),
            };
        }
        let kind = match self.enumeration() {
            Some(_) => "an enumeration of Polars",
            None => "an ordered dictionary",
        };
        match (self.categories(), other.categories()) {
            (Some(own), Some(others)) => format!("{kind} of {}", own.shown(&others)),
            _ => kind.to_owned(),
        }
    }

    fn goes_with(&self, other: &Side<'_>, purpose: Purpose) -> bool {
        match (is_ordered(self.field), is_ordered(other.field)) {
            (false, false) => true,
            (true, false) => purpose == Purpose::Write && self.enumeration().is_some(),
            (false, true) => false,
            (true, true) => match (self.enumeration(), other.enumeration()) {
                (Some(own), Some(others)) => own == others,
                (None, None) => match (self.categories(), other.categories()) {
                    (Some(own), Some(others)) => own.continues(&others),
                    _ => true,
                },
                _ => false,
            },
        }
    }
}

fn side_difference(
    first: &Side<'_>,
    found: &Side<'_>,
    purpose: Purpose,
) -> Option<MeaningDifference> {
    let within = |one: &Field, other: &Field| {
        side_difference(&first.below(one), &found.below(other), purpose)
    };
    if is_untyped(first.field) || is_untyped(found.field) {
        return None;
    }
    let extensions = (Extension::of(first.field), Extension::of(found.field));
    let is_same_extension = match extensions {
        (None, Some(_)) | (Some(_), None) => purpose == Purpose::Read,
        (first, found) => first == found,
    };
    if !is_same_extension {
        let described = |extension: Option<Extension<'_>>, field: &Field| match extension {
            Some(extension) => format!("{} {extension}", field.data_type()),
            None => format!("{} without an extension type", field.data_type()),
        };
        return Some(MeaningDifference {
            path: first.path.clone(),
            first: described(extensions.0, first.field),
            found: described(extensions.1, found.field),
            remedy: EXTENSION_REMEDY,
        });
    }
    if !first.goes_with(found, purpose) {
        return Some(MeaningDifference {
            path: first.path.clone(),
            first: first.described(found),
            found: found.described(first),
            remedy: REMEDY,
        });
    }
    match (first.field.data_type(), found.field.data_type()) {
        (DataType::Struct(one), DataType::Struct(other)) => one
            .iter()
            .find_map(|member| within(member, other.find(member.name())?.1)),
        (DataType::Map(one, _), DataType::Map(other, _)) => {
            match (one.data_type(), other.data_type()) {
                // What a map calls its keys and values is of no account.
                (DataType::Struct(entry), DataType::Struct(others)) => {
                    let (one, other) = (first.below(one), found.below(other));
                    entry
                        .iter()
                        .zip(others)
                        .find_map(|(a, b)| side_difference(&one.below(a), &other.below(b), purpose))
                }
                _ => None,
            }
        }
        (DataType::FixedSizeList(one, _), DataType::FixedSizeList(other, _))
        | (DataType::RunEndEncoded(_, one), DataType::RunEndEncoded(_, other)) => {
            within(one, other)
        }
        // Runs are stored as their values.
        (DataType::RunEndEncoded(_, one), _) => {
            let one = first.below(one);
            let one = Side {
                path: first.path.clone(),
                ..one
            };
            side_difference(&one, found, purpose)
        }
        (_, DataType::RunEndEncoded(_, other)) => {
            let other = found.below(other);
            let other = Side {
                path: found.path.clone(),
                ..other
            };
            side_difference(first, &other, purpose)
        }
        (one, other) => within(list_item(one)?, list_item(other)?),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Fields;

    use super::*;
    use crate::categories::POLARS_ENUMERATION;

    fn words(ordered: bool) -> Field {
        let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Field::new("size", words, true).with_dict_is_ordered(ordered)
    }

    fn enumeration(text: &str) -> Field {
        let metadata = [(POLARS_ENUMERATION.to_owned(), text.to_owned())];
        words(true).with_metadata(metadata.into())
    }

    fn known(path: &str, values: &[&str]) -> KnownCategories {
        let categories = Categories::new(values.iter().map(|value| value.as_bytes()));
        [(path.to_owned(), Arc::new(categories))].into()
    }

    #[test]
    fn an_order_goes_with_none_but_an_order() {
        let plain = Field::new("size", DataType::Utf8, true);
        let nulls = Field::new("size", DataType::Null, true);
        assert_eq!(field_difference(&words(true), &words(true)), None);
        assert_eq!(field_difference(&words(false), &plain), None);
        for ordered in [words(true), enumeration("1;a")] {
            assert_eq!(field_difference(&ordered, &nulls), None);
            assert_eq!(field_difference(&nulls, &ordered), None);
            for other in [&words(false), &plain] {
                assert!(field_difference(&ordered, other).is_some());
                assert!(field_difference(other, &ordered).is_some());
            }
        }
        // Of an enumeration all categories are known.
        assert_eq!(writers_difference(&enumeration("1;a"), &plain), None);
        assert!(writers_difference(&words(true), &plain).is_some());
        assert!(writers_difference(&plain, &enumeration("1;a")).is_some());
    }

    #[test]
    fn an_extension_type_goes_with_itself_and_in_another_file_with_none() {
        let field = |parameters: Option<&str>| {
            let plain = Field::new("p", DataType::Int64, true);
            let Some(parameters) = parameters else {
                return plain;
            };
            let name = (
                "ARROW:extension:name".to_owned(),
                "pandas.period".to_owned(),
            );
            let text = ("ARROW:extension:metadata".to_owned(), parameters.to_owned());
            plain.with_metadata([name, text].into())
        };
        let days = field(Some(r#"{"freq": "D"}"#));
        let months = field(Some(r#"{"freq": "M"}"#));
        let plain = field(None);
        let reads = |one: &Field, other: &Field| {
            let (one, other) = (
                Schema::new(vec![one.clone()]),
                Schema::new(vec![other.clone()]),
            );
            let none = KnownCategories::new();
            let side = |schema| Ordered {
                schema,
                categories: &none,
            };
            difference(side(&one), side(&other)).is_none()
        };
        let list = |item: &Field| Field::new("l", DataType::List(Arc::new(item.clone())), true);
        for nest in [|field: &Field| field.clone(), list] {
            let (days, months, plain) = (nest(&days), nest(&months), nest(&plain));
            for (one, other, read, united, written) in [
                (&days, &days, true, true, true),
                (&days, &months, false, false, false),
                (&days, &plain, true, false, false),
                (&plain, &days, true, false, false),
            ] {
                assert_eq!(reads(one, other), read, "{one} and {other}");
                assert_eq!(field_difference(one, other).is_none(), united);
                assert_eq!(writers_difference(one, other).is_none(), written);
            }
        }
    }

    #[test]
    fn enumerations_have_the_same_categories() {
        let one = enumeration("1;b1;a");
        assert_eq!(field_difference(&one, &one), None);
        for other in [enumeration("1;a1;b"), enumeration("1;b1;a1;c"), words(true)] {
            let found = field_difference(&one, &other).unwrap();
            assert!(
                found.first.starts_with("an enumeration of Polars"),
                "{found:?}"
            );
        }
        let found = field_difference(&one, &enumeration("1;b1;c")).unwrap();
        assert_eq!(found.first, "an enumeration of Polars of \"b\" < \"a\"");
        assert_eq!(found.found, "an enumeration of Polars of \"b\" < \"c\"");
    }

    #[test]
    fn one_list_of_categories_begins_with_the_other_also_within_types() {
        let member = Field::new("s", DataType::Struct(Fields::from(vec![words(true)])), true);
        let list = |item: &str| {
            let item = words(true).with_name(item);
            Field::new("l", DataType::List(Arc::new(item)), true)
        };
        for (one, other, paths) in [
            (words(true), words(true), ["size", "size"]),
            (member.clone(), member, ["s.size", "s.size"]),
            (list("item"), list("element"), ["l[]", "l[]"]),
        ] {
            let (one, other) = (Schema::new(vec![one]), Schema::new(vec![other]));
            let differ = |a: &[&str], b: &[&str]| {
                let (a, b) = (known(paths[0], a), known(paths[1], b));
                let side = |schema, categories| Ordered { schema, categories };
                difference(side(&one, &a), side(&other, &b))
            };
            for fits in [&["b", "a"][..], &["b"], &["b", "a", "c"], &[]] {
                assert_eq!(differ(&["b", "a"], fits), None);
            }
            for contradicts in [&["a", "b"][..], &["a"], &["b", "c", "a"]] {
                assert!(differ(&["b", "a"], contradicts).is_some());
            }
        }
    }
}
