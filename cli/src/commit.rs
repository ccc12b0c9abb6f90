//! `commit`: publishes what `stage` has staged, all of it or nothing.

use atomic_arrow::{Outcome, Step};

use crate::args::store::{self, reach};
use crate::args::{CommitArgs, Switch};
use crate::exit::{Exit, Failure, message};
use crate::output::Output;
use crate::receipt::{Shown, plural};
use crate::records;
use crate::signal::Interrupt;

pub(crate) fn run(args: &CommitArgs, output: &mut Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch()?;
    let asked = interrupt.clone();
    let job = args.job.as_deref();
    let staged = match args.without_records {
        true => records::none(&args.records, job),
        false => records::read(&args.records, job, &interrupt)?,
    };
    let mut staged = staged
        .rewrite_missing(args.rewrite_missing)
        .success_file(args.success_file)
        .schema_check(args.schema_check == Switch::On)
        .case_sensitive_names(args.case_sensitive_names)
        .staging(args.staging.place.clone())
        .interrupt_when(move |step| match step {
            Step::Decide => asked.is_raised_at_last(),
            _ => asked.is_raised(),
        });
    if let Some(write_id) = &args.write_id {
        staged = staged.write_id(write_id);
    }
    if let Some(sequence) = args.sequence {
        staged = staged.sequence(sequence);
    }
    let root = staged.root()?;
    let staged = reach(staged, &args.store, &[&root])?;
    let discarded = match job.filter(|_| args.without_records) {
        Some(job) => {
            let waiting = store::staged(&root, &args.staging.place, &args.store)?;
            records::of_job(&waiting, job, args.sequence)
        }
        None => (0, 0),
    };
    let receipt = staged.commit().map_err(|error| {
        let stays_staged = error.outcome() == Outcome::NotPublished;
        match (Failure::from(error), stays_staged) {
            (failure, true) => failure.with_hint(
                "what is still staged stays so: `commit` can be repeated, and `discard` removes it",
            ),
            (failure, false) => failure,
        }
    })?;
    let shown = Shown {
        root: args.records.to.as_deref().unwrap_or(&root),
        json: args.json,
        quiet: args.quiet,
        verbose: args.verbose,
    };
    shown.notes(receipt.notes());
    if let (writes @ 1.., rows) = discarded {
        message(format_args!(
            "note: {}: discarded {} with {}, of which no record was given",
            shown.root.display(),
            plural(writes, "staged write"),
            plural(rows, "row")
        ));
    }
    let committed = receipt.metrics().is_some();
    if committed && interrupt.is_raised() {
        message("the signal came when all was committed already: it is done");
    }
    let how = committed.then(|| "committed".to_owned());
    shown.answer(output, &receipt, how);
    Ok(Exit::Done)
}
