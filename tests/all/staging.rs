//! Where the staging area stands, and what is left in it.
//!
//! Promises P4 and P6.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use atomic_arrow::disk::{Disk as _, OsDisk};
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, CommitMode, DatasetWriter, Error, FileOptions, PartitionBy,
    PublishMode, RecoverOptions, StagingPlace, WriterOptions, recover, recover_with_options,
};

use crate::child::{Child, Part};
use crate::ground::{Mount, begun, directory, published, staged, stations, tree, weather, writer};
use crate::support::skip;

/// A name as the area gives them, of nobody who is alive.
const ORPHAN: &str = "01890a5d-ac96-774b-bcce-b302099a8057.staged";

/// The area of the only staging file below `path`.
fn area(path: &Path) -> PathBuf {
    let staged = staged(path);
    assert_eq!(staged.len(), 1, "{staged:?}");
    staged[0].parent().unwrap().to_owned()
}

fn placed(root: &Path, place: StagingPlace) -> AtomicArrowWriter {
    writer(root, WriterOptions::new().staging(place)).unwrap()
}

#[test]
fn the_area_is_a_sibling_of_the_root() {
    let (_guard, parent) = directory();
    let writer = begun(parent.join("weather"));
    assert_eq!(area(&parent), parent.join(".weather.atomic"));
    assert!(!parent.join("weather").exists());
    let file = writer.commit().unwrap();
    let name = file.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(
        tree(&parent),
        [
            "weather/",
            "weather/station_id=KSEA/",
            &format!("weather/station_id=KSEA/{name}"),
        ]
    );
}

#[test]
fn the_area_of_a_link_to_a_root_is_beside_the_directory_it_leads_to() {
    let (_guard, parent) = directory();
    let real = parent.join("disk/weather");
    fs::create_dir_all(&real).unwrap();
    symlink(&real, parent.join("link")).unwrap();
    let writer = begun(parent.join("link"));
    assert_eq!(area(&parent), parent.join("disk/.weather.atomic"));
    assert!(writer.path().starts_with(&real));
    writer.commit().unwrap();
    assert_eq!(published(&real).len(), 1);
}

#[test]
fn a_root_within_a_partition_uses_the_area_of_the_whole_data_set() {
    let (_guard, parent) = directory();
    let _writer = begun(parent.join("weather/year=2026/month=1"));
    assert_eq!(area(&parent), parent.join(".weather.atomic"));
    let mut file = AtomicFile::create(parent.join("raw/year=2026/data.json")).unwrap();
    file.write_all(b"{}").unwrap();
    assert!(parent.join(".raw.atomic").is_dir());
}

#[test]
fn a_root_whose_name_leaves_no_room_for_a_sibling_has_its_area_inside() {
    let (_guard, parent) = directory();
    // `.NAME.atomic` may have 255 bytes.
    for (length, inside) in [(247, false), (248, true), (255, true)] {
        let root = parent.join("w".repeat(length));
        let writer = begun(&root);
        assert_eq!(area(&parent) == root.join(".atomic"), inside, "{length}");
        writer.commit().unwrap();
        assert_eq!(published(&root).len(), 1);
    }
}

#[test]
fn a_root_that_is_a_mount_point_has_its_area_inside() {
    let mount = match Mount::tmpfs(1024) {
        Ok(mount) => mount,
        Err(reason) => return skip(reason),
    };
    let writer = begun(mount.path());
    assert_eq!(
        area(mount.path().parent().unwrap()),
        mount.path().join(".atomic")
    );
    writer.commit().unwrap();
    assert_eq!(published(mount.path()).len(), 1);
    // A root below it is on the same file system as its sibling.
    let root = mount.path().join("weather");
    let below = begun(&root);
    assert_eq!(area(mount.path()), mount.path().join(".weather.atomic"));
    below.commit().unwrap();
    assert_eq!(published(&root).len(), 1);
}

