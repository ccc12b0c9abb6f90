//! The keys by which the rows of a data set are partitioned, and their text form.
//!
//! It holds names alone. Whether a schema has them, and with types that fit, is checked once when
//! they are bound to it: see [`PartitionBy::bind`].

use std::fmt;
use std::str::FromStr;

use super::{PartitionError, Transform, check_keys};

mod parse;

/// An ordered list of the keys to partition rows by: columns, parts of dates and times, and buckets.
///
/// Values stand in paths as `key=value`, which tells a reader what they are, and a writer whether two commits have the same
/// keys. So there is no layout in which directories have values without keys, nor one in which values are in the names of
/// files: with the first a reader has to be told the keys, with the second he finds no partition without listing all files,
/// and no partition can be replaced in one step. Nor are there other expressions than those of [`Transform`]: make a
/// column of the expression, and partition by that. The number of buckets is kept nowhere: writes to one data set
/// have to agree on it, best by a name that has it (`id_bucket16=bucket(16, id)`).
///
/// The same can be said in text: keys with commas between them, each of them `column`,
/// `name=column`, `name=year(column)`, or `year(column)` for one named `year`; and `bucket(16, column)` or
/// `spark_bucket(16, column)`, named `column_bucket`, also with a name before. Names with any of
/// `, = ( ) "` or space in them stand in double quotes, with `""` for a quote. The empty text is
/// [`PartitionBy::none`]. `Display` gives that text back.
///
/// ```
/// use atomic_arrow::PartitionBy;
///
/// let by = PartitionBy::none().column_as("station_id", "origin").year("year", "time_hour");
/// assert_eq!(by.to_string(), "station_id=origin,year(time_hour)");
/// assert_eq!("station_id=origin, year(time_hour)".parse::<PartitionBy>()?, by);
/// # Ok::<(), atomic_arrow::PartitionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PartitionBy {
    keys: Vec<PartitionKey>,
    /// A text that was to be taken for keys and is none, which is an error where the keys are used.
    unread: Option<String>,
}

/// One key to partition rows by: its name, and what it takes of which column.
///
/// ```
/// use atomic_arrow::{PartitionBy, Transform};
///
/// let by = PartitionBy::none().year("year", "time_hour");
/// let key = &by.keys()[0];
/// assert_eq!((key.name(), key.column(), key.transform()), ("year", "time_hour", Transform::Year));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    name: String,
    column: String,
    transform: Transform,
}

impl PartitionKey {
    /// A key of this name, from what the transform takes of a column.
    #[must_use]
    pub fn new(name: impl Into<String>, column: impl Into<String>, transform: Transform) -> Self {
        PartitionKey {
            name: name.into(),
            column: column.into(),
            transform,
        }
    }

    /// The name of the key, as in `name=value`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The column that its values come from.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The transform of the column.
    pub fn transform(&self) -> Transform {
        self.transform
    }
}

impl PartitionBy {
    /// No keys: all rows are of one partition, whose files lie in the root of the data set.
    pub fn none() -> Self {
        Self::default()
    }

    /// The values of a column, under its own name.
    ///
    /// ```
    /// use atomic_arrow::PartitionBy;
    ///
    /// let by = PartitionBy::column("station_id").year("year", "time_hour");
    /// assert_eq!(by.to_string(), "station_id,year(time_hour)");
    /// ```
    pub fn column(column: impl Into<String>) -> Self {
        Self::none().then_column(column)
    }

    /// Then the values of a column, under its own name.
    #[must_use]
    pub fn then_column(self, column: impl Into<String>) -> Self {
        let column = column.into();
        self.with(column.clone(), column, Transform::Identity)
    }

