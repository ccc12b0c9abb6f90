//! Partitions: keys, typed values, and the path they make.
//!
//! A [`Partition`] is an ordered list of keys with a value each, and stands for one directory,
//! `station_id=KSEA/year=2026`. [`PartitionBy`] says which keys the rows of a data set have, and
//! [`PartitionSplitter`] takes batches of rows apart by them. How a path is spelled is [`hive`]'s.
//!
//! Nothing here touches a disk, so that whatever is wrong with a value is known before anything is
//! written. This module knows of no file format, and not where a data set lies.

mod bucket;
mod by;
mod check;
mod codes;
mod error;
#[doc(hidden)]
pub mod hive;
mod ids;
mod read;
mod splitter;
mod transform;
mod value;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub use by::{PartitionBy, PartitionKey};
pub use check::StrayRow;
pub use error::PartitionError;
pub(crate) use ids::{Assignment, PartitionIds};
pub use splitter::PartitionSplitter;
pub use transform::Transform;
pub use value::PartitionValue;

/// The longest segment in bytes: NAME_MAX of about every file system.
const MAX_SEGMENT: usize = 255;

/// An ordered list of partition keys and their values, checked to be a path that readers understand.
///
/// A data set that is not partitioned has the one partition [`Partition::none`]. Two partitions are
/// equal when they name the same directory, so one that was parsed from a path, all of whose values
/// are texts, is equal to the typed one it was made from.
///
/// ```
/// use atomic_arrow::{Partition, PartitionValue};
///
/// let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")])?;
/// assert_eq!(partition.to_string(), "station_id=KSEA/year=2026");
///
/// let typed = Partition::new([
///     ("station_id", PartitionValue::from("KSEA")),
///     ("year", PartitionValue::from(2026)),
/// ])?;
/// assert_eq!(typed, partition);
/// assert_eq!(Partition::parse("station_id=KSEA/year=2026")?, typed);
/// # Ok::<(), atomic_arrow::PartitionError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Partition {
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    key: Arc<str>,
    value: PartitionValue,
    segment: String,
}

impl Partition {
    /// Makes a partition of keys and values, in this order.
    ///
    /// # Errors
    ///
    /// Nothing is on disk. A key is empty, starts with `.` or `_`, has a control character or one of
    /// `" % * / : < = > ? \ |`, or comes twice; a value is an
    /// empty string, the text that means null, not a finite number, or outside of the calendar; a
    /// time zone is not known; or a segment is longer than 255 bytes.
    pub fn new<K, V>(fields: impl IntoIterator<Item = (K, V)>) -> Result<Self, PartitionError>
    where
        K: Into<String>,
        V: Into<PartitionValue>,
    {
        let fields: Vec<(Arc<str>, PartitionValue)> = fields
            .into_iter()
            .map(|(key, value)| (key.into().into(), value.into()))
            .collect();
        check_keys(fields.iter().map(|(key, _)| &**key))?;
        Self::with_checked_keys(fields, None)
    }

    /// The partition without keys: its files lie in the root of the data set.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a partition from its path relative to the root of the data set.
    ///
    /// Every value is a text, or null. The empty path is [`Partition::none`]. [`Partition::path`]
    /// may be spelled in another way than the given path, where that was written by others: to open
    /// files, keep the path.
    ///
    /// # Errors
    ///
    /// Nothing was touched. The path is not UTF-8, is absolute, leads upwards, has a part that is
    /// not `key=value`, or has keys or values which [`Partition::new`] refuses.
    ///
    /// ```
    /// use atomic_arrow::Partition;
    ///
    /// let partition = Partition::parse("city=New%20York/year=__HIVE_DEFAULT_PARTITION__")?;
    /// assert_eq!(partition.get("city"), Some(&"New York".into()));
    /// assert!(partition.get("year").is_some_and(|year| year.is_null()));
    /// # Ok::<(), atomic_arrow::PartitionError>(())
    /// ```
    pub fn parse(path: impl AsRef<Path>) -> Result<Self, PartitionError> {
        let path = path.as_ref();
        let Some(text) = path.to_str() else {
            return Err(PartitionError::NotUtf8 {
                path: path.to_owned(),
            });
        };
        let invalid = |segment: &str, problem| PartitionError::InvalidSegment {
            segment: segment.to_owned(),
            problem,
        };
        let mut fields = Vec::new();
        for component in path.components() {
            let name = match component {
                Component::CurDir => continue,
                Component::Normal(name) => name.to_str().unwrap_or(text),
                Component::ParentDir => return Err(invalid(text, "it leads upwards")),
                Component::RootDir | Component::Prefix(_) => {
                    return Err(invalid(text, "it is not relative to the data set"));
                }
            };
            let Some((key, value)) = hive::parse_segment(name) else {
                return Err(invalid(name, "it is not of the form key=value"));
            };
            fields.push((key, value));
        }
        Self::new(fields)
    }

