//! The records that `stage` prints, as `commit` and `discard` read them: one a line.

use std::path::{Path, PathBuf};

use atomic_arrow::{StagedWrite, StagedWrites, WaitingWrite};

use crate::args::RecordsArgs;
use crate::exit::{Exit, Failure};
use crate::signal::Interrupt;
use crate::source::Source;

/// Bytes read at once.
const CHUNK: usize = 1 << 16;
/// No record has a line of more bytes.
const LONGEST: usize = 1 << 20;

/// Reads all records.
///
/// # Errors
/// What cannot be read, or is no record: all of it is refused then. That there are none.
pub(crate) fn read(
    args: &RecordsArgs,
    job: Option<&str>,
    interrupt: &Interrupt,
) -> Result<StagedWrites, Failure> {
    let stdin = [PathBuf::from("-")];
    let files = match args.files.as_slice() {
        [] => &stdin,
        files => files,
    };
    let is_stdin = |path: &&std::path::PathBuf| path.as_os_str() == "-";
    if files.iter().filter(is_stdin).count() > 1 {
        let reason = "RECORDS: standard input can be read once";
        return Err(Failure::new(Exit::Usage, reason));
    }
    let mut records = Vec::new();
    for path in files {
        read_one(path, interrupt, &mut records)?;
    }
    if records.is_empty() {
        let files = files.iter().map(|path| shown(path).to_string());
        let files = files.collect::<Vec<_>>().join(", ");
        return Err(
            Failure::new(Exit::Failed, format_args!("{files}: has no records"))
                .with_hint("`stage` prints one on its standard output, and none when it fails"),
        );
    }
    Ok(known(args, job, records))
}

/// Nothing of a job, which is known by its name.
pub(crate) fn none(args: &RecordsArgs, job: Option<&str>) -> StagedWrites {
    known(args, job, Vec::new())
}

/// The number of writes that wait for a job, or for one before it in its stream, and of their rows: what is discarded where
/// it ends without them.
pub(crate) fn of_job(waiting: &[WaitingWrite], job: &str, sequence: Option<u64>) -> (u64, u64) {
    let writes = waiting.iter().map(WaitingWrite::write);
    let of_it = writes.filter(|write| {
        write.job() == Some(job)
            && match (write.sequence(), sequence) {
                (Some(its), Some(ended)) => its <= ended,
                (its, ended) => its == ended,
            }
    });
    of_it.fold((0, 0), |(writes, rows), write| {
        (writes + 1, rows + write.totals().rows)
    })
}

fn known(args: &RecordsArgs, job: Option<&str>, records: Vec<StagedWrite>) -> StagedWrites {
    let mut staged = StagedWrites::new(records);
    if let Some(root) = &args.to {
        staged = staged.expect_root(root);
    }
    match job {
        Some(job) => staged.job(job),
        None => staged,
    }
}

fn read_one(
    path: &Path,
    interrupt: &Interrupt,
    records: &mut Vec<StagedWrite>,
) -> Result<(), Failure> {
    let mut source = Source::open(path, interrupt)?;
    let (mut line, mut number) = (Vec::new(), 0);
    let mut chunk = vec![0; CHUNK];
    let mut take = |line: &mut Vec<u8>| {
        number += 1;
        if !line.trim_ascii().is_empty() {
            records.push(record(path, number, line)?);
        }
        line.clear();
        Ok::<_, Failure>(())
    };
    loop {
        let count = source.read(&mut chunk)?;
        if count == 0 {
            return take(&mut line);
        }
        for part in chunk[..count].split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") || line.len() > LONGEST {
                take(&mut line)?;
            }
        }
    }
}

fn record(path: &Path, number: u64, line: &[u8]) -> Result<StagedWrite, Failure> {
    StagedWrite::from_json(line).map_err(|error| {
        let path = shown(path);
        let text = format_args!("{path}: line {number}: no record of what is staged");
        Failure::new(Exit::Failed, text)
            .caused_by(&error)
            .with_hint("nothing was done: what the other records tell of stays staged")
    })
}

fn shown(path: &Path) -> std::path::Display<'_> {
    match path.as_os_str() == "-" {
        true => Path::new("standard input").display(),
        false => path.display(),
    }
}
