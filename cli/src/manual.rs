//! `manual`: manual pages, made of the definition of the command line.

use clap_mangen::Man;

use crate::args::ManualArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(crate) fn run(args: &ManualArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut command = crate::command().disable_help_subcommand(true);
    // Names the pages of subcommands.
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let known = command.get_subcommands().map(clap::Command::get_name);
                let known: Vec<_> = known.collect();
                let reason = format!("{name:?} is none of {}", known.join(", "));
                return Err(Failure::new(Exit::Usage, reason));
            }
        },
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|error| Failure::io("the page cannot be made", &error))?;
    output.bytes(&text);
    Ok(Exit::Done)
}
