//! Compares a footer with what was given to the writer, by our own count and schema.
//!
//! The writer's metadata is not asked here: it may be wrong in the same way as the file.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::Schema;
use parquet::arrow::{
    ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, encode_arrow_schema, parquet_to_arrow_schema,
};
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData};
use parquet::schema::types::TypePtr;

use super::compare::shown;
use super::readers_view::{ReadAs, first_difference};
use crate::damage::{Damage, Location};
use crate::format::contained;

/// A file schema that is known to come back as the schema that was given, so that other files of the same write need
/// no second check. It serves one given schema.
#[derive(Debug, Default)]
pub(crate) struct KnownSchema(OnceLock<(TypePtr, Option<Vec<KeyValue>>)>);

impl KnownSchema {
    fn is_of(&self, file: &FileMetaData) -> bool {
        self.0.get().is_some_and(|(root, metadata)| {
            **root == *file.schema_descr().root_schema()
                && metadata.as_ref() == file.key_value_metadata()
        })
    }

    fn keep(&self, file: &FileMetaData) {
        let metadata = file.key_value_metadata().cloned();
        // Whoever else was first kept the same, or what is compared in vain.
        let _ = self
            .0
            .set((file.schema_descr().root_schema_ptr(), metadata));
    }
}

/// Checks that the file has as many rows, and the Arrow schema, as it was given; also for a reader who does
/// not know the embedded Arrow schema.
///
/// Some Arrow types have no Parquet type of their own and come back as another; then what the schema
/// as a whole comes back as is expected.
pub(crate) fn expect(
    read: &ParquetMetaData,
    rows: u64,
    schema: &Schema,
    known: Option<&KnownSchema>,
) -> Result<(), Damage> {
    let location = Location::file();
    let found = u64::try_from(read.file_metadata().num_rows()).unwrap_or(0);
    if found != rows {
        let what = "the number of rows";
        return Err(Damage::Count {
            location,
            what,
            expected: rows,
            found,
        });
    }
    let file = read.file_metadata();
    if known.is_some_and(|known| known.is_of(file)) {
        return Ok(());
    }
    let found = contained(&location, || {
        parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
    })?
    .map_err(|error| Damage::Footer {
        offset: 0,
        source: Arc::new(error),
    })?;
    if found.fields() == schema.fields() {
        expect_of_annotations(file, schema, &location)?;
        if let Some(known) = known {
            known.keep(file);
        }
        return Ok(());
    }
    let embedded = file.key_value_metadata().into_iter().flatten();
    let embedded = embedded
        .into_iter()
        .any(|pair| pair.key == ARROW_SCHEMA_META_KEY);
    for coerce in [false, true] {
        if comes_back_as(schema, embedded, coerce).is_some_and(|as_| as_.fields() == found.fields())
        {
            return expect_of_annotations(file, schema, &location);
        }
    }
    let (expected, found) = (shown(schema.fields()), shown(found.fields()));
    Err(Damage::Differs {
        location,
        field: "the Arrow schema",
        expected,
        found,
    })
}

/// Checks that a reader who does not know the embedded Arrow schema sees the types that were given.
fn expect_of_annotations(
    file: &FileMetaData,
    schema: &Schema,
    location: &Location,
) -> Result<(), Damage> {
    let seen = contained(location, || first_difference(schema, file.schema_descr()))?;
    match seen {
        Ok(None) => Ok(()),
        Ok(Some(ReadAs {
            column,
            given,
            read,
        })) => Err(Damage::ReadAs {
            column,
            given,
            read,
        }),
        Err(error) => Err(Damage::Footer {
            offset: 0,
            source: Arc::new(error),
        }),
    }
}

/// The Arrow schema that readers get back from Parquet: with or without the Arrow schema embedded, and with or
/// without types coerced to what other readers know.
fn comes_back_as(schema: &Schema, embedded: bool, coerce: bool) -> Option<Schema> {
    let stored = ArrowSchemaConverter::new()
        .with_coerce_types(coerce)
        .convert(schema)
        .ok()?;
    let value = encode_arrow_schema(schema);
    let hint = vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), value)];
    parquet_to_arrow_schema(&stored, embedded.then_some(&hint)).ok()
}
