//! What other users may have planted: links, pipes and records in the staging area, links among the
//! partitions, an area of their own.
//!
//! Nothing outside of the data set and its area is read, changed or removed, and nothing waits for
//! ever. What can be planted by whoever may write in the data set itself can at worst keep others from
//! writing to it, with an error that says where.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomic_arrow::verify::verify_file;
use atomic_arrow::{
    AtomicFile, CommitMode, DatasetWriterBuilder, Error, FileOptions, Oddity, Outcome, PartitionBy,
    PublishMode, RecoverOptions, Recovery, Step, Verify, WriterOptions, inspect, recover,
    recover_with_options,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground::{begun, builder, commit, directory, published, tree, weather, writer};
use crate::tampered::Tampered;

/// A transaction of nobody who is alive, and a staging file.
const DEAD: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

const MODES: [CommitMode; 4] = [
    CommitMode::Append,
    CommitMode::ErrorIfExists,
    CommitMode::OverwritePartitions,
    CommitMode::Overwrite,
];

fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A directory with a data set `weather` that has a file, its empty area, and a stranger's directory
/// `elsewhere` with files in it.
struct Scene {
    _guard: TempDir,
    parent: PathBuf,
    root: PathBuf,
    area: PathBuf,
    elsewhere: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let (guard, parent) = directory();
        let elsewhere = parent.join("elsewhere");
        fs::create_dir_all(elsewhere.join(DEAD)).unwrap();
        let precious = [
            "precious.json",
            "decision.record",
            "lease",
            "part-0.parquet",
            "00000.staged",
            &format!("{DEAD}.staged"),
            &format!("{DEAD}/lease"),
        ];
        for name in precious {
            fs::write(elsewhere.join(name), "precious").unwrap();
        }
        let scene = Scene {
            root: parent.join("weather"),
            area: parent.join(".weather.atomic"),
            _guard: guard,
            parent,
            elsewhere,
        };
        commit(builder(&scene.root, CommitMode::Append), &["KJFK"]).unwrap();
        fs::create_dir_all(&scene.area).unwrap();
        scene
    }

    /// All that is elsewhere: names, content, permissions.
    fn stranger(&self) -> Vec<(String, Option<Vec<u8>>, u32)> {
        let look = |name: String| {
            let path = self.elsewhere.join(&name);
            let mode = fs::symlink_metadata(&path).unwrap().mode();
            (name, fs::read(path).ok(), mode)
        };
        tree(&self.elsewhere).into_iter().map(look).collect()
    }

    /// Runs everything that may go over an area, and says whether the writers committed.
    fn everybody(&self) -> Vec<Result<(), Error>> {
        let mut done = vec![recover(&self.root).map(drop)];
        done.push(inspect(&self.root).map(drop));
        for mode in MODES {
            let named = builder(&self.root, mode).write_id(format!("{mode:?}"));
            done.push(commit(named, &["KSEA"]).map(drop));
        }
        let lone = AtomicFile::create(self.root.join("station_id=KSEA/data.json"));
        done.push(lone.and_then(AtomicFile::commit).map(drop));
        done.push(recover(&self.root).map(drop));
        done
    }
}

fn all_but_existing(done: &[Result<(), Error>]) -> bool {
    done.iter().all(|done| {
        let refused = matches!(
            done,
            Err(Error::Conflict { .. } | Error::AlreadyExists { .. })
        );
        done.is_ok() || refused
    })
}

#[test]
fn links_in_the_area_in_place_of_what_a_dead_writer_leaves_are_not_followed() {
    for name in [
        DEAD.to_owned(),
        format!("{DEAD}.dead"),
        format!("{DEAD}.staged"),
        format!("{DEAD}.new"),
        "notes".to_owned(),
    ] {
        for target in ["", DEAD, "precious.json", "nowhere"] {
            let scene = Scene::new();
            symlink(scene.elsewhere.join(target), scene.area.join(&name)).unwrap();
            let before = scene.stranger();
            let done = scene.everybody();
            assert!(all_but_existing(&done), "{name} -> {target}: {done:?}");
            assert_eq!(scene.stranger(), before, "{name} -> {target}");
        }
    }
}

