//! `discard`: removes what `stage` has staged.

use crate::args::DiscardArgs;
use crate::args::store::{self, reach};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::receipt::plural;
use crate::records;
use crate::signal::Interrupt;

pub(crate) fn run(args: &DiscardArgs, output: &mut Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch()?;
    let job = args.job.as_deref();
    let staged = match (job, &args.records.to, args.records.files.is_empty()) {
        (Some(_), Some(_), true) => records::none(&args.records, job),
        (Some(_), None, true) => {
            let reason = "--job: needs --to, which says of which data set, or RECORDS";
            return Err(Failure::new(Exit::Usage, reason));
        }
        _ => records::read(&args.records, job, &interrupt)?,
    };
    let mut staged = staged.staging(args.staging.place.clone());
    if let Some(sequence) = args.sequence {
        staged = staged.sequence(sequence);
    }
    let root = staged.root()?;
    let staged = reach(staged, &args.store, &[&root])?;
    let waiting = match job.filter(|_| !args.quiet) {
        Some(job) => {
            let waiting = store::staged(&root, &args.staging.place, &args.store)?;
            records::of_job(&waiting, job, args.sequence)
        }
        None => (0, 0),
    };
    staged.discard()?;
    if !args.quiet {
        let root = args.records.to.as_deref().unwrap_or(&root).display();
        let discarded = match waiting {
            (0, _) => String::new(),
            (writes, rows) => format!(
                "discarded {} with {}: ",
                plural(writes, "staged write"),
                plural(rows, "row")
            ),
        };
        match &args.job {
            Some(job) => output.line(format_args!(
                "{root}: {discarded}nothing of the job {job} is staged any more, and it is closed"
            )),
            None => output.line(format_args!(
                "{root}: nothing of what the records tell of is staged any more"
            )),
        }
    }
    Ok(Exit::Done)
}
