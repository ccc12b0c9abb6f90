//! The same rows as the same buffers, however the arrays that hold them came about.
//!
//! IPC writes an array's buffers as they are, with what lies masked under nulls, behind the last bit,
//! and in shared memory that views point into. Rows of `arrow::row` know only the values, and arrays
//! made of rows are new: so what is in a file depends on the values alone.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// Makes batches of one schema anew.
pub(super) struct Canonical {
    schema: SchemaRef,
    columns: Vec<RowConverter>,
}

impl Canonical {
    /// # Errors
    /// A column has a type that the row format does not have.
    pub(super) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        let types = schema.fields().iter().map(|field| field.data_type());
        let converters = types.map(|is| RowConverter::new(vec![SortField::new(is.clone())]));
        Ok(Canonical {
            columns: converters.collect::<Result<_, _>>()?,
            schema,
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The same values in new arrays; the batch has the schema's types.
    pub(super) fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, converter) in batch.columns().iter().zip(&self.columns) {
            let rows = converter.convert_columns(std::slice::from_ref(column))?;
            columns.extend(converter.convert_rows(&rows)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}