#[test]
fn what_stands_in_the_place_of_the_lock_is_not_followed_and_nobody_waits_for_it() {
    type Plant = fn(&Scene, &Path);
    let plants: [(&str, Plant); 4] = [
        ("a link", |scene, lock| {
            symlink(scene.elsewhere.join("precious.json"), lock).unwrap();
        }),
        ("a link to nothing", |scene, lock| {
            symlink(scene.elsewhere.join("nowhere"), lock).unwrap();
        }),
        ("a pipe", |_, lock| pipe(lock)),
        ("a directory", |_, lock| fs::create_dir(lock).unwrap()),
    ];
    for (what, plant) in plants {
        let scene = Scene::new();
        let lock = scene.root.join(".atomic/lock");
        let _ = fs::remove_file(&lock);
        plant(&scene, &lock);
        let (before, data) = (scene.stranger(), tree(&scene.root));
        for mode in MODES {
            let error = commit(builder(&scene.root, mode), &["KSEA"]).unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotPublished, "{what}: {error:?}");
        }
        let error = begun(&scene.root).commit().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotPublished, "{what}: {error:?}");
        recover(&scene.root).unwrap();
        assert_eq!(scene.stranger(), before, "{what}");
        assert_eq!(tree(&scene.root), data, "{what}");
        // Whoever takes it away can write again.
        let _ = fs::remove_file(&lock).or_else(|_| fs::remove_dir(&lock));
        commit(builder(&scene.root, CommitMode::Append), &["KSEA"]).unwrap();
    }
}

#[test]
fn what_stands_in_the_place_of_a_transactions_records_is_not_followed_and_nobody_waits_for_it() {
    for name in ["lease", "decision.record", "staged.record"] {
        for what in ["a link", "a pipe", "a directory"] {
            let scene = Scene::new();
            let transaction = scene.area.join(DEAD);
            fs::create_dir(&transaction).unwrap();
            fs::write(transaction.join("lease"), "").unwrap();
            if name == "staged.record" {
                let staged = json!({"decision": "staged", "version": 1, "transaction": DEAD,
                    "keep_seconds": 1_000_000});
                fs::write(transaction.join("decision.record"), staged.to_string()).unwrap();
            }
            let path = transaction.join(name);
            let _ = fs::remove_file(&path);
            match what {
                "a link" => symlink(scene.elsewhere.join(name), &path).unwrap(),
                "a pipe" => pipe(&path),
                _ => fs::create_dir(&path).unwrap(),
            }
            let (before, data) = (scene.stranger(), published(&scene.root));
            let recovery = recover(&scene.root).unwrap();
            // What is staged is not looked at until it is committed.
            let failed = recovery.failed.len() + recovery.staged.len();
            // Without a lease that can be held it is dead, and was not decided.
            let expected = usize::from(name != "lease");
            assert_eq!(failed, expected, "{name}, {what}: {recovery:?}");
            inspect(&scene.root).unwrap();
            let _ = commit(builder(&scene.root, CommitMode::Append), &["KSEA"]);
            assert_eq!(scene.stranger(), before, "{name}, {what}");
            assert!(published(&scene.root).len() >= data.len(), "{name}, {what}");
        }
    }
}

#[test]
fn a_directory_that_becomes_a_link_while_it_is_removed_leads_the_removal_nowhere() {
    let scene = Scene::new();
    let transaction = scene.area.join(DEAD);
    fs::create_dir_all(transaction.join("new-00000/below")).unwrap();
    fs::write(transaction.join("lease"), "").unwrap();
    let before = scene.stranger();
    let elsewhere = scene.elsewhere.clone();
    let listings = AtomicUsize::new(0);
    let disk = Tampered::after_list(move |listed| {
        let inner = listed.join("new-00000");
        let is_dead = listed.extension().is_some_and(|end| end == "dead");
        // The first time, what was adopted is looked for.
        if is_dead && listings.fetch_add(1, Ordering::Relaxed) == 1 {
            fs::rename(&inner, listed.join("moved"))?;
            symlink(&elsewhere, &inner)?;
        }
        Ok(())
    });
    let options = RecoverOptions::new().disk(disk);
    let recovery = recover_with_options(&scene.root, &options).unwrap();
    assert_eq!(scene.stranger(), before);
    assert_eq!(recovery.failed.len(), 1, "{recovery:?}");
    assert!(recovery.failed[0].to_string().contains(".dead"));
    // The link itself goes with the rest, once nobody is in the way.
    recover(&scene.root).unwrap();
    assert_eq!(scene.stranger(), before);
    let left = scene.area.join(format!("{DEAD}.dead"));
    assert!(!left.exists(), "{:?}", tree(&left));
}

