//! `completions`: prints the script by which a shell completes the command.

use crate::args::CompletionsArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(crate) fn run(args: &CompletionsArgs, output: &mut Output) -> Result<Exit, Failure> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut crate::command(),
        "atomic-arrow",
        &mut script,
    );
    output.bytes(&script);
    Ok(Exit::Done)
}
