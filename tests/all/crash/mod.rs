//! The power fails at every moment of every scenario, and whatever may be found then is looked at.
//!
//! Promises P1, P2, P4 and P6. The [gate](mutation) takes each sync, check and lock away in turn and
//! demands that something here notices.

mod mutation;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::Disk;
use atomic_arrow::disk::sim::{Lie, SimDisk};
use atomic_arrow::{RecoverOptions, Verify, recover_with_options};

use crate::scenario::{Scenario, all};

/// How many disks were looked at.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    moments: usize,
    states: usize,
    /// Of those, the ones where the power failed a second time, during recovery.
    during_recovery: usize,
}

/// Runs a scenario on a disk that tells `lies`, then looks at every disk that a power loss at any
/// moment may leave, and says what is wrong with the first that breaks a promise.
fn explore(scenario: &Scenario, verify: Verify, lies: &[Lie]) -> Result<Count, String> {
    let disk = scenario.disk();
    for lie in lies {
        disk.lie(lie.clone());
    }
    (scenario.act)(&disk, verify).map_err(|error| format!("{}: {error}", scenario.name))?;
    look(scenario, &disk, true)
        .map_err(|wrong| format!("{}, at the end: {wrong}", scenario.name))?;

    let moments = disk.moments();
    let mut count = Count {
        moments: moments.len(),
        ..Count::default()
    };
    for (number, moment) in moments.iter().enumerate() {
        let committed = number + 1 == moments.len();
        for found in moment.after_power_loss() {
            lies.iter().for_each(|lie| found.lie(lie.clone()));
            count.states += 1;
            count.during_recovery += boot(scenario, &found, committed).map_err(|wrong| {
                format!(
                    "{}, power lost after {:?}: {wrong}",
                    scenario.name, moment.call
                )
            })?;
        }
    }
    Ok(count)
}

/// Looks at a disk after a power loss, recovers it, loses the power during that, and recovers again.
fn boot(scenario: &Scenario, found: &SimDisk, committed: bool) -> Result<usize, String> {
    look(scenario, found, committed)?;
    let before = found.read(scenario.path).ok();
    recover(scenario, found)?;
    clean(found)?;
    if found.read(scenario.path).ok() != before {
        return Err("recovery changed the final path".to_owned());
    }
    let mut during = 0;
    for moment in found.moments() {
        for again in moment.after_power_loss() {
            during += 1;
            let place = |wrong| format!("and again in recovery after {:?}: {wrong}", moment.call);
            look(scenario, &again, committed).map_err(place)?;
            recover(scenario, &again).map_err(place)?;
            clean(&again).map_err(place)?;
        }
    }
    Ok(during)
}

/// What a reader may find: P1, P2 and P4.
fn look(scenario: &Scenario, disk: &SimDisk, committed: bool) -> Result<(), String> {
    let content = disk.read(scenario.path).ok();
    if !scenario.allows(content.as_deref(), committed) {
        let length = content.map(|content| content.len());
        return Err(format!(
            "{} holds {length:?} bytes that it may not hold",
            scenario.path
        ));
    }
    let lone = Path::new(scenario.root).join(".atomic");
    let seen: BTreeSet<PathBuf> = disk
        .files()
        .into_iter()
        .filter(|file| file.starts_with(scenario.root) && !file.starts_with(&lone))
        .collect();
    match seen.iter().find(|file| *file != Path::new(scenario.path)) {
        Some(stray) => Err(format!("a reader would see {}", stray.display())),
        None => Ok(()),
    }
}

fn recover(scenario: &Scenario, disk: &SimDisk) -> Result<(), String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = RecoverOptions::new().disk(disk);
    let recovery = recover_with_options(scenario.root, &options);
    match recovery {
        Ok(recovery) if recovery.failed.is_empty() && recovery.alive.is_empty() => Ok(()),
        other => Err(format!("recovery says {other:?}")),
    }
}

/// Nothing is left of a writer: P6.
fn clean(disk: &SimDisk) -> Result<(), String> {
    let leaked = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "staged");
    match disk.files().iter().find(|path| leaked(path)) {
        Some(path) => Err(format!("{} leaked", path.display())),
        None => Ok(()),
    }
}

#[test]
fn a_power_loss_at_any_moment_leaves_nothing_or_the_old_file_or_the_new_one() {
    let mut total = Count::default();
    for scenario in all() {
        for verify in [Verify::Footer, Verify::Decode] {
            let count = explore(&scenario, verify, &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
            println!("{}, {verify:?}: {count:?}", scenario.name);
            total.moments += count.moments;
            total.states += count.states;
            total.during_recovery += count.during_recovery;
        }
    }
    println!("in all: {total:?}");
    assert!(total.states > 1000, "too few to mean anything: {total:?}");
}

#[test]
fn a_discarded_file_leaves_no_directory_either() {
    for scenario in all()
        .iter()
        .filter(|scenario| scenario.old.is_none() && scenario.new.is_none())
    {
        let disk = scenario.disk();
        (scenario.act)(&disk, Verify::Footer).unwrap();
        assert_eq!(
            disk.directories(),
            Vec::<PathBuf>::new(),
            "{}",
            scenario.name
        );
    }
}
