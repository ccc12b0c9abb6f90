//! Each sync, check and lock is taken away in turn, by a disk that lies; some exploration must fail.
//!
//! A proof by exploring proves nothing if it holds without what it is said to rest on.

use std::path::Path;
use std::sync::Arc;

use atomic_arrow::disk::sim::{Lie, SimDisk};
use atomic_arrow::disk::{Disk, LockKind};
use atomic_arrow::{Error, PublishMode, RecoverOptions, Verify, recover_with_options};

use super::explore;
use crate::scenario::{all, batch, weather_writer};

const AREA: &str = "/lake/.weather.atomic";
const PARTITION: &str = "/lake/weather/station_id=KSEA/year=2026";

/// Whether any scenario notices that the disk lies.
fn noticed(verify: Verify, lie: &Lie) -> bool {
    all()
        .iter()
        .any(|scenario| explore(scenario, verify, std::slice::from_ref(lie)).is_err())
}

#[test]
fn without_the_sync_of_the_file_the_exploration_fails() {
    assert!(noticed(Verify::Footer, &Lie::FileSync));
}

#[test]
fn without_the_sync_of_any_single_directory_on_the_way_the_exploration_fails() {
    for directory in Path::new(PARTITION).ancestors() {
        let lie = Lie::DirectorySync(directory.to_owned());
        assert!(
            noticed(Verify::Footer, &lie),
            "nobody noticed that {directory:?} is not synced"
        );
    }
}

#[test]
fn without_the_sweep_the_exploration_fails() {
    assert!(noticed(Verify::Footer, &Lie::List(AREA.into())));
}

#[test]
fn without_verification_damage_between_memory_and_disk_is_published() {
    // Each level finds what the one before it cannot.
    let in_the_magic = Lie::FlippedByte(0);
    let in_a_page = Lie::FlippedByte(40);
    let published = |verify, lie: &Lie| {
        let weather = all()
            .into_iter()
            .find(|scenario| scenario.name.contains("new data set"))
            .unwrap();
        let disk = weather.disk();
        disk.lie(lie.clone());
        let result = (weather.act)(&disk, verify);
        if result.is_err() {
            assert!(matches!(result, Err(Error::Damaged { .. })), "{result:?}");
            assert_eq!(
                disk.files(),
                Vec::<std::path::PathBuf>::new(),
                "{verify:?} {lie:?}"
            );
        }
        result.is_ok()
    };
    for lie in [&in_the_magic, &Lie::ShortWrite] {
        assert!(published(Verify::Skip, lie));
        assert!(!published(Verify::Footer, lie));
    }
    assert!(published(Verify::Footer, &in_a_page));
    assert!(!published(Verify::Checksum, &in_a_page));
    assert!(!published(Verify::Decode, &in_a_page));
}

/// A writer is in the middle of its work when a sweep comes.
fn swept_in_the_middle(lies: &[Lie]) -> Result<(), Error> {
    let disk = SimDisk::new();
    lies.iter().for_each(|lie| disk.lie(lie.clone()));
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut writer = weather_writer(&shared, PublishMode::CreateNew, Verify::Footer)?;
    writer.write(&batch())?;
    sweep(&shared);
    let staged = writer.finish()?;
    sweep(&shared);
    staged.publish().map(drop)
}

fn sweep(disk: &Arc<dyn Disk>) {
    let options = RecoverOptions::new().disk(Arc::clone(disk));
    recover_with_options("/lake/weather", &options).unwrap();
}

#[test]
fn a_sweep_spares_the_living_and_would_not_without_locks() {
    swept_in_the_middle(&[]).unwrap();
    let lost = swept_in_the_middle(&[Lie::Locks]);
    assert!(matches!(lost, Err(Error::StagingLost { .. })), "{lost:?}");
}

/// A sweep runs from end to end between the creation of a staging file and its lock.
fn swept_before_the_lock(lies: &[Lie]) -> Result<(), Error> {
    let disk = SimDisk::new();
    lies.iter().for_each(|lie| disk.lie(lie.clone()));
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let other = Arc::clone(&shared);
    disk.before_call("try_lock", move || sweep(&other));
    let mut writer = weather_writer(&shared, PublishMode::CreateNew, Verify::Footer)?;
    writer.write(&batch())?;
    writer.commit().map(drop)
}

#[test]
fn a_staging_file_swept_before_its_lock_is_made_again_and_would_be_lost_without_the_second_look() {
    swept_before_the_lock(&[]).unwrap();
    let lost = swept_before_the_lock(&[Lie::GhostStatus]);
    assert!(matches!(lost, Err(Error::StagingLost { .. })), "{lost:?}");
}

#[test]
fn a_staging_file_that_a_sweep_has_locked_is_left_to_it() {
    let disk = SimDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (other, held) = (disk.clone(), Arc::new(std::sync::Mutex::new(None)));
    let keep = Arc::clone(&held);
    disk.before_call("try_lock", move || {
        let staged = other
            .files()
            .into_iter()
            .find(|file| file.starts_with(AREA))
            .unwrap();
        let file = other.open_file(&staged, true).unwrap();
        file.try_lock(LockKind::Exclusive).unwrap();
        *keep.lock().unwrap() = Some((staged, file));
    });
    let writer = weather_writer(&shared, PublishMode::CreateNew, Verify::Footer).unwrap();
    let taken = held.lock().unwrap().take().unwrap();
    assert!(
        !disk.files().contains(&taken.0),
        "a file that nobody writes was left behind"
    );
    drop(taken);
    let mut writer = writer;
    writer.write(&batch()).unwrap();
    writer.commit().unwrap();
}

/// Two writers race for one name; whether each wins. Who loses must be told why.
fn race(lies: &[Lie]) -> Vec<bool> {
    let disk = SimDisk::new();
    lies.iter().for_each(|lie| disk.lie(lie.clone()));
    let shared: Arc<dyn Disk> = Arc::new(disk);
    let staged: Vec<_> = (0..2)
        .map(|_| {
            let mut writer =
                weather_writer(&shared, PublishMode::CreateNew, Verify::Footer).unwrap();
            writer.write(&batch()).unwrap();
            writer.finish().unwrap()
        })
        .collect();
    staged
        .into_iter()
        .map(|staged| match staged.publish() {
            Ok(_) => true,
            Err(Error::AlreadyExists { .. }) => false,
            Err(other) => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn of_two_writers_for_one_name_one_wins_and_both_would_without_the_refusal_to_replace() {
    assert_eq!(race(&[]), [true, false]);
    assert_eq!(race(&[Lie::Clobber]), [true, true]);
}
