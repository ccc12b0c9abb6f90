//! Two programs at one data set on the simulated disk: the second does all it can right before any
//! one call of the first.
//!
//! Where it has to wait for a lock, the first goes on; nothing is left to chance. What comes of the
//! two must be what comes of one after the other, in some order, or of one alone if the other was
//! refused. [`all`] takes each lock, check and refusal away and demands that this is then not so.

mod baton;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atomic_arrow::disk::sim::{Lie, SimDisk};
use atomic_arrow::{Error, Outcome};

use baton::{Baton, Turn};

use crate::found::{Found, View};
use crate::mutant::Mutation;
use crate::scenario::{Ground, RACERS, Racer, Scenario, simulated};
use crate::tap::{Call, Tap, Verdict, Watch};
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

/// The circumstances of a race.
#[derive(Debug, Clone)]
struct Setting {
    mutation: Mutation,
    /// Whether the second takes the first for dead: locks tell nothing, and a day has gone by.
    taken_for_dead: bool,
}

type Ran = (Result<(), Error>, Result<(), Error>, View);

fn scene() -> Result<(SimDisk, Ground), Wrong> {
    let (sim, ground) = simulated();
    let prepared = RACERS[0].prepare(&ground);
    prepared.map_err(|error| Wrong(format!("the scene of a race: {error:?}")))?;
    Ok((sim, ground))
}

fn view(sim: &SimDisk, ground: &Ground) -> View {
    Found::on_sim(sim, &ground.top).view(Racer::root())
}

/// Lets the second racer start right before one call of the first; whether there is such a call.
fn race(first: Racer, second: Racer, at: usize, setting: &Setting) -> Result<(Ran, bool), Wrong> {
    let (sim, ground) = scene()?;
    if setting.taken_for_dead {
        sim.lie(Lie::Locks);
        sim.set_trusts_locks(false);
    }
    let baton = Arc::new(Baton::with(Turn::Second));
    let watch = Arc::new(First {
        at,
        count: AtomicUsize::new(0),
        baton: Arc::clone(&baton),
    });
    let on = |watch: Arc<dyn Watch>| {
        let disk = Arc::new(sim.clone());
        ground.on(Tap::on(
            setting.mutation.wrap(disk, Some(&sim), &ground.top),
            watch,
        ))
    };
    let grounds = (
        on(Arc::clone(&watch) as _),
        on(Arc::new(Second(Arc::clone(&baton)))),
    );
    let (one, other) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let begun = second.begin(&grounds.1);
            baton.pass(Turn::First, Turn::Second);
            if setting.taken_for_dead {
                sim.advance(Duration::from_secs(25 * 60 * 60));
            }
            let other = match begun {
                Ok(Some(writer)) => writer.commit().map(drop),
                Ok(None) => second.act(&grounds.1),
                Err(error) => Err(error),
            };
            baton.end(Turn::First);
            other
        });
        baton.wait(Turn::First);
        if setting.taken_for_dead {
            sim.advance(Duration::from_secs(25 * 60 * 60));
        }
        let one = first.act(&grounds.0);
        baton.end(Turn::Second);
        (one, thread.join())
    });
    let other = other.map_err(|_| Wrong("the second panicked".to_owned()))?;
    let reached = watch.count.load(Ordering::SeqCst) > at;
    let recovered = Scenario::recover_at(&ground, Racer::root());
    if !setting.taken_for_dead {
        recovered?;
    }
    Ok(((one, other, view(&sim, &ground)), reached))
}

/// What is found after these, one after the other.
fn serial(racers: &[Racer]) -> Result<(Vec<bool>, View), Wrong> {
    let (sim, ground) = scene()?;
    let done = racers
        .iter()
        .map(|racer| racer.act(&ground).is_ok())
        .collect();
    Ok((done, view(&sim, &ground)))
}

fn judge(first: Racer, second: Racer, ran: &Ran, setting: &Setting) -> Result<(), Wrong> {
    let (one, other, found) = ran;
    for (racer, result, rival) in [(first, one, second), (second, other, first)] {
        match result {
            Err(Error::Conflict { .. } | Error::AlreadyExists { .. }) if rival.writes() => {}
            // It may have come too far for being aborted; what it says must still be true.
            Err(error)
                if setting.taken_for_dead && error.outcome() != Outcome::PublishedNotDurable => {}
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
            let dead = if setting.taken_for_dead {
                ", taken for dead"
            } else {
                ""
            };
            let what = format!("{second:?} before call {at} of {first:?}{dead}: {what}");
            return Ok((count, Some(Wrong(what))));
        }
    }
    Ok((count, None))
}