#[test]
fn the_receipts_of_named_writes_are_neither_kept_nor_forgotten_where_a_link_leads() {
    let scene = Scene::new();
    let old = scene.elsewhere.join("precious.json");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(90 * 86_400);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(long_ago).unwrap();
    symlink(&scene.elsewhere, scene.area.join("writes")).unwrap();
    let before = scene.stranger();
    let named = builder(&scene.root, CommitMode::Append).write_id("monday");
    let error = commit(named, &["KSEA"]).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error:?}");
    assert_eq!(scene.stranger(), before);
    // Nothing is published until the link is gone: nobody could tell whether it was before.
    assert_eq!(published(&scene.root).len(), 1);
    fs::remove_file(scene.area.join("writes")).unwrap();
    let named = builder(&scene.root, CommitMode::Append).write_id("monday");
    commit(named, &["KSEA"]).unwrap();
    assert_eq!(published(&scene.root).len(), 2);
}

#[test]
fn a_staging_file_that_is_another_name_of_a_file_is_removed_and_the_file_stays() {
    let scene = Scene::new();
    let precious = scene.elsewhere.join("precious.json");
    let link = scene.area.join(format!("{DEAD}.staged"));
    fs::hard_link(&precious, &link).unwrap();
    fs::hard_link(&precious, scene.area.join("lock.other")).unwrap();
    let before = scene.stranger();
    let recovery = recover(&scene.root).unwrap();
    assert_eq!(recovery.removed, [link]);
    assert_eq!(scene.stranger(), before);
}

#[test]
fn a_file_that_is_another_name_of_the_lock_keeps_its_permissions() {
    let scene = Scene::new();
    let precious = scene.elsewhere.join("precious.json");
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&scene.root, fs::Permissions::from_mode(0o775)).unwrap();
    for name in ["lock", ""] {
        let path = scene.root.join(".atomic").join(name);
        match name {
            "" => fs::remove_dir_all(scene.root.join(".atomic")).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        fs::hard_link(&precious, path.components().collect::<PathBuf>()).unwrap();
        let before = scene.stranger();
        let done = scene.everybody();
        assert_eq!(all_but_existing(&done), name == "lock", "{done:?}");
        assert_eq!(scene.stranger(), before, "{name}");
    }
}

