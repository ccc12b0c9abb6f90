//! Extension types of columns, and whether those of two columns are the same.
//!
//! Arrow has the name of a field's extension type, and the parameters of it as text, in the metadata of the field
//! (<https://arrow.apache.org/docs/format/Columnar.html#extension-types>). Of one storage type the values mean
//! something else under other parameters: 18,262 is a day, a month or a year of `pandas.period`.

use std::fmt;

use arrow::datatypes::Field;
use serde_json::Value;

/// The key of a field's metadata that names its extension type.
const NAME: &str = "ARROW:extension:name";

/// The key of a field's metadata that has the parameters of its extension type.
const PARAMETERS: &str = "ARROW:extension:metadata";

/// How many characters of the parameters are shown.
const SHOWN_CHARS: usize = 80;

/// The extension type of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extension<'a> {
    name: &'a str,
    parameters: &'a str,
}

impl<'a> Extension<'a> {
    pub(crate) fn of(field: &'a Field) -> Option<Self> {
        let metadata = field.metadata();
        Some(Extension {
            name: metadata.get(NAME)?,
            parameters: metadata.get(PARAMETERS).map_or("", String::as_str),
        })
    }

    /// The parameters as JSON, as nearly all are; none, and an empty object, are the same.
    fn json(&self) -> Option<Value> {
        match self.parameters {
            "" => Some(Value::Object(serde_json::Map::new())),
            text => serde_json::from_str(text).ok(),
        }
    }
}

impl PartialEq for Extension<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && (self.parameters == other.parameters
                || self.json().is_some_and(|json| other.json() == Some(json)))
    }
}

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of the extension type {}", self.name)?;
        match (
            self.parameters,
            self.parameters.char_indices().nth(SHOWN_CHARS),
        ) {
            ("", _) => Ok(()),
            (text, Some((end, _))) => write!(f, " {}…", &text[..end]),
            (text, None) => write!(f, " {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn parameters_are_compared_as_json_where_they_are() {
        let field = |name: &str, parameters: Option<&str>| {
            let mut metadata = vec![(NAME.to_owned(), name.to_owned())];
            metadata.extend(parameters.map(|text| (PARAMETERS.to_owned(), text.to_owned())));
            Field::new("c", DataType::Int64, true).with_metadata(metadata.into_iter().collect())
        };
        for (one, other, same) in [
            (None, None, true),
            (None, Some(""), true),
            (Some("{}"), Some(""), true),
            (Some(r#"{"a": 1, "b": 2}"#), Some(r#"{"b":2,"a":1}"#), true),
            (Some(r#"{"freq": "D"}"#), Some(r#"{"freq": "M"}"#), false),
            (Some("epsg 4326"), Some("epsg 4326"), true),
            (Some("epsg 4326"), Some("epsg 2056"), false),
        ] {
            let (one, other) = (field("x", one), field("x", other));
            assert_eq!(Extension::of(&one) == Extension::of(&other), same);
        }
        let (one, other) = (field("x", None), field("y", None));
        assert!(Extension::of(&one) != Extension::of(&other));
        let plain = Field::new("c", DataType::Int64, true);
        assert!(Extension::of(&one) != Extension::of(&plain));
    }
}
