//! Reads all inputs for their types, after a guess did not hold.
//!
//! Owns how the types that inputs bring and those that texts may have become one schema: it holds
//! every value of all inputs, or the readers then say which value it does not hold.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use atomic_arrow::schema::{NoCommonType, common_metadata, common_schema, common_type};

use super::csv_reader::date_notes;
use super::guess::Guess;
use super::json_rows::{ObjectGuess, Remarks};
use super::paths::Place;
use super::place::{Opening, Surveyed, told};
use super::source::Watch;
use super::{Columns, InputError, InputOptions, json_reader};

/// The types that all inputs give for one column.
struct Column<'a> {
    name: String,
    /// The last input that brought its type, or changed it.
    typed: Option<&'a Path>,
    /// The number of inputs that have the column with a type.
    inputs: usize,
    /// The guess from the texts of CSV.
    csv: Option<Guess>,
    /// The guess from the values of JSON.
    json: Option<JsonColumn>,
}

/// The guess of one column from the values of JSON.
struct JsonColumn {
    data_type: DataType,
    /// The guess of its plain values, unless texts, objects or lists are among them.
    scalars: Option<Guess>,
}

/// Finds the columns of all inputs, and notes for the user on them.
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
    let mut typed: Option<Schema> = None;
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
                let common = match &typed {
                    None => schema.as_ref().clone(),
                    Some(known) => common_schema(known, &schema)
                        .map_err(|none| disagreement(path, &mut found, none))?,
                };
                for field in schema.fields() {
                    let of = |schema: &Schema| {
                        let field = schema.field_with_name(field.name()).ok()?;
                        Some(field.data_type().clone())
                    };
                    let column = column(&mut found, field.name());
                    column.inputs += 1;
                    if of(&common) != typed.as_ref().and_then(of) {
                        column.typed = Some(path);
                    }
                }
                typed = Some(common);
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
    let typed = typed.unwrap_or_else(Schema::empty);
    let fields = found
        .iter()
        .map(|column| column.field(&typed, options, places.len()));
    let fields: Fields = fields.chain(keys.cloned()).collect();
    let metadata = common_metadata(&typed, &fields);
    let schema = Schema::new_with_metadata(fields, metadata);
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

/// The error of an input that does not go with those before it.
fn disagreement(path: &Path, found: &mut Vec<Column<'_>>, none: NoCommonType) -> InputError {
    let before = column(found, &none.column).typed.unwrap_or(path);
    let path = path.to_owned();
    match none.difference {
        Some(difference) => InputError::TypesDisagree {
            path,
            difference: format!("is, in {} and in this one, {difference}", before.display()),
            column: none.column,
        },
        None => InputError::NoCommonType {
            path,
            column: none.column,
            found: none.found,
            before: before.to_owned(),
            first: none.first,
        },
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

impl Column<'_> {
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

    /// The field that holds the values of all inputs, of which those that bring their types have `typed`.
    fn field(&self, typed: &Schema, options: &InputOptions, inputs: usize) -> FieldRef {
        let inferred = self.inferred();
        let is_text = self.csv.is_some() || self.json.is_some();
        let field = match typed.field_with_name(&self.name) {
            Err(_) => Field::new(&self.name, inferred, true),
            Ok(typed) if !is_text => {
                let nullable = typed.is_nullable() || self.inputs < inputs;
                typed.clone().with_nullable(nullable)
            }
            Ok(typed) => {
                let known = typed.data_type();
                // Where they do not unite, the texts have to be of the known type.
                let merged = common_type(known, &inferred);
                let data_type = merged.unwrap_or_else(|| known.clone());
                typed.clone().with_data_type(data_type).with_nullable(true)
            }
        };
        Arc::new(match options.schema.get(&self.name) {
            Some(data_type) => field.with_data_type(data_type.clone()),
            None => field,
        })
    }
}
