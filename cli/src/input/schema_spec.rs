//! The column types that the user sets with `--schema`, and reading them from text.
//!
//! Owns the little language `name=Type;name=Type` and its aliases. It knows nothing of inputs:
//! whether a named column exists is for the reader that has the columns to say.

use std::path::Path;
use std::str::FromStr;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, TimeUnit};

use super::InputError;

/// Types of named columns, in the order given; columns not named are inferred.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SchemaSpec {
    columns: Vec<(String, DataType)>,
}

impl SchemaSpec {
    /// The type set for a column.
    pub(super) fn get(&self, column: &str) -> Option<&DataType> {
        self.columns
            .iter()
            .find_map(|(name, data_type)| (name == column).then_some(data_type))
    }

    /// Every named column with its type.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &DataType)> {
        self.columns.iter().map(|(name, t)| (name.as_str(), t))
    }
}

impl FromStr for SchemaSpec {
    type Err = InputError;

    /// Reads `name=Type` entries separated by `;` or line ends, or those of a file named `@file`.
    ///
    /// A name may hold `=` but neither `;` nor a line end.
    ///
    /// # Errors
    /// A file that cannot be read, an entry of another form, an unknown type, a name given twice.
    fn from_str(text: &str) -> Result<Self, InputError> {
        let Some(file) = text.strip_prefix('@') else {
            return Self::parse(text);
        };
        let path = Path::new(file);
        let text = std::fs::read_to_string(path).map_err(|source| InputError::SchemaFile {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }
}

impl SchemaSpec {
    fn parse(text: &str) -> Result<Self, InputError> {
        let mut spec = Self::default();
        for entry in text.split([';', '\n']).map(str::trim) {
            if entry.is_empty() {
                continue;
            }
            let (name, type_text) = entry
                .rsplit_once('=')
                .map(|(name, type_text)| (name.trim(), type_text.trim()))
                .filter(|(name, type_text)| !name.is_empty() && !type_text.is_empty())
                .ok_or_else(|| InputError::SchemaEntry {
                    entry: entry.to_owned(),
                })?;
            if spec.get(name).is_some() {
                return Err(InputError::SchemaTwice {
                    column: name.to_owned(),
                });
            }
            let data_type = parse_type(type_text).map_err(|source| InputError::SchemaType {
                column: name.to_owned(),
                text: type_text.to_owned(),
                source,
            })?;
            spec.columns.push((name.to_owned(), data_type));
        }
        Ok(spec)
    }
}

/// Reads an alias, or Arrow's own text of a type.
fn parse_type(text: &str) -> Result<DataType, arrow::error::ArrowError> {
    let data_type = match alias(text) {
        Some(data_type) => data_type,
        None => text.parse()?,
    };
    match &data_type {
        DataType::Timestamp(_, Some(zone)) => zone.parse::<Tz>().map(|_| data_type),
        _ => Ok(data_type),
    }
}

fn alias(text: &str) -> Option<DataType> {
    Some(match text {
        "string" | "str" | "text" | "utf8" => DataType::Utf8,
        "bool" | "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" | "int" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" | "float" | "double" => DataType::Float64,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "binary" => DataType::Binary,
        _ => return with_arguments(text),
    })
}

/// `timestamp[unit]`, `timestamp[unit, zone]` and `decimal(precision, scale)`.
fn with_arguments(text: &str) -> Option<DataType> {
    if let Some(inner) = text.strip_prefix("timestamp[") {
        let inner = inner.strip_suffix(']')?;
        let (unit, zone) = match inner.split_once(',') {
            Some((unit, zone)) => (unit.trim(), Some(zone.trim())),
            None => (inner.trim(), None),
        };
        let unit = match unit {
            "s" => TimeUnit::Second,
            "ms" => TimeUnit::Millisecond,
            "us" => TimeUnit::Microsecond,
            "ns" => TimeUnit::Nanosecond,
            _ => return None,
        };
        return Some(DataType::Timestamp(unit, zone.map(Into::into)));
    }
    let inner = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    format!("Decimal128({}, {})", precision.trim(), scale.trim())
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn spec(text: &str) -> Vec<(String, DataType)> {
        text.parse::<SchemaSpec>().unwrap().columns
    }

    #[test]
    fn entries_are_separated_by_semicolons_or_lines() {
        let expected = vec![
            (
                "time_hour".to_owned(),
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ),
            ("temp".to_owned(), DataType::Float64),
        ];
        assert_eq!(
            spec(r#"time_hour=Timestamp(Microsecond, Some("UTC"));temp=Float64"#),
            expected
        );
        assert_eq!(
            spec(" time_hour = timestamp[us, UTC] \r\n\n temp = float64 ;"),
            expected
        );
        assert_eq!(spec(""), vec![]);
    }

    #[test]
    fn types_are_aliases_or_arrows_own_text() {
        for (text, expected) in [
            ("string", DataType::Utf8),
            ("int32", DataType::Int32),
            ("uint64", DataType::UInt64),
            ("bool", DataType::Boolean),
            ("double", DataType::Float64),
            ("date", DataType::Date32),
            (
                "timestamp",
                DataType::Timestamp(TimeUnit::Microsecond, None),
            ),
            (
                "timestamp[ns]",
                DataType::Timestamp(TimeUnit::Nanosecond, None),
            ),
            (
                "timestamp[ms,+02:00]",
                DataType::Timestamp(TimeUnit::Millisecond, Some("+02:00".into())),
            ),
            ("decimal(10, 2)", DataType::Decimal128(10, 2)),
            (
                "Timestamp(µs)",
                DataType::Timestamp(TimeUnit::Microsecond, None),
            ),
            ("LargeUtf8", DataType::LargeUtf8),
            (
                "Dictionary(Int32, Utf8)",
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            ),
        ] {
            assert_eq!(spec(&format!("a={text}"))[0].1, expected, "{text}");
        }
    }

    #[test]
    fn the_last_equals_sign_divides_name_and_type() {
        assert_eq!(spec("a=b=int64")[0].0, "a=b");
    }

    #[test]
    fn a_file_holds_the_same_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schema.txt");
        std::fs::write(&path, "a=int32\nb=date\n").unwrap();
        assert_eq!(
            spec(&format!("@{}", path.display())),
            spec("a=int32;b=date")
        );
        let missing = format!("@{}", dir.path().join("none").display());
        let error = missing.parse::<SchemaSpec>().unwrap_err();
        assert!(matches!(error, InputError::SchemaFile { .. }), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("a", "`a` is not of the form name=Type"),
            ("=int64", "`=int64` is not of the form name=Type"),
            ("a=int64;a=date", "column `a` is named twice"),
            ("a=int65", "column `a`: `int65` is not a type"),
            ("a=timestamp[h]", "column `a`: `timestamp[h]` is not a type"),
        ] {
            let error = text.parse::<SchemaSpec>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let error = "a=int65".parse::<SchemaSpec>().unwrap_err();
        assert!(error.source().is_some());
    }
}
