//! Arrow IPC: checking the file format and the stream format, and writing files.
//!
//! The frames are walked first (`frames.rs`): every message whole, every length within the file, the
//! end marked, and none that becomes too much (`bounds.rs`). Then arrow's own reader decodes every
//! batch and validates its data. A stream may by its specification also end where its bytes end, but a
//! file without the end marker cannot be told from one that was cut off between two batches, so that
//! counts as damage; arrow, pyarrow and Polars all write the marker.

use std::io::BufReader;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};

use super::source::Source;
use super::{Contents, Fault, contained, proof};
use crate::damage::{Damage, Location};
use crate::disk::DiskFile;

pub use bounds::{IpcBounds, IpcTooLarge};

mod bounds;
mod canonical;
pub(super) mod encode;
mod frames;
mod message;
#[cfg(test)]
mod tests;

/// Checks a file of the IPC file format.
pub(super) fn check_file(file: Arc<dyn DiskFile>) -> Result<Contents, Fault> {
    let source = Source::new(file)?;
    source.settle(read_file(&source))
}

/// The schema of a file of the IPC file format.
pub(super) fn schema_of(file: Arc<dyn DiskFile>) -> Result<SchemaRef, Fault> {
    let source = Source::new(file)?;
    source.settle(frames::schema(&source).map(Arc::new))
}

/// Checks a file of the IPC stream format.
pub(super) fn check_stream(file: Arc<dyn DiskFile>) -> Result<Contents, Fault> {
    let source = Source::new(file)?;
    source.settle(read_stream(&source))
}

/// The batches of a file of the IPC file format, and their schema.
pub(crate) fn batches(
    file: Arc<dyn DiskFile>,
) -> Result<
    (
        impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send,
        SchemaRef,
    ),
    Fault,
> {
    let source = Source::new(file)?;
    source.settle(frames::check_file(&source, Some(IpcBounds::default())).map(drop))?;
    let location = Location::file();
    let reader = contained(&location, || FileReader::try_new(source.reader(0), None))?;
    let mut reader = reader.map_err(|error| undecodable(location, error))?;
    let schema = reader.schema();
    let mut number = 0;
    let next = move || {
        let location = Location::row_group(number);
        number += 1;
        match contained(&location, || reader.next()) {
            Ok(next) => next,
            Err(panicked) => Some(Err(ArrowError::ExternalError(Box::new(panicked)))),
        }
    };
    Ok((std::iter::from_fn(next), schema))
}

fn read_file(source: &Source) -> Result<Contents, Fault> {
    let frames = frames::check_file(source, Some(IpcBounds::default()))?;
    let location = Location::file();
    let reader = contained(&location, || FileReader::try_new(source.reader(0), None))?;
    let contents = read_batches(reader.map_err(|error| undecodable(location, error))?)?;
    // Last, since the others say where.
    proof::check_body(source, frames.body)?;
    Ok(contents)
}

fn read_stream(source: &Source) -> Result<Contents, Fault> {
    frames::check_stream(source, IpcBounds::default())?;
    let location = Location::file();
    let buffered = BufReader::new(source.reader(0));
    let reader = contained(&location, || StreamReader::try_new(buffered, None))?;
    read_batches(reader.map_err(|error| undecodable(location, error))?)
}

fn read_batches(
    mut reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Contents, Fault> {
    let (mut rows, mut batches) = (0, 0);
    loop {
        let location = Location::row_group(batches);
        match contained(&location, || reader.next())? {
            Some(Ok(batch)) => rows += batch.num_rows() as u64,
            Some(Err(error)) => return Err(undecodable(location, error).into()),
            None => break,
        }
        batches += 1;
    }
    Ok(Contents {
        rows: Some(rows),
        row_groups: Some(batches),
        ..Contents::default()
    })
}

fn undecodable(location: Location, error: ArrowError) -> Damage {
    match error {
        ArrowError::NotYetImplemented(reason) => Damage::NotCheckable { location, reason },
        error => Damage::Decode {
            location,
            source: Arc::new(error),
        },
    }
}