    /// Then the values of a column, under another name.
    #[must_use]
    pub fn column_as(self, key: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Identity)
    }

    /// Then the year of a date or timestamp column: `2013`.
    #[must_use]
    pub fn year(self, key: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Year)
    }

    /// Then the month of a date or timestamp column: `1` to `12`.
    #[must_use]
    pub fn month(self, key: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Month)
    }

    /// Then the day of the month of a date or timestamp column: `1` to `31`.
    #[must_use]
    pub fn day(self, key: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Day)
    }

    /// Then the hour of a timestamp column: `0` to `23`.
    #[must_use]
    pub fn hour(self, key: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Hour)
    }

    /// Then the date of a date or timestamp column: `2013-01-31`.
    #[must_use]
    pub fn date(self, key: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Date)
    }

    /// Then the [bucket](Transform::Bucket) of a column among so many, as Iceberg has it: `3`.
    ///
    /// ```
    /// use atomic_arrow::PartitionBy;
    ///
    /// let by = PartitionBy::none().bucket("id_bucket", 16, "id");
    /// assert_eq!(by.to_string(), "bucket(16, id)");
    /// ```
    #[must_use]
    pub fn bucket(self, key: impl Into<String>, buckets: u32, column: impl Into<String>) -> Self {
        self.with(key.into(), column.into(), Transform::Bucket(buckets))
    }

    /// Then the [bucket](Transform::SparkBucket) of a column among so many, as Spark has it: `3`.
    #[must_use]
    pub fn spark_bucket(
        self,
        key: impl Into<String>,
        buckets: u32,
        column: impl Into<String>,
    ) -> Self {
        self.with(key.into(), column.into(), Transform::SparkBucket(buckets))
    }

    /// Then this key.
    #[must_use]
    pub fn then(mut self, key: PartitionKey) -> Self {
        self.keys.push(key);
        self
    }

    /// The keys in order.
    pub fn keys(&self) -> &[PartitionKey] {
        &self.keys
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn with(self, name: String, column: String, transform: Transform) -> Self {
        self.then(PartitionKey::new(name, column, transform))
    }

    pub(super) fn check_keys(&self) -> Result<(), PartitionError> {
        if let Some(text) = &self.unread {
            parse::keys(text)?;
        }
        check_keys(self.keys.iter().map(PartitionKey::name))
    }
}

impl FromStr for PartitionBy {
    type Err = PartitionError;

    /// # Errors
    ///
    /// Nothing was touched. The text cannot be read, or its keys cannot be those of a
    /// [`Partition`](super::Partition).
    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let by = Self {
            keys: parse::keys(text)?,
            unread: None,
        };
        by.check_keys()?;
        Ok(by)
    }
}

/// Keys in text, as [`FromStr`] reads them. A text that cannot be read is an error of whoever uses the keys.
impl From<&str> for PartitionBy {
    fn from(text: &str) -> Self {
        match parse::keys(text) {
            Ok(keys) => PartitionBy { keys, unread: None },
            Err(_) => PartitionBy {
                keys: Vec::new(),
                unread: Some(text.to_owned()),
            },
        }
    }
}

/// Keys in text, as [`FromStr`] reads them. A text that cannot be read is an error of whoever uses the keys.
impl From<String> for PartitionBy {
    fn from(text: String) -> Self {
        PartitionBy::from(text.as_str())
    }
}

impl From<PartitionKey> for PartitionBy {
    fn from(key: PartitionKey) -> Self {
        PartitionBy::none().then(key)
    }
}

impl<K: Into<PartitionBy>> FromIterator<K> for PartitionBy {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut all = PartitionBy::none();
        for key in keys {
            let PartitionBy { keys, unread } = key.into();
            all.keys.extend(keys);
            all.unread = all.unread.or(unread);
        }
        all
    }
}

impl<K: Into<PartitionBy>, const N: usize> From<[K; N]> for PartitionBy {
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K: Into<PartitionBy>> From<Vec<K>> for PartitionBy {
    fn from(keys: Vec<K>) -> Self {
        keys.into_iter().collect()
    }
}

impl fmt::Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.keys.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            key.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = parse::Name(&self.column);
        let default_name = self.transform.default_key(&self.column);
        if self.name != default_name {
            write!(f, "{}=", parse::Name(&self.name))?;
        }
        match self.transform {
            Transform::Identity => column.fmt(f),
            Transform::Bucket(buckets) | Transform::SparkBucket(buckets) => {
                write!(f, "{}({buckets}, {column})", self.transform.name())
            }
            other => write!(f, "{other}({column})"),
        }
    }
}

#[cfg(test)]
mod tests;