    /// Makes a partition of keys that are checked already: checks only the values, and names the row in errors.
    fn with_checked_keys(
        fields: Vec<(Arc<str>, PartitionValue)>,
        row: Option<usize>,
    ) -> Result<Self, PartitionError> {
        let fields = fields
            .into_iter()
            .map(|(key, value)| Field::new(key, value, row));
        Ok(Self {
            fields: fields.collect::<Result<_, _>>()?,
        })
    }

    /// The keys and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &PartitionValue)> {
        self.fields.iter().map(|field| (&*field.key, &field.value))
    }

    /// The value of a key, which is [`PartitionValue::Null`] for null.
    pub fn get(&self, key: &str) -> Option<&PartitionValue> {
        self.fields
            .iter()
            .find(|field| &*field.key == key)
            .map(|field| &field.value)
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The names of its directories, outermost first: escaped, each `key=value`.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &str> {
        self.fields.iter().map(|field| field.segment.as_str())
    }

    /// The path relative to the root of the data set; empty where there are no keys.
    pub fn path(&self) -> PathBuf {
        self.segments().collect()
    }
}

impl Field {
    fn new(
        key: Arc<str>,
        value: PartitionValue,
        row: Option<usize>,
    ) -> Result<Self, PartitionError> {
        let text = value
            .text()
            .map_err(|no_text| no_text.into_error(&key, row))?;
        match text.as_deref() {
            Some("") => {
                return Err(PartitionError::EmptyString {
                    key: key.to_string(),
                    row,
                });
            }
            Some(hive::NULL) => {
                return Err(PartitionError::ReservedValue {
                    key: key.to_string(),
                    row,
                });
            }
            _ => {}
        }
        let segment = hive::segment(&key, text.as_deref());
        if segment.len() > MAX_SEGMENT {
            return Err(PartitionError::SegmentTooLong {
                key: key.to_string(),
                value: value.to_string(),
                length: segment.len(),
                row,
            });
        }
        Ok(Self {
            key,
            value,
            segment,
        })
    }
}

/// The path with `/` between the segments on every system; empty where there are no keys.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments().enumerate() {
            f.write_str(if index == 0 { "" } else { "/" })?;
            f.write_str(segment)?;
        }
        Ok(())
    }
}

// Segments are equal exactly where keys and texts are: no two texts are escaped to the same.
impl PartialEq for Partition {
    fn eq(&self, other: &Self) -> bool {
        self.segments().eq(other.segments())
    }
}

impl Eq for Partition {}

impl Hash for Partition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fields.len().hash(state);
        self.segments().for_each(|segment| segment.hash(state));
    }
}

/// Checks names that are to be partition keys together.
fn check_keys<'a>(keys: impl Iterator<Item = &'a str>) -> Result<(), PartitionError> {
    let mut seen: Vec<&str> = Vec::new();
    for key in keys {
        if key.is_empty() {
            return Err(PartitionError::EmptyKey);
        }
        if key.starts_with(['.', '_']) {
            return Err(PartitionError::HiddenKey {
                key: key.to_owned(),
            });
        }
        if let Some(character) = hive::lost_in_key(key) {
            return Err(PartitionError::UnreadableKey {
                key: key.to_owned(),
                character,
            });
        }
        if seen.contains(&key) {
            return Err(PartitionError::DuplicateKey {
                key: key.to_owned(),
            });
        }
        seen.push(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
