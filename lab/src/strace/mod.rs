//! Real system calls of a real process fail, one after the other.
//!
//! A process of this program acts out a scenario under `strace`, which makes one call fail. What is
//! on disk afterwards must be what the process was told (P5), every staging file must have been synced
//! exactly once, and a recovery must leave nothing (P6). Calls that have nothing to do with the
//! scenario's directory or input, and those that change and sync nothing, are left alone. The processes
//! of the [command](Command) are also killed right before each of these calls.

mod log;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use atomic_arrow::Outcome;
use atomic_arrow::disk::OsDisk;

use crate::check::{Rules, Told};
use crate::command::{Command as Played, commands};
use crate::found::{Found, View};
use crate::scenario::{Ground, Reference, all};
use crate::{Sample, Wrong};

use log::{Places, read_log};

/// The first argument of a process that is to act a scenario out.
pub const ACT: &str = "act";

/// The calls that are made to fail, and with what.
const CALLS: [(&str, &[&str]); 13] = [
    ("openat2", &["EIO", "EINTR", "EAGAIN"]),
    ("openat", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "EAGAIN"]),
    ("write", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "EAGAIN"]),
    ("read", &["EIO", "EINTR", "EAGAIN"]),
    ("pread64", &["EIO", "EINTR", "EAGAIN"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT"]),
    ("syncfs", &["EIO", "ENOSPC"]),
    ("flock", &["EIO", "EINTR", "EAGAIN"]),
    ("mkdirat", &["EIO", "ENOSPC", "EDQUOT"]),
    ("renameat2", &["EIO", "ENOSPC", "EDQUOT"]),
    ("renameat", &["EIO", "ENOSPC", "EDQUOT"]),
    ("unlinkat", &["EIO"]),
    ("getdents64", &["EIO"]),
];

/// The word that stands for an error where the process is killed.
const KILL: &str = "SIGKILL";

/// The results of one scenario.
#[derive(Debug, Default)]
pub struct Injected {
    /// Calls that were made to fail.
    pub faults: usize,
    /// The calls after which something was wrong, and what.
    pub failures: Vec<Wrong>,
}

/// The reason why calls cannot be made to fail here, if they cannot.
#[must_use]
pub fn unable() -> Option<Wrong> {
    let arguments = ["-f", "-qq", "-y", "-o", "/dev/null"];
    let inject = ["-e", "inject=fsync:error=EIO:when=9999", "true"];
    crate::cuts::run("strace", arguments.into_iter().chain(inject)).err()
}

/// Acts a scenario out in this process: for the processes that [`inject_all`] starts. Says on
/// standard output what it was told.
///
/// # Errors
/// If there is no such scenario.
pub fn act(name: &str, top: &Path) -> Result<u8, Wrong> {
    if let Some(command) = commands()
        .iter()
        .find(|command| command.scenario.name == name)
    {
        return Ok(atomic_arrow_cli::run(command.arguments(top)));
    }
    let scenario = all().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| Wrong(format!("no scenario {name}")))?;
    let result = scenario.act(&Ground::new(Arc::new(OsDisk), top));
    let told = match Told::of(&result) {
        Told::Failed(outcome) => format!("{outcome:?} {result:?}"),
        _ => "Done".to_owned(),
    };
    use std::io::Write as _;
    let said = writeln!(std::io::stdout(), "{told}");
    said.map(|()| 0).map_err(|error| Wrong(error.to_string()))
}

/// Makes the sampled calls of a scenario fail.
///
/// # Errors
/// If a process cannot be run, or does not go undisturbed.
pub fn inject_all(rules: &Rules, sample: Sample) -> Result<Injected, Wrong> {
    Stage::new(rules, false)?.inject_all(sample)
}

/// Makes the sampled calls of a command fail, and kills it before them.
///
/// # Errors
/// If a process cannot be run, or does not go undisturbed.
pub fn inject_command(command: &Played, sample: Sample) -> Result<Injected, Wrong> {
    let nothing = Reference {
        before: View::default(),
        origin: None,
        after: View::default(),
        unmoved: Vec::new(),
        moved: Vec::new(),
        twice: View::default(),
        refused_again: false,
    };
    let mut rules = Rules {
        scenario: command.scenario.clone(),
        reference: nothing,
    };
    rules.reference = Stage::new(&rules, true)?.reference()?;
    Stage::new(&rules, true)?.inject_all(sample)
}

