//! Two programs at one data set: the second does all it can right before any
//! one call of the first.
//!
//! Where it has to wait for a lock, the first goes on; nothing is left to chance. What comes of the
//! two must be what comes of one after the other, in some order, or of one alone if the other was
//! refused. That is played on the simulated disk, and some of it on a real one. [`all`] takes each lock, check and refusal away and demands that this is then not so.

mod baton;
mod taken;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atomic_arrow::disk::sim::Lie;
use atomic_arrow::disk::tap::{Call, Tap, Verdict, Watch};
use atomic_arrow::{Error, Outcome};

use baton::{Baton, Turn};
pub use taken::all;

use crate::arena::{Arena, Kind};
use crate::found::View;
use crate::mutant::Mutation;
use crate::scenario::{RACERS, Racer, Scenario};
use crate::{Sample, Wrong};

#[derive(Debug)]
struct First {
    at: usize,
    count: AtomicUsize,
    baton: Arc<Baton>,
}

impl Watch for First {
    fn before(&self, _call: &Call) -> Verdict {
        if self.count.fetch_add(1, Ordering::SeqCst) == self.at {
            self.baton.pass(Turn::Second, Turn::First);
        }
        Verdict::Pass
    }

    fn waits_for_lock(&self, _call: &Call) -> bool {
        self.baton.pass(Turn::Second, Turn::First)
    }
}

#[derive(Debug)]
struct Second(Arc<Baton>);

impl Watch for Second {
    fn waits_for_lock(&self, _call: &Call) -> bool {
        self.0.pass(Turn::First, Turn::Second)
    }
}

/// How a writer is known to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Its lock.
    Lock,
    /// Its age: locks tell nothing, and it is not old yet.
    Age,
    /// The same, but a day goes by before each of the two does anything.
    PastAge,
}

/// The circumstances of a race.
#[derive(Debug, Clone)]
struct Setting {
    kind: Kind,
    mutation: Mutation,
    life: Life,
    /// Whether one that was taken for dead may fail.
    may_be_taken_for_dead: bool,
}

impl Setting {
    fn new(kind: Kind, mutation: Mutation, life: Life) -> Self {
        Setting {
            kind,
            mutation,
            life,
            may_be_taken_for_dead: life == Life::PastAge,
        }
    }

    fn words(&self) -> String {
        let life = match self.life {
            Life::Lock => "",
            Life::Age => ", locks not trusted",
            Life::PastAge => ", the writer taken for dead",
        };
        format!("{life}{}", self.kind.words())
    }
}

type Ran = (Result<(), Error>, Result<(), Error>, View);

fn scene(kind: Kind) -> Result<Arena, Wrong> {
    let arena = Arena::new(kind)?;
    let prepared = RACERS[0].prepare(&arena.ground);
    prepared.map_err(|error| Wrong(format!("the scene of a race: {error:?}")))?;
    Ok(arena)
}

fn view(arena: &Arena) -> View {
    arena.look().view(Racer::root())
}

/// Lets the second racer start right before one call of the first; whether there is such a call.
fn race(first: Racer, second: Racer, at: usize, setting: &Setting) -> Result<(Ran, bool), Wrong> {
    let arena = scene(setting.kind)?;
    if let Some(sim) = arena.sim.as_ref().filter(|_| setting.life != Life::Lock) {
        sim.lie(Lie::Locks);
        sim.set_trusts_locks(false);
    }
    let a_day_goes_by = || {
        if let Some(sim) = arena.sim.as_ref().filter(|_| setting.life == Life::PastAge) {
            sim.advance(Duration::from_secs(25 * 60 * 60));
        }
    };
    let baton = Arc::new(Baton::with(Turn::Second));
    let watch = Arc::new(First {
        at,
        count: AtomicUsize::new(0),
        baton: Arc::clone(&baton),
    });
    let on = |watch: Arc<dyn Watch>| {
        let disk = arena.disk(&setting.mutation);
        arena.ground.on(Tap::on(disk, watch))
    };
    let grounds = (
        on(Arc::clone(&watch) as _),
        on(Arc::new(Second(Arc::clone(&baton)))),
    );
    let (one, other) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let begun = second.begin(&grounds.1);
            baton.pass(Turn::First, Turn::Second);
            a_day_goes_by();
            let other = match begun {
                Ok(Some(writer)) => writer.commit().map(drop),
                Ok(None) => second.act(&grounds.1),
                Err(error) => Err(error),
            };
            baton.end(Turn::First);
            other
        });
        baton.wait(Turn::First);
        a_day_goes_by();
        let one = first.act(&grounds.0);
        baton.end(Turn::Second);
        (one, thread.join())
    });
    let other = other.map_err(|_| Wrong("the second panicked".to_owned()))?;
    let reached = watch.count.load(Ordering::SeqCst) > at;
    let recovered = Scenario::recover_at(&arena.ground, Racer::root());
    // Where age decides, what is left of those that failed is not old yet.
    if setting.life == Life::Lock {
        recovered?;
    }
    Ok(((one, other, view(&arena)), reached))
}

