//! Replaces dictionaries by their values, for text formats, which have no dictionaries. Logical values stay what they
//! are.

use std::sync::Arc;

use arrow::array::ArrayRef;
#[cfg(feature = "json")]
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::refused::Refused;
use crate::unify::plain_field;

/// The schema without dictionaries; itself where it has none.
///
/// # Errors
/// A dictionary lies within a type that arrow cannot cast.
pub(super) fn plain_schema(schema: &SchemaRef) -> Result<SchemaRef, ArrowError> {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    for (field, plain) in schema.fields().iter().zip(&fields) {
        let (from, to) = (field.data_type(), plain.data_type());
        if from != to && !can_cast_types(from, to) {
            let reason = format!("{from} has a dictionary inside: cast that to its values");
            return Err(Refused::new(field.name(), reason).into());
        }
    }
    if fields.iter().eq(schema.fields().iter()) {
        return Ok(Arc::clone(schema));
    }
    let metadata = schema.metadata().clone();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// The batch with the types of `schema`, which is [`plain_schema`] of its own.
#[cfg(feature = "json")]
pub(super) fn plain_batch(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| plain_column(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The column in a type without dictionaries.
pub(super) fn plain_column(column: &ArrayRef, plain: &DataType) -> Result<ArrayRef, ArrowError> {
    match column.data_type().equals_datatype(plain) {
        true => Ok(Arc::clone(column)),
        false => cast(column, plain),
    }
}
