//! What publishing needs is there before the decision, and what is gone was not published.

use std::fs;
use std::process::Command;

use super::{ALICE, BOB, GROUP, Ground, as_user, held_at_rename, where_mounted};
use crate::run::{Ran, wait_until};
use crate::support::skip;

const TOOLS: [&str; 3] = ["strace", "unshare", "mount"];

/// Two colleagues of one group, with the usual umask.
fn colleagues() -> Result<Ground, String> {
    let ground = Ground::new(&[])?;
    ground.set(".", 0, GROUP, 0o2775);
    ground.set("w", 0, GROUP, 0o2775);
    Ok(ground)
}

#[test]
fn colleagues_write_to_the_partitions_that_each_other_made() {
    let ground = match colleagues() {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.write(&as_user(ALICE), "B,1\n", "w", &[]).exits(0);
    ground
        .write(&as_user(BOB), "A,2\nB,3\nC,4\n", "w", &[])
        .exits(0);
    for (user, line) in [(BOB, "Z,5\n"), (ALICE, "Z,6\n")] {
        ground.write(&as_user(user), line, "w", &[]).exits(0);
        ground.run(&as_user(user), b"", &["recover", "w"]).exits(0);
    }
    assert_eq!(ground.values("w"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn colleagues_overwrite_the_partitions_that_each_other_made() {
    let ground = match colleagues() {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let overwrite = ["--mode", "overwrite-partitions"];
    ground
        .write(&as_user(ALICE), "A,1\nB,2\nC,3\n", "w", &[])
        .exits(0);
    ground
        .write(&as_user(BOB), "A,4\nB,5\n", "w", &overwrite)
        .exits(0);
    ground
        .write(&as_user(ALICE), "A,6\n", "w", &overwrite)
        .exits(0);
    assert_eq!(ground.values("w"), [3, 5, 6]);
}

/// A write that cannot publish in `k=B` publishes nothing, and stops no other write.
#[track_caller]
fn refuses_and_stops_nobody(ground: &Ground, how: &[String]) {
    let ran = ground.write(how, "A,1\nB,2\nC,3\n", "w", &[]);
    assert!(matches!(ran.code, Some(1 | 5)), "{ran:?}");
    ran.says("k=B");
    assert!(ground.values("w").is_empty());
    ground.write(how, "Z,4\n", "w", &[]).exits(0);
    ground.run(how, b"", &["recover", "w"]).exits(0);
    assert_eq!(ground.values("w"), [4]);
}

#[test]
fn a_file_where_a_partition_must_go_is_seen_before_the_decision() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o755);
    fs::write(ground.path("w/k=B"), "x").unwrap();
    refuses_and_stops_nobody(&ground, &[]);
}

#[test]
fn a_mount_where_a_partition_is_is_seen_before_the_decision() {
    let ground = match Ground::new(&TOOLS) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o755);
    ground.set("w/k=B", 0, 0, 0o755);
    refuses_and_stops_nobody(&ground, &where_mounted("-t tmpfs none w/k=B"));
}

#[test]
fn a_partition_that_may_not_be_changed_is_seen_before_the_decision() {
    let ground = match Ground::new(&["chattr"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o755);
    ground.set("w/k=B", 0, 0, 0o755);
    let mark = |mark: &str| {
        let done = Command::new("chattr")
            .arg(mark)
            .arg(ground.path("w/k=B"))
            .output()
            .unwrap();
        done.status.success()
    };
    if !mark("+i") {
        return skip("the file system has no immutable directories");
    }
    let done = std::panic::catch_unwind(|| refuses_and_stops_nobody(&ground, &[]));
    mark("-i");
    assert!(done.is_ok());
}

#[test]
fn where_the_staging_area_is_deleted_after_the_decision_no_loss_is_called_success() {
    let mut lost = 0;
    for mode in ["append", "overwrite-partitions", "overwrite"] {
        for when in 2..5 {
            let ground = match Ground::new(&["strace"]) {
                Ok(ground) => ground,
                Err(reason) => return skip(reason),
            };
            ground.write(&[], "A,0\n", "w", &[]).exits(0);
            let how = held_at_rename(when);
            let mut writer = ground.start(&how, "A,1\nB,2\nC,3\n", "w", &["--mode", mode]);
            wait_until("it is decided, or done", || {
                !ground.decisions().is_empty() || writer.try_wait().unwrap().is_some()
            });
            let _ = fs::remove_dir_all(ground.path(".w.atomic"));
            let ran = Ran::from(writer.wait_with_output().unwrap());
            let values = ground.values("w");
            let new = values.iter().filter(|value| **value > 0).count();
            let place = format!("{when} {mode}: {ran:?}");
            if ran.code == Some(0) {
                assert_eq!(new, 3, "{place}");
                continue;
            }
            // Old rows go only where the new ones have come.
            let old = values.contains(&0);
            assert!(old || values.contains(&1), "{place}");
            let expected = if new > 0 { 4 } else { 1 };
            assert_eq!(ran.code, Some(expected), "{place}");
            if ran.stderr.contains("removed or replaced before") {
                ran.says("nothing of it is left to recover");
                lost += 1;
            }
            ground.write(&[], "Z,9\n", "w", &[]).exits(0);
        }
    }
    assert!(lost > 3, "{lost}");
}

#[test]
fn a_commit_whose_files_are_gone_is_given_up_by_the_command_if_that_is_asked_for() {
    let died = Ground::die_decided(&["strace"], |_| {}, &[], "A,1\nB,2\n", "w", &[]);
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let transaction = ground.decisions()[0].parent().unwrap().to_owned();
    fs::remove_file(transaction.join("00000.staged")).unwrap();
    let gone = "1 of the 2 files of a commit were removed or replaced before they were published";
    ground.run(&[], b"", &["recover", "w"]).exits(4).says(gone);
    ground.write(&[], "Z,3\n", "w", &[]).exits(0);
    let blocked = ground.write(&[], "A,4\nB,5\n", "w", &[]);
    blocked.exits(1).says("`recover` finishes it").says(gone);
    let ran = ground.run(&[], b"", &["recover", "w", "--abort"]).exits(0);
    ran.says("warning: ").prints("gave up the rest of ");
    ground.run(&[], b"", &["recover", "w"]).exits(0);
    ground.write(&[], "A,4\nB,5\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [3, 4, 5]);
}

#[test]
fn a_staging_area_that_is_a_mount_is_seen_before_the_decision() {
    let ground = match Ground::new(&TOOLS) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o755);
    ground.set(".w.atomic", 0, 0, 0o755);
    let how = where_mounted("-t tmpfs none .w.atomic");
    let ran = ground.write(&how, "A,1\nB,2\n", "w", &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.says("another file system");
    assert!(ground.values("w").is_empty());
    ground.write(&[], "Z,3\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [3]);
}

#[test]
fn a_colleague_who_is_killed_at_any_moment_keeps_nobody_from_writing_or_recovering() {
    for call in ["mkdirat", "fchmod", "linkat", "flock"] {
        for when in 1..=6 {
            let ground = match colleagues() {
                Ok(ground) => ground,
                Err(reason) => return skip(reason),
            };
            let kill = format!("inject={call}:signal=KILL:when={when}");
            let trace = format!("trace={call}");
            let how = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &trace,
                "-e",
                &kill,
            ];
            let how: Vec<String> = how.map(str::to_owned).into();
            let how: Vec<String> = how.into_iter().chain(as_user(ALICE)).collect();
            let ran = ground.write(&how, "A,1\n", "w", &[]);
            ground.write(&as_user(BOB), "A,2\n", "w", &[]).exits(0);
            ground.run(&as_user(BOB), b"", &["recover", "w"]).exits(0);
            let values = ground.values("w");
            assert!(values.contains(&2), "{call} {when}: {values:?}");
            if ran.code == Some(0) {
                assert_eq!(values, [1, 2], "{call} {when}");
                break;
            }
        }
    }
}

#[test]
fn a_quota_project_of_the_data_set_or_of_a_partition_is_seen_before_the_decision() {
    let ground = match Ground::new(&["mkfs.xfs", "xfs_io", "mount", "umount"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("disk", 0, 0, 0o755);
    let sh = |script: &str| {
        let mut sh = Command::new("sh");
        let ran = sh.args(["-ec", script]).current_dir(ground.path("."));
        ran.output().unwrap().status.success()
    };
    if !sh("truncate -s 320M image && mkfs.xfs -q image && mount -o loop image disk") {
        return skip("XFS cannot be mounted");
    }
    let done = std::panic::catch_unwind(|| {
        let project = |name: &str, id: u32| {
            ground.set(name, 0, 0, 0o755);
            let script = format!("xfs_io -c 'chproj {id}' {name} && xfs_io -c 'chattr +P' {name}");
            assert!(sh(&script), "{script}");
        };
        // Of the whole data set: it is staged inside.
        project("disk/w", 7);
        ground.write(&[], "A,1\nB,2\n", "disk/w", &[]).exits(0);
        let overwrite = ["--mode", "overwrite-partitions"];
        ground.write(&[], "A,3\n", "disk/w", &overwrite).exits(0);
        assert_eq!(ground.values("disk/w"), [2, 3]);
        assert!(!ground.path("disk/.w.atomic").exists());
        // Of one partition: nothing can be moved there.
        project("disk/w/k=C", 8);
        let ran = ground.write(&[], "B,4\nC,5\n", "disk/w", &[]);
        ran.exits(1).says("k=C").says("another quota project");
        ground.write(&[], "B,6\n", "disk/w", &[]).exits(0);
        assert_eq!(ground.values("disk/w"), [2, 3, 6]);
    });
    sh("umount -l disk");
    assert!(done.is_ok());
}

#[test]
fn too_few_inodes_are_seen_before_the_decision() {
    let ground = match Ground::new(&TOOLS) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("disk", 0, 0, 0o755);
    // Enough for what is staged, and not for the directories of 40 partitions.
    let script = "mount -t tmpfs -o nr_inodes=75 none disk && { \"$@\"; code=$?; find disk -name '*.parquet'; exit $code; }";
    let how: Vec<String> = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
        .into_iter()
        .chain([script, "sh"])
        .map(str::to_owned)
        .collect();
    let lines: String = (0..40).map(|number| format!("K{number},1\n")).collect();
    let ran = ground.write(&how, &lines, "disk/w", &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.stdout, "", "nothing is published");
    ran.says("files and directories are to be made");
}

#[test]
fn too_few_open_files_are_seen_before_the_decision() {
    let ground = match Ground::new(&["prlimit"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let lines: String = (0..60).map(|number| format!("K{number},1\n")).collect();
    let (mut refused, mut done) = (0, 0);
    for limit in 8..40 {
        let how = ["prlimit".to_owned(), format!("--nofile={limit}")];
        let root = format!("w{limit}");
        let ran = ground.write(&how, &lines, &root, &[]);
        match ran.code {
            Some(0) => done += 1,
            _ => {
                refused += 1;
                assert_eq!(ran.code, Some(1), "{limit}: {ran:?}");
                assert!(ground.values(&root).is_empty(), "{limit}: {ran:?}");
                if limit > 16 {
                    assert!(ran.stderr.contains("`ulimit -n`"), "{limit}: {ran:?}");
                }
            }
        }
    }
    assert!(refused > 4 && done > 4, "{refused} {done}");
}
