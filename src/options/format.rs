//! [`Format`]: the names of the file formats that this build can write and check.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A file format that can be checked.
///
/// ```
/// use atomic_arrow::format::Format;
///
/// assert_eq!(Format::from_path("part-0.parquet"), Some(Format::Parquet));
/// assert_eq!("Parquet".parse(), Ok(Format::Parquet));
/// assert_eq!(Format::Parquet.to_string(), "parquet");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header, as RFC 4180 has them; in files named `.tsv`, separated by tabs.
    #[cfg(feature = "csv")]
    Csv,
    /// One JSON document. A name that an object has twice does not pass the check, since readers keep either
    /// value; numbers too large for a double do.
    #[cfg(feature = "json")]
    Json,
    /// One JSON object a line, checked as [`Json`](Format::Json) is.
    #[cfg(feature = "json")]
    Ndjson,
    /// The Arrow IPC file format, also known as Feather version 2.
    #[cfg(feature = "ipc")]
    Ipc,
    /// The Arrow IPC stream format.
    #[cfg(feature = "ipc")]
    IpcStream,
}

impl Format {
    /// Every format of this build.
    pub const ALL: &'static [Format] = &[
        Format::Parquet,
        #[cfg(feature = "csv")]
        Format::Csv,
        #[cfg(feature = "json")]
        Format::Json,
        #[cfg(feature = "json")]
        Format::Ndjson,
        #[cfg(feature = "ipc")]
        Format::Ipc,
        #[cfg(feature = "ipc")]
        Format::IpcStream,
    ];

    /// The format that a file of this name has, by its suffix in any case; `None` if it is none that
    /// this build knows. A text may be compressed as a whole, and `.gz` or `.zst` follow its suffix.
    ///
    /// `.parquet` and `.parq` are Parquet, `.csv` and `.tsv` are CSV, `.json` is JSON, `.ndjson` and `.jsonl` are NDJSON,
    /// `.arrow`, `.feather` and `.ipc` are IPC files, `.arrows` is an IPC stream.
    #[must_use]
    pub fn from_path(path: impl AsRef<Path>) -> Option<Format> {
        let path = path.as_ref();
        let suffix = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
        let of = |suffix: &str| {
            let mut formats = Format::ALL.iter().copied();
            formats.find(|format| format.suffixes().contains(&suffix))
        };
        match suffix(path)?.as_str() {
            "gz" | "zst" => of(&suffix(Path::new(path.file_stem()?))?).filter(|it| it.is_text()),
            suffix => of(suffix),
        }
    }

    /// The suffixes that each feature of the crate is for.
    const FEATURES: &[(&'static str, &'static [&'static str])] = &[
        ("csv", &["csv", "tsv"]),
        ("json", &["json", "ndjson", "jsonl"]),
        ("ipc", &["arrow", "feather", "ipc", "arrows"]),
    ];

    /// The feature that a file of this name takes, by its suffix, if this build has it not.
    pub(crate) fn missing_feature(path: &Path) -> Option<&'static str> {
        let suffix = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
        if Format::from_path(path).is_some() {
            return None;
        }
        let suffix = match suffix(path)?.as_str() {
            "gz" | "zst" => suffix(Path::new(path.file_stem()?))?,
            suffix => suffix.to_owned(),
        };
        let mut features = Format::FEATURES.iter();
        let (feature, _) = features.find(|(_, suffixes)| suffixes.contains(&suffix.as_str()))?;
        Some(feature)
    }

    /// Whether a file of this name is of another format by its suffix, also one that this build does not have.
    pub(crate) fn is_contradicted_by(self, path: &Path) -> bool {
        match Format::from_path(path) {
            Some(named) => named != self,
            None => Format::missing_feature(path).is_some(),
        }
    }

    /// Whether files of the format are text, which may be compressed as a whole.
    pub(crate) fn is_text(self) -> bool {
        match self {
            Format::Parquet => false,
            #[cfg(feature = "csv")]
            Format::Csv => true,
            #[cfg(feature = "json")]
            Format::Json | Format::Ndjson => true,
            #[cfg(feature = "ipc")]
            Format::Ipc | Format::IpcStream => false,
        }
    }

    /// Whether files of the format begin with the names of all columns, by whose places readers may go.
    pub(crate) fn has_header(self) -> bool {
        match self {
            #[cfg(feature = "csv")]
            Format::Csv => true,
            #[cfg(feature = "json")]
            Format::Json | Format::Ndjson => false,
            #[cfg(feature = "ipc")]
            Format::Ipc | Format::IpcStream => false,
            Format::Parquet => false,
        }
    }

    /// The suffixes of file names that have the format, the usual one first.
    #[must_use]
    pub fn suffixes(self) -> &'static [&'static str] {
        match self {
            Format::Parquet => &["parquet", "parq"],
            #[cfg(feature = "csv")]
            Format::Csv => &["csv", "tsv"],
            #[cfg(feature = "json")]
            Format::Json => &["json"],
            #[cfg(feature = "json")]
            Format::Ndjson => &["ndjson", "jsonl"],
            #[cfg(feature = "ipc")]
            Format::Ipc => &["arrow", "feather", "ipc"],
            #[cfg(feature = "ipc")]
            Format::IpcStream => &["arrows"],
        }
    }

    /// The format's name in lower case, as [`FromStr`] reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            #[cfg(feature = "csv")]
            Format::Csv => "csv",
            #[cfg(feature = "json")]
            Format::Json => "json",
            #[cfg(feature = "json")]
            Format::Ndjson => "ndjson",
            #[cfg(feature = "ipc")]
            Format::Ipc => "ipc",
            #[cfg(feature = "ipc")]
            Format::IpcStream => "ipc-stream",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no [`Format`] of this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name:?}; known are {}", known())]
pub struct UnknownFormat {
    name: String,
}

fn known() -> String {
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    names.join(", ")
}

/// Takes the name in any case, with a hyphen or an underscore; also `arrow` and `feather` for `ipc`, `arrows` for
/// `ipc-stream`, and `jsonl` for `ndjson`.
impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let normal = name.trim().to_ascii_lowercase().replace('_', "-");
        let normal = match normal.as_str() {
            "arrow" | "feather" => "ipc",
            "arrows" => "ipc-stream",
            "jsonl" => "ndjson",
            other => other,
        };
        let mut formats = Format::ALL.iter().copied();
        let found = formats.find(|format| format.name() == normal);
        found.ok_or_else(|| UnknownFormat {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_but_those_of_parquet_names_the_feature_that_it_takes() {
        let of_features = Format::FEATURES
            .iter()
            .flat_map(|(_, suffixes)| suffixes.iter());
        let mut of_features: Vec<&str> = of_features.copied().collect();
        let others = Format::ALL
            .iter()
            .filter(|format| **format != Format::Parquet);
        let mut of_formats: Vec<&str> = others
            .flat_map(|format| format.suffixes())
            .copied()
            .collect();
        of_features.sort_unstable();
        of_formats.sort_unstable();
        assert_eq!(of_features, of_formats);
    }

    #[test]
    fn a_name_contradicts_the_format_whose_suffix_it_has_not() {
        assert!(Format::Parquet.is_contradicted_by("prices.csv".as_ref()));
        assert!(Format::Parquet.is_contradicted_by("prices.json.gz".as_ref()));
        assert!(!Format::Parquet.is_contradicted_by("prices.PARQUET".as_ref()));
        assert!(!Format::Parquet.is_contradicted_by("prices".as_ref()));
        assert!(!Format::Parquet.is_contradicted_by("prices.v2".as_ref()));
    }
}
