//! Real system calls of a real process fail, one after the other.
//!
//! A process of this program acts out a scenario under `strace`, which makes one call fail. What is
//! on disk afterwards must be what the process was told (P5), every staging file must have been synced
//! exactly once, and a recovery must leave nothing (P6). Calls that have nothing to do with the
//! scenario's directory, and those that change and sync nothing, are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use atomic_arrow::Outcome;
use atomic_arrow::disk::OsDisk;

use crate::check::{Rules, Told};
use crate::found::Found;
use crate::scenario::{Ground, all};
use crate::{Sample, Wrong};

/// What the first word on the command line says when a process is to act.
pub const ACT: &str = "act";

/// The calls that are made to fail, and with what.
const CALLS: [(&str, &[&str]); 12] = [
    ("openat", &["EIO", "ENOSPC", "EDQUOT", "EINTR"]),
    ("write", &["EIO", "ENOSPC", "EDQUOT", "EINTR"]),
    ("pread64", &["EIO", "EINTR"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT"]),
    ("syncfs", &["EIO", "ENOSPC"]),
    ("flock", &["EIO", "EINTR"]),
    ("mkdir", &["EIO", "ENOSPC", "EDQUOT"]),
    ("renameat2", &["EIO", "ENOSPC", "EDQUOT"]),
    ("rename", &["EIO", "ENOSPC", "EDQUOT"]),
    ("unlink", &["EIO"]),
    ("rmdir", &["EIO"]),
    ("getdents64", &["EIO"]),
];

/// What came of one scenario.
#[derive(Debug, Default)]
pub struct Injected {
    /// Calls that were made to fail.
    pub faults: usize,
    /// What was wrong after which.
    pub failures: Vec<Wrong>,
}

/// Why calls cannot be made to fail here, if they cannot.
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
pub fn act(name: &str, top: &Path) -> Result<(), Wrong> {
    let scenario = all().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| Wrong(format!("no scenario {name}")))?;
    let result = scenario.act(&Ground::new(Arc::new(OsDisk), top));
    let told = match Told::of(&result) {
        Told::Failed(outcome) => format!("{outcome:?} {result:?}"),
        _ => "Done".to_owned(),
    };
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{told}").map_err(|error| Wrong(error.to_string()))
}

/// Makes the sampled calls of a scenario fail.
///
/// # Errors
/// If a process cannot be run, or does not go undisturbed.
pub fn inject_all(rules: &Rules, sample: Sample) -> Result<Injected, Wrong> {
    let program = std::env::current_exe().map_err(|error| Wrong(error.to_string()))?;
    let directory = tempfile::tempdir().map_err(|error| Wrong(error.to_string()))?;
    let stage = Stage {
        rules,
        program,
        directory: directory.path().to_owned(),
    };
    let undisturbed = stage.run(0, None)?;
    undisturbed.synced_once()?;
    let mut points = Vec::new();
    for (call, errors) in CALLS {
        for when in undisturbed.places.get(call).into_iter().flatten() {
            points.extend(errors.iter().map(|error| (call, *error, *when)));
        }
    }
    let mut injected = Injected::default();
    for (number, (call, error, when)) in points.iter().enumerate() {
        if !sample.takes(number, points.len()) {
            continue;
        }
        injected.faults += 1;
        let run = stage.run(
            number + 1,
            Some(&format!("{call}:error={error}:when={when}")),
        );
        if let Err(Wrong(what)) = run.and_then(|run| stage.check(&run)) {
            let name = &rules.scenario.name;
            let what = format!("{name}, {error} from {call} number {when}: {what}");
            injected.failures.push(Wrong(what));
        }
    }
    Ok(injected)
}

struct Stage<'a> {
    rules: &'a Rules,
    program: PathBuf,
    directory: PathBuf,
}

/// What a process did.
struct Run {
    ground: Ground,
    told: Told,
    said: String,
    /// Of each call, which of them, counted by thread, were about the scenario's directory.
    places: BTreeMap<String, BTreeSet<usize>>,
    /// How often each file was synced.
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
    fn run(&self, number: usize, inject: Option<&str>) -> Result<Run, Wrong> {
        let top = self.directory.join(format!("ground-{number}"));
        let log = self.directory.join("log");
        fs::create_dir(&top).map_err(|error| Wrong(error.to_string()))?;
        let ground = Ground::new(Arc::new(OsDisk), &top);
        let prepared = self.rules.scenario.prepare(&ground);
        prepared.map_err(|error| Wrong(format!("prepared: {error:?}")))?;
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
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let told = told(&said).ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            Wrong(format!("the process ended with {}: {error}", output.status))
        })?;
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
        _ => return None,
    })
}

type Places = BTreeMap<String, BTreeSet<usize>>;

/// Reads what `strace` wrote: `PID call(arguments) = answer` a line.
fn read_log(log: &str, top: &Path) -> (Places, BTreeMap<String, usize>) {
    let top = top.to_string_lossy();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    // The first thread loads the program before it comes to the scenario. What fails there as well,
    // because calls are counted by thread, would fail before that.
    let first = log.split(' ').next().unwrap_or_default();
    let (mut loading, mut loaded): (BTreeMap<&str, usize>, bool) = (BTreeMap::new(), false);
    let (mut places, mut syncs) = (Places::new(), BTreeMap::new());
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        // A call that another thread interrupted has its arguments in its first line.
        let Some((call, arguments)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if call.starts_with('<') {
            continue;
        }
        let count = counts.entry((thread, call)).or_default();
        *count += 1;
        let its = arguments.contains(top.as_ref());
        loaded |= its;
        if thread == first && !loaded {
            loading.insert(call, *count);
        }
        if !its || *count <= loading.get(call).copied().unwrap_or_default() {
            continue;
        }
        places.entry(call.to_owned()).or_default().insert(*count);
        if call == "fsync"
            && let Some((_, path)) = arguments.split_once('<')
            && let Some((path, _)) = path.split_once('>')
        {
            *syncs.entry(path.to_owned()).or_default() += 1;
        }
    }
    (places, syncs)
}
