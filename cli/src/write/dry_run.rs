//! `write --dry-run`: which partitions the rows of the input would go to.
//!
//! Splits as a write does and touches no disk but to look for what a write would be refused for.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use atomic_arrow::Partition;
use atomic_arrow::partition::PartitionSplitter;
use serde_json::json;

use super::{Row, builder, is_shown, say, say_of};
use crate::args::{Mode, WriteArgs};
use crate::exit::{Exit, Failure};
use crate::input::{Input, InputError};
use crate::output::Output;
use crate::progress::Progress;
use crate::receipt::{partition_json, plural};

/// The rows of each partition that was met.
type Tally = HashMap<Partition, u64>;

pub(crate) fn run(
    args: &WriteArgs,
    mut input: Input,
    output: &mut Output,
) -> Result<Exit, Failure> {
    check_root(&args.to)?;
    let tally = loop {
        say(args, &mut input);
        let splitter = args
            .partition_by
            .clone()
            .unwrap_or_default()
            .bind(&input.schema(), args.files.keep_partition_columns)
            .map_err(|error| Failure::rows(input.current_path().display(), &error))?;
        match read(args, &mut input, &splitter)? {
            Some(tally) => break tally,
            None => input.restart()?,
        }
    };
    if args.mode == Some(Mode::ErrorIfExists) {
        for partition in tally.keys() {
            check_free(&args.to.join(partition.path()))?;
        }
    }
    let partitions: Vec<Partition> = tally.keys().cloned().collect();
    let notes = builder(args)?.preview(&input.schema(), &partitions)?;
    say_of(args, &notes);
    report(args, output, tally);
    Ok(Exit::Done)
}

/// The rows of each partition; none where everything has to be read again under other types.
fn read(
    args: &WriteArgs,
    input: &mut Input,
    splitter: &PartitionSplitter,
) -> Result<Option<Tally>, Failure> {
    let progress = Progress::bytes(is_shown(args), input.bytes_total());
    let (mut tally, mut row) = (Tally::new(), Row::default());
    while let Some(batch) = input.next() {
        let batch = match batch {
            Err(InputError::Guessed { .. }) => return Ok(None),
            batch => batch?,
        };
        row.enter(input.current_path());
        let parts = splitter.split(&batch).map_err(|error| row.failure(error))?;
        row.pass(batch.num_rows());
        for (partition, part) in parts {
            *tally.entry(partition).or_default() += part.num_rows() as u64;
        }
        progress.set(input.bytes_read());
    }
    Ok(Some(tally))
}

/// Refuses a root that is a file.
fn check_root(root: &Path) -> Result<(), Failure> {
    match std::fs::metadata(root) {
        Ok(metadata) if !metadata.is_dir() => {
            let text = format_args!("{}: is not a directory", root.display()).to_string();
            Err(Failure::new(Exit::Failed, text))
        }
        _ => Ok(()),
    }
}

/// Refuses a partition whose directory holds a file, of any name and at any depth.
fn check_free(directory: &Path) -> Result<(), Failure> {
    let unread = |error| {
        Failure::io(
            format_args!("{}: cannot be listed", directory.display()),
            &error,
        )
    };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unread)?,
    };
    for entry in entries {
        let entry = entry.map_err(unread)?;
        if entry.file_type().map_err(unread)?.is_dir() {
            // What is staged inside the root is not part of it.
            if entry.file_name() != ".atomic" {
                check_free(&entry.path())?;
            }
        } else {
            let text = format!("{}: has files already", directory.display());
            return Err(Failure::new(Exit::Conflict, text));
        }
    }
    Ok(())
}

fn report(args: &WriteArgs, output: &mut Output, tally: Tally) {
    let mut tally: Vec<(PathBuf, Partition, u64)> = tally
        .into_iter()
        .map(|(partition, rows)| (partition.path(), partition, rows))
        .collect();
    tally.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let rows = tally.iter().map(|(_, _, rows)| rows).sum::<u64>();
    if args.json {
        let partitions = tally.iter().map(|(_, partition, rows)| {
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
        for (path, _, rows) in &tally {
            let path = args.to.join(path);
            output.line(format_args!("{}: {}", path.display(), plural(*rows, "row")));
        }
        let (rows, partitions) = (plural(rows, "row"), plural(tally.len() as u64, "partition"));
        let root = args.to.display();
        output.line(format_args!(
            "{root}: {rows} for {partitions}; dry run, nothing was written"
        ));
    }
}
