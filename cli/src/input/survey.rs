//! Reading all inputs for their types, once a guess did not hold.
//!
//! Owns how the types that inputs bring and those that texts may have become one schema: it holds
//! every value of all inputs, or the readers then say which value it does not hold.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};

use super::guess::Guess;
use super::json_rows::{ObjectGuess, Remarks};
use super::paths::Place;
use super::place::{Opening, Surveyed, told};
use super::source::Watch;
use super::{Columns, InputError, InputOptions, agree, json_reader};

/// What all inputs say of one column.
struct Column {
    name: String,
    /// The field that inputs bring which have types.
    typed: Option<FieldRef>,
    /// What the texts of CSV may be.
    csv: Option<Guess>,
    /// What the values of JSON are.
    json: Option<FieldRef>,
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
    let mut found: Vec<Column> = Vec::new();
    let mut metadata = None;
    let mut objects = ObjectGuess::default();
    let mut json_path: Option<&Path> = None;
    for (index, place) in places.iter().enumerate() {
        if watch.interrupted() {
            let path = place.path().to_owned();
            return Err(InputError::Interrupted { path });
        }
        match opening.survey(place, &mut objects)? {
            Surveyed::Json => json_path = json_path.or(Some(place.path())),
            Surveyed::Typed(schema) => {
                let schema = match index {
                    0 => told(place.path(), &schema, options)?,
                    _ => schema,
                };
                metadata.get_or_insert_with(|| schema.metadata().clone());
                for field in schema.fields() {
                    let Some(column) = column(&mut found, field.name(), index == 0) else {
                        continue;
                    };
                    column.typed = Some(match column.typed.take() {
                        None => Arc::clone(field),
                        Some(known) => merge_fields(&known, field),
                    });
                }
            }
            Surveyed::Csv(guesses) => {
                for (name, guess) in guesses {
                    let Some(column) = column(&mut found, &name, index == 0) else {
                        continue;
                    };
                    match &mut column.csv {
                        None => column.csv = Some(guess),
                        Some(known) => known.merge(&guess),
                    }
                }
            }
        }
    }
    let mut remarks = Remarks::default();
    if let Some(path) = json_path {
        let json_first = places.first().is_some_and(|first| first.path() == path);
        for field in json_reader::fields(path, &objects, &options.schema, &mut remarks)? {
            if let Some(column) = column(&mut found, field.name(), json_first) {
                column.json = Some(field);
            }
        }
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
        let is_key = |column: &Column| column.name == *key.name();
        let is_above_first = columns.schema.column_with_name(key.name()).is_some();
        is_above_first && !found.iter().any(is_key)
    });
    let fields = found.iter().map(|column| column.field(options));
    let fields: Fields = fields.chain(keys.cloned()).collect();
    let notes = json_path
        .map(|path| remarks.notes(path))
        .unwrap_or_default();
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

/// The column of a name; only the first input may bring new ones, for the readers refuse others.
fn column<'a>(found: &'a mut Vec<Column>, name: &str, is_first: bool) -> Option<&'a mut Column> {
    if let Some(at) = found.iter().position(|column| column.name == name) {
        return found.get_mut(at);
    }
    if !is_first {
        return None;
    }
    found.push(Column {
        name: name.to_owned(),
        typed: None,
        csv: None,
        json: None,
    });
    found.last_mut()
}

/// The field that holds both, or the first where there is none: the reader then says what is wrong.
fn merge_fields(known: &FieldRef, found: &Field) -> FieldRef {
    agree::merge_field(known, found).unwrap_or_else(|| Arc::clone(known))
}

impl Column {
    /// The field that holds the values of all inputs.
    fn field(&self, options: &InputOptions) -> FieldRef {
        let texts = self.csv.as_ref().filter(|guess| guess.is_seen());
        let inferred = match (texts, &self.json) {
            (None, None) => DataType::Utf8,
            (None, Some(json)) => json.data_type().clone(),
            (Some(texts), None) => texts.data_type(),
            (Some(texts), Some(json)) => {
                let merged = agree::merge_types(&texts.data_type(), json.data_type());
                merged.unwrap_or(DataType::Utf8)
            }
        };
        let is_text = self.csv.is_some() || self.json.is_some();
        let field = match &self.typed {
            None => Field::new(&self.name, inferred, true),
            Some(typed) if !is_text => return Arc::clone(typed),
            Some(typed) => {
                let known = typed.data_type();
                // Where they do not unite, the texts have to be of the known type.
                let merged = agree::merge_types(known, &inferred);
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
