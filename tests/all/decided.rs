//! A commit that was decided can be carried out, or keeps nobody else from working.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::{Disk, OsDisk};
use atomic_arrow::receipt::Note;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, CommitMode, Error, Outcome, Partition, RecoverOptions,
    StagingPlace, WriterOptions, recover, recover_with_options,
};

use crate::ground::{Mount, builder, commit, directory, published, stations};
use crate::support::skip;
use crate::tampered::Tampered;

fn put(path: &Path) -> Result<(), Error> {
    AtomicFile::create(path)?.commit().map(drop)
}

#[test]
fn a_file_in_the_place_of_a_partition_is_found_before_anything_is_published() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("station_id=B"), "x").unwrap();
    for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
        let error = commit(builder(&root, mode), &["A", "B", "C"]).unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
        assert_eq!(error.path(), Some(root.join("station_id=B").as_path()));
        assert_eq!(published(&root), Vec::<PathBuf>::new());
    }
    commit(builder(&root, CommitMode::Append), &["Z"]).unwrap();
    assert_eq!(published(&root).len(), 1);
}

#[test]
fn another_mount_in_the_place_of_a_partition_is_found_before_anything_is_published() {
    let (_guard, parent) = directory();
    let (root, other) = (parent.join("weather"), parent.join("other"));
    let partition = root.join("station_id=B");
    fs::create_dir_all(&partition).unwrap();
    fs::create_dir(&other).unwrap();
    // The same device: only the mount differs.
    let _mount = match Mount::bind(&other, &partition) {
        Ok(mount) => mount,
        Err(reason) => return skip(reason),
    };
    let error = commit(builder(&root, CommitMode::Append), &["A", "B"]).unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
    assert_eq!(error.path(), Some(partition.as_path()));
    assert_eq!(published(&root), Vec::<PathBuf>::new());
    commit(builder(&root, CommitMode::Append), &["Z"]).unwrap();
}

#[test]
fn a_new_partition_is_shared_as_the_data_set_is() {
    let (_guard, parent) = directory();
    let modes = [
        CommitMode::Append,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ];
    for (number, mode) in modes.into_iter().enumerate() {
        let root = parent.join(format!("weather{number}"));
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o2777)).unwrap();
        commit(builder(&root, mode), &["A"]).unwrap();
        let made = fs::metadata(root.join("station_id=A")).unwrap();
        assert_eq!(made.permissions().mode() & 0o7777, 0o2777, "{mode:?}");
    }
}

#[test]
fn what_was_staged_and_is_gone_is_not_called_published() {
    let modes = [
        CommitMode::Append,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ];
    for mode in modes {
        for count in 1..=3 {
            let (_guard, parent) = directory();
            let root = parent.join("weather");
            commit(builder(&root, CommitMode::Append), &["A"]).unwrap();
            let old = published(&root);
            let area = parent.join(".weather.atomic");
            let seen = std::sync::atomic::AtomicUsize::new(0);
            let disk = Tampered::before_publish(move |to| {
                // The moves after the decision.
                if to.extension().is_some_and(|end| end == "parquet")
                    && seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == count
                {
                    fs::remove_dir_all(&area)?;
                }
                Ok(())
            });
            let error = commit(builder(&root, mode).disk(disk), &["A", "B", "C"]).unwrap_err();
            assert!(
                matches!(error, Error::FilesLost { .. }),
                "{mode:?} {error:?}"
            );
            let expected = match published(&root) == old {
                true => Outcome::NotPublished,
                false => Outcome::Lost,
            };
            assert_eq!(error.outcome(), expected, "{mode:?} {error:?}");
            assert!(
                old.iter().all(|file| file.exists()),
                "{mode:?}, at move {count}: old rows are gone, and their replacement too"
            );
        }
    }
}

