//! `write`: from input files to the files of a data set.
//!
//! Nothing is published before all input is read and every file is finished, so bad input publishes
//! nothing.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use atomic_arrow::arrow::datatypes::Schema;
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::partition::PartitionSplitter;
use atomic_arrow::{Partition, PartitionError, WriterOptions};
use serde_json::json;

use crate::args::{Durability, Mode, VerifyLevel, WriteArgs};
use crate::exit::{Exit, Failure};
use crate::fan_out::{Bounds, FanOut};
use crate::input::{self, Input};
use crate::limits;
use crate::output::{Output, message};
use crate::progress::Progress;
use crate::publish::{Publication, publish};
use crate::receipt::{self, partition_json, plural};
use crate::signal::Interrupt;

/// Bytes of rows held in memory before they are encoded, and again of what is being encoded.
const MEMORY: usize = 256 << 20;

/// The rows of each partition that was met.
type Tally = HashMap<Partition, u64>;

pub(crate) fn run(args: &WriteArgs, output: &mut Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch()?;
    limits::raise_open_files();
    check_root(&args.to)?;
    let input = input::open(&args.inputs, &args.input.options(), interrupt.flag())?;
    if args.verbose {
        message(format_args!("columns: {}", columns(&input.schema())));
    }
    let keep = args.parquet.keep_partition_columns;
    let splitter = args
        .partition_by
        .clone()
        .unwrap_or_default()
        .bind(&input.schema(), keep)
        .map_err(|error| Failure::rows(input.current_path().display(), &error))?;
    if args.dry_run {
        let tally = read(args, input, &splitter, None)?;
        report(args, output, tally);
        return Ok(Exit::Done);
    }
    let bounds = Bounds {
        open: args.max_open,
        bytes: MEMORY,
    };
    let mut fan_out = FanOut::new(args.to.clone(), options(args), bounds, interrupt.clone());
    let tally = read(args, input, &splitter, Some(&mut fan_out))?;
    let progress = Progress::files(is_shown(args), Some(tally.len() as u64));
    progress.say("finishing");
    let staged = fan_out.finish(|| progress.advance())?;
    drop(progress);
    tally
        .keys()
        .try_for_each(|partition| check_mode(args, partition))?;
    interrupt.check()?;
    answer(args, output, publish(staged, &interrupt, is_shown(args)))
}

/// Reads all input and gives its rows to `fan_out`, if there is one.
fn read(
    args: &WriteArgs,
    mut input: Input,
    splitter: &PartitionSplitter,
    mut fan_out: Option<&mut FanOut>,
) -> Result<Tally, Failure> {
    let progress = Progress::bytes(is_shown(args), input.bytes_total());
    let mut tally = Tally::new();
    let (mut path, mut rows) = (PathBuf::new(), 0);
    while let Some(batch) = input.next().transpose()? {
        if input.current_path() != path {
            (path, rows) = (input.current_path().to_owned(), 0);
        }
        let parts = splitter
            .split(&batch)
            .map_err(|error| Failure::rows(path.display(), &shifted(error, rows)))?;
        rows += batch.num_rows();
        for (partition, part) in parts {
            if !tally.contains_key(&partition) {
                check_mode(args, &partition)?;
            }
            *tally.entry(partition.clone()).or_default() += part.num_rows() as u64;
            if let Some(fan_out) = &mut fan_out {
                fan_out.take(partition, part);
            }
        }
        if let Some(fan_out) = &mut fan_out {
            fan_out.settle(batch.get_array_memory_size())?;
        }
        progress.set(input.bytes_read());
    }
    Ok(tally)
}

/// An error whose row is counted from the input's first instead of the batch's.
fn shifted(mut error: PartitionError, rows: usize) -> PartitionError {
    if let PartitionError::EmptyString { row: Some(row), .. }
    | PartitionError::ReservedValue { row: Some(row), .. }
    | PartitionError::NonFinite { row: Some(row), .. }
    | PartitionError::OutOfRange { row: Some(row), .. }
    | PartitionError::SegmentTooLong { row: Some(row), .. } = &mut error
    {
        *row += rows;
    }
    error
}

