//! The power fails at every moment of a scenario on the simulated disk, and every disk that may be
//! found then is looked at, recovered, cut off in the middle of that, and recovered again.

use std::collections::HashSet;
use std::sync::Arc;

use atomic_arrow::Verify;
use atomic_arrow::disk::Disk;
use atomic_arrow::disk::sim::{Moment, SimDisk};

use crate::check::{Rules, Told};
use crate::found::Found;
use crate::mutant::Mutation;
use crate::scenario::{Ground, simulated};
use crate::{Sample, Wrong};

/// The number of states that are looked at for each sampled moment, if not all are.
const STATES: usize = 16;
const STATES_OF_RECOVERY: usize = 2;

/// The counts of what was looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Moments at which the power failed.
    pub moments: usize,
    /// Disks that may be found then.
    pub states: usize,
    /// Of those, the ones in which the power failed a second time, during recovery.
    pub during_recovery: usize,
    /// Disks that were looked at: those that could not come out as another one.
    pub distinct: usize,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.moments += other.moments;
        self.states += other.states;
        self.during_recovery += other.during_recovery;
        self.distinct += other.distinct;
    }
}

/// Explores a scenario on a disk on which something is not as it should be.
///
/// # Errors
/// The first promise that is broken.
pub fn explore(
    rules: &Rules,
    verify: Verify,
    mutation: &Mutation,
    sample: Sample,
) -> Result<Count, Wrong> {
    let scenario = &rules.scenario;
    let (sim, mut ground) = simulated();
    ground.verify = verify;
    let wrong = |place: &str, what: &dyn std::fmt::Debug| {
        Wrong(format!("{}, {place}: {what:?}", scenario.name))
    };
    // What was done before was done by the same library.
    let prepared = scenario.prepare(&mutated(&ground, &sim, mutation));
    prepared.map_err(|error| wrong("prepared", &error))?;
    let first = sim.moments().len().saturating_sub(1);
    let acted = scenario.act(&mutated(&ground, &sim, mutation));
    if acted.is_err() != scenario.refused {
        return Err(wrong("done", &acted));
    }
    let found = Found::on_sim(&sim, &ground.top);
    let ended = rules.visible(&found, Told::Done);
    ended.map_err(|error| wrong("at the end", &error))?;

    let mut explorer = Explorer {
        rules,
        ground: &ground,
        mutation,
        sample,
        known: HashSet::new(),
        count: Count::default(),
    };
    let moments = sim.moments().split_off(first);
    for (number, moment) in moments.iter().enumerate() {
        let last = number + 1 == moments.len();
        if !last && !sample.takes(number, moments.len()) {
            continue;
        }
        let told = if last { Told::Done } else { Told::Nothing };
        explorer.lose_power(moment, told)?;
    }
    Ok(explorer.count)
}

fn mutated(ground: &Ground, sim: &SimDisk, mutation: &Mutation) -> Ground {
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    ground.on(mutation.wrap(disk, Some(sim), &ground.top))
}

struct Explorer<'a> {
    rules: &'a Rules,
    ground: &'a Ground,
    mutation: &'a Mutation,
    sample: Sample,
    known: HashSet<(Told, u64)>,
    count: Count,
}

impl Explorer<'_> {
    fn lose_power(&mut self, moment: &Moment, told: Told) -> Result<(), Wrong> {
        self.count.moments += 1;
        let disks = moment.after_power_loss();
        let (of, sample) = (disks.len(), self.sample.times(STATES));
        for (number, disk) in disks.into_iter().enumerate() {
            if !sample.takes(number, of) {
                continue;
            }
            self.count.states += 1;
            let found = Found::on_sim(&disk, &self.ground.top);
            if !self.known.insert((told, found.fingerprint())) {
                continue;
            }
            self.count.distinct += 1;
            self.boot(&disk, &found, told).map_err(|Wrong(what)| {
                let name = &self.rules.scenario.name;
                Wrong(format!(
                    "{name}, power lost after {:?}: {what}",
                    moment.call
                ))
            })?;
        }
        Ok(())
    }

    fn boot(&mut self, disk: &SimDisk, found: &Found, told: Told) -> Result<(), Wrong> {
        self.rules.visible(found, told)?;
        self.recover(disk, told)?;
        let moments = disk.moments();
        for (number, moment) in moments.iter().enumerate() {
            if !self.sample.takes(number, moments.len()) {
                continue;
            }
            let disks = moment.after_power_loss();
            let (of, sample) = (disks.len(), self.sample.times(STATES_OF_RECOVERY));
            for (number, again) in disks.into_iter().enumerate() {
                if !sample.takes(number, of) {
                    continue;
                }
                self.count.during_recovery += 1;
                let found = Found::on_sim(&again, &self.ground.top);
                if !self.known.insert((told, found.fingerprint())) {
                    continue;
                }
                self.count.distinct += 1;
                let second = self.rules.visible(&found, told);
                let second = second.and_then(|()| self.recover(&again, told));
                second.map_err(|Wrong(what)| {
                    Wrong(format!(
                        "and again in recovery after {:?}: {what}",
                        moment.call
                    ))
                })?;
            }
        }
        Ok(())
    }

    fn recover(&self, disk: &SimDisk, told: Told) -> Result<(), Wrong> {
        let ground = mutated(self.ground, disk, self.mutation);
        self.rules.scenario.recover(&ground)?;
        let found = Found::on_sim(disk, &ground.top);
        self.rules.recovered(&found, told)?;
        if told == Told::Done && self.rules.scenario.remembers {
            self.rules
                .repeat(&ground, || Found::on_sim(disk, &ground.top))?;
        }
        Ok(())
    }
}