#[test]
fn a_root_that_is_another_directory_shown_there_has_its_area_inside() {
    let (_guard, parent) = directory();
    let (shown, root) = (parent.join("shown"), parent.join("weather"));
    fs::create_dir(&shown).unwrap();
    fs::create_dir(&root).unwrap();
    let _mount = match Mount::bind(&shown, &root) {
        Ok(mount) => mount,
        Err(reason) => return skip(reason),
    };
    let writer = begun(&root);
    assert!(!parent.join(".weather.atomic").exists());
    writer.commit().unwrap();
    assert_eq!(published(&shown).len(), 1);
}

#[test]
fn a_root_whose_parent_cannot_be_written_has_its_area_inside() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&parent, fs::Permissions::from_mode(0o555)).unwrap();
    let mut child = match fs::write(parent.join("may"), "") {
        // Root may write everywhere.
        Ok(()) => {
            fs::remove_file(parent.join("may")).unwrap();
            match Child::start_as_nobody(Part::Once, &root) {
                Ok(child) => child,
                Err(error) => return skip(format!("no process as another user: {error}")),
            }
        }
        Err(_) => Child::start(Part::Once, &root),
    };
    let said = PathBuf::from(child.says().unwrap());
    child.finish();
    fs::set_permissions(&parent, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said.parent(), Some(&*root.join(".atomic")));
    assert_eq!(published(&root).len(), 1);
}

#[test]
fn the_area_stands_where_it_was_asked_for() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let given = parent.join("scratch/area");
    for (place, expected) in [
        (StagingPlace::Inside, root.join(".atomic")),
        (StagingPlace::Directory(given.clone()), given.clone()),
    ] {
        let mut writer = placed(&root, place);
        assert_eq!(area(&parent), expected);
        writer.write(&weather("KSEA", 7)).unwrap();
        writer.commit().unwrap();
        assert_eq!(staged(&parent), Vec::<PathBuf>::new());
    }
    assert_eq!(published(&root).len(), 2);
    // Who stages elsewhere has to say so for recovery too.
    fs::create_dir_all(&given).unwrap();
    fs::write(given.join(ORPHAN), "half a fi").unwrap();
    assert_eq!(recover(&root).unwrap().removed, Vec::<PathBuf>::new());
    let options = RecoverOptions::new().staging(StagingPlace::Directory(given.clone()));
    let recovery = recover_with_options(&root, &options).unwrap();
    assert_eq!(recovery.removed, [given.join(ORPHAN)]);
}

