//! The schema of rows, as Python sees it.

use atomic_arrow::arrow::datatypes::SchemaRef;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::table;

/// The columns of rows, with their types: what takes the Arrow C schema interface reads it, as ``pyarrow.schema`` does.
#[pyclass(frozen, module = "atomic_arrow", eq)]
#[derive(PartialEq)]
pub(crate) struct RowSchema(SchemaRef);

impl RowSchema {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        RowSchema(schema)
    }
}

#[pymethods]
impl RowSchema {
    /// The names of the columns.
    #[getter]
    fn names(&self) -> Vec<&str> {
        let fields = self.0.fields().iter();
        fields.map(|field| field.name().as_str()).collect()
    }

    /// Exports the columns through the Arrow C schema interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        table::export_schema(py, &self.0)
    }

    fn __repr__(&self) -> String {
        let fields = self.0.fields().iter();
        let fields = fields.map(|field| format!("{}: {}", field.name(), field.data_type()));
        format!("<RowSchema {}>", fields.collect::<Vec<_>>().join(", "))
    }
}
