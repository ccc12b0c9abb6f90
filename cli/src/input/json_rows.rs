//! Looks at single rows of JSON: their keys, each once, and the types of their values.
//!
//! Owns reading a row as far as Arrow's decoder does not tell: a key that an object has twice, and
//! numbers as they are written, which a float would round. What a row becomes is the reader's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::guess::Guess;

/// The entries of an object in their order, no key twice.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_ref()).collect();
                keys.sort_unstable();
                match keys.windows(2).find(|pair| pair[0] == pair[1]) {
                    Some(pair) => Err(A::Error::custom(format_args!(
                        "an object has the key `{}` twice",
                        pair[0]
                    ))),
                    None => Ok(Entries(entries)),
                }
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A key, borrowed where nothing in it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

type Parsed<T> = Result<T, serde_json::Error>;

/// The error of a row, or of a place in it.
#[derive(Debug, thiserror::Error)]
#[error("{}{what}", self.within())]
pub(crate) struct BadRow {
    place: String,
    what: String,
}

impl BadRow {
    fn within(&self) -> String {
        match self.place.as_str() {
            "" => String::new(),
            place => format!("`{place}`: "),
        }
    }

    /// The parser's error about a value, with the place of the value in the row.
    fn at(place: &str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let what = match text.strip_suffix(&position) {
            // A row is one line to the parser.
            Some(what) if place.is_empty() => {
                format!("{what} (byte {} of the row)", error.column())
            }
            Some(what) => what.to_owned(),
            None => text,
        };
        let place = place.to_owned();
        BadRow { place, what }
    }
}

impl From<serde_json::Error> for BadRow {
    fn from(error: serde_json::Error) -> Self {
        BadRow::at("", &error)
    }
}

/// Checks that a row is one object, and that no object in it has a key twice.
pub(super) fn check(row: &str) -> Result<(), BadRow> {
    check_object(row, "")
}

fn check_object(object: &str, place: &str) -> Result<(), BadRow> {
    let entries = serde_json::from_str::<Entries<'_>>(object);
    for (key, value) in entries.map_err(|error| BadRow::at(place, &error))?.0 {
        check_value(value.get(), &|| below(place, &key))?;
    }
    Ok(())
}

/// Checks a value, whose place is asked for where it is an object or a list.
fn check_value(value: &str, place: &dyn Fn() -> String) -> Result<(), BadRow> {
    match value.as_bytes().first() {
        Some(b'{') => check_object(value, &place()),
        Some(b'[') if value.contains('{') => {
            let items = serde_json::from_str::<Vec<&RawValue>>(value);
            let items = items.map_err(|error| BadRow::at(&place(), &error))?;
            let place = || format!("{}[]", place());
            items
                .iter()
                .try_for_each(|item| check_value(item.get(), &place))
        }
        _ => Ok(()),
    }
}

/// An escape that is one half of a surrogate pair without the other.
pub(super) fn lone_surrogate(row: &str) -> Option<&str> {
    let unit = |at: usize| {
        let digits = row.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (bytes, mut at) = (row.as_bytes(), 0);
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => return row.get(at..at + 6),
            (Some(_), _) => at += 6,
            (None, _) => at += 2,
        }
    }
    None
}

/// The first thing in a row that does not fit the columns.
pub(super) enum Misfit {
    /// A key that is no column, or no member of one.
    Key(String),
    /// A value that has no place in the type.
    Value {
        place: String,
        value: String,
        data_type: DataType,
    },
}

/// The first value that does not fit the columns; `fits` is asked with a text or a number, its type, and the name of
/// the column.
pub(super) fn misfit(
    row: &str,
    columns: &Fields,
    fits: &impl Fn(&str, &DataType, &str) -> bool,
) -> Option<Misfit> {
    misfit_within(row, "", &DataType::Struct(columns.clone()), "", fits)
}