#[test]
fn an_area_on_another_file_system_is_an_error_and_never_a_copy() {
    let mount = match Mount::tmpfs(1024) {
        Ok(mount) => mount,
        Err(reason) => return skip(reason),
    };
    let (_guard, parent) = directory();
    let place = StagingPlace::Directory(mount.path().join("area"));
    let options = WriterOptions::new().staging(place);
    let error = writer(parent.join("weather"), options).unwrap_err();
    assert!(
        error.to_string().contains("is on another file system"),
        "{error:?}"
    );
    assert!(matches!(error, Error::InvalidPath { .. }), "{error:?}");
    assert_eq!(tree(&parent), Vec::<String>::new());
    assert_eq!(staged(mount.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_partition_on_another_file_system_is_refused_before_anything_is_written() {
    let mount = match Mount::tmpfs(1024) {
        Ok(mount) => mount,
        Err(reason) => return skip(reason),
    };
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    fs::create_dir(&root).unwrap();
    symlink(mount.path(), root.join("station_id=KSEA")).unwrap();
    let before = tree(&parent);
    let error = writer(&root, WriterOptions::new()).unwrap_err();
    assert!(matches!(error, Error::InvalidPath { .. }), "{error:?}");
    assert_eq!(tree(&parent), before);
    assert_eq!(tree(mount.path()), Vec::<String>::new());
}

#[test]
fn the_area_of_a_lone_file_is_beside_it_and_gone_afterwards() {
    let (_guard, parent) = directory();
    let path = parent.join("deep/er/data.json");
    let create = || {
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"{}").unwrap();
        assert_eq!(area(&parent), parent.join("deep/er/.atomic"));
        file
    };
    drop(create());
    assert_eq!(tree(&parent), Vec::<String>::new());
    create().finish().unwrap().discard();
    assert_eq!(tree(&parent), Vec::<String>::new());
    create().commit().unwrap();
    assert_eq!(tree(&parent), ["deep/", "deep/er/", "deep/er/data.json"]);
}

#[test]
fn an_area_that_is_no_directory_is_refused_and_not_touched() {
    let (_guard, parent) = directory();
    let elsewhere = parent.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join(ORPHAN), "precious").unwrap();
    symlink(&elsewhere, parent.join(".weather.atomic")).unwrap();
    fs::write(parent.join(".wind.atomic"), "precious").unwrap();
    let before = tree(&parent);
    for root in ["weather", "wind"] {
        match writer(parent.join(root), WriterOptions::new()) {
            Err(Error::Io { source, path, .. }) => {
                assert_eq!(source.kind(), std::io::ErrorKind::NotADirectory);
                assert_eq!(path, parent.join(format!(".{root}.atomic")));
            }
            other => panic!("{root}: {other:?}"),
        }
    }
    assert_eq!(tree(&parent), before);
}

#[test]
fn whatever_ends_a_writer_but_a_kill_leaves_nothing() {
    type End = fn(AtomicArrowWriter);
    let ends: [(&str, End); 5] = [
        ("dropped", drop),
        ("discarded", AtomicArrowWriter::discard),
        ("staged and dropped", |writer| {
            drop(writer.finish().unwrap())
        }),
        ("staged and discarded", |writer| {
            writer.finish().unwrap().discard()
        }),
        ("a panic", |writer| {
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _writer = writer;
                std::panic::resume_unwind(Box::new("in the middle"));
            }));
            assert!(panicked.is_err());
        }),
    ];
    for (how, end) in ends {
        let (_guard, parent) = directory();
        let writer = begun(parent.join("weather"));
        assert_eq!(staged(&parent).len(), 1);
        end(writer);
        assert_eq!(tree(&parent), Vec::<String>::new(), "{how}");
    }
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let panicked = std::thread::spawn(move || {
        let _writer = begun(root);
        std::panic::resume_unwind(Box::new("in a thread"));
    });
    assert!(panicked.join().is_err());
    assert_eq!(tree(&parent), Vec::<String>::new());
}

/// A data set beside which a killed writer left a file.
fn killed(root: &Path) -> PathBuf {
    let mut child = Child::start(Part::Hold, root);
    assert_eq!(child.says().as_deref(), Some("begun"));
    child.kill();
    let staged = staged(root.parent().unwrap());
    assert_eq!(staged.len(), 1);
    staged[0].clone()
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next_one() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let left = killed(&root);
    let next = begun(&root);
    assert!(!left.exists());
    next.commit().unwrap();
    assert_eq!(staged(&parent), Vec::<PathBuf>::new());
    // Also where it was staged by other rules than the next one's.
    let inside = root.join(".atomic");
    fs::write(inside.join(ORPHAN), "half a fi").unwrap();
    begun(&root).discard();
    assert_eq!(staged(&parent), Vec::<PathBuf>::new());
}

#[test]
fn what_a_killed_writer_left_is_found_by_a_dry_run_and_removed_by_recovery() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let left = killed(&root);
    for _ in 0..2 {
        let dry = recover_with_options(&root, &RecoverOptions::new().dry_run(true)).unwrap();
        assert_eq!(
            (&*dry.removed, dry.alive.len(), dry.failed.len()),
            (&[left.clone()][..], 0, 0)
        );
        assert!(left.exists());
    }
    let recovery = recover(&root).unwrap();
    assert_eq!((recovery.removed, recovery.alive.len()), (vec![left], 0));
    assert_eq!(tree(&parent), Vec::<String>::new());
    let again = recover(&root).unwrap();
    assert!(again.removed.is_empty() && again.alive.is_empty() && again.failed.is_empty());
}

