//! Values of options in text, as the command, the Python package and configuration files spell them.
//!
//! Names may be in any case, with hyphens or underscores between their words. The enumerations of options have
//! [`FromStr`](std::str::FromStr) by the same rules, and give their names back by [`Display`](std::fmt::Display):
//!
//! ```
//! use atomic_arrow::{CommitMode, parse};
//!
//! assert_eq!("overwrite-partitions".parse(), Ok(CommitMode::OverwritePartitions));
//! assert_eq!(CommitMode::OverwritePartitions.to_string(), "overwrite_partitions");
//! assert_eq!(parse::size("1.5 KiB"), Ok(1536));
//! # Ok::<(), parse::InvalidValue>(())
//! ```

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;

use crate::nearest::suggestion;

/// A text that is no value of the option it was given for; its message says which are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidValue {
    reason: String,
}

impl InvalidValue {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        InvalidValue { reason }
    }
}

/// A name in lower case, with underscores.
fn normal(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('-', "_")
}

/// The value that has this name among `known`.
pub(crate) fn named<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, InvalidValue> {
    let name = normal(text);
    let found = known.iter().find(|(known, _)| normal(known) == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let meant = suggestion(&name, names.iter().copied());
        InvalidValue::new(format!("{text:?} is none of {}{meant}", names.join(", ")))
    })
}

/// Gives an enumeration of options its names: `name`, `Display`, and `FromStr`.
macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// The name in lower case, with underscores.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        /// Takes the name in any case, with hyphens or underscores.
        impl std::str::FromStr for $type {
            type Err = $crate::options::parse::InvalidValue;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                $crate::options::parse::named(text, &[$(($name, $type::$variant)),+])
            }
        }
    };
}
pub(crate) use names;