struct Stage<'a> {
    rules: &'a Rules,
    program: PathBuf,
    directory: tempfile::TempDir,
    is_command: bool,
}

impl<'a> Stage<'a> {
    fn new(rules: &'a Rules, is_command: bool) -> Result<Self, Wrong> {
        let wrong = |error: std::io::Error| Wrong(error.to_string());
        Ok(Stage {
            rules,
            program: std::env::current_exe().map_err(wrong)?,
            directory: tempfile::tempdir().map_err(wrong)?,
            is_command,
        })
    }

    /// The outcome of the command undisturbed, which only its process can tell.
    fn reference(&self) -> Result<Reference, Wrong> {
        let name = &self.rules.scenario.name;
        let view = |ground: &Ground| {
            let found = Found::on_system(&ground.top).unwrap_or_default();
            self.rules.scenario.view(&found)
        };
        let before = view(&self.prepared(0)?);
        let done = [self.run(1, None)?, self.run(2, None)?];
        let after = done.each_ref().map(|run| view(&run.ground));
        let wanted = match self.rules.scenario.refused {
            true => Told::Failed(Outcome::NotPublished),
            false => Told::Done,
        };
        for run in &done {
            if run.told != wanted {
                return Err(Wrong(format!("{name}, undisturbed: {}", run.said)));
            }
        }
        let [after, again] = after;
        if after != again {
            return Err(Wrong(format!("{name} comes out differently every time")));
        }
        Ok(Reference {
            origin: None,
            moved: vec![after.clone()],
            twice: after.clone(),
            after,
            unmoved: vec![before.clone()],
            before,
            refused_again: false,
        })
    }

    fn inject_all(&self, sample: Sample) -> Result<Injected, Wrong> {
        let undisturbed = self.run(0, None)?;
        undisturbed.synced_once()?;
        let mut points = Vec::new();
        for (call, errors) in CALLS {
            let kill = [KILL].into_iter().filter(|_| self.is_command);
            for when in undisturbed.places.get(call).into_iter().flatten() {
                // Of a dead writer's lock this says that it is alive, and then it is left alone.
                let dead = self.rules.reference.origin.is_some();
                let true_here = |error: &&str| !(dead && call == "flock" && *error == "EAGAIN");
                let errors = errors.iter().copied().filter(true_here);
                let errors = errors.chain(kill.clone());
                points.extend(errors.map(|error| (call, error, *when)));
            }
        }
        let mut injected = Injected::default();
        for (number, (call, error, when)) in points.iter().enumerate() {
            if !sample.takes(number, points.len()) {
                continue;
            }
            injected.faults += 1;
            let what = match *error {
                KILL => "signal",
                _ => "error",
            };
            let inject = format!("{call}:{what}={error}:when={when}");
            let run = self.run(number + 1, Some(&inject));
            if let Err(Wrong(what)) = run.and_then(|run| self.check(&run)) {
                let name = &self.rules.scenario.name;
                let what = format!("{name}, {error} from {call} number {when}: {what}");
                injected.failures.push(Wrong(what));
            }
        }
        Ok(injected)
    }
}

/// The record of a run of a process.
struct Run {
    ground: Ground,
    told: Told,
    said: String,
    /// For each system call, the numbers, counted by thread, of those about the scenario's directory.
    places: Places,
    /// The number of syncs of each file.
    syncs: BTreeMap<String, usize>,
}

impl Run {
    fn synced_once(&self) -> Result<(), Wrong> {
        let staged = |path: &str| path.ends_with(".staged") || path.ends_with(".new");
        match self
            .syncs
            .iter()
            .find(|(path, count)| staged(path) && **count != 1)
        {
            Some((path, count)) => Err(Wrong(format!("{path} was synced {count} times"))),
            None => Ok(()),
        }
    }
}

