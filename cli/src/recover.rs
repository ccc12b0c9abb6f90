//! `recover`: finishes what dead writers had committed, and removes the rest of what they left.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use atomic_arrow::{RecoverOptions, StagedWrite, WaitingWrite, recover_with_options};
use serde_json::{Value, json};

use crate::args::RecoverArgs;
use crate::args::paths::is_in_store;
use crate::args::store::{self, reach};
use crate::exit::{Exit, Failure, message, with_causes};
use crate::output::Output;
use crate::progress::ScanBar;
use crate::receipt::plural;

pub(crate) fn run(args: &RecoverArgs, output: &mut Output) -> Result<Exit, Failure> {
    let options = RecoverOptions::new()
        .dry_run(args.dry_run)
        .abort_unfinished(args.abort)
        .staging(args.staging.place.clone());
    let progress = ScanBar::new(!args.quiet && !args.json, "leftovers looked at");
    let options = options.on_progress(progress.listener((0, 0)));
    let options = reach(options, &args.store, &[&args.root])?;
    let recovery = recover_with_options(&args.root, &options)?;
    drop(progress);
    let waiting = match recovery.staged.is_empty() {
        true => Vec::new(),
        false => store::staged(&args.root, &args.staging.place, &args.store)?,
    };
    if args.json {
        output.json(&json!({
            "dry_run": args.dry_run,
            "finished": paths(&recovery.finished),
            "abandoned": paths(&recovery.abandoned),
            "forgotten": paths(&recovery.forgotten),
            "aborted": paths(&recovery.aborted),
            "removed": paths(&recovery.removed),
            "alive": paths(&recovery.alive),
            "staged": recovery
                .staged
                .iter()
                .map(|path| staged_json(path, found(&waiting, path)))
                .collect::<Vec<_>>(),
            "failed": recovery
                .failed
                .iter()
                .map(|error| with_causes(error, error.source()))
                .collect::<Vec<_>>(),
        }));
    } else if !args.quiet {
        let did = if args.dry_run {
            "would remove"
        } else {
            "removed"
        };
        let finished = if args.dry_run {
            "would publish the rest of"
        } else {
            "published the rest of"
        };
        for path in &recovery.finished {
            output.line(format_args!("{finished} {}", path.display()));
        }
        for path in &recovery.abandoned {
            output.line(format_args!("gave up the rest of {}", path.display()));
        }
        for path in &recovery.forgotten {
            output.line(format_args!("removed the marker {}", path.display()));
        }
        for path in recovery.aborted.iter().chain(&recovery.removed) {
            output.line(format_args!("{did} {}", path.display()));
        }
        // In a store there are no locks that a process loses when it dies.
        let or_died = match is_in_store(&args.root) {
            true => ", or has been silent for less than --dead-after, 15 minutes by default",
            false => "",
        };
        for path in &recovery.alive {
            let path = path.display();
            output.line(format_args!("left {path}: its writer is alive{or_died}"));
        }
        for path in &recovery.staged {
            let what = found(&waiting, path).map(described).unwrap_or_default();
            output.line(format_args!(
                "left {}: it is staged, to be committed{what}",
                path.display()
            ));
        }
        let (finish, remove) = match args.dry_run {
            true => ("would finish", "remove"),
            false => ("finished", "removed"),
        };
        output.line(format_args!(
            "{}: {finish} {} and {remove} {} of dead writers, left {} of live ones{}",
            args.root.display(),
            plural(recovery.finished.len() as u64, "commit"),
            plural(
                (recovery.aborted.len() + recovery.removed.len()) as u64,
                "leftover"
            ),
            recovery.alive.len(),
            match recovery.staged.len() {
                0 => String::new(),
                count => format!(" and {} staged", plural(count as u64, "write")),
            },
        ));
    }
    let nothing_found = [
        &recovery.finished,
        &recovery.abandoned,
        &recovery.forgotten,
        &recovery.aborted,
        &recovery.removed,
        &recovery.alive,
        &recovery.staged,
    ]
    .iter()
    .all(|found| found.is_empty());
    if nothing_found && !is_in_store(&args.root) && !args.root.exists() {
        message(format_args!(
            "{}: there is no such directory",
            args.root.display()
        ));
    }
    if !recovery.abandoned.is_empty() {
        message(format_args!(
            "warning: {}: what was published of {} stays visible, the rest of its rows is gone, and a name it had \
             is not remembered",
            args.root.display(),
            plural(recovery.abandoned.len() as u64, "commit")
        ));
    }
    for path in &recovery.forgotten {
        message(format_args!(
            "warning: {}: the commit of {} may be published in part; whoever reaches its staging area later \
             publishes the rest, over what was written since",
            args.root.display(),
            path.display()
        ));
    }
    // What was finished is published, whatever failed beside it.
    let published = !args.dry_run && !recovery.finished.is_empty();
    let mut exit = Exit::Done;
    for error in recovery.failed {
        let failure = Failure::from(error);
        failure.print();
        exit = match (exit, failure.exit()) {
            (Exit::Partial, _) | (_, Exit::Partial) => Exit::Partial,
            _ if published => Exit::Partial,
            _ => Exit::Failed,
        };
    }
    Ok(exit)
}

fn paths(paths: &[PathBuf]) -> Vec<Value> {
    paths
        .iter()
        .map(|path| path.to_string_lossy().into())
        .collect()
}

/// What is staged in a directory, if its record can be read.
fn found<'a>(waiting: &'a [WaitingWrite], path: &Path) -> Option<&'a StagedWrite> {
    let name = path.file_name()?.to_str()?;
    let mut writes = waiting.iter().map(WaitingWrite::write);
    writes.find(|write| write.transaction().is_some_and(|id| id.to_string() == name))
}

/// What is staged, in words.
fn described(write: &StagedWrite) -> String {
    let job = write.job().map(|job| match write.sequence() {
        Some(sequence) => format!("job {job} {sequence}"),
        None => format!("job {job}"),
    });
    let names = [job, write.task().map(|task| format!("task {task}"))];
    let rows = plural(write.totals().rows, "row");
    let parts = names.into_iter().flatten().chain([rows]);
    format!(" ({})", parts.collect::<Vec<_>>().join(", "))
}

fn staged_json(path: &Path, write: Option<&StagedWrite>) -> Value {
    json!({
        "path": path.to_string_lossy(),
        "job": write.and_then(StagedWrite::job),
        "sequence": write.and_then(StagedWrite::sequence),
        "task": write.and_then(StagedWrite::task),
        "rows": write.map(|write| write.totals().rows),
        "bytes": write.map(|write| write.totals().bytes),
    })
}