fn misfit_within(
    value: &str,
    place: &str,
    data_type: &DataType,
    column: &str,
    fits: &impl Fn(&str, &DataType, &str) -> bool,
) -> Option<Misfit> {
    let wrong = || {
        Some(Misfit::Value {
            place: place.to_owned(),
            value: value.to_owned(),
            data_type: data_type.clone(),
        })
    };
    let first = value.as_bytes().first()?;
    match (first, data_type) {
        (b'n', _) => None,
        (b'{', DataType::Struct(fields)) => {
            let entries = serde_json::from_str::<Entries<'_>>(value).ok()?.0;
            entries.iter().find_map(|(key, value)| {
                let place = below(place, key);
                match fields.find(key) {
                    None => Some(Misfit::Key(place)),
                    Some((_, field)) => {
                        let column = if column.is_empty() { key } else { column };
                        misfit_within(value.get(), &place, field.data_type(), column, fits)
                    }
                }
            })
        }
        (b'{', DataType::Map(entries, _)) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return None;
            };
            let values = fields.get(1)?.data_type();
            let entries = serde_json::from_str::<Entries<'_>>(value).ok()?.0;
            entries.iter().find_map(|(key, value)| {
                misfit_within(value.get(), &below(place, key), values, column, fits)
            })
        }
        (b'[', DataType::List(item) | DataType::LargeList(item)) => {
            let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            let place = format!("{place}[]");
            items.iter().find_map(|value| {
                misfit_within(value.get(), &place, item.data_type(), column, fits)
            })
        }
        (b'{' | b'[', _) => wrong(),
        (_, nested) if nested.is_nested() => wrong(),
        (b't' | b'f', DataType::Boolean) => None,
        (_, DataType::Boolean) => wrong(),
        (b'"', _) => match serde_json::from_str::<Cow<'_, str>>(value) {
            Ok(text) if !fits(&text, data_type, column) => Some(Misfit::Value {
                place: place.to_owned(),
                value: text.into_owned(),
                data_type: data_type.clone(),
            }),
            _ => None,
        },
        _ if !fits(value, data_type, column) => wrong(),
        _ => None,
    }
}

/// The deepest nesting of objects and lists, which is that of serde_json.
pub(super) const DEEPEST: usize = 128;

/// Whether objects and lists lie deeper in one another than is read.
pub(super) fn is_too_deep(row: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in row.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

/// Writes a row with every object or list that stands where `is_text` says as a text of itself.
///
/// It is asked with the place and the value. Places are named by their keys, `station.name`, and items of a list by `[]`.
pub(super) fn with_texts(
    row: &str,
    is_text: &impl Fn(&str, &str) -> bool,
    into: &mut String,
) -> Parsed<()> {
    rewrite(row, "", is_text, into)
}

fn rewrite(
    value: &str,
    place: &str,
    is_text: &impl Fn(&str, &str) -> bool,
    into: &mut String,
) -> Parsed<()> {
    let first = value.as_bytes().first();
    if matches!(first, Some(b'{' | b'[')) && !place.is_empty() && is_text(place, value) {
        into.push_str(&serde_json::to_string(value)?);
        return Ok(());
    }
    match first {
        Some(b'{') => {
            into.push('{');
            for (index, (key, value)) in serde_json::from_str::<Entries<'_>>(value)?
                .0
                .iter()
                .enumerate()
            {
                if index > 0 {
                    into.push(',');
                }
                into.push_str(&serde_json::to_string(key)?);
                into.push(':');
                rewrite(value.get(), &below(place, key), is_text, into)?;
            }
            into.push('}');
        }
        Some(b'[') => {
            into.push('[');
            let items: Vec<&RawValue> = serde_json::from_str(value)?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                rewrite(item.get(), &format!("{place}[]"), is_text, into)?;
            }
            into.push(']');
        }
        _ => into.push_str(value),
    }
    Ok(())
}

/// Whether a value is an object without keys.
pub(super) fn is_empty_object(value: &str) -> bool {
    let inner = value
        .strip_prefix('{')
        .and_then(|value| value.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// The place of a key in an object.
pub(super) fn below(place: &str, key: &str) -> String {
    match place {
        "" => key.to_owned(),
        place => format!("{place}.{key}"),
    }
}

/// A guess of the type of the values seen at one place.
#[derive(Debug, Clone, Default)]
pub(super) struct JsonGuess {
    scalars: Guess,
    text: bool,
    item: Option<Box<JsonGuess>>,
    object: Option<ObjectGuess>,
}

/// A guess of the members of the objects seen at one place.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectGuess {
    fields: Vec<(String, JsonGuess)>,
    places: HashMap<String, usize>,
}

/// Remarks on places whose values no type of their own holds.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// Places of text where numbers or truth values were seen too, or numbers beyond every type.
    pub(super) mixed: Vec<String>,
    /// Places of text where nothing but objects without keys was seen.
    pub(super) empty_objects: Vec<String>,
    /// Places where only nulls were seen.
    pub(super) unseen: Vec<String>,
    /// A place where objects or lists were seen and something else too.
    pub(super) conflict: Option<String>,
}