#[test]
fn a_commit_that_cannot_be_finished_blocks_its_own_partitions_until_it_is_given_up() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let disk = Tampered::before_publish(|to| {
        match to.to_string_lossy().contains("weather/station_id=B") {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(()),
        }
    });
    let append = || builder(&root, CommitMode::Append);
    let error = commit(append().disk(disk), &["A", "B"]).unwrap_err();
    assert_eq!(error.outcome(), Outcome::PublishedInPart);
    let area = parent.join(".weather.atomic");
    let transaction = fs::read_dir(&area)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("decision.record").exists())
        .unwrap();
    for entry in fs::read_dir(&transaction).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "staged") {
            fs::remove_file(path).unwrap();
        }
    }

    let recovery = recover(&root).unwrap();
    assert!(
        matches!(
            recovery.failed[..],
            [Error::FilesLost {
                lost: 1,
                published: 1,
                total: 2,
                recorded: true,
                ..
            }]
        ),
        "{recovery:?}"
    );
    commit(append(), &["C"]).unwrap();
    put(&root.join("station_id=C/notes")).unwrap();
    for error in [
        commit(append(), &["B"]).unwrap_err(),
        commit(builder(&root, CommitMode::Overwrite), &["C"]).unwrap_err(),
        put(&root.join("station_id=B/notes")).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Blocked { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
    }

    let options = RecoverOptions::new().abort_unfinished(true);
    let recovery = recover_with_options(&root, &options).unwrap();
    assert_eq!(recovery.abandoned, [transaction]);
    assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
    commit(append(), &["B"]).unwrap();
    assert_eq!(published(&root).len(), 3);
}

#[test]
fn a_commit_is_not_given_up_for_want_of_room() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        let full = Tampered::before_publish(move |to| match to.components().any(is_memory) {
            true => Err(kind.into()),
            false => Ok(()),
        });
        let named = |disk| {
            builder(&root, CommitMode::Append)
                .disk(disk)
                .write_id("monday")
        };
        commit(named(Arc::clone(&full)), &["A"]).unwrap();

        let abort = RecoverOptions::new().abort_unfinished(true);
        let recovery = recover_with_options(&root, &abort.clone().disk(full)).unwrap();
        assert!(
            matches!(recovery.failed[..], [Error::NotRemoved { .. }]),
            "{recovery:?}"
        );
        assert!(recovery.abandoned.is_empty() && recovery.finished.is_empty());

        let recovery = recover_with_options(&root, &abort).unwrap();
        assert_eq!(recovery.finished.len(), 1, "{recovery:?}");
        commit(named(Arc::new(OsDisk)), &["A"]).unwrap();
        assert_eq!(published(&root).len(), 1);
    }
}

#[test]
fn a_named_write_whose_receipt_cannot_be_kept_is_told_of_as_given_up() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let closed = Tampered::before_publish(|to| match to.components().any(is_memory) {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    });
    let named = builder(&root, CommitMode::Append).disk(Arc::clone(&closed));
    commit(named.write_id("monday"), &["A"]).unwrap();
    let abort = RecoverOptions::new().abort_unfinished(true).disk(closed);
    let recovery = recover_with_options(&root, &abort).unwrap();
    assert_eq!(recovery.abandoned.len(), 1, "{recovery:?}");
    assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
}

/// Whether a path leads into the directory of receipts.
fn is_memory(component: Component<'_>) -> bool {
    component.as_os_str() == "writes"
}

#[test]
fn partitions_that_a_file_system_takes_for_one_directory_are_refused() {
    for mode in [
        CommitMode::Append,
        CommitMode::ErrorIfExists,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        let write = |mode, names: &[&str]| {
            commit(builder(&root, mode).disk(Tampered::folding_case()), names)
        };
        let refuses = |names: &[&str], other: &str| {
            let before = published(&root);
            let error = write(mode, names).unwrap_err();
            assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
            assert!(
                error.to_string().contains("upper and lower case"),
                "{error}"
            );
            assert!(error.to_string().contains(other), "{error}");
            assert_eq!(published(&root), before, "{mode:?}");
        };
        refuses(&["Ka", "kA", "x"], "station_id=k");
        write(CommitMode::Append, &["KA", "x"]).unwrap();
        // Nothing of the old names stays where all is replaced.
        match mode {
            CommitMode::Overwrite => drop(write(mode, &["ka"]).unwrap()),
            // It finds what is there.
            CommitMode::ErrorIfExists => {}
            _ => refuses(&["ka"], "station_id=ka"),
        }
        let options = WriterOptions::new().disk(Tampered::folding_case());
        let station = Partition::new([("station_id", "Ka")]).unwrap();
        let batch = stations(&["Ka"]);
        let mut file =
            AtomicArrowWriter::create_with_options(&root, &station, batch.schema(), options)
                .unwrap();
        file.write(&batch).unwrap();
        let error = file.commit().unwrap_err();
        assert!(
            error.to_string().contains("upper and lower case"),
            "{error}"
        );
        if mode != CommitMode::ErrorIfExists {
            write(mode, &["KA", "x", "y"]).unwrap();
            // Others tell them apart.
            commit(builder(&root, mode), &["KA", "ka"]).unwrap();
        }
    }
}