/// Has options stand in JSON and the like by their names.
macro_rules! serialized_by_name {
    ($($type:ident),+ $(,)?) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        /// Takes what the text of the option can be.
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serialized_by_name;

/// A number of bytes: a whole number, or a number with a decimal unit (`1k`, `64 kB`, `1GB`) or a binary one (`1MiB`),
/// in any case; a fraction of a byte is left out.
///
/// # Errors
/// [`InvalidValue`] if the text is no such number, or has more than 64 bits.
pub fn size(text: &str) -> Result<u64, InvalidValue> {
    let invalid = || {
        let reason = format!("{text:?} is no size, such as 65536, 512MiB or 2GB");
        Err(InvalidValue::new(reason))
    };
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (letter, base) = match unit.strip_suffix('i') {
        // A bare `i` is no unit.
        Some("") => return invalid(),
        Some(letter) => (letter, 1024_u64),
        None => (unit, 1000),
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return invalid(),
    };
    let factor = base.pow(power);
    let bytes = match number.split_once('.') {
        None => number.parse().ok().and_then(|n: u64| n.checked_mul(factor)),
        Some((whole, fraction)) if !whole.is_empty() && !fraction.is_empty() => {
            let whole = whole.parse().ok().and_then(|n: u64| n.checked_mul(factor));
            let fraction = format!("0.{fraction}").parse::<f64>().ok();
            let part = fraction.map(|fraction| (fraction * factor as f64) as u64);
            whole
                .zip(part)
                .and_then(|(whole, part)| whole.checked_add(part))
        }
        Some(_) => None,
    };
    bytes.map_or_else(invalid, Ok)
}

/// A codec of Parquet: `zstd`, `gzip` or `brotli`, each also with a level as in `zstd(3)`, `snappy`, `lz4`, or
/// `uncompressed`, which is also called `none`; in any case. Without a level it is the codec's own.
///
/// # Errors
/// [`InvalidValue`] if there is no such codec, or it has no such level.
pub fn compression(text: &str) -> Result<Compression, InvalidValue> {
    let trimmed = text.trim();
    let (name, level) = match trimmed.strip_suffix(')').and_then(|it| it.split_once('(')) {
        Some((name, level)) => (name, Some(level)),
        None => (trimmed, None),
    };
    let level = match level.map(|level| level.trim().parse()).transpose() {
        Ok(level) => level,
        Err(_) => {
            let reason = format!("{text:?}: the level is not a whole number");
            return Err(InvalidValue::new(reason));
        }
    };
    codec(name, level)
}

/// A codec of Parquet by its name, and its level, if one is asked for.
///
/// # Errors
/// [`InvalidValue`] if there is no such codec, or it has no such level.
pub fn codec(name: &str, level: Option<i32>) -> Result<Compression, InvalidValue> {
    let no_such_level = |error: ParquetError| InvalidValue::new(error.to_string());
    let unsigned = || match level.map(u32::try_from).transpose() {
        Ok(level) => Ok(level),
        Err(_) => Err(InvalidValue::new("the level is negative")),
    };
    match normal(name).as_str() {
        "zstd" => level
            .map_or(Ok(ZstdLevel::default()), ZstdLevel::try_new)
            .map(Compression::ZSTD)
            .map_err(no_such_level),
        "gzip" => unsigned()?
            .map_or(Ok(GzipLevel::default()), GzipLevel::try_new)
            .map(Compression::GZIP)
            .map_err(no_such_level),
        "brotli" => unsigned()?
            .map_or(Ok(BrotliLevel::default()), BrotliLevel::try_new)
            .map(Compression::BROTLI)
            .map_err(no_such_level),
        known @ ("snappy" | "lz4" | "lz4_raw" | "none" | "uncompressed") => match (known, level) {
            (_, Some(_)) => Err(InvalidValue::new(format!("{known} has no levels"))),
            ("snappy", None) => Ok(Compression::SNAPPY),
            ("lz4" | "lz4_raw", None) => Ok(Compression::LZ4_RAW),
            (_, None) => Ok(Compression::UNCOMPRESSED),
        },
        _ => {
            const CODECS: [&str; 6] = ["zstd", "gzip", "brotli", "snappy", "lz4", "uncompressed"];
            let (known, meant) = (CODECS.join(", "), suggestion(name, CODECS));
            let reason = format!("{name:?} is none of {known}{meant}");
            Err(InvalidValue::new(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommitMode;
    use crate::options::{Durability, Verify};

    #[test]
    fn sizes_have_decimal_and_binary_units_or_none() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("1k", 1_000),
            ("1M", 1_000_000),
            ("1MiB", 1 << 20),
            (" 1.5 KiB ", 1_536),
            ("64kb", 64_000),
            ("1Gi", 1 << 30),
            ("2TB", 2_000_000_000_000),
            ("18446744073709551615", u64::MAX),
            ("0.5b", 0),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "many",
            "1 XB",
            "1i",
            "1.MiB",
            ".5MiB",
            "1.2.3",
            "1e6",
            "1 MiB x",
            "18446744073709551616",
            "17000000TiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn codecs_have_names_in_any_case_and_levels_of_their_own() {
        for (text, expected) in [
            ("zstd", Compression::ZSTD(ZstdLevel::default())),
            ("ZSTD(3)", Compression::ZSTD(ZstdLevel::try_new(3).unwrap())),
            ("gzip(6)", Compression::GZIP(GzipLevel::try_new(6).unwrap())),
            ("Snappy", Compression::SNAPPY),
            ("lz4", Compression::LZ4_RAW),
            ("UNCOMPRESSED", Compression::UNCOMPRESSED),
            ("none", Compression::UNCOMPRESSED),
        ] {
            assert_eq!(compression(text), Ok(expected), "{text}");
        }
        for (text, reason) in [
            ("rar", "none of zstd"),
            ("zstd(99)", "22"),
            ("zstd(x)", "whole number"),
            ("gzip(-1)", "negative"),
            ("snappy(1)", "no levels"),
            ("", "none of"),
        ] {
            let error = compression(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn names_are_taken_in_any_case_with_hyphens_or_underscores() {
        for text in ["checksum", "CHECKSUM", " Checksum"] {
            assert_eq!(text.parse(), Ok(Verify::Checksum));
        }
        assert_eq!(Durability::Unsynced.to_string(), "unsynced");
        let error = "syncd".parse::<Durability>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"syncd\" is none of synced, unsynced; did you mean \"synced\"?"
        );
        let error = "full".parse::<Durability>().unwrap_err();
        assert_eq!(error.to_string(), "\"full\" is none of synced, unsynced");
    }

    #[test]
    fn a_name_that_is_misspelled_is_told_with_the_nearest() {
        for (text, meant) in [
            ("errorifexists", "error_if_exists"),
            ("error-if-any-exist", "error_if_any_exists"),
            ("ignored", "ignore"),
            ("overwrite partitions", "overwrite_partitions"),
            ("apend", "append"),
        ] {
            let error = text.parse::<CommitMode>().unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("did you mean {meant:?}?")),
                "{error}"
            );
        }
    }
}
