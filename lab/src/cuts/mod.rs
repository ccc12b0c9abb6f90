//! The power is cut on real file systems, between any two calls of a scenario that change anything.
//!
//! Between two calls that only read, nothing can come out differently, so that is not cut. Each cut is
//! made twice: as it is, and right after another program has synced a file of its own.

mod machine;
mod shutdown;

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atomic_arrow::disk::tap::{Call, Tap, Verdict, Watch};
use atomic_arrow::disk::{Disk, OsDisk};

use crate::check::{Rules, Told};
use crate::found::Found;
use crate::mutant::Mutation;
use crate::scenario::Ground;
use crate::{Sample, Wrong};

use machine::at_play;
pub(crate) use machine::run;
pub use machine::{FileSystem, Machine, Switch, in_own_namespace, unable};

const EIO: i32 = 5;

/// The results of cutting one scenario's power.
#[derive(Debug, Default)]
pub struct Cuts {
    /// The number of power cuts.
    pub cuts: usize,
    /// The calls after which something was wrong, and what.
    pub failures: Vec<Wrong>,
}

/// Cuts the power before one of the calls that change something.
struct Cut {
    at: usize,
    count: AtomicUsize,
    off: AtomicBool,
    power: Box<dyn Fn() + Send + Sync>,
    call: std::sync::OnceLock<String>,
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cut before {}", self.at)
    }
}

impl Watch for Cut {
    fn before(&self, call: &Call) -> Verdict {
        if self.off.load(Ordering::SeqCst) {
            return Verdict::Fail(EIO);
        }
        if !call.verb.changes() || self.count.fetch_add(1, Ordering::SeqCst) != self.at {
            return Verdict::Pass;
        }
        self.off.store(true, Ordering::SeqCst);
        let _ = self.call.set(call.to_string());
        (self.power)();
        Verdict::Fail(EIO)
    }
}

/// Cuts the power of a machine at the sampled calls of a scenario.
///
/// # Errors
/// If the machine does not do what it should; not if a promise is broken.
pub fn cut_all(
    machine: &mut Machine,
    rules: &Rules,
    mutation: &Mutation,
    sample: Sample,
) -> Result<Cuts, Wrong> {
    let calls = count_calls(machine, rules, mutation)?;
    let mut cuts = Cuts::default();
    // One more than there are calls: after the last.
    for at in (0..=calls).filter(|&at| at == calls || sample.takes(at, calls)) {
        for something_else in [false, true] {
            // Of a sample, every other point is cut one way, the rest the other; the end both.
            if sample != Sample::All && at < calls && (at % 2 == 1) != something_else {
                continue;
            }
            cuts.cuts += 1;
            if let Some(wrong) = cut(machine, rules, mutation, at, something_else)? {
                cuts.failures.push(wrong);
            }
        }
    }
    Ok(cuts)
}

fn count_calls(machine: &Machine, rules: &Rules, mutation: &Mutation) -> Result<usize, Wrong> {
    let _at_play = at_play();
    let ground = scene(machine, rules)?;
    let watch = Arc::new(Cut {
        at: usize::MAX,
        count: AtomicUsize::new(0),
        off: AtomicBool::new(false),
        power: Box::new(|| {}),
        call: std::sync::OnceLock::new(),
    });
    let disk = mutation.wrap(Arc::clone(&ground.disk), None, &ground.top);
    let _ = rules
        .scenario
        .act(&ground.on(Tap::on(disk, Arc::clone(&watch) as _)));
    clear(&ground)?;
    Ok(watch.count.load(Ordering::SeqCst))
}

/// Cuts the power once; what is wrong afterwards.
fn cut(
    machine: &mut Machine,
    rules: &Rules,
    mutation: &Mutation,
    at: usize,
    something_else: bool,
) -> Result<Option<Wrong>, Wrong> {
    let at_play_before = at_play();
    let ground = scene(machine, rules)?;
    let switch = machine.switch();
    let broken = Arc::new(std::sync::Mutex::new(None));
    let seen = Arc::clone(&broken);
    let power = move || {
        let synced = match something_else {
            true => switch.sync_something_else(),
            false => Ok(()),
        };
        if let (Err(wrong), Ok(mut seen)) = (synced.and_then(|()| switch.cut()), seen.lock()) {
            *seen = Some(wrong);
        }
    };
    let watch = Arc::new(Cut {
        at,
        count: AtomicUsize::new(0),
        off: AtomicBool::new(false),
        power: Box::new(power),
        call: std::sync::OnceLock::new(),
    });
    let disk = mutation.wrap(Arc::clone(&ground.disk), None, &ground.top);
    let result = rules
        .scenario
        .act(&ground.on(Tap::on(disk, Arc::clone(&watch) as _)));
    let told = match rules.scenario.refused && result.is_err() {
        true => Told::Done,
        false => Told::of(&result),
    };
    if !watch.off.load(Ordering::SeqCst) {
        (watch.power)();
    }
    if let Some(wrong) = broken.lock().ok().and_then(|mut seen| seen.take()) {
        return Err(wrong);
    }
    drop(at_play_before);
    machine.reboot()?;
    let _at_play = at_play();
    let call = watch.call.get().map_or("the end", String::as_str);
    let place = |Wrong(what)| {
        let name = &rules.scenario.name;
        let other = if something_else {
            ", another synced"
        } else {
            ""
        };
        Wrong(format!(
            "{name}, cut before {call}{other}, told {told:?}: {what}"
        ))
    };
    let checked = look(rules, &ground, told).map_err(place);
    clear(&ground)?;
    Ok(checked.err())
}

fn look(rules: &Rules, ground: &Ground, told: Told) -> Result<(), Wrong> {
    let found = || Found::on_system(&ground.top).unwrap_or_default();
    rules.visible(&found(), told)?;
    rules.scenario.recover(ground)?;
    rules.recovered(&found(), told)?;
    match told == Told::Done && rules.scenario.remembers {
        true => rules.repeat(ground, found),
        false => Ok(()),
    }
}

/// A new directory with the scenario's scene in it.
fn scene(machine: &Machine, rules: &Rules) -> Result<Ground, Wrong> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mount = machine.mount();
    let top = mount.join(format!("ground-{number}"));
    let made = fs::create_dir(&top).and_then(|()| File::open(&mount)?.sync_all());
    made.map_err(|error| Wrong(format!("ground: {error}")))?;
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let ground = Ground::new(disk, top);
    let prepared = rules.scenario.prepare(&ground);
    prepared.map_err(|error| Wrong(format!("{}, prepared: {error:?}", rules.scenario.name)))?;
    Ok(ground)
}

fn clear(ground: &Ground) -> Result<(), Wrong> {
    match fs::remove_dir_all(&ground.top) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Wrong(format!("clearing the ground: {error}")))
        }
        _ => Ok(()),
    }
}
