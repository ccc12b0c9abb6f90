//! The command `atomic-arrow`: crash-safe Hive-partitioned data sets from the shell.
//!
//! Owns nothing but the way from arguments to the library and from its answers to text, JSON and
//! exit codes. One module a subcommand; every ability is the library's.

mod args;
mod commit;
mod completions;
mod discard;
mod exit;
pub mod files;
mod input;
mod inspect;
mod log;
mod manual;
mod output;
mod progress;
mod put;
mod receipt;
mod records;
mod recover;
mod rows;
mod signal;
mod source;
mod stage;
mod stdin;
mod verify;
mod write;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::output::Output;

/// The definition of the command line, from which documentation, completions and manual pages are made.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command with its arguments, its own name first, and gives its exit code.
///
/// It prints, and it watches SIGINT, SIGTERM and SIGXFSZ from then on: for a process that does nothing
/// else.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Where nothing can be printed, the exit code tells.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.into());
        }
    };
    let mut output = Output::new();
    if let Err(failure) = signal::take_limits_as_errors() {
        failure.print();
        return failure.exit().into();
    }
    if let Err(failure) = log::listen() {
        failure.print();
        return failure.exit().into();
    }
    let done = match &cli.command {
        Command::Write(args) => write::run(args, &mut output),
        Command::Stage(args) => stage::run(args, &mut output),
        Command::Commit(args) => commit::run(args, &mut output),
        Command::Discard(args) => discard::run(args, &mut output),
        Command::Put(args) => put::run(args, &mut output),
        Command::Verify(args) => verify::run(args, &mut output),
        Command::Inspect(args) => inspect::run(args, &mut output),
        Command::Recover(args) => recover::run(args, &mut output),
        Command::Completions(args) => completions::run(args, &mut output),
        Command::Manual(args) => manual::run(args, &mut output),
    };
    let publishes = match &cli.command {
        Command::Write(args) => !args.dry_run,
        command => matches!(command, Command::Put(_) | Command::Commit(_)),
    };
    match done {
        Ok(exit) => output.finish(exit, publishes),
        Err(failure) => {
            failure.print();
            failure.exit()
        }
    }
    .into()
}
