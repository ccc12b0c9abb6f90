//! Reading all inputs for their types, once a guess did not hold.
//!
//! Owns how the types that inputs bring and those that texts may have become one schema: it holds
//! every value of all inputs, or the readers then say which value it does not hold.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use atomic_arrow::schema::{common_field, common_metadata, common_type, meaning_difference};

use super::csv_reader::date_notes;
use super::guess::Guess;
use super::json_rows::{ObjectGuess, Remarks};
use super::paths::Place;
use super::place::{Opening, Surveyed, told};
use super::source::Watch;
use super::{Columns, InputError, InputOptions, json_reader};

/// What all inputs say of one column.
struct Column<'a> {
    name: String,
    /// The field that inputs bring which have types, and the last of them that changed it.
    typed: Option<(FieldRef, &'a Path)>,
    /// How many inputs have it as such.
    inputs: usize,
    /// What the texts of CSV may be.
    csv: Option<Guess>,
    /// What the values of JSON are.
    json: Option<JsonColumn>,
}

/// What the values of JSON in one column are.
struct JsonColumn {
    data_type: DataType,
    /// What they may be besides, unless there are texts, objects or lists among them.
    scalars: Option<Guess>,
}

/// The columns of all inputs, and what the user should know of them.
///
/// # Errors
/// What cannot be read.
pub(super) fn run(
    places: &[Place],
    options: &InputOptions,
    columns: &Columns,
    key_types: &[FieldRef],
    watch: &Watch,
) -> Result<(Columns, Vec<String>), InputError> {
    let opening = Opening {
        options,
        watch,
        key_types,
        int96: columns.int96,
    };
    let mut found: Vec<Column<'_>> = Vec::new();
    let mut first = None;
    let mut objects = ObjectGuess::default();
    let mut json_path: Option<&Path> = None;
    let mut notes = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let path = place.path();
        if watch.interrupted() {
            let path = path.to_owned();
            return Err(InputError::Interrupted { path });
        }
        match opening.survey(place, &mut objects)? {
            Surveyed::Json => json_path = json_path.or(Some(path)),
            Surveyed::Typed(schema) => {
                let schema = match index {
                    0 => told(path, &schema, options)?,
                    _ => schema,
                };
                let names = schema.fields().iter().map(|field| field.name());
                check_related(&found, path, names)?;
                first.get_or_insert_with(|| Arc::clone(&schema));
                for field in schema.fields() {
                    column(&mut found, field.name()).add(path, field)?;
                }
            }
            Surveyed::Csv(guesses) => {
                check_related(&found, path, guesses.iter().map(|(name, _)| name))?;
                let texts = guesses.iter().map(|(name, guess)| (name, guess));
                notes.extend(date_notes(path, texts, options));
                for (name, guess) in guesses {
                    match &mut column(&mut found, &name).csv {
                        Some(known) => known.merge(&guess),
                        none => *none = Some(guess),
                    }
                }
            }
        }
    }
    let mut remarks = Remarks::default();
    if let Some(path) = json_path {
        for field in json_reader::fields(path, &objects, &options.schema, &mut remarks)? {
            let column = column(&mut found, field.name());
            column.json = Some(JsonColumn {
                data_type: field.data_type().clone(),
                scalars: objects.scalars(field.name()).cloned(),
            });
        }
        let told = |name: &String| options.schema.get(name).is_some();
        let mixed = found
            .iter()
            .filter(|column| column.is_mixed())
            .map(|column| &column.name);
        let mixed: Vec<String> = mixed
            .filter(|name| !told(name) && !remarks.mixed.contains(name))
            .cloned()
            .collect();
        remarks.mixed.extend(mixed);
        notes.extend(remarks.notes(path));
    }
    let missing = |told: &&str| !found.iter().any(|column| column.name == **told);
    let mut told = options.schema.iter().map(|(name, _)| name);
    if let Some(column) = told.find(missing) {
        let path = places
            .first()
            .map(Place::path)
            .unwrap_or_else(|| Path::new(""));
        return Err(InputError::SchemaMissing {
            path: path.to_owned(),
            column: column.to_owned(),
        });
    }
    let keys = key_types.iter().filter(|key| {
        let is_key = |column: &Column<'_>| column.name == *key.name();
        !found.iter().any(is_key)
    });
    let fields = found
        .iter()
        .map(|column| column.field(options, places.len()));
    let fields: Fields = fields.chain(keys.cloned()).collect();
    let metadata = first.map(|first| common_metadata(&first, &fields));
    let schema = Schema::new_with_metadata(fields, metadata.unwrap_or_default());
    let columns = Columns {
        schema: Arc::new(schema),
        unseen: Vec::new(),
        empty_objects: remarks.empty_objects,
        kept: columns.kept.clone(),
        int96: columns.int96,
    };
    Ok((columns, notes))
}

