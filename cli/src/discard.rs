//! `discard`: removes what `stage` has staged.

use crate::args::DiscardArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::records;
use crate::signal::Interrupt;

pub(crate) fn run(args: &DiscardArgs, output: &mut Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch()?;
    let staged = records::read(&args.records, &interrupt)?;
    let root = staged.root()?.to_owned();
    staged.discard()?;
    if !args.quiet {
        let root = args.records.to.as_deref().unwrap_or(&root);
        let root = root.display();
        output.line(format_args!(
            "{root}: nothing of what the records tell of is staged any more"
        ));
    }
    Ok(Exit::Done)
}
