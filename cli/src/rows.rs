//! Taking all rows of inputs into a writer.
//!
//! Owns beginning again where later rows turn out to have other types, and where in the inputs a refused row is.

use std::path::{Path, PathBuf};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::arrow::datatypes::SchemaRef;
use atomic_arrow::{Error, PartitionError};

use crate::input::{Input, InputError};

/// The reason why rows were not taken; nothing of them is published.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// The inputs cannot be read.
    Input(Box<InputError>),
    /// A row of an input cannot be partitioned; it is counted from the first of that input.
    Row(PathBuf, PartitionError),
    /// A key is made of a column that `--select` leaves out.
    LeftOut(String),
    /// The writer failed.
    Write(Error),
}

/// Opens a writer and has it take all rows; and another one where later rows turn out to have other types.
///
/// `begin` is called before any row is read, and `read` after each batch.
pub(crate) fn take_all<W>(
    input: &mut Input,
    begin: impl Fn(&mut Input),
    read: impl Fn(&Input),
    open: impl Fn(SchemaRef) -> atomic_arrow::Result<W>,
    write: impl Fn(&mut W, &RecordBatch) -> atomic_arrow::Result<()>,
) -> Result<W, NotTaken> {
    loop {
        begin(input);
        let mut row = Row::default();
        row.enter(input.current_path());
        let mut writer = open(input.schema()).map_err(|error| match error {
            Error::Partition(PartitionError::UnknownColumn { column, .. })
                if input.leaves_out(&column) =>
            {
                NotTaken::LeftOut(column.to_string())
            }
            error => row.not_taken(error),
        })?;
        loop {
            let batch = match input.next() {
                None => return Ok(writer),
                Some(Err(InputError::Guessed { .. })) => break,
                Some(batch) => batch.map_err(|error| NotTaken::Input(Box::new(error)))?,
            };
            row.enter(input.current_path());
            write(&mut writer, &batch).map_err(|error| row.not_taken(error))?;
            row.number += batch.num_rows();
            read(input);
        }
        // Nothing of it was published.
        drop(writer);
        let restarted = input.restart();
        restarted.map_err(|error| NotTaken::Input(Box::new(error)))?;
    }
}

/// The position in the inputs: which row of which input comes next.
#[derive(Debug, Default)]
struct Row {
    path: PathBuf,
    number: usize,
}

impl Row {
    /// Moves to the first row of this input.
    fn enter(&mut self, path: &Path) {
        if path != self.path {
            (self.path, self.number) = (path.to_owned(), 0);
        }
    }

    /// The failure of the next batch.
    fn not_taken(&self, error: Error) -> NotTaken {
        let Error::Partition(mut error) = error else {
            return NotTaken::Write(error);
        };
        if let PartitionError::EmptyString { row: Some(row), .. }
        | PartitionError::ReservedValue { row: Some(row), .. }
        | PartitionError::NonFinite { row: Some(row), .. }
        | PartitionError::OutOfRange { row: Some(row), .. }
        | PartitionError::SegmentTooLong { row: Some(row), .. } = &mut error
        {
            *row += self.number;
        }
        NotTaken::Row(self.path.clone(), error)
    }
}
