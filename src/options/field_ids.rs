//! [`FieldIds`]: the numbers by which tables such as Iceberg's know the columns of Parquet files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::error::{Error, Result};
use crate::names;

/// Field ids by the paths of columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldIds(Vec<(String, i32)>);

impl FieldIds {
    pub(super) fn new(ids: Vec<(String, i32)>) -> Self {
        FieldIds(ids)
    }

    /// Refuses ids that the schema of the files cannot have; `given` has all columns of the rows.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is no such column, or two have one id.
    pub(crate) fn check(&self, given: &Schema, schema: &Schema) -> Result<()> {
        self.in_schema(given, &Arc::new(schema.clone())).map(drop)
    }

    /// The schema with these ids beside those that it has, which are replaced where both have one; `given` has all columns
    /// of the rows.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is no such column, or two have one id.
    pub(crate) fn in_schema(&self, given: &Schema, schema: &SchemaRef) -> Result<SchemaRef> {
        if self.0.is_empty() {
            return Ok(Arc::clone(schema));
        }
        let mut found = Found {
            given: self
                .0
                .iter()
                .map(|(path, id)| (path.as_str(), *id))
                .collect(),
            known: Vec::new(),
            by_id: BTreeMap::new(),
        };
        let fields = schema.fields().iter();
        let fields: Fields = fields
            .map(|field| found.field(field, field.name(), field.name()))
            .collect::<Result<_>>()?;
        if let Some(path) = found.given.keys().next() {
            let known = found.known.iter().map(String::as_str);
            return refused(names::no_column(path, given, known));
        }
        Ok(Arc::new(Schema::new_with_metadata(
            fields,
            schema.metadata().clone(),
        )))
    }
}

fn refused<T>(reason: String) -> Result<T> {
    Err(Error::InvalidOption {
        option: "field_ids",
        reason,
    })
}

/// What a walk over a schema has met.
struct Found<'a> {
    /// Ids that are not set yet.
    given: BTreeMap<&'a str, i32>,
    /// The paths of all columns.
    known: Vec<String>,
    by_id: BTreeMap<i32, String>,
}

impl Found<'_> {
    /// A field with its ids. What is in lists and maps has two paths: the format's own, and that of the file.
    fn field(&mut self, field: &FieldRef, path: &str, in_file: &str) -> Result<FieldRef> {
        self.known.push(path.to_owned());
        let given = self
            .given
            .remove(path)
            .or_else(|| self.given.remove(in_file));
        let mut metadata = field.metadata().clone();
        if let Some(id) = given {
            metadata.insert(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        }
        let id = metadata.get(PARQUET_FIELD_ID_META_KEY);
        if let Some(id) = id.and_then(|id| id.parse().ok())
            && let Some(other) = self.by_id.insert(id, path.to_owned())
        {
            return refused(format!(
                "{id} is the id of the columns {other:?} and {path:?}"
            ));
        }
        let inner = self.within(field.data_type(), path, in_file)?;
        let field = Field::clone(field).with_data_type(inner);
        Ok(Arc::new(field.with_metadata(metadata)))
    }

    fn within(&mut self, within: &DataType, path: &str, in_file: &str) -> Result<DataType> {
        let mut item = |item: &FieldRef| {
            let in_file = format!("{in_file}.list.{}", item.name());
            self.field(item, &format!("{path}.list.element"), &in_file)
        };
        Ok(match within {
            DataType::List(field) => DataType::List(item(field)?),
            DataType::LargeList(field) => DataType::LargeList(item(field)?),
            DataType::ListView(field) => DataType::ListView(item(field)?),
            DataType::LargeListView(field) => DataType::LargeListView(item(field)?),
            DataType::FixedSizeList(field, size) => DataType::FixedSizeList(item(field)?, *size),
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| {
                    let name = field.name();
                    self.field(
                        field,
                        &format!("{path}.{name}"),
                        &format!("{in_file}.{name}"),
                    )
                });
                DataType::Struct(fields.collect::<Result<_>>()?)
            }
            DataType::Map(entries, sorted) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Ok(within.clone());
                };
                let fields = pair.iter().zip(["key", "value"]).map(|(field, name)| {
                    let in_file = format!("{in_file}.{}.{}", entries.name(), field.name());
                    self.field(field, &format!("{path}.key_value.{name}"), &in_file)
                });
                let pair = DataType::Struct(fields.collect::<Result<_>>()?);
                let entries = Field::clone(entries).with_data_type(pair);
                DataType::Map(Arc::new(entries), *sorted)
            }
            other => other.clone(),
        })
    }
}
