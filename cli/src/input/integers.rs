//! Integers of a width that Arrow has not, such as the 128 bits of Polars.
//!
//! Owns finding them in a schema as it is encoded, for Arrow's decoder panics on them.

use arrow::ipc::{Field, Schema, root_as_message};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parquet::file::metadata::FileMetaData;

/// The key of a Parquet footer that has the Arrow schema.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// A column with integers of a width that is not known.
#[derive(Debug)]
pub(crate) struct UnknownInteger {
    pub(super) column: String,
    pub(super) bits: i32,
}

/// The first column of a schema that has such integers.
pub(super) fn unknown_of_schema(schema: Schema<'_>) -> Option<UnknownInteger> {
    let fields = schema.fields()?;
    fields.iter().find_map(|field| {
        let column = field.name().unwrap_or_default().to_owned();
        unknown_bits(field).map(|bits| UnknownInteger { column, bits })
    })
}

/// The first column of a message with a schema that has such integers; what is no such message has none.
pub(super) fn unknown_of_message(message: &[u8]) -> Option<UnknownInteger> {
    let head = if message.starts_with(&[0xff; 4]) {
        8
    } else {
        4
    };
    let message = root_as_message(message.get(head..)?).ok()?;
    unknown_of_schema(message.header_as_schema()?)
}

/// The first column of the Arrow schema in a Parquet footer that has such integers.
pub(super) fn unknown_of_footer(footer: &FileMetaData) -> Option<UnknownInteger> {
    let mut pairs = footer.key_value_metadata()?.iter();
    let schema = pairs
        .find(|pair| pair.key == ARROW_SCHEMA)?
        .value
        .as_ref()?;
    unknown_of_message(&BASE64_STANDARD.decode(schema).ok()?)
}

fn unknown_bits(field: Field<'_>) -> Option<i32> {
    let indices = field
        .dictionary()
        .and_then(|dictionary| dictionary.indexType());
    let of_either = [field.type_as_int(), indices].into_iter().flatten();
    let mut bits = of_either.map(|integer| integer.bitWidth());
    let unknown = bits.find(|bits| ![8, 16, 32, 64].contains(bits));
    unknown.or_else(|| field.children()?.iter().find_map(unknown_bits))
}
