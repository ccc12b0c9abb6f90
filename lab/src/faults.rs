//! Every call of a scenario fails once, before or after it is made, and what the library says of it
//! must be true: P5 and P6. A run that follows must heal everything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::{Error, Outcome, Verify};

use crate::check::{Rules, Told};
use crate::found::Found;
use crate::scenario::{Ground, simulated};
use crate::{Sample, Wrong};

/// The errors that a disk may give: it is broken, it is full, the user's quota is used up.
pub const ERRORS: [(&str, i32); 3] = [("EIO", 5), ("ENOSPC", 28), ("EDQUOT", 122)];

/// The results of the faults of one scenario.
#[derive(Debug, Default)]
pub struct Faults {
    /// Calls that were made to fail.
    pub faults: usize,
    /// The calls after which something was wrong, and what.
    pub failures: Vec<Wrong>,
}

/// One call fails.
#[derive(Debug)]
struct Fault {
    call: usize,
    errno: i32,
    /// Whether the call is made nevertheless.
    made: bool,
    count: AtomicUsize,
    failed: OnceLock<Call>,
    /// The number of syncs of each file.
    syncs: Mutex<BTreeMap<PathBuf, usize>>,
}

impl Fault {
    fn new(call: usize, errno: i32, made: bool) -> Arc<Self> {
        Arc::new(Fault {
            call,
            errno,
            made,
            count: AtomicUsize::new(0),
            failed: OnceLock::new(),
            syncs: Mutex::default(),
        })
    }
}

impl Watch for Fault {
    fn before(&self, call: &Call) -> Verdict {
        if call.verb == Verb::SyncFile {
            let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
            *syncs.entry(call.path.clone()).or_default() += 1;
        }
        if self.count.fetch_add(1, Ordering::SeqCst) == self.call {
            let _ = self.failed.set(call.clone());
            if !self.made {
                return Verdict::Fail(self.errno);
            }
        }
        Verdict::Pass
    }

    fn after(&self, call: &Call) -> Option<i32> {
        let its = self.made && self.failed.get() == Some(call);
        (its && self.count.load(Ordering::SeqCst) == self.call + 1).then_some(self.errno)
    }
}

/// Lets the sampled calls of a scenario fail, each with every error.
///
/// # Errors
/// If the scenario does not go undisturbed.
pub fn fail_all(rules: &Rules, sample: Sample) -> Result<Faults, Wrong> {
    let (_, count) = run(rules, usize::MAX, 0, false)?;
    let mut faults = Faults::default();
    for call in (0..count).filter(|&call| sample.takes(call, count)) {
        for (name, errno) in ERRORS {
            for made in [false, true] {
                faults.faults += 1;
                let ran = run(rules, call, errno, made);
                if let Err(Wrong(what)) = ran {
                    let when = if made { "after" } else { "before" };
                    let scenario = &rules.scenario.name;
                    let what = format!("{scenario}, {name} {when} call {call}: {what}");
                    faults.failures.push(Wrong(what));
                }
            }
        }
    }
    Ok(faults)
}

/// Runs the scenario with a fault; how many calls it made.
fn run(rules: &Rules, call: usize, errno: i32, made: bool) -> Result<(Told, usize), Wrong> {
    let (sim, mut ground) = simulated();
    ground.verify = Verify::Checksum;
    let scenario = &rules.scenario;
    let prepared = scenario.prepare(&ground);
    prepared.map_err(|error| Wrong(format!("{}, prepared: {error:?}", scenario.name)))?;
    let look = || Found::on_sim(&sim, &ground.top);
    let there = rules.left(&look());
    let watch = Fault::new(call, errno, made);
    let disk = Tap::on(Arc::clone(&ground.disk), Arc::clone(&watch) as _);
    let result = scenario.act(&ground.on(disk));
    let told = Told::of(&result);
    let failed = watch.failed.get();
    let place = |Wrong(what)| {
        let call = failed.map(Call::to_string).unwrap_or_default();
        Wrong(format!("{call}, told {result:?}: {what}"))
    };
    // What the caller is told has nothing to do with the fault, which so came when the staged files were removed.
    let in_removal = scenario.refused
        && matches!(
            result,
            Err(Error::Conflict { .. } | Error::InvalidPath { .. })
        );
    let checked = after_fault(
        rules,
        &look(),
        told,
        &watch,
        (&there, in_removal),
        &ground.top,
    )
    .and_then(|()| heals(rules, &ground, told, look));
    checked.map_err(place)?;
    Ok((told, watch.count.load(Ordering::SeqCst)))
}

