//! Paths in records: a text, or where that cannot be, an object with their bytes.
//!
//! Others may name files as they like, also by bytes that are no UTF-8, which no text of JSON can hold.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The only field of the object.
const BYTES: &str = "base64";

struct PathText<'a>(&'a Path);

impl Serialize for PathText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.0.to_str() {
            return serializer.serialize_str(text);
        }
        let bytes = bytes_of(self.0).ok_or_else(|| S::Error::custom("a path is not Unicode"))?;
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry(BYTES, &URL_SAFE_NO_PAD.encode(bytes))?;
        object.end()
    }
}

struct Read(PathBuf);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Read;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a path")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Read, E> {
                Ok(Read(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Read, A::Error> {
                let field: Option<(String, String)> = object.next_entry()?;
                let bytes = field.filter(|(name, _)| name == BYTES);
                let bytes = bytes.and_then(|(_, text)| URL_SAFE_NO_PAD.decode(text).ok());
                let path = bytes.and_then(path_of);
                path.map(Read)
                    .ok_or_else(|| A::Error::custom("an object that is no path"))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(unix)]
fn bytes_of(path: &Path) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(path.as_os_str().as_bytes())
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn bytes_of(_: &Path) -> Option<&[u8]> {
    None
}

#[cfg(not(unix))]
fn path_of(_: Vec<u8>) -> Option<PathBuf> {
    None
}

pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    PathText(path).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Ok(Read::deserialize(deserializer)?.0)
}

/// Paths in a list, each as text.
pub(super) mod list {
    use super::{Deserialize, Deserializer, PathBuf, PathText, Read, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        paths: &[PathBuf],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| PathText(path)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        let paths = Vec::<Read>::deserialize(deserializer)?;
        Ok(paths.into_iter().map(|Read(path)| path).collect())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        #[serde(with = "super")]
        path: PathBuf,
        #[serde(with = "super::list")]
        all: Vec<PathBuf>,
    }

    #[test]
    fn a_path_is_read_as_it_was_written_also_where_it_is_no_text() {
        let path = path_of(b"k=A/\xff\xfe".to_vec()).unwrap();
        let all = vec![path.clone(), "k=A/x.parquet".into()];
        let record = Record { path, all };
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.contains(r#""all":[{"base64":"#), "{json}");
        assert!(json.contains(r#""k=A/x.parquet""#), "{json}");
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }

    #[test]
    fn another_object_is_no_path() {
        for object in [
            r#"{}"#,
            r#"{"hex":"00"}"#,
            r#"{"base64":"!"}"#,
            r#"{"base64":"AA","x":"y"}"#,
            "7",
        ] {
            let json = format!(r#"{{"path":{object},"all":[]}}"#);
            assert!(serde_json::from_str::<Record>(&json).is_err(), "{object}");
        }
    }
}