/// Refuses an input that has no column of those before it: hardly the same table.
fn check_related<'a>(
    found: &[Column<'_>],
    path: &Path,
    mut names: impl Iterator<Item = &'a String>,
) -> Result<(), InputError> {
    let is_known = |name: &String| found.iter().any(|column| column.name == *name);
    match found.is_empty() || names.any(is_known) {
        true => Ok(()),
        false => Err(InputError::Unrelated {
            path: path.to_owned(),
        }),
    }
}

/// The column of a name, which may be new.
fn column<'c, 'a>(found: &'c mut Vec<Column<'a>>, name: &str) -> &'c mut Column<'a> {
    let at = found.iter().position(|column| column.name == name);
    let at = at.unwrap_or_else(|| {
        found.push(Column {
            name: name.to_owned(),
            typed: None,
            inputs: 0,
            csv: None,
            json: None,
        });
        found.len() - 1
    });
    &mut found[at]
}

impl<'a> Column<'a> {
    /// Takes the field of an input that brings its types.
    ///
    /// # Errors
    /// No type holds its values and those of the inputs before.
    fn add(&mut self, path: &'a Path, field: &FieldRef) -> Result<(), InputError> {
        self.inputs += 1;
        self.typed = Some(match self.typed.take() {
            None => (Arc::clone(field), path),
            Some((known, before)) => match common_field(&known, field) {
                Some(common) if common.data_type() == known.data_type() => (common, before),
                Some(common) => (common, path),
                None => {
                    if let Some(difference) = meaning_difference(&known, field) {
                        let before = before.display();
                        return Err(InputError::TypesDisagree {
                            path: path.to_owned(),
                            column: self.name.clone(),
                            difference: format!("is, in {before} and in this one, {difference}"),
                        });
                    }
                    return Err(InputError::NoCommonType {
                        path: path.to_owned(),
                        column: self.name.clone(),
                        found: field.data_type().clone(),
                        before: before.to_owned(),
                        first: known.data_type().clone(),
                    });
                }
            },
        });
        Ok(())
    }

    /// The type of the texts of CSV and the values of JSON.
    fn inferred(&self) -> DataType {
        let texts = self.csv.as_ref().filter(|guess| guess.is_seen());
        match (texts, &self.json) {
            (None, None) => DataType::Utf8,
            (None, Some(json)) => json.data_type.clone(),
            (Some(texts), None) => texts.data_type(),
            (Some(texts), Some(json)) => match &json.scalars {
                Some(scalars) => {
                    let mut both = texts.clone();
                    both.merge(scalars);
                    both.data_type()
                }
                None => common_type(&texts.data_type(), &json.data_type).unwrap_or(DataType::Utf8),
            },
        }
    }

    /// Whether texts of CSV and values of JSON that are no text are kept as text because of each other.
    fn is_mixed(&self) -> bool {
        let (Some(texts), Some(json)) = (&self.csv, &self.json) else {
            return false;
        };
        let types = [texts.data_type(), json.data_type.clone()];
        self.inferred() == DataType::Utf8 && types.iter().any(|own| *own != DataType::Utf8)
    }

    /// The field that holds the values of all inputs.
    fn field(&self, options: &InputOptions, inputs: usize) -> FieldRef {
        let inferred = self.inferred();
        let is_text = self.csv.is_some() || self.json.is_some();
        let field = match &self.typed {
            None => Field::new(&self.name, inferred, true),
            Some((typed, _)) if !is_text => {
                let nullable = typed.is_nullable() || self.inputs < inputs;
                typed.as_ref().clone().with_nullable(nullable)
            }
            Some((typed, _)) => {
                let known = typed.data_type();
                // Where they do not unite, the texts have to be of the known type.
                let merged = common_type(known, &inferred);
                let data_type = merged.unwrap_or_else(|| known.clone());
                typed
                    .as_ref()
                    .clone()
                    .with_data_type(data_type)
                    .with_nullable(true)
            }
        };
        Arc::new(match options.schema.get(&self.name) {
            Some(data_type) => field.with_data_type(data_type.clone()),
            None => field,
        })
    }
}
