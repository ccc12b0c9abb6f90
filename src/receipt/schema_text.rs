//! [`SchemaText`]: an Arrow schema as a text in JSON.

use arrow::datatypes::Schema;
use arrow::ipc::convert::try_schema_from_ipc_buffer;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::encode_arrow_schema;
use serde::{Deserialize, Serialize};

use crate::damage::Location;
use crate::format::contained;

/// A message of Arrow's IPC format with a schema, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SchemaText(String);

impl SchemaText {
    pub(crate) fn of(schema: &Schema) -> Self {
        SchemaText(encode_arrow_schema(schema))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// Why the text is none of a schema.
    pub(crate) fn read(&self) -> Result<Schema, String> {
        let message = BASE64_STANDARD.decode(&self.0);
        let message = message.map_err(|error| error.to_string())?;
        match contained(&Location::file(), || try_schema_from_ipc_buffer(&message)) {
            Ok(Ok(schema)) => Ok(schema),
            Ok(Err(error)) => Err(error.to_string()),
            Err(damage) => Err(damage.to_string()),
        }
    }
}
