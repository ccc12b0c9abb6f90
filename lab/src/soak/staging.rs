//! The processes of a staged commit: some stage rows, one commits what they gave.
//!
//! The command has no such thing; these two do with the library what engines and the Python package do.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use atomic_arrow::{
    CommitMode, DatasetWriter, Error, Outcome, PartitionBy, StagedWrite, StagedWrites,
};

use crate::Wrong;

/// The first argument of a process that is to stage the rows on its standard input.
pub const STAGE: &str = "stage";
/// The first argument of a process that is to commit what others have staged, which its standard input names.
pub const COMMIT: &str = "commit";

/// The time for which a staged write is kept: what a killed commit leaves is removed after the round.
pub(super) const KEPT: Duration = Duration::from_secs(4);

const OVERWRITE_PARTITIONS: &str = "overwrite-partitions";

/// Stages lines `key,value` of the standard input, and says on the standard output what is staged.
///
/// # Errors
/// If that is not how it was called. What the library says becomes the exit code.
pub fn stage(root: &str, mode: &str) -> Result<u8, Wrong> {
    let input = input()?;
    let rows = input.lines().filter_map(|line| {
        let (key, value) = line.split_once(',')?;
        Some((key, value.parse::<i64>().ok()?))
    });
    let (keys, values): (Vec<&str>, Vec<i64>) = rows.unzip();
    let columns = [
        ("k", Arc::new(StringArray::from(keys)) as ArrayRef, true),
        ("v", Arc::new(Int64Array::from(values)), true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns);
    let batch = batch.map_err(|error| Wrong(format!("rows: {error}")))?;
    let staged = (|| {
        let mode = match mode {
            OVERWRITE_PARTITIONS => CommitMode::OverwritePartitions,
            _ => CommitMode::Append,
        };
        let mut writer = DatasetWriter::builder(Path::new(root))
            .partition_by(PartitionBy::column("k"))
            .mode(mode)
            .threads(1)
            .keep_staged(KEPT)
            .build(batch.schema())?;
        writer.write(&batch)?;
        writer.stage()
    })();
    answer(staged, StagedWrite::to_json)
}

/// Commits what the lines of the standard input say is staged, and writes the receipt to the standard output.
///
/// # Errors
/// If that is not how it was called. What the library says becomes the exit code.
pub fn commit(write_id: Option<&str>) -> Result<u8, Wrong> {
    let input = input()?;
    let staged: Result<Vec<StagedWrite>, _> = input.lines().map(StagedWrite::from_json).collect();
    let staged = staged.map_err(|error| Wrong(format!("what is staged: {error}")))?;
    let mut writes = StagedWrites::new(staged);
    if let Some(write_id) = write_id {
        writes = writes.write_id(write_id);
    }
    answer(writes.commit(), atomic_arrow::Receipt::to_json)
}

fn input() -> Result<String, Wrong> {
    let mut input = String::new();
    let read = io::stdin().read_to_string(&mut input);
    read.map_err(super::wrong("standard input"))?;
    Ok(input)
}

/// Prints the answer as JSON or the error, and gives the command's exit code.
fn answer<T, E: std::fmt::Display>(
    done: Result<T, Error>,
    to_json: impl FnOnce(&T) -> Result<String, E>,
) -> Result<u8, Wrong> {
    match done {
        Ok(done) => {
            let json = to_json(&done).map_err(|error| Wrong(error.to_string()))?;
            let written = writeln!(io::stdout(), "{}", json.replace('\n', " "));
            written.map_err(super::wrong("standard output"))?;
            Ok(0)
        }
        Err(error) => {
            let outcome = error.outcome();
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}{cause}");
            Ok(match outcome {
                Outcome::NotPublished => 1,
                _ => 4,
            })
        }
    }
}
