//! Reads the partition keys in the directories of an input as columns.
//!
//! Owns which directories name a key, what type its values have, and adding the columns. The keys are
//! those of all directories of the form `key=value` in the path of a file that the user named; below a directory or
//! a pattern that he named, and straight above that. Other directories may stand between them and the file. A value
//! is typed only if the directory's name could be made of it again.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, Scalar, StringArray, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use atomic_arrow::partition::hive;

use super::cells::{self, Reading};
use super::guess::Guess;
use super::paths::Place;
use super::{InputError, SchemaSpec};

/// A key and its value; `None` is null.
pub(super) type Key = (String, Option<String>);

/// The keys of an input.
pub(super) fn keys_of(place: &Place) -> Vec<Key> {
    match place {
        Place::Stdin => Vec::new(),
        Place::File { path, root, .. } => keys(path, root),
    }
}

/// The keys of a file, the outermost first: of the directories below `root`, and of `root` and the
/// directories straight above it.
fn keys(path: &Path, root: &Path) -> Vec<Key> {
    let key = |directory: &Path| hive::parse_segment(directory.file_name()?.to_str()?);
    let within = path.ancestors().skip(1);
    let within = within.take_while(|directory| *directory != root);
    let mut keys: Vec<Key> = within.filter_map(key).collect();
    keys.extend(root.ancestors().map_while(key));
    keys.reverse();
    keys
}

/// The types of the keys of all inputs: as told, or the narrowest that all values fit.
pub(super) fn types<'a>(
    places: impl Iterator<Item = &'a Place>,
    told: &SchemaSpec,
) -> Result<Vec<FieldRef>, InputError> {
    let mut guesses: Vec<(String, Guess)> = Vec::new();
    for place in places {
        for (key, value) in keys_of(place) {
            let at = match guesses.iter().position(|(name, _)| *name == key) {
                Some(at) => at,
                None => {
                    guesses.push((key.clone(), Guess::default()));
                    guesses.len() - 1
                }
            };
            if let Some(value) = value {
                guesses[at].1.add(&value, None);
            }
        }
    }
    if let Some((key, _)) = told
        .iter()
        .find(|(key, _)| !guesses.iter().any(|(name, _)| name == key))
    {
        return Err(InputError::HiveMissing {
            key: key.to_owned(),
        });
    }
    let field = |(key, guess): (String, Guess)| {
        let data_type = told
            .get(&key)
            .cloned()
            .unwrap_or_else(|| match guess.data_type() {
                narrow @ (DataType::Int64 | DataType::Date32) => narrow,
                // Of others, more than one text stands for the same value.
                _ => DataType::Utf8,
            });
        Arc::new(Field::new(key, data_type, true))
    };
    Ok(guesses.into_iter().map(field).collect())
}

/// The columns that the directories above one file give to its batches.
pub(super) struct Columns {
    /// The columns that are not in the file: each with its field and value.
    added: Vec<(FieldRef, ArrayRef)>,
    /// The columns that are in the file, each with the value that its rows must have.
    kept: Vec<Key>,
}

impl Columns {
    /// Types the keys of an input, whose own columns are `found`.
    ///
    /// # Errors
    /// A value that is not of its key's type, or a key twice on one path.
    pub(super) fn new(
        place: &Place,
        types: &[FieldRef],
        found: &Schema,
    ) -> Result<Self, InputError> {
        let path = place.path();
        let (mut added, mut kept) = (Vec::new(), Vec::new());
        for (key, value) in keys_of(place) {
            let is_added = |(field, _): &(FieldRef, ArrayRef)| *field.name() == key;
            if added.iter().any(is_added) {
                let path = path.to_owned();
                return Err(InputError::DuplicateKey { path, key });
            }
            if types.iter().all(|field| *field.name() != key) {
                continue;
            }
            if found.column_with_name(&key).is_some() {
                kept.push((key, value));
            } else if let Some(field) = types.iter().find(|field| *field.name() == key) {
                let one = one(path, &key, value.as_deref(), field.data_type())?;
                added.push((Arc::clone(field), one));
            }
        }
        Ok(Self { added, kept })
    }

    /// The keys that are columns of the file too.
    pub(super) fn kept(&self) -> Vec<String> {
        self.kept.iter().map(|(key, _)| key.clone()).collect()
    }