fn after_fault(
    rules: &Rules,
    found: &Found,
    told: Told,
    fault: &Fault,
    (there, in_removal): (&[PathBuf], bool),
    top: &Path,
) -> Result<(), Wrong> {
    rules.truthful(found, told)?;
    let syncs = fault.syncs.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, count)) = syncs.iter().find(|(_, count)| **count > 1) {
        return Err(Wrong(format!(
            "{} was synced {count} times",
            path.display()
        )));
    }
    let inside = rules.scenario.root.join(".atomic");
    let lone = !rules.scenario.is_data_set();
    // What is there of every data set: the control directory, with the names of writes.
    let control = |path: &PathBuf| *path == inside || path.ends_with("writes");
    let mut below = found.directories.iter();
    let staged = below.any(|path| path.starts_with(&inside) && !control(path));
    if !lone && !rules.scenario.inside && staged {
        return Err(Wrong("the staging area went inside the root".to_owned()));
    }
    let Some(failed) = &fault.failed.get() else {
        return Ok(());
    };
    let lost_answer = fault.made && failed.verb == Verb::Rename;
    let final_path = |path: &PathBuf| path.starts_with(top.join(&rules.scenario.root));
    // Of a directory recovery finds out.
    let found_out = match rules.scenario.many {
        true => told != Told::Failed(Outcome::NotPublished),
        false => told == Told::Done,
    };
    if lost_answer && final_path(&failed.path) && !found_out {
        return Err(Wrong("a rename that happened was not found out".to_owned()));
    }
    let unfinished = matches!(
        told,
        Told::Failed(Outcome::Unknown | Outcome::PublishedInPart)
    );
    // What is in the way of removing something, or of what another left, is for the next.
    let excused = unfinished
        || in_removal
        || told == Told::Done
        || matches!(
            failed.verb,
            Verb::RemoveFile | Verb::RemoveDirectory | Verb::List
        )
        || (failed.verb == Verb::Rename && failed.path.extension().is_some_and(|e| e == "dead"));
    match rules
        .left(found)
        .iter()
        .find(|path| !there.iter().any(|there| path.starts_with(there)))
    {
        Some(path) if !excused => Err(Wrong(format!("{} leaked", path.display()))),
        _ => Ok(()),
    }
}

/// Repeats the action undisturbed, which must succeed.
fn heals(
    rules: &Rules,
    ground: &Ground,
    told: Told,
    look: impl Fn() -> Found,
) -> Result<(), Wrong> {
    let (scenario, reference) = (&rules.scenario, &rules.reference);
    let again = scenario.act(ground);
    let view = scenario.view(&look());
    let allowed = match told {
        Told::Failed(Outcome::NotPublished) => vec![&reference.after],
        Told::Done | Told::Failed(Outcome::PublishedNotDurable) => vec![&reference.twice],
        _ => vec![&reference.after, &reference.twice],
    };
    let may_be_refused = scenario.refused || reference.refused_again;
    match again {
        Err(error) if !may_be_refused => return Err(Wrong(format!("once more: {error:?}"))),
        // It may be refused before it looks at the area.
        Err(_) => scenario.recover(ground)?,
        Ok(()) => {}
    }
    if !allowed.contains(&&view) {
        return Err(Wrong(format!("once more, there is {view:?}")));
    }
    match rules.left(&look()).first() {
        Some(path) => Err(Wrong(format!("once more, {} is left", path.display()))),
        None => Ok(()),
    }
}
