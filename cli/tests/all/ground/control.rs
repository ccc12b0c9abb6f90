//! Who made the control directory of a data set, and may not write there any more, keeps nobody from writing.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;

use super::confine::Attacker;
use super::{ALICE, BOB, GROUP, Ground, as_user};
use crate::run::wait_until;
use crate::support::skip;

/// A data set whose control directory a colleague made who may not write in it any more.
fn tightened(owner: u32) -> Result<Ground, String> {
    let ground = Ground::new(&["flock", "mkfifo"])?;
    ground.set("w", owner, 0, 0o777);
    let named = ["--write-id", "of alice"];
    ground.write(&as_user(ALICE), "A,1\n", "w", &named).exits(0);
    // The staging area beside the data set is the owner's; who writes there does not matter here.
    let how = as_user(owner);
    let how: &[String] = if owner == 0 { &[] } else { &how };
    ground
        .write(how, "B,2\n", "w", &["--write-id", "of the owner"])
        .exits(0);
    ground.set("w", owner, 0, 0o755);
    assert_eq!(fs::metadata(ground.path("w/.atomic")).unwrap().uid(), ALICE);
    Ok(ground)
}

/// The control directories that were replaced.
fn replaced(ground: &Ground) -> Vec<PathBuf> {
    let entries = fs::read_dir(ground.path("w")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| path.to_string_lossy().contains("/.control");
    paths.filter(is_it).collect()
}

#[test]
fn who_made_the_control_directory_cannot_keep_writers_out_later() {
    let ground = match tightened(0) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    // What he puts in its place, whatever it is, is not the lock, and he cannot take the one that is.
    let script = "cd w; while :; do for d in .atomic .control*; do
        rm -f $d/lock; mkfifo $d/lock; rm -f $d/lock; ln -s / $d/lock; rm -f $d/lock;
        touch $d/lock; flock -n -x $d/lock true; chmod 0 $d/lock; touch $d/pending-01a22718-9e0d-7655-8f69-8f5e5d0b3dff@0@; done; touch ../free/tried;
        done 2>/dev/null";
    ground.set("free", ALICE, ALICE, 0o755);
    let attacker = Attacker::start(&ground, ALICE, script);
    wait_until("the attacker has tried", || {
        ground.path("free/tried").exists()
    });
    for value in 3..6 {
        ground
            .write(&[], &format!("C,{value}\n"), "w", &[])
            .exits(0);
        ground.run(&[], b"x", &["put", "-", "w/k=C/x"]);
        assert_eq!(fs::metadata(ground.path("w/.atomic")).unwrap().uid(), 0);
        assert_eq!(
            fs::metadata(ground.path("w/.atomic/lock")).unwrap().uid(),
            0
        );
    }
    drop(attacker);
    // The memory of the owner's write was moved along; that of the other is not his to keep.
    ground
        .write(&[], "B,9\n", "w", &["--write-id", "of the owner"])
        .exits(0);
    assert_eq!(ground.values("w"), [1, 2, 3, 4, 5]);
    let left = replaced(&ground);
    assert!(!left.is_empty());
    for command in [["recover", "w"], ["recover", "w"]] {
        ground
            .run(&[], b"", &command)
            .exits(1)
            .says("/.control-")
            .says("was set aside");
    }
    ground.run(&[], b"", &["inspect", "w"]).prints("/.control-");
    for directory in left {
        fs::remove_dir_all(directory).unwrap();
    }
    ground.run(&[], b"", &["recover", "w"]).exits(0);
}

#[test]
fn who_holds_the_lock_of_a_control_directory_of_his_is_told_of() {
    let ground = match tightened(0) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let script = "flock -x w/.atomic/lock sleep 300";
    let attacker = Attacker::start(&ground, ALICE, script);
    let lock = ground.path("w/.atomic/lock");
    wait_until("he holds it", || {
        let file = File::open(&lock).unwrap();
        file.try_lock().is_err()
    });
    for _ in 0..2 {
        ground
            .write(&[], "C,3\n", "w", &[])
            .exits(1)
            .says("users who may not write in the data set can change it")
            .says("while a process holds the lock in it");
        ground.run(&[], b"", &["recover", "w"]).exits(1);
    }
    drop(attacker);
    ground.write(&[], "C,3\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [1, 2, 3]);
}

#[test]
fn a_control_directory_that_cannot_be_replaced_is_told_of() {
    let ground = match tightened(BOB) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let control = ground.path("w/.atomic");
    fs::set_permissions(&control, Permissions::from_mode(0o700)).unwrap();
    ground
        .write(&as_user(BOB), "C,3\n", "w", &[])
        .exits(1)
        .says("users who may not write in the data set can change it")
        .says("chown -R");
    ground.run(&as_user(BOB), b"", &["recover", "w"]).exits(1);
    // What the message says helps.
    for name in ["", "/lock", "/writes"] {
        chown(ground.path(&format!("w/.atomic{name}")), Some(BOB), None).unwrap();
    }
    ground.write(&as_user(BOB), "C,3\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [1, 2, 3]);
}

#[test]
fn the_owner_replaces_a_control_directory_with_what_he_may_move() {
    let ground = match tightened(BOB) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.write(&as_user(BOB), "C,3\n", "w", &[]).exits(0);
    assert_eq!(fs::metadata(ground.path("w/.atomic")).unwrap().uid(), BOB);
    ground
        .write(&as_user(BOB), "B,9\n", "w", &["--write-id", "of the owner"])
        .exits(0);
    assert_eq!(ground.values("w"), [1, 2, 3]);
}

#[test]
fn what_is_unfinished_keeps_others_out_also_when_the_control_directory_is_replaced() {
    let scene = |ground: &Ground| {
        ground.set("w", 0, 0, 0o777);
        ground.set("other", 0, 0, 0o700);
        ground.write(&as_user(ALICE), "A,1\n", "w", &[]).exits(0);
    };
    let mode = ["--staging", "other"];
    let died = Ground::die_decided(&["strace"], scene, &[], "A,2\n", "w", &mode);
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, GROUP, 0o775);
    fs::rename(ground.path("other"), ground.path("elsewhere")).unwrap();
    for user in [as_user(BOB), Vec::new()] {
        ground
            .write(&user, "B,3\n", "w", &[])
            .exits(1)
            .says("is not reached from here");
    }
    assert_ne!(fs::metadata(ground.path("w/.atomic")).unwrap().uid(), ALICE);
    fs::rename(ground.path("elsewhere"), ground.path("other")).unwrap();
    ground.write(&[], "B,3\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [1, 2, 3]);
}