    /// The file's schema with the columns added.
    pub(super) fn schema(&self, found: &SchemaRef) -> SchemaRef {
        if self.added.is_empty() {
            return Arc::clone(found);
        }
        let added = self.added.iter().map(|(field, _)| field);
        let fields: Fields = found.fields().iter().chain(added).cloned().collect();
        Arc::new(Schema::new_with_metadata(fields, found.metadata().clone()))
    }

    /// Adds the columns to a batch of the file.
    ///
    /// # Errors
    /// A column of the file that says other than the directory.
    pub(super) fn add(&self, path: &Path, batch: RecordBatch) -> Result<RecordBatch, InputError> {
        for (key, value) in &self.kept {
            if let Some(column) = batch.column_by_name(key) {
                agree(path, key, value.as_deref(), column)?;
            }
        }
        if self.added.is_empty() {
            return Ok(batch);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = self.schema(&batch.schema());
        let repeated = self
            .added
            .iter()
            .map(|(_, one)| take(one, &UInt32Array::from(vec![0; batch.num_rows()]), None));
        let columns = batch.columns().iter().cloned().map(Ok).chain(repeated);
        columns
            .collect::<Result<_, _>>()
            .and_then(|columns| RecordBatch::try_new_with_options(schema, columns, &options))
            .map_err(|source| InputError::Arrow {
                path: path.to_owned(),
                source,
            })
    }
}

/// Makes an array of one row from the value.
fn one(
    path: &Path,
    key: &str,
    value: Option<&str>,
    data_type: &DataType,
) -> Result<ArrayRef, InputError> {
    let reading = Reading {
        guessed: false,
        dates: None,
    };
    let texts: ArrayRef = Arc::new(StringArray::from(vec![value]));
    cells::parse(&texts, data_type, reading).map_err(|_| InputError::HiveValue {
        path: path.to_owned(),
        key: key.to_owned(),
        value: value.unwrap_or_default().to_owned(),
        data_type: data_type.clone(),
    })
}

/// Whether every row has the value that the directory names.
fn agree(path: &Path, key: &str, value: Option<&str>, column: &ArrayRef) -> Result<(), InputError> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, values) => values,
        other => other,
    };
    let differs = || InputError::HiveDiffers {
        path: path.to_owned(),
        key: key.to_owned(),
        value: value.unwrap_or(hive::NULL).to_owned(),
    };
    let one = one(path, key, value, plain).map_err(|_| differs())?;
    let column = arrow::compute::cast(column, plain).map_err(|_| differs())?;
    let differences = distinct(&column, &Scalar::new(one)).map_err(|_| differs())?;
    match differences.true_count() {
        0 => Ok(()),
        _ => Err(differs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_below_the_root_and_straight_above() {
        let key = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        for (root, below, expected) in [
            ("", "a.csv", vec![]),
            ("lake", "a.csv", vec![]),
            ("run=5/lake", "k=1/a.csv", vec![key("k", Some("1"))]),
            ("run=5/lake/k=1", "a.csv", vec![key("k", Some("1"))]),
            ("lake/k=1", "sub/a.csv", vec![key("k", Some("1"))]),
            (
                "run=5/lake",
                "k=1/sub/m=2/sub/a.csv",
                vec![key("k", Some("1")), key("m", Some("2"))],
            ),
            (
                "",
                "k=New%20York/m=__HIVE_DEFAULT_PARTITION__/a.csv",
                vec![key("k", Some("New York")), key("m", None)],
            ),
        ] {
            let root = Path::new(root);
            assert_eq!(keys(&root.join(below), root), expected, "{root:?} {below}");
        }
    }

    #[test]
    fn keys_are_typed_only_where_their_text_comes_back() {
        let typed = |values: &[&str]| {
            let place = |value: &&str| Place::File {
                path: format!("k={value}/a.csv").into(),
                root: "".into(),
                len: None,
            };
            let places: Vec<Place> = values.iter().map(place).collect();
            types(places.iter(), &SchemaSpec::default()).unwrap()[0]
                .data_type()
                .clone()
        };
        for (values, expected) in [
            (&["1", "22", hive::NULL][..], DataType::Int64),
            (&["1", "02"], DataType::Utf8),
            (&["2013-01-01"], DataType::Date32),
            (&["1.50"], DataType::Utf8),
            (&["true"], DataType::Utf8),
            (&[hive::NULL], DataType::Utf8),
        ] {
            assert_eq!(typed(values), expected, "{values:?}");
        }
    }
}
