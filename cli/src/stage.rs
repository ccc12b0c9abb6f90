//! `stage`: from input files to files that are staged, and the record by which they are committed.
//!
//! Reads and writes as `write` does. A record that nobody got is of no use, so what it tells of is removed then.

use std::sync::{Arc, Mutex, PoisonError};

use atomic_arrow::{DatasetWriter, FileRecord, StagedWrite, StagedWrites};
use indicatif::HumanBytes;

use crate::args::store::reach;
use crate::args::{StageArgs, WriteArgs};
use crate::exit::{Exit, Failure, message};
use crate::output::Output;
use crate::progress::WriteProgress;
use crate::receipt::{plural, summary};
use crate::signal::Interrupt;
use crate::write::{self, asking, builder, is_one_file, open_input, synced, take_all, verified};

pub(crate) fn run(args: &StageArgs, output: &mut Output) -> Result<Exit, Failure> {
    let write = &args.write;
    let interrupt = Interrupt::watch()?;
    check(write)?;
    let mut input = open_input(write, &interrupt)?;
    let progress = WriteProgress::reading(write::is_shown(write), input.bytes_total());
    let files = Arc::new(Mutex::new(Vec::new()));
    let mut builder = asking(builder(write)?, &interrupt)
        .keep_staged(args.keep_staged)
        .on_progress(progress.listener());
    if let Some(task) = &args.task {
        builder = builder.task(task);
    }
    if let Some(job) = &args.job {
        builder = builder.job(job);
    }
    if write.verbose {
        let files = Arc::clone(&files);
        builder = builder.on_file(move |file| {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.push(file.clone());
        });
    }
    let open = |schema| builder.clone().build(schema);
    let writer = take_all(write, &mut input, &progress, open, DatasetWriter::write)?;
    progress.encoding(writer.progress().rows);
    let staged = writer.stage()?;
    drop(progress);
    if interrupt.is_raised_at_last() {
        return Err(removed(write, &staged, Failure::interrupted()));
    }
    let record = staged.to_json();
    let record = record.map_err(|error| {
        let failure = Failure::new(Exit::Failed, "no record can be made");
        removed(write, &staged, failure.caused_by(&error))
    })?;
    output.deliver(&record).map_err(|error| {
        let text = "standard output: the record cannot be written";
        removed(write, &staged, Failure::io(text, &error))
    })?;
    let files = std::mem::take(&mut *files.lock().unwrap_or_else(PoisonError::into_inner));
    say(write, &staged, files);
    Ok(Exit::Done)
}

/// Refuses options of `write` that have no effect here.
fn check(args: &WriteArgs) -> Result<(), Failure> {
    let (to, slash) = (args.to.display(), std::path::MAIN_SEPARATOR);
    for (is_given, reason) in [
        (
            args.write_id.is_some(),
            "--write-id: is that of the commit: give it to `commit`, and here --task".to_owned(),
        ),
        (
            args.rewrite_missing,
            "--rewrite-missing: is about the commit: give it to `commit`".to_owned(),
        ),
        (
            args.success_file,
            "--success-file: is published by the commit: give it to `commit`".to_owned(),
        ),
        (
            args.dry_run,
            "--dry-run: `write --dry-run` says what would be done".to_owned(),
        ),
        (args.json, "--json: the record is JSON always".to_owned()),
        (
            is_one_file(args),
            format!("--to: {to} is one file, which `write` publishes; a directory is {to}{slash}"),
        ),
    ] {
        if is_given {
            return Err(Failure::new(Exit::Usage, reason));
        }
    }
    write::check(args)
}

/// Removes what is staged and gives the failure because of which nobody can commit it; or another one, if it cannot
/// be removed either.
fn removed(args: &WriteArgs, staged: &StagedWrite, failure: Failure) -> Failure {
    let writes = StagedWrites::new([staged.clone()]);
    let discarded = reach(writes, &args.store, &[&args.to]).map(|writes| writes.discard());
    let error = match discarded {
        Ok(Ok(())) => return failure.with_hint("what was staged is removed"),
        Ok(Err(error)) => error,
        Err(unreachable) => return unreachable,
    };
    failure.print();
    let record = staged.to_json().unwrap_or_default();
    let text = format_args!(
        "what is staged cannot be removed, and goes when its time is over, or by `discard` with this record: {record}"
    );
    Failure::new(Exit::Failed, text).caused_by(&error)
}

/// Tells of what is staged, on standard error.
fn say(args: &WriteArgs, staged: &StagedWrite, mut files: Vec<FileRecord>) {
    if args.quiet {
        return;
    }
    files.sort_by(|a, b| a.path().cmp(b.path()));
    for file in files {
        let (path, rows) = (args.to.join(file.path()), plural(file.rows(), "row"));
        let bytes = HumanBytes(file.bytes());
        message(format_args!("{}: {rows}, {bytes}", path.display()));
    }
    message(format_args!(
        "{}: staged {}, {}, {}",
        args.to.display(),
        summary(staged.totals()),
        verified(args),
        synced(args),
    ));
    if let Some(metrics) = staged.metrics().filter(|_| args.verbose) {
        message(format_args!("time: {metrics}"));
    }
}
