//! The native half of the Python package `atomic_arrow`: the module `atomic_arrow._lib`.
//!
//! Owns the way from Python objects to the library and back: Arrow data in and out, options, errors,
//! signals, forks. Every ability is the library's; what users call, and its documentation, is Python's
//! (`python/atomic_arrow`). The GIL is released wherever the disk or the rows are worked on.

mod arrow_writer;
mod calls;
mod command;
mod dataset;
mod dry_run;
mod errors;
mod file;
mod files;
mod foreign;
mod input;
mod inspection;
mod logging;
mod options;
mod owned;
mod place;
mod receipt;
mod recovery;
mod reports;
mod scan;
mod schema;
mod settle;
mod staged_writes;
mod store;
mod table;
mod update;
mod values;
mod work;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
mod _lib {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::arrow_writer::ArrowWriter;
    #[pymodule_export]
    use super::command::main;
    #[pymodule_export]
    use super::dataset::{DatasetWriter, already_committed};
    #[pymodule_export]
    use super::dry_run::{DryRun, DryRunReport, PlannedPartition};
    #[pymodule_export]
    use super::file::{File, PublishedFile};
    #[pymodule_export]
    use super::files::{count_files, take_files};
    #[pymodule_export]
    use super::input::Stream;
    #[pymodule_export]
    use super::inspection::{Inspection, Oddity, PartitionSummary, inspect};
    #[pymodule_export]
    use super::options::parse_size;
    #[pymodule_export]
    use super::receipt::{FileRecord, Metrics, Note, Progress, Receipt};
    #[pymodule_export]
    use super::recovery::{Recovery, recover};
    #[pymodule_export]
    use super::reports::{FileReport, Verification, verify};
    #[pymodule_export]
    use super::scan::ScanProgress;
    #[pymodule_export]
    #[pymodule_export]
    use super::schema::RowSchema;
    #[pymodule_export]
    use super::staged_writes::{StagedWrite, commit, discard, staged};
    #[pymodule_export]
    use super::table::Table;
    #[pymodule_export]
    use super::update::{FileUpdate, RowStream};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::logging::install(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