impl Remarks {
    /// The remarks as notes for the user.
    pub(super) fn notes(&self, path: &Path) -> Vec<String> {
        let note =
            |place: &String, what| format!("{}: column `{place}` has {what}", path.display());
        let mixed =
            "numbers that no one type holds, or several kinds of values: all are kept as text";
        let empty =
            "only objects without keys, for which there is no type: they are kept as JSON text";
        let mixed = self.mixed.iter().map(|place| note(place, mixed));
        let empty = self.empty_objects.iter().map(|place| note(place, empty));
        mixed.chain(empty).collect()
    }
}

impl ObjectGuess {
    /// Adds a row to the guess.
    pub(super) fn add(&mut self, row: &str) -> Parsed<()> {
        for (key, value) in serde_json::from_str::<Entries<'_>>(row)?.0 {
            let at = match self.places.get(key.as_ref()) {
                Some(at) => *at,
                None => {
                    let at = self.fields.len();
                    self.places.insert(key.to_string(), at);
                    self.fields.push((key.into_owned(), JsonGuess::default()));
                    at
                }
            };
            self.fields[at].1.add(value.get())?;
        }
        Ok(())
    }

    /// The guess of the values of a key; `None` if texts, objects or lists are among them.
    pub(super) fn scalars(&self, key: &str) -> Option<&Guess> {
        let (_, guess) = &self.fields[*self.places.get(key)?];
        let is_scalar = !guess.text && guess.item.is_none() && guess.object.is_none();
        is_scalar.then_some(&guess.scalars)
    }

    /// The field of each key, in the order in which they were met.
    pub(super) fn fields(&self, place: &str, remarks: &mut Remarks) -> Vec<FieldRef> {
        let field = |(key, guess): &(String, JsonGuess)| {
            let data_type = guess.data_type(&below(place, key), remarks);
            FieldRef::new(Field::new(key, data_type, true))
        };
        self.fields.iter().map(field).collect()
    }
}

impl JsonGuess {
    fn add(&mut self, value: &str) -> Parsed<()> {
        match value.as_bytes().first() {
            Some(b'{') => self.object.get_or_insert_default().add(value)?,
            Some(b'[') => {
                let item = self.item.get_or_insert_default();
                let items: Vec<&RawValue> = serde_json::from_str(value)?;
                for value in items {
                    item.add(value.get())?;
                }
            }
            Some(b'"') => self.text = true,
            Some(b't' | b'f') => self.scalars.add_json_boolean(),
            Some(b'n') | None => {}
            Some(_) => self.scalars.add_json_number(value),
        }
        Ok(())
    }

    fn data_type(&self, place: &str, remarks: &mut Remarks) -> DataType {
        let scalar = self.text || self.scalars.is_seen();
        match (&self.object, &self.item) {
            (Some(object), None) if !scalar => {
                if object.fields.is_empty() {
                    remarks.empty_objects.push(place.to_owned());
                    return DataType::Utf8;
                }
                DataType::Struct(object.fields(place, remarks).into())
            }
            (None, Some(item)) if !scalar => {
                let data_type = item.data_type(&format!("{place}[]"), remarks);
                DataType::List(FieldRef::new(Field::new_list_field(data_type, true)))
            }
            (None, None) => {
                let data_type = match self.text {
                    true => DataType::Utf8,
                    false => self.scalars.data_type(),
                };
                if !scalar {
                    remarks.unseen.push(place.to_owned());
                } else if self.scalars.is_seen() && data_type == DataType::Utf8 {
                    remarks.mixed.push(place.to_owned());
                }
                data_type
            }
            _ => {
                remarks.conflict.get_or_insert_with(|| place.to_owned());
                DataType::Utf8
            }
        }
    }
}
