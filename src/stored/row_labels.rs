//! Row labels that pandas notes in the metadata of a schema as a range, without a column for them.
//!
//! The note says of the first row which label it has, and how labels go on: in a data set, whose rows are divided, sorted and
//! joined, rows would get the labels of others. Labels that only count from zero stay noted: pandas makes these by itself.
//! The form of the note is that of pandas' developer documentation, "Storing pandas DataFrame objects in Apache Parquet
//! format".

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;

use crate::receipt::Note;
use crate::schema::PANDAS;

/// The schema without labels that are noted as a range; itself where there are none.
pub(super) fn without_row_labels(given: SchemaRef) -> SchemaRef {
    let Some((mut notes, _)) = noted(&given) else {
        return given;
    };
    if let Some(indices) = indices(&mut notes) {
        indices.retain(|index| !is_range(index));
    }
    let mut schema = given.as_ref().clone();
    schema.metadata.insert(PANDAS.to_owned(), notes.to_string());
    Arc::new(schema)
}

/// The note on row labels that the data set does not keep.
pub(super) fn lost_labels(given: &Schema) -> Option<Note> {
    let (_, labels) = noted(given)?;
    Some(Note::RowLabelsNotKept { labels })
}

/// The metadata of pandas, and in words the first range in them that does more than count from zero.
fn noted(given: &Schema) -> Option<(Value, String)> {
    let mut notes: Value = serde_json::from_str(given.metadata.get(PANDAS)?).ok()?;
    let range = indices(&mut notes)?.iter().find(|index| is_range(index))?;
    let part = |key: &str| {
        range
            .get(key)
            .map_or_else(|| "?".to_owned(), Value::to_string)
    };
    let name = match range.get("name").and_then(Value::as_str) {
        Some(name) => format!(", named {name:?}"),
        None => String::new(),
    };
    let (start, stop, step) = (part("start"), part("stop"), part("step"));
    let labels = format!("from {start} to {stop} by {step}{name}");
    Some((notes, labels))
}

fn indices(notes: &mut Value) -> Option<&mut Vec<Value>> {
    notes.get_mut("index_columns")?.as_array_mut()
}

/// Whether an index is a range that does more than count from zero.
fn is_range(index: &Value) -> bool {
    let number = |key: &str| index.get(key).and_then(Value::as_i64);
    let counts = number("start") == Some(0) && number("step") == Some(1);
    let is_named = index.get("name").is_some_and(|name| !name.is_null());
    index.get("kind").and_then(Value::as_str) == Some("range") && (is_named || !counts)
}