#[test]
fn what_takes_the_place_of_a_verified_file_is_not_published() {
    for mode in MODES {
        let scene = Scene::new();
        let before = tree(&scene.root);
        let area = scene.area.clone();
        let swapped = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&swapped);
        let writer = builder(&scene.root, mode).interrupt_when(move |step| {
            if step == Step::Decide {
                for name in tree(&area) {
                    let path = area.join(&name);
                    if path.extension().is_some_and(|end| end == "staged") {
                        let other = path.with_extension("other");
                        fs::copy(&path, &other).unwrap();
                        fs::rename(&other, &path).unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            false
        });
        let error = commit(writer, &["KSEA"]).unwrap_err();
        assert!(swapped.load(Ordering::Relaxed) > 0);
        assert!(matches!(error, Error::StagingLost { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert_eq!(tree(&scene.root), before, "{mode:?}");
    }
}

#[test]
fn pipes_and_directories_named_like_staging_files_are_left_alone() {
    let scene = Scene::new();
    pipe(&scene.area.join(format!("{DEAD}.staged")));
    fs::create_dir(
        scene
            .area
            .join(format!("{}.staged", DEAD.replace('8', "9"))),
    )
    .unwrap();
    let before = tree(&scene.area);
    let done = scene.everybody();
    assert!(all_but_existing(&done), "{done:?}");
    for name in before.iter().filter(|name| name.contains(".staged")) {
        assert!(tree(&scene.area).contains(name), "{name}");
    }
}

#[test]
fn a_pipe_among_the_data_is_reported_and_nobody_waits_for_it() {
    let scene = Scene::new();
    let path = scene.root.join("station_id=KJFK/part-0.parquet");
    pipe(&path);
    let inspection = inspect(&scene.root).unwrap();
    let reported = |oddity: &&Oddity| matches!(oddity, Oddity::PassedOver { .. });
    assert_eq!(inspection.oddities.iter().filter(reported).count(), 1);
    let error = verify_file(&path, Verify::Footer).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error:?}");
}

/// Where a link in the data set may stand, and what is written below it.
const LINKS: [&str; 2] = ["region=west", "region=west/station_id=KSEA"];

fn nested(root: &Path, mode: CommitMode) -> DatasetWriterBuilder {
    let named = PartitionBy::column("region").column_as("station_id", "station_id");
    // There are files of other keys.
    builder(root, mode).partition_by(named).schema_check(false)
}

fn nested_batch() -> atomic_arrow::arrow::array::RecordBatch {
    use atomic_arrow::arrow::array::{ArrayRef, Int64Array, StringArray};
    let text = |text: &str| std::sync::Arc::new(StringArray::from(vec![text; 3])) as ArrayRef;
    let numbers: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![1, 2, 3]));
    let columns = [
        ("region", text("west")),
        ("station_id", text("KSEA")),
        ("n", numbers),
    ];
    atomic_arrow::arrow::array::RecordBatch::try_from_iter(columns).unwrap()
}

/// What a data set writer answers that finds a link at one of [`LINKS`] when it is `at` a moment.
fn write_under(scene: &Scene, link: &str, mode: CommitMode, late: bool) -> Error {
    let plant = || {
        let path = scene.root.join(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(&scene.elsewhere, &path).unwrap();
    };
    let write = || {
        let batch = nested_batch();
        let mut writer = nested(&scene.root, mode).build(batch.schema())?;
        writer.write(&batch)?;
        if late {
            plant();
        }
        writer.commit()
    };
    if !late {
        plant();
    }
    write().unwrap_err()
}

#[test]
fn a_data_set_is_not_written_through_a_link_below_its_root() {
    for mode in MODES {
        for link in LINKS {
            for late in [false, true] {
                let scene = Scene::new();
                let (before, data) = (scene.stranger(), published(&scene.root));
                let error = write_under(&scene, link, mode, late);
                let place = format!("{mode:?}, {link}, late: {late}");
                match (&error, mode) {
                    (Error::InvalidPath { path, .. }, _) => {
                        assert_eq!(*path, scene.root.join(link), "{place}");
                    }
                    // The link is what has changed.
                    (Error::Conflict { .. }, CommitMode::Overwrite) => {}
                    _ if mode == CommitMode::Overwrite => {}
                    other => panic!("{place}: {other:?}"),
                }
                assert_eq!(error.outcome(), Outcome::NotPublished, "{place}");
                assert_eq!(scene.stranger(), before, "{place}");
                assert_eq!(published(&scene.root), data, "{place}");
            }
        }
    }
}

#[test]
fn one_file_is_not_written_through_a_link_below_its_root() {
    let scene = Scene::new();
    let link = scene.root.join("station_id=KSEA");
    let before = scene.stranger();
    // Planted after the writer has begun, and before.
    let late = begun(&scene.root).finish().unwrap();
    symlink(&scene.elsewhere, &link).unwrap();
    for error in [
        late.publish().unwrap_err(),
        writer(&scene.root, WriterOptions::new()).unwrap_err(),
    ] {
        assert!(
            matches!(&error, Error::InvalidPath { path, .. } if *path == link),
            "{error:?}"
        );
        assert_eq!(error.outcome(), Outcome::NotPublished);
    }
    assert_eq!(scene.stranger(), before);
    // A root is the caller's own word, also if it leads elsewhere.
    let named = scene.parent.join("named");
    symlink(&scene.root, &named).unwrap();
    let mut other = atomic_arrow::AtomicArrowWriter::create(
        &named,
        &crate::ground::station("KLGA"),
        weather("KLGA", 0).schema(),
    )
    .unwrap();
    other.write(&weather("KLGA", 2)).unwrap();
    assert!(other.commit().unwrap().path().starts_with(&scene.root));
}

/// A commit that is decided, and of which nothing is published yet; its record's path.
fn decided(scene: &Scene, mode: CommitMode) -> PathBuf {
    let root = scene.root.clone();
    let disk = Tampered::before_publish(move |to| match to.starts_with(&root) {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    });
    let names = ["KSEA", "KJFK"];
    let error = commit(builder(&scene.root, mode).disk(disk), &names).unwrap_err();
    assert!(matches!(error, Error::Unfinished { .. }), "{error:?}");
    let decision = tree(&scene.area)
        .into_iter()
        .find(|name| name.ends_with("/decision.record"));
    scene.area.join(decision.unwrap())
}

#[test]
fn what_is_decided_is_not_published_through_a_link_planted_since() {
    for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
        let scene = Scene::new();
        decided(&scene, mode);
        let link = scene.root.join("station_id=KSEA");
        // The directory may have been made already.
        let _ = fs::remove_dir(&link);
        symlink(&scene.elsewhere, &link).unwrap();
        let before = scene.stranger();
        let recovery = recover(&scene.root).unwrap();
        assert_eq!(recovery.failed.len(), 1, "{recovery:?}");
        assert_eq!(scene.stranger(), before);
        fs::remove_file(&link).unwrap();
        let recovery = recover(&scene.root).unwrap();
        assert_eq!((recovery.finished.len(), recovery.failed.len()), (1, 0));
        let there = published(&scene.root);
        assert!(there.iter().any(|path| path.starts_with(&link)));
        assert!(!scene.area.exists());
    }
}

/// Every place in a record where a path stands, as JSON pointers.
fn paths_in(record: &Value) -> Vec<String> {
    fn visit(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at),
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    visit(item, format!("{at}/{number}"), found);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields.iter().filter(|(name, _)| *name != "identity") {
                    visit(field, format!("{at}/{name}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for part in ["arrangement", "files", "exchanges"] {
        visit(&record[part], format!("/{part}"), &mut found);
    }
    found
}

/// Takes back that a transaction was set aside because its record is none.
#[track_caller]
fn put_back(recovery: &Recovery, transaction: &Path) {
    let [
        Error::SetAside {
            path,
            source: Some(wrong),
        },
    ] = &recovery.failed[..]
    else {
        panic!("{recovery:?}");
    };
    assert!(
        matches!(**wrong, Error::InvalidDecision { .. }),
        "{wrong:?}"
    );
    fs::rename(path, transaction).unwrap();
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_and_stops_nobody() {
    for mode in MODES {
        // What is there already would be in the way of its decision.
        if mode == CommitMode::ErrorIfExists {
            continue;
        }
        let scene = Scene::new();
        let path = decided(&scene, mode);
        let transaction = path.parent().unwrap();
        let record = fs::read(&path).unwrap();
        fs::write(&path, &record[..record.len() / 2]).unwrap();
        let staged = tree(transaction);
        commit(builder(&scene.root, CommitMode::Append), &["KSEA"]).unwrap();
        let aside = transaction.with_extension("aside");
        assert_eq!(tree(&aside), staged);
        // Nobody carries it out or removes it any more, also if it is whole again.
        fs::write(aside.join("decision.record"), &record).unwrap();
        let data = published(&scene.root);
        for _ in 0..2 {
            let recovery = recover(&scene.root).unwrap();
            assert!(
                matches!(&recovery.failed[..], [Error::SetAside { path, .. }] if *path == aside),
                "{recovery:?}"
            );
            let shown = inspect(&scene.root).unwrap().oddities;
            let is_shown = |odd: &Oddity| odd.to_string().contains(".aside");
            assert!(shown.iter().any(is_shown), "{shown:?}");
        }
        assert_eq!(tree(&aside), staged);
        assert_eq!(published(&scene.root), data);
        // Who looked at it lets it be carried out.
        fs::rename(&aside, transaction).unwrap();
        assert_eq!(recover(&scene.root).unwrap().finished.len(), 1);
    }
}

#[test]
fn a_record_that_names_a_path_elsewhere_is_refused_whole() {
    let stray = [
        "..",
        "../elsewhere/precious.json",
        "../../../../../../etc/passwd",
        "station_id=KSEA/../../elsewhere/precious.json",
        "/etc/passwd",
        "//etc/passwd",
        "./x",
        "x\0y",
    ];
    let mut refused = 0;
    for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
        let scene = Scene::new();
        let path = decided(&scene, mode);
        let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let (before, data) = (scene.stranger(), published(&scene.root));
        for place in paths_in(&record) {
            for name in stray {
                let mut hostile = record.clone();
                *hostile.pointer_mut(&place).unwrap() = json!(name);
                fs::write(&path, hostile.to_string()).unwrap();
                let recovery = recover(&scene.root).unwrap();
                put_back(&recovery, path.parent().unwrap());
                assert_eq!(scene.stranger(), before);
                assert_eq!(published(&scene.root), data);
                refused += 1;
            }
        }
        fs::write(&path, record.to_string()).unwrap();
        assert_eq!(recover(&scene.root).unwrap().finished.len(), 1);
    }
    println!("{refused} records refused");
    assert!(refused > 50);
}

#[test]
fn a_record_cannot_take_what_a_link_leads_to_nor_publish_what_is_no_file() {
    type Plant = fn(&Scene, &Path, &mut Value);
    let plants: [(&str, Plant); 7] = [
        ("a success file elsewhere", |scene, _, record| {
            fs::write(scene.elsewhere.join("_SUCCESS"), "kept").unwrap();
            record["scope"] = json!("../elsewhere");
            record["success_file"] = json!(true);
        }),
        ("a success file behind a link", |scene, _, record| {
            fs::write(scene.elsewhere.join("_SUCCESS"), "kept").unwrap();
            symlink(&scene.elsewhere, scene.root.join("link")).unwrap();
            record["scope"] = json!("link");
            record["success_file"] = json!(true);
        }),
        (
            "a file behind a link in the transaction",
            |scene, at, record| {
                symlink(&scene.elsewhere, at.join("link")).unwrap();
                record["files"][0]["staged"] = json!("link/precious.json");
            },
        ),
        ("a link", |scene, at, record| {
            symlink(scene.elsewhere.join("precious.json"), at.join("l.staged")).unwrap();
            record["files"][0]["staged"] = json!("l.staged");
        }),
        ("a pipe", |_, at, record| {
            pipe(&at.join("p.staged"));
            record["files"][0]["staged"] = json!("p.staged");
        }),
        ("a directory", |_, at, record| {
            fs::create_dir(at.join("d.staged")).unwrap();
            record["files"][0]["staged"] = json!("d.staged");
        }),
        (
            "a place behind a link in the data set",
            |scene, _, record| {
                symlink(&scene.elsewhere, scene.root.join("link")).unwrap();
                record["files"][0]["path"] = json!("link/new.parquet");
            },
        ),
    ];
    for (what, plant) in plants {
        let scene = Scene::new();
        let path = decided(&scene, CommitMode::Append);
        let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        plant(&scene, path.parent().unwrap(), &mut record);
        fs::write(&path, record.to_string()).unwrap();
        let (before, data) = (scene.stranger(), published(&scene.root));
        let recovery = recover(&scene.root).unwrap();
        assert_eq!(recovery.failed.len(), 1, "{what}: {recovery:?}");
        assert_eq!(scene.stranger(), before, "{what}");
        assert_eq!(published(&scene.root), data, "{what}");
    }
}

#[test]
fn files_behind_a_link_are_not_removed_by_an_overwrite() {
    let scene = Scene::new();
    let path = decided(&scene, CommitMode::OverwritePartitions);
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let exchange = &record["exchanges"][0];
    let partition = scene.root.join(exchange["path"].as_str().unwrap());
    // The exchange has begun, where nothing can be exchanged: the witness is there.
    let witness = partition.join(exchange["witness"].as_str().unwrap());
    let new = path
        .parent()
        .unwrap()
        .join(exchange["staged"].as_str().unwrap());
    fs::create_dir_all(&partition).unwrap();
    fs::rename(new.join(exchange["witness"].as_str().unwrap()), &witness).unwrap();
    symlink(&scene.elsewhere, partition.join("link")).unwrap();
    record["exchanges"][0]["removed"] = json!(["link/precious.json"]);
    record["exchanges"][0]["files"] = json!([]);
    fs::write(&path, record.to_string()).unwrap();
    let before = scene.stranger();
    let recovery = recover(&scene.root).unwrap();
    assert_eq!(recovery.failed.len(), 1, "{recovery:?}");
    assert_eq!(scene.stranger(), before);
}

#[test]
fn other_names_of_a_replaced_file_keep_its_old_content() {
    let (_guard, parent) = directory();
    let (path, other) = (parent.join("data.json"), parent.join("other"));
    fs::write(&path, "old").unwrap();
    fs::hard_link(&path, &other).unwrap();
    let options = FileOptions::new().mode(PublishMode::Replace);
    let mut file = AtomicFile::create_with_options(&path, options).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read(&other).unwrap(), b"old");
    assert_eq!(fs::metadata(&other).unwrap().nlink(), 1);
}

mod users {
    //! Several users. Only root can be all of them.

    use std::os::unix::fs::chown;

    use super::*;
    use crate::child::{Child, Part, STATIONS};
    use crate::support::skip;

    const ALICE: u32 = 61_001;
    const BOB: u32 = 61_002;
    const GROUP: u32 = 61_100;

    fn make(path: &Path, owner: u32, group: u32, bits: u32) -> Result<(), String> {
        fs::create_dir_all(path).unwrap();
        chown(path, Some(owner), Some(group)).map_err(|error| format!("not root: {error}"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        Ok(())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    /// Where a process of this user stages one file of weather; `None` if it failed.
    fn staged_by(user: u32, root: &Path) -> Option<PathBuf> {
        let mut child = Child::start_as(user, user, Part::Once, root).unwrap();
        let said = child.says().map(PathBuf::from);
        child.end();
        said.and_then(|path| path.parent().map(Path::to_owned))
    }

    #[test]
    fn an_area_of_somebody_who_may_not_write_in_the_data_set_is_not_used() {
        for exists in [true, false] {
            let (_guard, parent) = directory();
            let (root, area) = (parent.join("weather"), parent.join(".weather.atomic"));
            if let Err(reason) = make(&parent, 0, 0, 0o1777) {
                return skip(reason);
            }
            if exists {
                make(&root, BOB, BOB, 0o755).unwrap();
                let file = root.join("station_id=KJFK/part-0.parquet");
                make(file.parent().unwrap(), BOB, BOB, 0o755).unwrap();
                fs::write(&file, "bob's").unwrap();
                // Made as whoever writes it would, and then given away.
                let scene = Scene::new();
                let record = decided(&scene, CommitMode::OverwritePartitions);
                make(&area, ALICE, ALICE, 0o777).unwrap();
                let mut copy = Command::new("cp");
                copy.arg("-a").arg(record.parent().unwrap()).arg(&area);
                assert!(copy.status().unwrap().success());
            }
            make(&area, ALICE, ALICE, 0o777).unwrap();
            let before = tree(&area);
            let said = staged_by(BOB, &root);
            // Each has one of his own where everybody may make files.
            let own = parent.join(format!(".weather.atomic-{BOB}"));
            assert_eq!(said.as_deref(), Some(&*own), "{exists}");
            assert_eq!(tree(&area), before);
            let recovery = recover(&root).unwrap();
            // Root, who recovers, is nobody to be misled either.
            assert!(
                matches!(&recovery.failed[..], [Error::Read { path, .. }] if *path == area),
                "{recovery:?}"
            );
            assert_eq!(tree(&area), before);
            assert_eq!(published(&root).len(), 1 + usize::from(exists));
        }
    }

    #[test]
    fn an_area_of_somebody_who_may_write_in_the_data_set_is_used() {
        // The owner of the area, of the root, and the root's permissions.
        for (owner, root_owner, bits) in [
            (BOB, BOB, 0o755),
            (0, BOB, 0o755),
            (ALICE, BOB, 0o777),
            (ALICE, BOB, 0o2775),
            // Nobody could keep Alice from exchanging what Bob stages in her area.
            (ALICE, BOB, 0o1777),
        ] {
            let (_guard, parent) = directory();
            let (root, area) = (parent.join("weather"), parent.join(".weather.atomic"));
            // In a directory in which the group may write, Alice's is of one of it.
            let above = match bits {
                0o2775 => make(&parent, 0, GROUP, 0o2775),
                _ => make(&parent, 0, 0, 0o755),
            };
            let made = above
                .and_then(|()| make(&root, root_owner, GROUP, bits))
                .and_then(|()| make(&area, owner, GROUP, 0o777));
            if let Err(reason) = made {
                return skip(reason);
            }
            let said = staged_by(BOB, &root);
            let area = match bits {
                0o1777 => root.join(".atomic"),
                _ => area,
            };
            assert_eq!(
                said.as_deref(),
                Some(&*area),
                "{owner} {root_owner} {bits:o}"
            );
        }
    }

    /// What a process of this user, of the group, finds and says after one who died.
    fn follows(user: u32, root: &Path) -> Vec<String> {
        let child = Child::start_as(user, GROUP, Part::Follow, root).unwrap();
        let (said, ended_well) = child.end();
        assert!(ended_well, "{said:?}");
        said
    }

    #[test]
    fn what_one_user_of_a_group_decided_another_finishes_where_he_may() {
        for beside in [true, false] {
            // The umask, and the permissions of the partitions if they are there already.
            for (umask, ready, may) in [
                ("002", None, true),
                ("022", None, true),
                ("022", Some(0o2775), true),
                ("022", Some(0o2755), false),
            ] {
                let (_guard, parent) = directory();
                let root = parent.join("weather");
                let made = make(&parent, 0, GROUP, if beside { 0o2775 } else { 0o755 })
                    .and_then(|()| make(&root, ALICE, GROUP, 0o2775));
                if let Err(reason) = made {
                    return skip(reason);
                }
                for (bits, number) in ready
                    .into_iter()
                    .flat_map(|bits| (0..STATIONS).map(move |n| (bits, n)))
                {
                    let partition = root.join(format!("station_id=K{number}"));
                    make(&partition, ALICE, GROUP, bits).unwrap();
                }
                let mut alice = Child::start_as(ALICE, GROUP, Part::Die, &root).unwrap();
                alice.tell(umask);
                alice.finish();
                let place = format!("umask {umask}, ready {ready:?}, beside {beside}");
                assert!(published(&root).is_empty(), "{place}");
                let area = if beside { &parent } else { &root };
                let area = area.join(if beside { ".weather.atomic" } else { ".atomic" });
                assert!(
                    tree(&area)
                        .iter()
                        .any(|name| name.ends_with("decision.record"))
                );

                let said = follows(BOB, &root);
                if may {
                    let expected = ["finished 1".to_owned(), format!("committed {STATIONS}")];
                    assert_eq!(said, expected, "{place}");
                    assert_eq!(published(&root).len(), 2 * STATIONS, "{place}");
                } else {
                    // He is told what is in his way, and that nothing of his own is published.
                    assert_eq!(said[0], "finished 0", "{place}");
                    assert!(said[1].starts_with("failed: "), "{place}: {said:?}");
                    assert!(said[2].starts_with("NotPublished: "), "{place}: {said:?}");
                    assert!(said[2].contains("station_id=K0"), "{place}: {said:?}");
                    assert!(published(&root).is_empty(), "{place}");
                    assert_eq!(follows(ALICE, &root)[0], "finished 1", "{place}");
                }
                let left = tree(&area);
                assert!(left.iter().all(|name| name == "lock"), "{place}: {left:?}");
            }
        }
    }

    #[test]
    fn nobody_waits_for_a_pipe_of_another_user_in_place_of_the_lock() {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        let control = root.join(".atomic");
        let made = make(&parent, 0, 0, 0o755)
            .and_then(|()| make(&root, ALICE, ALICE, 0o777))
            .and_then(|()| make(&control, ALICE, ALICE, 0o777));
        if let Err(reason) = made {
            return skip(reason);
        }
        let lock = control.join("lock");
        pipe(&lock);
        // Bob may only read it, and an open for reading would wait for a writer.
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
        let mut child = Child::start_as(BOB, BOB, Part::Once, &root).unwrap();
        child.says();
        assert!(!child.end().1);
        assert!(published(&root).is_empty());
    }

    #[test]
    fn what_is_published_has_the_usual_permissions_less_the_umask_and_the_group_of_the_data_set() {
        for umask in [0o077, 0o022, 0o002, 0] {
            for bits in [0o755, 0o2775] {
                let (_guard, parent) = directory();
                let root = parent.join("weather");
                let made = make(&parent, 0, 0, 0o755).and_then(|()| make(&root, 0, GROUP, bits));
                if let Err(reason) = made {
                    return skip(reason);
                }
                let mut child = Child::start_with_umask(umask, Part::DataSets, &root);
                child.says().unwrap();
                child.kill();
                let place = format!("umask {umask:03o}, root {bits:o}");
                let group = if bits & 0o2000 > 0 { GROUP } else { 0 };
                let files = published(&root);
                assert!(files.len() >= 6, "{place}");
                for path in files {
                    assert_eq!(mode(&path), 0o666 & !umask, "{place}");
                    let gid = fs::metadata(&path).unwrap().gid();
                    assert_eq!(gid, group, "{place}");
                    let above = path.parent().unwrap();
                    // Whoever may write in the root may write there, unless the umask keeps the group out.
                    let expected = match bits {
                        0o2775 if umask != 0o077 => 0o2775,
                        _ => 0o777 & !umask | bits & 0o2000,
                    };
                    assert_eq!(mode(above), expected, "{place}");
                }
            }
        }
    }
}