#[test]
fn the_file_of_a_writer_that_only_sleeps_is_left_alone() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let mut child = Child::start(Part::Hold, &root);
    assert_eq!(child.says().as_deref(), Some("begun"));
    child.freeze();
    let file = staged(&parent);
    begun(&root).commit().unwrap();
    let recovery = recover(&root).unwrap();
    assert_eq!((recovery.removed.len(), &recovery.alive), (0, &file));
    assert!(file[0].exists());
    child.thaw();
    child.go_on();
    assert_eq!(child.says().as_deref(), Some("committed"));
    child.finish();
    assert_eq!(published(&root).len(), 2);
    assert_eq!(staged(&parent), Vec::<PathBuf>::new());
}

#[test]
fn what_is_in_the_area_under_other_names_is_never_touched() {
    let (_guard, parent) = directory();
    let (root, area) = (parent.join("weather"), parent.join(".weather.atomic"));
    fs::create_dir(&area).unwrap();
    for name in [
        "notes.txt",
        "x.staged",
        "part-0.parquet",
        "01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        fs::write(area.join(name), "precious").unwrap();
    }
    // Staging files are files.
    fs::create_dir(area.join(ORPHAN)).unwrap();
    symlink("notes.txt", area.join(ORPHAN.replace('8', "9"))).unwrap();
    let before = tree(&area);
    begun(&root).discard();
    let recovery = recover(&root).unwrap();
    assert!(
        recovery.removed.is_empty() && recovery.failed.is_empty(),
        "{recovery:?}"
    );
    assert_eq!(tree(&area), before);
}