/// What recovery says that it cannot remove, on this disk.
fn not_removed(root: &Path, disk: &Arc<dyn Disk>) -> Vec<PathBuf> {
    let options = RecoverOptions::new().disk(Arc::clone(disk));
    let options = options.staging(StagingPlace::Inside);
    let failed = recover_with_options(root, &options).unwrap().failed;
    let not_removed = failed.into_iter().map(|error| match error {
        Error::NotRemoved { path, .. } => path,
        error => panic!("{error:?}"),
    });
    not_removed.collect()
}

#[test]
fn a_replaced_file_that_cannot_be_removed_is_a_warning_and_is_told_until_it_is_gone() {
    for mode in [CommitMode::Overwrite, CommitMode::OverwritePartitions] {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        let inside = |disk: &Arc<dyn Disk>| {
            let builder = builder(&root, mode).disk(Arc::clone(disk));
            builder.staging(StagingPlace::Inside)
        };
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        commit(inside(&disk), &["A"]).unwrap();
        let old = published(&root);
        let refused = root.clone();
        let held = Tampered::before_remove(move |path| {
            match path.starts_with(&refused) && path.extension().is_some_and(|end| end == "parquet")
            {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => Ok(()),
            }
        });
        let named = inside(&held).write_id("monday");
        let receipt = commit(named, &["A"]).unwrap();
        let notes: Vec<&str> = receipt.notes().iter().map(Note::kind).collect();
        assert_eq!(notes, ["leftover"], "{mode:?}");
        assert_eq!(published(&root).len(), 2);
        for _ in 0..2 {
            assert_eq!(not_removed(&root, &held), old, "{mode:?}");
        }
        // Nobody is kept from writing, and the write is known.
        let again = inside(&held).write_id("monday");
        assert_eq!(
            commit(again, &["A"]).unwrap().transaction(),
            receipt.transaction()
        );
        let append = builder(&root, CommitMode::Append).staging(StagingPlace::Inside);
        commit(append.disk(held), &["A"]).unwrap();
        // With nothing in the way the next one removes it.
        assert_eq!(not_removed(&root, &disk), Vec::<PathBuf>::new());
        assert!(!old[0].exists());
        assert_eq!(published(&root).len(), 2);
    }
}

#[test]
fn what_is_left_of_a_dead_transaction_and_cannot_be_removed_is_told_each_time() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let held =
        Tampered::before_remove(
            |path| match path.extension().is_some_and(|end| end == "staged") {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => Ok(()),
            },
        );
    let mut writer = builder(&root, CommitMode::Append)
        .disk(Arc::clone(&held))
        .staging(StagingPlace::Inside)
        .build(stations(&["A"]).schema())
        .unwrap();
    writer.write(&stations(&["A"])).unwrap();
    writer.discard();
    for _ in 0..2 {
        for path in not_removed(&root, &held) {
            assert_eq!(path.extension().unwrap(), "dead");
        }
    }
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    assert_eq!(not_removed(&root, &disk), Vec::<PathBuf>::new());
    assert_eq!(published(&root), Vec::<PathBuf>::new());
}

#[test]
fn a_named_write_whose_area_is_removed_after_all_is_published_is_published() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let area = parent.join(".weather.atomic");
    let gone = area.clone();
    let disk = Tampered::before_publish(move |path| {
        let is_receipt = path.parent().is_some_and(|above| above.ends_with("writes"));
        match is_receipt {
            true => fs::remove_dir_all(&gone),
            false => Ok(()),
        }
    });
    let named = builder(&root, CommitMode::Append).write_id("monday");
    let receipt = commit(named.disk(disk), &["A"]).unwrap();
    let notes: Vec<&str> = receipt.notes().iter().map(Note::kind).collect();
    assert_eq!(notes, ["leftover"]);
    assert_eq!(published(&root).len(), 1);
    // Its rows are not written once more.
    let again = builder(&root, CommitMode::Append).write_id("monday");
    let error = commit(again, &["A"]).unwrap_err();
    assert!(matches!(error, Error::AlreadyCommitted { .. }), "{error:?}");
    commit(builder(&root, CommitMode::Append), &["A"]).unwrap();
}
