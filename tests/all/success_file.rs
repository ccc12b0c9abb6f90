//! The file `_SUCCESS`: there if and only if no commit that publishes one is there in part.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use atomic_arrow::{CommitMode, DatasetWriter, Error, Outcome, StagedWrites, inspect, recover};

use crate::ground::{builder, commit, directory, published, stations};
use crate::tampered::Tampered;

fn success_file(root: &Path) -> PathBuf {
    root.join("_SUCCESS")
}

/// Commits rows of two stations and the file.
fn marked(root: &Path, mode: CommitMode) {
    commit(builder(root, mode).success_file(true), &["A", "B"]).unwrap();
    assert_eq!(fs::read(success_file(root)).unwrap(), b"");
}

#[test]
fn it_is_published_by_every_mode_when_asked_for() {
    for mode in [
        CommitMode::Append,
        CommitMode::ErrorIfExists,
        CommitMode::ErrorIfAnyExists,
        CommitMode::Ignore,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        commit(builder(&root, mode), &["A"]).unwrap();
        assert!(!success_file(&root).exists(), "{mode:?}");
        let again = parent.join("again");
        marked(&again, mode);
        let seen = inspect(&again).unwrap();
        assert_eq!(seen.totals().files, 2, "{mode:?}");
        assert!(seen.oddities.is_empty(), "{mode:?} {:?}", seen.oddities);
    }
}

#[test]
fn it_is_gone_before_the_first_file_appears_and_comes_after_the_last() {
    for mode in [
        CommitMode::Append,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        marked(&root, mode);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, top) = (Arc::clone(&seen), root.clone());
        let disk = Tampered::before_publish(move |to| {
            if to.starts_with(&top) && !to.starts_with(top.join(".atomic")) {
                noted.lock().unwrap().push(success_file(&top).exists());
            }
            Ok(())
        });
        let again = builder(&root, mode).success_file(true).disk(disk);
        commit(again, &["A", "B", "C"]).unwrap();
        let seen = seen.lock().unwrap();
        assert!(
            !seen.is_empty() && !seen.contains(&true),
            "{mode:?} {seen:?}"
        );
        assert!(success_file(&root).exists(), "{mode:?}");
    }
}

#[test]
fn a_commit_that_ended_in_between_leaves_none_until_it_is_recovered() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    marked(&root, CommitMode::Append);
    let disk = Tampered::before_publish(|to| match to.to_string_lossy().contains("station_id=B") {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    });
    let error = commit(
        builder(&root, CommitMode::Append)
            .success_file(true)
            .disk(disk),
        &["A", "B"],
    );
    assert_eq!(error.unwrap_err().outcome(), Outcome::PublishedInPart);
    assert!(!success_file(&root).exists());
    recover(&root).unwrap();
    assert!(success_file(&root).exists());
    assert_eq!(published(&root).len(), 4);
}

#[test]
fn a_commit_that_publishes_none_leaves_it_unless_it_overwrites_the_root() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    marked(&root, CommitMode::Append);
    for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
        commit(builder(&root, mode), &["A"]).unwrap();
        assert!(success_file(&root).exists(), "{mode:?}");
    }
    let receipt = commit(builder(&root, CommitMode::Overwrite), &["A"]).unwrap();
    assert!(!success_file(&root).exists());
    let removed = receipt.removed();
    assert!(removed.contains(&"_SUCCESS".to_owned()), "{removed:?}");
}

#[test]
fn a_write_that_does_nothing_does_not_publish_it() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let named = || {
        builder(&root, CommitMode::Append)
            .write_id("monday")
            .success_file(true)
    };
    commit(named(), &["A"]).unwrap();
    fs::remove_file(success_file(&root)).unwrap();
    commit(named(), &["A"]).unwrap();
    assert!(!success_file(&root).exists(), "repeated");
    commit(
        builder(&root, CommitMode::Ignore).success_file(true),
        &["B"],
    )
    .unwrap();
    assert!(!success_file(&root).exists(), "ignored");
}

#[test]
fn a_commit_without_rows_publishes_it() {
    for mode in [CommitMode::Append, CommitMode::Overwrite] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        commit(builder(&root, mode).success_file(true), &[]).unwrap();
        assert!(success_file(&root).exists(), "{mode:?}");
    }
}

#[test]
fn it_stands_in_the_directory_that_was_named() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    marked(&root, CommitMode::Append);
    let below = root.join("area=north");
    fs::remove_file(success_file(&root)).unwrap();
    marked(&below, CommitMode::Overwrite);
    assert!(!success_file(&root).exists());
}

#[test]
fn what_is_not_a_file_is_not_replaced_by_it() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    fs::create_dir_all(success_file(&root)).unwrap();
    let error = commit(
        builder(&root, CommitMode::Append).success_file(true),
        &["A"],
    )
    .unwrap_err();
    assert!(matches!(error, Error::InvalidPath { .. }), "{error:?}");
    assert_eq!(error.path(), Some(success_file(&root).as_path()));
    assert_eq!(published(&root), Vec::<PathBuf>::new());
    let elsewhere = parent.join("elsewhere");
    fs::write(&elsewhere, "kept").unwrap();
    fs::remove_dir(success_file(&root)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, success_file(&root)).unwrap();
    commit(
        builder(&root, CommitMode::Append).success_file(true),
        &["A"],
    )
    .unwrap_err();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
}

#[test]
fn what_is_staged_gets_it_from_whoever_commits() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let writer = |success_file: bool| -> DatasetWriter {
        let batch = stations(&["A", "B"]);
        let builder = builder(&root, CommitMode::Append).success_file(success_file);
        let mut writer = builder.build(batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer
    };
    let error = writer(true).stage().unwrap_err();
    assert!(error.to_string().contains("success_file"), "{error}");
    let staged = writer(false).stage().unwrap();
    assert!(!success_file(&root).exists());
    StagedWrites::new([staged])
        .success_file(true)
        .commit()
        .unwrap();
    assert!(success_file(&root).exists());
}
