//! Many users of one data set at the same time, with kills at random: the soak.
//!
//! Two users of one group append to one data set, overwrite it, put files into it and recover it, one
//! by its own path and one by a bind mount; and they stage rows, each in processes of its own, which one of
//! them commits. Some of them are killed, at a random system call or at a
//! random time. Four readers read every visible file meanwhile. After every round all is recovered, and
//! `model` compares what is visible with what was acknowledged.
//!
//! The users, the mount, the kills and the kernel are real, which the simulated disk cannot model.

mod actor;
mod model;
mod reader;
mod staging;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::check::Rules;
use crate::cuts::run as run_program;
use crate::report::Findings;
use crate::{Sample, Wrong};

use actor::{Actor, Random, Told};
use model::Model;

pub use actor::COMMAND;
pub use staging::{COMMIT, STAGE, commit, stage};

/// The group of both users.
const GROUP: u32 = 30_000;
const USERS: [u32; 2] = [20_001, 20_002];
const READERS: usize = 4;
/// The time for which users work before all is compared.
const ROUND: Duration = Duration::from_secs(5);
/// The seconds of a whole soak, by default.
const HOUR: usize = 3_600;

/// Makes a fault of an error of the laboratory itself.
fn wrong(what: &str) -> impl Fn(std::io::Error) -> Wrong + '_ {
    move |error| Wrong(format!("{what}: {error}"))
}

/// The data set, and the two paths to it.
struct Shared {
    guard: tempfile::TempDir,
    paths: [PathBuf; 2],
}

impl Shared {
    fn new() -> Result<Self, Wrong> {
        let guard = tempfile::tempdir().map_err(wrong("a directory"))?;
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(wrong("chmod"))
        };
        let top = guard.path();
        let [host, container] = ["host", "container"].map(|name| top.join(name));
        for path in [&host, &container] {
            fs::create_dir(path).map_err(wrong("a directory"))?;
            chown(path, None, Some(GROUP)).map_err(wrong("chown"))?;
            set(path, 0o2775)?;
        }
        set(top, 0o755)?;
        let paths = [host, container].map(|path| path.join("lake"));
        for path in &paths {
            fs::create_dir(path).map_err(wrong("a directory"))?;
            chown(path, None, Some(GROUP)).map_err(wrong("chown"))?;
            set(path, 0o2775)?;
        }
        run_program(
            "mount",
            [
                "--bind".as_ref(),
                paths[0].as_os_str(),
                paths[1].as_os_str(),
            ],
        )?;
        Ok(Shared { guard, paths })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = run_program("umount", ["-l".as_ref(), self.paths[1].as_os_str()]);
    }
}

/// The reason why there can be no soak here, if there is one.
fn unable() -> Result<(), Wrong> {
    if !rustix::process::geteuid().is_root() {
        return Err(Wrong("two users and a bind mount need root".to_owned()));
    }
    run_program("unshare", ["--mount", "--propagation", "private", "true"])?;
    run_program("strace", ["-V"])?;
    run_program("timeout", ["--version"])?;
    run_program("setpriv", ["--version"])
}

