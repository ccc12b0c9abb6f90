//! Scenarios of the command, in a process of its own: inputs, arguments and exit codes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use atomic_arrow::{Error, Outcome};

use crate::check::Told;
use crate::scenario::{Ground, LAKE, Scenario, earlier, put};

const DATA: &str = "home/data.json";
const OLD: &[u8] = b"[\"what was there before\", 1]\n";
const NEW: &str = "{\"what comes instead\": [2, 3, 5, 7, 11]}\n";

/// A scenario that is acted out by the command.
#[derive(Debug, Clone)]
pub struct Command {
    /// The scenario; acting it out in this process fails.
    pub scenario: Scenario,
    arguments: &'static [&'static str],
    input: &'static str,
}

impl Command {
    /// The arguments, for a ground at `top`, its own name first.
    #[must_use]
    pub fn arguments(&self, top: &Path) -> Vec<OsString> {
        let all = ["atomic-arrow"].iter().chain(self.arguments);
        let argument = |argument: &&str| match *argument {
            "INPUT" => input(top, self.input).into_os_string(),
            "ROOT" => top.join(LAKE).into_os_string(),
            "FILE" => top.join(DATA).into_os_string(),
            other => other.into(),
        };
        all.map(argument).collect()
    }

    /// The answer that an exit code gives.
    #[must_use]
    pub fn told(code: i32) -> Option<Told> {
        match code {
            0 => Some(Told::Done),
            1 | 3 | 5 => Some(Told::Failed(Outcome::NotPublished)),
            // Published in part, or maybe not durable.
            4 => Some(Told::Failed(Outcome::Unknown)),
            _ => None,
        }
    }
}

/// The path of the input: beside the ground, and named like it.
fn input(top: &Path, suffix: &str) -> PathBuf {
    top.with_extension(suffix)
}

fn write_input(ground: &Ground, suffix: &str, content: &str) -> Result<(), Error> {
    let path = input(&ground.top, suffix);
    fs::write(&path, content).map_err(|source| Error::Read { path, source })
}

fn weather() -> String {
    let rows = (0..6).map(|row| format!("{},{}.5\n", 1 + row % 2, 20 + row));
    ["year,temp\n".to_owned()].into_iter().chain(rows).collect()
}

fn command(
    name: &str,
    root: &str,
    arguments: &'static [&'static str],
    input: &'static str,
    prepare: fn(&Ground) -> Result<(), Error>,
) -> Command {
    let prepare = move |ground: &Ground| {
        let content = match input {
            "csv" => weather(),
            _ => NEW.to_owned(),
        };
        write_input(ground, input, &content)?;
        prepare(ground)
    };
    let scenario = Scenario::new(name, root, prepare, |_| {
        Err(Error::InvalidOption {
            option: "scenario",
            reason: "the command acts in a process of its own".to_owned(),
        })
    });
    Command {
        scenario,
        arguments,
        input,
    }
}

/// Every scenario of the command.
#[must_use]
pub fn commands() -> Vec<Command> {
    let write = |name, arguments, prepare| {
        let mut command = command(name, LAKE, arguments, "csv", prepare);
        command.scenario = command.scenario.many();
        command
    };
    let put_file = |name, arguments, prepare| command(name, "home", arguments, "json", prepare);
    let mut refused = put_file(
        "`put` of a file that is there already",
        &["put", "INPUT", "FILE"],
        |ground| put(ground, DATA, OLD),
    );
    refused.scenario = refused.scenario.refused();
    vec![
        put_file(
            "`put` of a new file",
            &["put", "INPUT", "FILE", "--check", "json"],
            |_| Ok(()),
        ),
        put_file(
            "`put` over a file",
            &["put", "INPUT", "FILE", "--replace", "--verify", "checksum"],
            |ground| put(ground, DATA, OLD),
        ),
        refused,
        write(
            "`write` of a new data set",
            &[
                "write",
                "INPUT",
                "--to",
                "ROOT",
                "--partition-by",
                "year",
                "--threads",
                "1",
            ],
            |_| Ok(()),
        ),
        write(
            "`write` over partitions",
            &[
                "write",
                "INPUT",
                "--to",
                "ROOT",
                "--partition-by",
                "year",
                "--threads",
                "1",
                "--mode",
                "overwrite-partitions",
            ],
            earlier,
        ),
        write(
            "`write` over everything",
            &[
                "write",
                "INPUT",
                "--to",
                "ROOT",
                "--partition-by",
                "year",
                "--threads",
                "1",
                "--mode",
                "overwrite",
            ],
            earlier,
        ),
    ]
}