/// The machine's own, as far as its kind is known; any other may be shared with other machines.
#[cfg(target_os = "linux")]
#[test]
fn locks_are_trusted_on_known_file_systems_only() {
    assert!(!OsDisk.trusts_locks("/proc".as_ref()));
    assert!(!OsDisk.trusts_locks("/no/such/place".as_ref()));
    match Mount::tmpfs(1024) {
        Ok(mount) => assert!(OsDisk.trusts_locks(mount.path())),
        Err(reason) => skip(reason),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_file_has_the_usual_permissions_and_a_replaced_one_keeps_its_own() {
    let (_guard, parent) = directory();
    fs::write(parent.join("usual"), "").unwrap();
    let usual = mode(&parent.join("usual"));
    let file = AtomicFile::create(parent.join("new"))
        .unwrap()
        .commit()
        .unwrap();
    assert_eq!(mode(file.path()), usual);
    assert_eq!(
        mode(begun(parent.join("weather")).commit().unwrap().path()),
        usual
    );

    let replace = || FileOptions::new().mode(PublishMode::Replace);
    for bits in [0o600, 0o640, 0o755] {
        fs::set_permissions(parent.join("new"), fs::Permissions::from_mode(bits)).unwrap();
        let mut file = AtomicFile::create_with_options(parent.join("new"), replace()).unwrap();
        file.write_all(b"newer").unwrap();
        file.commit().unwrap();
        assert_eq!(mode(&parent.join("new")), bits);
    }
    let absent = AtomicFile::create_with_options(parent.join("absent"), replace()).unwrap();
    assert_eq!(mode(absent.commit().unwrap().path()), usual);
}

#[test]
fn a_directory_that_replaces_another_keeps_its_permissions() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    for bits in [0o700, 0o750, 0o2775, 0o755] {
        for keys in [PartitionBy::default(), PartitionBy::column("station_id")] {
            for by in [CommitMode::Overwrite, CommitMode::OverwritePartitions] {
                let write = |mode| {
                    let rows = weather("KSEA", 3);
                    let builder = DatasetWriter::builder(&root).partition_by(keys.clone());
                    let mut writer = builder.mode(mode).build(rows.schema()).unwrap();
                    writer.write(&rows).unwrap();
                    writer.commit().unwrap();
                };
                write(CommitMode::Overwrite);
                let replaced = match by {
                    CommitMode::Overwrite => root.clone(),
                    _ => published(&root)[0].parent().unwrap().to_owned(),
                };
                fs::set_permissions(&replaced, fs::Permissions::from_mode(bits)).unwrap();
                let before = fs::metadata(&replaced).unwrap().ino();
                write(by);
                assert_ne!(fs::metadata(&replaced).unwrap().ino(), before);
                assert_eq!(mode(&replaced), bits, "{keys:?} {by:?}");
            }
        }
    }
}

#[test]
fn what_replaces_a_private_file_is_private_from_its_first_byte() {
    let (_guard, parent) = directory();
    let path = parent.join("secret");
    for bits in [0o600, 0o640, 0o444] {
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        let options = FileOptions::new().mode(PublishMode::Replace);
        let mut file = AtomicFile::create_with_options(&path, options).unwrap();
        assert_eq!(mode(&staged(&parent)[0]) & 0o077, 0);
        file.write_all(b"new").unwrap();
        file.flush().unwrap();
        assert_eq!(mode(&staged(&parent)[0]) & 0o077, 0);
        let staged = file.finish().unwrap();
        assert_eq!(mode(staged.staging_path()), bits);
        staged.publish().unwrap();
        assert_eq!(
            (mode(&path), fs::read(&path).unwrap()),
            (bits, b"new".to_vec())
        );
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn the_directory_that_the_caller_gave_for_staging_stays() {
    let (_guard, parent) = directory();
    let given = parent.join("mine");
    fs::create_dir(&given).unwrap();
    let place = || StagingPlace::Directory(given.clone());
    let path = parent.join("data");
    let options = || FileOptions::new().staging(place());
    let create = || AtomicFile::create_with_options(&path, options()).unwrap();
    create().discard();
    assert!(given.is_dir());
    create().finish().unwrap().discard();
    assert!(given.is_dir());
    create().commit().unwrap();
    assert!(given.is_dir());
    placed(&parent.join("weather"), place()).commit().unwrap();
    recover_with_options(&parent, &RecoverOptions::new().staging(place())).unwrap();
    assert_eq!(tree(&given), Vec::<String>::new());
    // One that had to be made for the purpose too.
    let new = StagingPlace::Directory(parent.join("new"));
    placed(&parent.join("wind"), new).discard();
    assert!(parent.join("new").is_dir());
}

#[test]
fn who_may_only_read_a_data_set_cannot_open_what_its_writers_lock() {
    for (bits, wanted) in [(0o755, 0o600), (0o775, 0o660), (0o777, 0o666)] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(bits)).unwrap();
        let batch = stations(&["KSEA"]);
        let keys = PartitionBy::column("station_id");
        let builder = DatasetWriter::builder(&root).partition_by(keys).threads(1);
        let mut writer = builder.build(batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let area = parent.join(".weather.atomic");
        let leases: Vec<_> = tree(&area)
            .into_iter()
            .filter(|name| name.ends_with("lease"))
            .map(|name| mode(&area.join(name)))
            .collect();
        assert_eq!(leases, [wanted]);
        writer.commit().unwrap();
    }
}

#[test]
fn who_may_only_read_a_directory_cannot_open_what_is_staged_in_it() {
    for (bits, wanted) in [(0o755, 0o600), (0o775, 0o640), (0o777, 0o644)] {
        let (_guard, parent) = directory();
        fs::set_permissions(&parent, fs::Permissions::from_mode(bits)).unwrap();
        let path = parent.join("data");
        let usual = parent.join("usual");
        fs::write(&usual, "").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(mode(&staged(&parent)[0]), mode(&usual) & wanted, "{bits:o}");
        file.commit().unwrap();
        assert_eq!(mode(&path), mode(&usual), "{bits:o}");
    }
}

#[test]
fn an_area_follows_the_permissions_of_its_data_set() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let write = || {
        let batch = stations(&["KSEA"]);
        let keys = PartitionBy::column("station_id");
        let builder = DatasetWriter::builder(&root).partition_by(keys).threads(1);
        let mut writer = builder
            .write_id(uuid::Uuid::now_v7().to_string())
            .build(batch.schema())
            .unwrap();
        writer.write(&batch).unwrap();
        writer.commit().unwrap();
    };
    write();
    for bits in [0o777, 0o750, 0o1777, 0o700, 0o755] {
        fs::set_permissions(&root, fs::Permissions::from_mode(bits)).unwrap();
        write();
        for area in [parent.join(".weather.atomic"), root.join(".atomic")] {
            assert_eq!(mode(&area), bits, "{}", area.display());
        }
    }
    let records = fs::read_dir(parent.join(".weather.atomic/writes")).unwrap();
    let modes: BTreeSet<u32> = records
        .map(|record| mode(&record.unwrap().path()))
        .collect();
    // Those who could read the data set when it was kept.
    assert_eq!(modes, BTreeSet::from([0o600, 0o640, 0o644]));
}

#[test]
fn a_link_in_place_of_a_new_area_does_not_pass_permissions_on() {
    let (_guard, parent) = directory();
    let (model, precious) = (parent.join("model"), parent.join("precious"));
    for (path, bits) in [(&model, 0o777), (&precious, 0o700)] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    }
    symlink(&precious, parent.join("area")).unwrap();
    OsDisk
        .copy_group_and_mode(&parent.join("area"), &model)
        .unwrap_err();
    assert_eq!(mode(&precious), 0o700);
    OsDisk.copy_group_and_mode(&precious, &model).unwrap();
    assert_eq!(mode(&precious), 0o777);
}