/// The outcome of these racers, one after the other.
fn serial(racers: &[Racer]) -> Result<(Vec<bool>, View), Wrong> {
    let arena = scene(Kind::Simulated)?;
    let done = racers
        .iter()
        .map(|racer| racer.act(&arena.ground).is_ok())
        .collect();
    Ok((done, view(&arena)))
}

fn judge(first: Racer, second: Racer, ran: &Ran, setting: &Setting) -> Result<(), Wrong> {
    let (one, other, found) = ran;
    for (racer, result, rival) in [(first, one, second), (second, other, first)] {
        match result {
            Err(Error::Conflict { .. } | Error::AlreadyExists { .. }) if rival.writes() => {}
            // It may have come too far for being aborted; what it says must still be true.
            Err(error)
                if setting.may_be_taken_for_dead
                    && error.outcome() != Outcome::PublishedNotDurable => {}
            Err(error) => return Err(Wrong(format!("{racer:?} failed: {error:?}"))),
            Ok(()) => {}
        }
    }
    let (one, other) = match second {
        // Of a recovery nothing more is asked than that it does not change what comes of the other.
        Racer::Begun if first == Racer::Recover => (other, one),
        _ => (one, other),
    };
    let (first, second) = match second {
        Racer::Begun if first == Racer::Recover => (second, first),
        _ => (first, second),
    };
    let told = one.as_ref().map_err(Error::outcome);
    let orders: &[&[Racer]] = match (one.is_ok(), other.is_ok()) {
        _ if told == Err(Outcome::Unknown) => &[&[first], &[]],
        _ if told == Err(Outcome::PublishedInPart) => &[&[first]],
        (true, true) => &[&[first, second], &[second, first]],
        (true, false) => &[&[first]],
        (false, true) => &[&[second]],
        (false, false) => &[&[]],
    };
    for order in orders {
        let (done, view) = serial(order)?;
        if done.iter().all(|&done| done) && view == *found {
            return Ok(());
        }
    }
    Err(Wrong(format!(
        "told {one:?} and {other:?}, there is {:?}",
        found.0
    )))
}

/// Races at the sampled calls; how many, and the first that came out wrong.
fn races(
    first: Racer,
    second: Racer,
    setting: &Setting,
    sample: Sample,
) -> Result<(usize, Option<Wrong>), Wrong> {
    let calls = calls_of(first)?;
    let mut count = 0;
    for at in (0..calls).filter(|&at| sample.takes(at, calls)) {
        let (ran, reached) = race(first, second, at, setting)?;
        count += usize::from(reached);
        if let Err(Wrong(what)) = judge(first, second, &ran, setting) {
            let words = setting.words();
            let what = format!("{second:?} before call {at} of {first:?}{words}: {what}");
            return Ok((count, Some(Wrong(what))));
        }
    }
    Ok((count, None))
}

/// The pairs that are also raced on a real disk.
const REAL: [(Racer, Racer); 6] = [
    (Racer::Append, Racer::Overwrite),
    (Racer::OverwritePartitions, Racer::Append),
    (Racer::Overwrite, Racer::Append),
    (Racer::Append, Racer::Recover),
    (Racer::File, Racer::Recover),
    (Racer::Same, Racer::Same),
];

/// Every pair of racers, with nothing taken away.
///
/// # Errors
/// If a race cannot be run.
pub fn undisturbed(sample: Sample) -> Result<Vec<(String, usize, Option<Wrong>)>, Wrong> {
    use Racer::{Append, Begun, File, Overwrite, Recover, Update};
    let mut found = Vec::new();
    let mut run = |kind, life, pairs: &[(Racer, Racer)]| {
        let setting = Setting::new(kind, Mutation::None, life);
        for &(first, second) in pairs {
            let (count, wrong) = races(first, second, &setting, sample)?;
            let name = format!("{first:?} against {second:?}{}", setting.words());
            found.push((name, count, wrong));
        }
        Ok::<_, Wrong>(())
    };
    let pairs = RACERS.map(|first| RACERS.map(|second| (first, second)));
    let mut pairs = pairs.as_flattened().to_vec();
    // A file at a path takes no lock of a data set around it: docs/guarantees.md, what is not promised.
    pairs.retain(|pair| !matches!(pair, (Update, Overwrite) | (Overwrite, Update)));
    run(Kind::Simulated, Life::Lock, &pairs)?;
    let pairs = [(Append, Recover), (File, Recover)];
    run(Kind::Simulated, Life::Age, &pairs)?;
    let pairs = [(Append, Recover), (Recover, Begun)];
    run(Kind::Simulated, Life::PastAge, &pairs)?;
    run(Kind::Real, Life::Lock, &REAL)?;
    Ok(found)
}

/// How many calls a racer makes alone.
fn calls_of(racer: Racer) -> Result<usize, Wrong> {
    let arena = scene(Kind::Simulated)?;
    let calls = || arena.sim.as_ref().map_or(0, |sim| sim.calls().len());
    let before = calls();
    let done = racer.act(&arena.ground);
    done.map_err(|error| Wrong(format!("{racer:?} alone: {error:?}")))?;
    Ok(calls() - before)
}