impl Stage<'_> {
    fn prepared(&self, number: usize) -> Result<Ground, Wrong> {
        let top = self.directory.path().join(format!("ground-{number}"));
        fs::create_dir(&top).map_err(|error| Wrong(error.to_string()))?;
        let ground = Ground::new(Arc::new(OsDisk), &top);
        let prepared = self.rules.scenario.prepare(&ground);
        prepared.map_err(|error| Wrong(format!("prepared: {error:?}")))?;
        Ok(ground)
    }

    fn run(&self, number: usize, inject: Option<&str>) -> Result<Run, Wrong> {
        let ground = self.prepared(number)?;
        let (top, log) = (ground.top.clone(), self.directory.path().join("log"));
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-y", "-s", "0", "-o"]).arg(&log);
        let names: Vec<_> = CALLS.iter().map(|(call, _)| *call).collect();
        command.arg("-e").arg(format!("trace={}", names.join(",")));
        if let Some(inject) = inject {
            command.arg("-e").arg(format!("inject={inject}"));
        }
        command.arg(&self.program).arg(ACT);
        let output = command.arg(&self.rules.scenario.name).arg(&top).output();
        let output = output.map_err(|error| Wrong(format!("strace: {error}")))?;
        let (told, said) = self.told(&output)?;
        let log = fs::read_to_string(&log).map_err(|error| Wrong(error.to_string()))?;
        let (places, syncs) = read_log(&log, &top);
        Ok(Run {
            ground,
            told,
            said,
            places,
            syncs,
        })
    }

    fn told(&self, output: &Output) -> Result<(Told, String), Wrong> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        // strace ends as the process did.
        let told = match (self.is_command, output.status.code()) {
            (true, None) if output.status.signal() == Some(9) => Some(Told::Nothing),
            (true, Some(code)) => Played::told(code),
            _ => told(&text(&output.stdout)),
        };
        let said = match self.is_command {
            true => format!("{}, {}", output.status, text(&output.stderr)),
            false => text(&output.stdout),
        };
        let told = told.ok_or_else(|| {
            let error = text(&output.stderr);
            Wrong(format!("the process ended with {}: {error}", output.status))
        });
        Ok((told?, said))
    }

    fn check(&self, run: &Run) -> Result<(), Wrong> {
        let rules = self.rules;
        let look = || Found::on_system(&run.ground.top).unwrap_or_default();
        let told = match rules.scenario.refused && matches!(run.told, Told::Failed(_)) {
            true => Told::Done,
            false => run.told,
        };
        let checked = run
            .at_most_once()
            .and_then(|()| rules.truthful(&look(), told))
            .and_then(|()| match told {
                Told::Nothing => rules.visible(&look(), told),
                _ => Ok(()),
            })
            .and_then(|()| rules.scenario.recover(&run.ground))
            .and_then(|()| rules.recovered(&look(), told));
        let _ = fs::remove_dir_all(&run.ground.top);
        checked.map_err(|Wrong(what)| Wrong(format!("told {:?}: {what}", run.said)))
    }
}

impl Run {
    fn at_most_once(&self) -> Result<(), Wrong> {
        let staged = |path: &str| path.ends_with(".staged") || path.ends_with(".new");
        match self
            .syncs
            .iter()
            .find(|(path, count)| staged(path) && **count > 1)
        {
            Some((path, count)) => Err(Wrong(format!("{path} was synced {count} times"))),
            None => Ok(()),
        }
    }
}

fn told(said: &str) -> Option<Told> {
    let word = said.split(' ').next()?;
    Some(match word {
        "Done" => Told::Done,
        "NotPublished" => Told::Failed(Outcome::NotPublished),
        "PublishedNotDurable" => Told::Failed(Outcome::PublishedNotDurable),
        "Unknown" => Told::Failed(Outcome::Unknown),
        "PublishedInPart" => Told::Failed(Outcome::PublishedInPart),
        "Lost" => Told::Failed(Outcome::Lost),
        _ => return None,
    })
}