#[cfg(target_os = "linux")]
mod users {
    //! Users who share a data set. Only root can be all of them.

    use std::os::unix::fs::chown;

    use super::*;

    const ALICE: u32 = 61_001;
    const BOB: u32 = 61_002;
    const GROUP: u32 = 61_100;

    /// A directory of `owner` and [`GROUP`].
    fn make(path: &Path, owner: u32, bits: u32) -> Result<(), String> {
        fs::create_dir_all(path).unwrap();
        chown(path, Some(owner), Some(GROUP)).map_err(|error| format!("not root: {error}"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        Ok(())
    }

    fn start(user: u32, group: u32, part: Part, root: &Path) -> Child {
        Child::start_as(user, group, part, root).unwrap()
    }

    /// A directory that everybody may walk through.
    fn open_directory() -> (tempfile::TempDir, PathBuf) {
        let (guard, parent) = directory();
        fs::set_permissions(&parent, fs::Permissions::from_mode(0o755)).unwrap();
        (guard, parent)
    }

    #[test]
    fn the_area_has_the_group_and_permissions_of_the_data_set() {
        for bits in [0o2770, 0o2775, 0o770, 0o755] {
            let (_guard, parent) = open_directory();
            let (lake, root) = (parent.join("lake"), parent.join("lake/weather"));
            for path in [&lake, &root, &root.join("station_id=KSEA")] {
                if let Err(reason) = make(path, ALICE, bits) {
                    return skip(reason);
                }
            }
            let mut alice = start(ALICE, GROUP, Part::Hold, &root);
            assert_eq!(alice.says().as_deref(), Some("begun"), "{bits:o}");
            let area = lake.join(".weather.atomic");
            let (wanted, found) = (fs::metadata(&root).unwrap(), fs::metadata(&area).unwrap());
            use std::os::unix::fs::MetadataExt as _;
            assert_eq!(found.gid(), wanted.gid());
            assert_eq!(mode(&area), mode(&root));
            if bits & 0o020 > 0 {
                let mut bob = start(BOB, GROUP, Part::Once, &root);
                let said = PathBuf::from(bob.says().expect("bob failed"));
                bob.finish();
                assert_eq!(said.parent(), Some(&*area));
            }
            alice.go_on();
            assert_eq!(alice.says().as_deref(), Some("committed"));
            alice.finish();
            assert_eq!(published(&root).len(), 1 + usize::from(bits & 0o020 > 0));
            assert_eq!(staged(&parent), Vec::<PathBuf>::new());
        }
    }

    #[test]
    fn the_lock_is_for_everybody_who_may_write_in_the_area_and_nobody_else_whatever_the_umask() {
        for (bits, wanted) in [
            (0o2770, 0o660),
            (0o775, 0o660),
            (0o777, 0o666),
            (0o755, 0o600),
        ] {
            let (_guard, parent) = open_directory();
            let area = parent.join(".weather.atomic");
            if let Err(reason) = make(&area, ALICE, bits) {
                return skip(reason);
            }
            let lock = area.join("lock");
            // One that was there, and that others could read, too.
            for _ in 0..2 {
                OsDisk.open_or_create_file(&lock).unwrap();
                use std::os::unix::fs::MetadataExt as _;
                let found = (mode(&lock), fs::metadata(&lock).unwrap().gid());
                assert_eq!(found, (wanted, GROUP));
                fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
            }
        }
    }

    #[test]
    fn in_an_area_for_everybody_each_staging_file_is_its_owners_alone() {
        let (_guard, parent) = open_directory();
        let (lake, root) = (parent.join("lake"), parent.join("lake/weather"));
        let partition = root.join("station_id=KSEA");
        for path in [&lake, &root, &partition] {
            if let Err(reason) = make(path, ALICE, 0o1777) {
                return skip(reason);
            }
        }
        let mut alice = start(ALICE, ALICE, Part::Hold, &root);
        assert_eq!(alice.says().as_deref(), Some("begun"));
        assert_eq!(mode(&lake.join(".weather.atomic")), 0o1777);
        let mut bob = start(BOB, BOB, Part::Once, &root);
        assert!(bob.says().is_some());
        bob.finish();
        alice.go_on();
        assert_eq!(alice.says().as_deref(), Some("committed"));
        alice.finish();
        assert_eq!(published(&root).len(), 2);
    }

    #[test]
    fn who_cannot_write_in_the_area_of_another_stages_in_one_of_his_own_or_inside() {
        for (above, expected) in [
            (0o755, "weather/.atomic"),
            (0o1777, &*format!(".weather.atomic-{BOB}")),
        ] {
            let (_guard, parent) = open_directory();
            let (lake, root) = (parent.join("lake"), parent.join("lake/weather"));
            let made = make(&lake, ALICE, above)
                .and_then(|()| make(&root, ALICE, 0o777))
                .and_then(|()| make(&root.join("station_id=KSEA"), ALICE, 0o777));
            if let Err(reason) = made {
                return skip(reason);
            }
            // Hers, and followed by her alone.
            let area = lake.join(".weather.atomic");
            make(&area, ALICE, 0o755).unwrap();
            let mut bob = start(BOB, BOB, Part::Once, &root);
            let said = PathBuf::from(bob.says().expect("bob failed"));
            bob.finish();
            assert_eq!(said.parent(), Some(&*lake.join(expected)));
            assert_eq!(published(&root).len(), 1);
            assert_eq!(staged(&parent), Vec::<PathBuf>::new());
        }
    }

    #[test]
    fn who_owns_only_a_partition_stages_in_it() {
        let (_guard, parent) = open_directory();
        let partition = parent.join("weather/job=42");
        let made = make(&parent.join("weather"), 0, 0o755);
        if let Err(reason) = made.and_then(|()| make(&partition, BOB, 0o755)) {
            return skip(reason);
        }
        let mut bob = start(BOB, BOB, Part::Once, &partition);
        let said = PathBuf::from(bob.says().expect("bob failed"));
        bob.finish();
        assert_eq!(said.parent(), Some(&*partition.join(".atomic")));
        assert_eq!(published(&partition).len(), 1);
    }

    #[test]
    fn leftovers_of_others_are_removed_as_far_as_the_directory_allows() {
        for (owner, bits) in [(BOB, 0o444), (ALICE, 0o644), (ALICE, 0o444)] {
            let (_guard, parent) = open_directory();
            let (root, area) = (parent.join("weather"), parent.join(".weather.atomic"));
            let made = make(&root, ALICE, 0o777).and_then(|()| make(&area, ALICE, 0o777));
            if let Err(reason) = made {
                return skip(reason);
            }
            let orphan = area.join(ORPHAN);
            fs::write(&orphan, "half a fi").unwrap();
            chown(&orphan, Some(owner), Some(owner)).unwrap();
            fs::set_permissions(&orphan, fs::Permissions::from_mode(bits)).unwrap();
            let mut bob = start(BOB, BOB, Part::Once, &root);
            assert!(bob.says().is_some());
            bob.finish();
            assert!(!orphan.exists(), "{owner} {bits:o}");
        }
    }
}
