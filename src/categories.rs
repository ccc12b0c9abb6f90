//! Lists of categories in their order: those of ordered dictionaries, and of enumerations of Polars.
//!
//! Arrow has the categories of an ordered dictionary in each batch, and in the field only a mark that there is an order.
//! Polars has those of an enumeration in the metadata of the field, too. Which lists go together is in
//! [`meaning`](crate::meaning).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::Field;

/// The key of a field's metadata under which Polars has the categories of an enumeration.
pub(crate) const POLARS_ENUMERATION: &str = "_PL_ENUM_VALUES2";

/// The metadata key for the categories of an enumeration in versions of Polars before 1.32.
const EARLIER_POLARS_ENUMERATION: &str = "_PL_ENUM_VALUES";

/// What to do about columns whose orders do not go together.
pub(crate) const REMEDY: &str =
    "give the column one list of categories everywhere, or cast it to its values";

/// The categories of an enumeration of Polars, as the metadata of its field has them.
pub(crate) fn enumeration_text(field: &Field) -> Option<&str> {
    let metadata = field.metadata();
    let text = metadata.get(POLARS_ENUMERATION);
    let text = text.or_else(|| metadata.get(EARLIER_POLARS_ENUMERATION));
    text.map(String::as_str)
}

/// How many categories of a list are shown, and how many characters of one.
const SHOWN: usize = 4;
const SHOWN_CHARS: usize = 40;

/// Categories in their order, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Categories {
    pub(crate) values: Vec<Box<[u8]>>,
    places: HashMap<Box<[u8]>, u32>,
}

impl Categories {
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut categories = Categories::default();
        for value in values {
            if !categories.places.contains_key(value) {
                let place = categories.values.len() as u32;
                categories.values.push(value.into());
                categories.places.insert(value.into(), place);
            }
        }
        categories
    }

    /// The categories that Polars keeps in the metadata of a field, or what is wrong with them.
    pub(crate) fn of_polars(path: &str, field: &Field) -> Result<Option<Categories>, String> {
        let Some(text) = field.metadata().get(POLARS_ENUMERATION) else {
            return Ok(None);
        };
        Categories::of_enumeration(text).map(Some).ok_or_else(|| {
            format!(
                "column {path:?}: the metadata {POLARS_ENUMERATION} does not hold the categories of an enumeration"
            )
        })
    }

    /// Reads what Polars writes: of each category its length in bytes, a semicolon, and the category.
    pub(crate) fn of_enumeration(text: &str) -> Option<Categories> {
        let mut rest = text;
        let mut values = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_once(';')?;
            let (value, after) = after.split_at_checked(length.parse().ok()?)?;
            values.push(value.as_bytes());
            rest = after;
        }
        Some(Categories::new(values))
    }

    pub(crate) fn place(&self, value: &[u8]) -> Option<u32> {
        self.places.get(value).copied()
    }

    /// Whether this list has all categories of `other`, in the same order.
    pub(crate) fn has_in_order(&self, other: &Categories) -> bool {
        let places = other.values.iter().map(|value| self.place(value));
        let places: Option<Vec<u32>> = places.collect();
        places.is_some_and(|places| places.is_sorted())
    }

    /// Whether one of the two begins with the other.
    pub(crate) fn continues(&self, other: &Categories) -> bool {
        self.values.iter().zip(&other.values).all(|(a, b)| a == b)
    }

    /// The categories around the first one that differs from `other`, as text for a message.
    pub(crate) fn shown(&self, other: &Categories) -> String {
        let pairs = self.values.iter().zip(&other.values);
        let same = pairs.take_while(|(a, b)| a == b).count();
        let start = same.saturating_sub(1);
        let mut shown = Vec::new();
        if start > 0 {
            shown.push("…".to_owned());
        }
        for value in self.values.iter().skip(start).take(SHOWN) {
            let text = String::from_utf8_lossy(value);
            shown.push(match text.char_indices().nth(SHOWN_CHARS) {
                Some((end, _)) => format!("{:?}…", &text[..end]),
                None => format!("{text:?}"),
            });
        }
        if self.values.len() > start + SHOWN {
            shown.push("…".to_owned());
        }
        shown.join(" < ")
    }
}

/// The categories of the ordered dictionaries of a schema, by path, as far as they are known.
pub(crate) type KnownCategories = BTreeMap<String, Arc<Categories>>;

/// Merges the categories of another part of the same rows: of two lists for one column, the longer one stays.
pub(crate) fn take_longer(known: &mut KnownCategories, found: KnownCategories) {
    for (path, categories) in found {
        let is_longer = |known: &Arc<Categories>| known.values.len() < categories.values.len();
        if known.get(&path).is_none_or(is_longer) {
            known.insert(path, categories);
        }
    }
}