/// Lets the users work for as many seconds as the sample says, an hour if it says nothing.
///
/// # Errors
/// If the scene cannot be made.
pub fn run(_: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    if let Err(why) = unable() {
        return Ok(Findings::skipped(why));
    }
    let seconds = match sample {
        Sample::All => HOUR,
        Sample::Some(seconds) => seconds,
    };
    let shared = Shared::new()?;
    let end = Instant::now() + Duration::from_secs(seconds as u64);
    let mut model = Model::default();
    let mut found = Findings::table(&["told", "commands"]);
    let mut rounds = 0;
    let read = AtomicUsize::new(0);
    loop {
        rounds += 1;
        let told = one_round(&shared, rounds, &read, &mut found)?;
        model.add(&told);
        let healed = heal(&shared, rounds);
        let compared = healed.and_then(|()| model.compare(&shared.paths[0]));
        if let Err(Wrong(what)) = compared {
            found
                .failures
                .push(Wrong(format!("round {rounds}: {what}")));
        }
        if Instant::now() >= end || !found.failures.is_empty() {
            break;
        }
    }
    found.count("rounds", rounds);
    found.count("files read", read.load(Ordering::SeqCst));
    for (name, count) in model.counts() {
        found.count(name, count);
        found.rows.push(vec![name.to_owned(), count.to_string()]);
    }
    for (reason, count) in model.reasons() {
        found
            .rows
            .push(vec![format!("refused: {reason}"), count.to_string()]);
    }
    if model.rows() == 0 {
        let words = model.refusal().unwrap_or("no command ran");
        found
            .failures
            .push(Wrong(format!("no rows were acknowledged: {words}")));
    }
    if !found.failures.is_empty() {
        // What it looks like helps to understand it; the mount goes with the process's namespace.
        list(&shared);
    }
    Ok(found)
}

/// Lists the data set on standard error.
fn list(shared: &Shared) {
    use std::io::Write as _;
    let listed = std::process::Command::new("find")
        .arg(shared.guard.path())
        .output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let _ = std::io::stderr().write_all(&listed);
}

/// Lets every user work for a while, each by both paths.
fn one_round(
    shared: &Shared,
    round: usize,
    read: &AtomicUsize,
    found: &mut Findings,
) -> Result<Vec<Told>, Wrong> {
    let end = Instant::now() + ROUND;
    let over = AtomicBool::new(false);
    let (told, readers) = std::thread::scope(|scope| {
        let over = &over;
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let root = &shared.paths[number % 2];
                scope.spawn(move || reader::read_until(root, over, read))
            })
            .collect();
        let users: Vec<_> = USERS
            .into_iter()
            .flat_map(|user| shared.paths.iter().map(move |root| (user, root)))
            .enumerate()
            .map(|(number, (user, root))| {
                let random = Random::new((round * 16 + number) as u64);
                let actor = Actor::new(user, root, round * 16 + number, random);
                let another = usize::from(user == USERS[0]);
                let elsewhere = usize::from(*root == shared.paths[0]);
                let mut actor = actor.repeated_by(USERS[another], &shared.paths[elsewhere]);
                scope.spawn(move || {
                    let mut told = Vec::new();
                    while Instant::now() < end {
                        told.extend(actor.act()?);
                    }
                    Ok::<_, Wrong>(told)
                })
            })
            .collect();
        let told: Vec<_> = users.into_iter().map(join).collect();
        over.store(true, Ordering::SeqCst);
        let readers: Vec<_> = readers.into_iter().map(join).collect();
        (told, readers)
    });
    for read in readers {
        if let Err(Wrong(what)) = read {
            found
                .failures
                .push(Wrong(format!("round {round}, a reader: {what}")));
        }
    }
    let told: Vec<Vec<Told>> = told.into_iter().collect::<Result<_, _>>()?;
    Ok(told.into_iter().flatten().collect())
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, Wrong>>) -> Result<T, Wrong> {
    let panicked = |_| Err(Wrong("a thread panicked".to_owned()));
    thread.join().unwrap_or_else(panicked)
}

/// Recovers by both users and both paths, which must succeed and leave nothing to do.
fn heal(shared: &Shared, round: usize) -> Result<(), Wrong> {
    // What is staged and was not committed is by then old enough to be removed.
    std::thread::sleep(staging::KEPT + Duration::from_secs(1));
    for (user, root) in USERS.into_iter().zip(&shared.paths) {
        Actor::new(user, root, round, Random::new(0)).recover()?;
    }
    for (user, root) in USERS.into_iter().zip(&shared.paths) {
        Actor::new(user, root, round, Random::new(0)).has_nothing_to_recover()?;
    }
    Ok(())
}
