//! `discard`: removes what `stage` has staged.

use crate::args::DiscardArgs;
use crate::args::store::reach;
use crate::exit::{Exit, Failure};
use crate::output::Output;
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
    reach(staged, &args.store, &[&root])?.discard()?;
    if !args.quiet {
        let root = args.records.to.as_deref().unwrap_or(&root).display();
        match &args.job {
            Some(job) => output.line(format_args!(
                "{root}: nothing of the job {job} is staged any more, and it is closed"
            )),
            None => output.line(format_args!(
                "{root}: nothing of what the records tell of is staged any more"
            )),
        }
    }
    Ok(Exit::Done)
}