const UNDISTURBED: Setting = Setting {
    mutation: Mutation::None,
    taken_for_dead: false,
};

/// Every pair of racers, with nothing taken away.
///
/// # Errors
/// If a race cannot be run.
pub fn undisturbed(sample: Sample) -> Result<Vec<(String, usize, Option<Wrong>)>, Wrong> {
    let mut found = Vec::new();
    for first in RACERS {
        for second in RACERS {
            let (count, wrong) = races(first, second, &UNDISTURBED, sample)?;
            found.push((format!("{first:?} against {second:?}"), count, wrong));
        }
    }
    let dead = Setting {
        taken_for_dead: true,
        ..UNDISTURBED
    };
    for (first, second) in [
        (Racer::Append, Racer::Recover),
        (Racer::Recover, Racer::Begun),
    ] {
        let (count, wrong) = races(first, second, &dead, sample)?;
        let name = format!("{first:?} against {second:?}, the writer taken for dead");
        found.push((name, count, wrong));
    }
    Ok(found)
}

/// What is taken away, and who noticed.
#[must_use]
pub fn all(sample: Sample) -> Vec<(String, Option<Wrong>)> {
    use Racer::{Append, Begun, File, Overwrite, OverwritePartitions, Recover, Same};
    let taken = [
        (
            Mutation::Lock("lock"),
            false,
            vec![(Append, Overwrite), (OverwritePartitions, Append)],
        ),
        (Mutation::Lock("lease"), false, vec![(Append, Recover)]),
        (Mutation::Lock(".staged"), false, vec![(File, Recover)]),
        (Mutation::Lie(Lie::Locks), false, vec![(Append, Recover)]),
        (
            Mutation::Lie(Lie::GhostStatus),
            false,
            vec![(File, Recover)],
        ),
        (Mutation::Refusal(".parquet"), false, vec![(Same, Same)]),
    ];
    let judge = |(mutation, taken_for_dead, pairs): (Mutation, bool, Vec<(Racer, Racer)>)| {
        let name = mutation.to_string();
        let setting = Setting {
            mutation,
            taken_for_dead,
        };
        let noticed = pairs.into_iter().find_map(|(first, second)| {
            match races(first, second, &setting, sample) {
                Ok((_, wrong)) => wrong,
                Err(wrong) => Some(wrong),
            }
        });
        (name, noticed)
    };
    let mut found: Vec<_> = taken.into_iter().map(judge).collect();
    let refused = [
        // An overwrite that another commit came into.
        (Mutation::SecondLooks, false, Overwrite, Append),
        // A commit whose abortion is on record.
        (Mutation::Refusal("decision.json"), true, Recover, Begun),
    ];
    for (mutation, taken_for_dead, first, second) in refused {
        let name = mutation.to_string();
        found.push((name, acknowledged(mutation, taken_for_dead, first, second)));
    }
    found
}

/// Whether commits that must be refused are acknowledged when something is taken away.
fn acknowledged(
    mutation: Mutation,
    taken_for_dead: bool,
    first: Racer,
    second: Racer,
) -> Option<Wrong> {
    let refusals = |mutation| -> Result<usize, Wrong> {
        let setting = Setting {
            mutation,
            taken_for_dead,
        };
        let refused =
            |told: &_| matches!(told, Err(Error::Conflict { .. } | Error::Aborted { .. }));
        let mut count = 0;
        for at in 0.. {
            let ((one, other, _), reached) = race(first, second, at, &setting)?;
            if !reached {
                break;
            }
            count += usize::from(refused(&one) || refused(&other));
        }
        Ok(count)
    };
    match (refusals(Mutation::None), refusals(mutation)) {
        (Ok(all), Ok(some)) if some < all => {
            let wrongly = all - some;
            let what = format!("{wrongly} of {all} commits acknowledged that must be refused");
            Some(Wrong(what))
        }
        (Err(wrong), _) | (_, Err(wrong)) => Some(wrong),
        _ => None,
    }
}

/// How many calls a racer makes alone.
fn calls_of(racer: Racer) -> Result<usize, Wrong> {
    let (sim, ground) = scene()?;
    let before = sim.calls().len();
    let done = racer.act(&ground);
    done.map_err(|error| Wrong(format!("{racer:?} alone: {error:?}")))?;
    Ok(sim.calls().len() - before)
}