fn options(args: &WriteArgs) -> WriterOptions {
    let properties = WriterProperties::builder()
        .set_compression(args.parquet.compression)
        .set_max_row_group_row_count(Some(args.parquet.row_group_size))
        .build();
    WriterOptions::new()
        .properties(properties)
        .keep_partition_columns(args.parquet.keep_partition_columns)
        .verify(args.verify.into())
        .durability(args.durability.into())
}

/// A root that is a file is found out before the input is read.
fn check_root(root: &Path) -> Result<(), Failure> {
    match std::fs::metadata(root) {
        Ok(metadata) if !metadata.is_dir() => {
            let text = format_args!("{}: is not a directory", root.display()).to_string();
            Err(Failure::new(Exit::Failed, text))
        }
        _ => Ok(()),
    }
}

/// With `--mode error`: whether the partition has no visible file.
fn check_mode(args: &WriteArgs, partition: &Partition) -> Result<(), Failure> {
    if args.mode == Mode::Append {
        return Ok(());
    }
    let directory = args.to.join(partition.path());
    let unread = |error| {
        Failure::io(
            format_args!("{}: cannot be listed", directory.display()),
            &error,
        )
    };
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unread)?,
    };
    for entry in entries {
        let entry = entry.map_err(unread)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.file_type().map_err(unread)?.is_file() {
            let (directory, name) = (directory.display(), entry.file_name());
            let text = format!("{directory}: has files already, such as {}", name.display());
            return Err(Failure::new(Exit::Conflict, text));
        }
    }
    Ok(())
}

/// Says what was published, and ends as that went.
fn answer(
    args: &WriteArgs,
    output: &mut Output,
    publication: Publication,
) -> Result<Exit, Failure> {
    if args.json {
        output.json(&receipt::json(&args.to, &publication));
    }
    publication.explain();
    if let Some(failure) = publication.failure {
        return Err(failure);
    }
    let rows = &publication.published;
    if rows.is_empty() {
        message("the input has no rows: no file was written");
    } else if !args.quiet && !args.json {
        if args.verbose {
            rows.iter().for_each(|row| output.line(row));
        }
        let verified = if args.verify == VerifyLevel::Skip {
            "not verified"
        } else {
            "verified"
        };
        let synced = if args.durability == Durability::Synced {
            "synced"
        } else {
            "not synced"
        };
        let summary = receipt::summary(rows);
        output.line(format_args!(
            "{}: {summary}, {verified}, {synced}",
            args.to.display()
        ));
    }
    Ok(Exit::Done)
}

/// What a dry run found.
fn report(args: &WriteArgs, output: &mut Output, tally: Tally) {
    let mut tally: Vec<(Partition, u64)> = tally.into_iter().collect();
    tally.sort_by_cached_key(|(partition, _)| partition.path());
    let rows = tally.iter().map(|(_, rows)| rows).sum::<u64>();
    if args.json {
        let partitions = tally.iter().map(|(partition, rows)| {
            let path = partition.to_string();
            json!({"path": path, "partition": partition_json(partition), "rows": rows})
        });
        output.json(&json!({
            "dry_run": true,
            "root": args.to.to_string_lossy(),
            "partitions": partitions.collect::<Vec<_>>(),
            "totals": {"partitions": tally.len(), "rows": rows},
        }));
    } else if !args.quiet {
        for (partition, rows) in &tally {
            let path = args.to.join(partition.path());
            output.line(format_args!("{}: {}", path.display(), plural(*rows, "row")));
        }
        let (rows, partitions) = (plural(rows, "row"), plural(tally.len() as u64, "partition"));
        let root = args.to.display();
        output.line(format_args!(
            "{root}: {rows} for {partitions}; dry run, nothing was written"
        ));
    }
}

fn columns(schema: &Schema) -> String {
    let column = |field: &std::sync::Arc<atomic_arrow::arrow::datatypes::Field>| {
        format!("{} {}", field.name(), field.data_type())
    };
    schema
        .fields()
        .iter()
        .map(column)
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_shown(args: &WriteArgs) -> bool {
    !args.quiet && !args.json
}
