//! What a file that somebody else put into the control directory gets others to do.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::time::UNIX_EPOCH;

use twox_hash::XxHash3_128;

use super::{ALICE, GROUP, Ground, as_user};
use crate::support::skip;

const NAMED: &str = "01a22718-9e0d-7655-8f69-8f5e5d0b3de4";
const OTHER: &str = "01a22718-9e0d-7655-8f69-8f5e5d0b3dff";

/// What tells an area that somebody named, as docs/format.md has it.
fn anchor(area: &Path) -> String {
    let found = fs::metadata(area).unwrap();
    let born = found.created().ok();
    let born = born.map(|born| born.duration_since(UNIX_EPOCH).unwrap().as_nanos());
    let mut bytes = found.ino().to_le_bytes().to_vec();
    bytes.extend(born.unwrap_or(0).to_le_bytes());
    format!("{:032x}", XxHash3_128::oneshot(&bytes))
}

/// The name of a marker.
fn name(area: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let bytes = area.as_os_str().as_encoded_bytes().iter();
    let text = bytes.map(|&byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    let text: String = text.collect();
    format!("pending-{NAMED}@{}@{text}", anchor(area))
}

/// Leaves a marker of this user that names an area.
fn mark(ground: &Ground, user: u32, area: &str) {
    let marker = format!("w/.atomic/{}", name(&ground.path(area)));
    File::create(ground.path(&marker)).unwrap();
    chown(ground.path(&marker), Some(user), Some(user)).unwrap();
}

/// All that is below a directory.
fn tree(ground: &Ground, directory: &str) -> Vec<String> {
    let mut find = std::process::Command::new("find");
    let found = find.arg(ground.path(directory)).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut found: Vec<String> = found.lines().map(str::to_owned).collect();
    found.sort();
    found
}

#[test]
fn a_marker_leads_nobody_to_what_is_not_of_its_transaction() {
    // Whose marker, whether a tree is in the directory that it names, and the permissions of that above.
    for (user, is_tree, mode) in [
        (ALICE, false, 0o700),
        (ALICE, true, 0o700),
        // Named by a file of this user that was renamed.
        (0, true, 0o700),
        // He can make names there, and not remove those of others.
        (ALICE, false, 0o1777),
        (ALICE, false, 0o777),
    ] {
        let ground = match Ground::new(&["find"]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.set("w", 0, 0, 0o777);
        ground.write(&[], "A,1\n", "w", &[]).exits(0);
        ground.set("other", 0, 0, mode);
        for id in [NAMED, OTHER] {
            let inside = ground.path(&format!("other/{id}"));
            fs::create_dir(&inside).unwrap();
            fs::write(inside.join("lease"), "").unwrap();
            fs::write(inside.join("00000.staged"), "x").unwrap();
            if is_tree {
                fs::create_dir_all(inside.join("new/deep")).unwrap();
                fs::write(inside.join("new/deep/precious"), "x").unwrap();
            }
        }
        fs::write(ground.path(&format!("other/{OTHER}.staged")), "x").unwrap();
        fs::create_dir(ground.path(&format!("other/{OTHER}.dead"))).unwrap();
        let before = tree(&ground, "other");
        mark(&ground, user, "other");
        for mode in ["append", "overwrite"] {
            ground
                .write(&[], "A,2\n", "w", &["--mode", mode])
                .exits(1)
                .says("is not reached from here");
        }
        ground
            .run(&[], b"", &["recover", "w"])
            .exits(1)
            .says("is not reached from here");
        assert_eq!(tree(&ground, "other"), before, "{user} {is_tree} {mode:o}");
        assert_eq!(ground.values("w"), [1]);
    }
}

#[test]
fn a_marker_leads_only_to_its_own_transaction_where_its_owner_may_change_all() {
    let ground = match Ground::new(&["find"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    ground.write(&[], "A,1\n", "w", &[]).exits(0);
    ground.set("other", ALICE, ALICE, 0o755);
    for id in [NAMED, OTHER] {
        ground.set(&format!("other/{id}"), ALICE, ALICE, 0o755);
        fs::write(ground.path(&format!("other/{id}/lease")), "").unwrap();
    }
    fs::write(ground.path(&format!("other/{OTHER}.staged")), "x").unwrap();
    mark(&ground, ALICE, "other");
    ground.write(&[], "A,2\n", "w", &[]).exits(0);
    assert!(!ground.path(&format!("other/{NAMED}")).exists());
    assert!(ground.path(&format!("other/{OTHER}/lease")).exists());
    assert!(ground.path(&format!("other/{OTHER}.staged")).exists());
    assert_eq!(ground.values("w"), [1, 2]);
}

#[test]
fn what_a_colleague_decided_in_a_directory_of_his_is_finished_by_others() {
    let scene = |ground: &Ground| {
        ground.set("w", 0, GROUP, 0o2777);
        ground.set("other", ALICE, GROUP, 0o755);
    };
    let mode = ["--staging", "other"];
    let died = Ground::die_decided(&["strace"], scene, &as_user(ALICE), "A,1\n", "w", &mode);
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.write(&[], "B,2\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [1, 2]);
    assert!(ground.path("other").exists());
    assert_eq!(fs::read_dir(ground.path("other")).unwrap().count(), 0);
}

#[test]
fn a_marker_that_is_out_of_reach_is_removed_by_recover_if_that_is_asked_for() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    ground.write(&[], "A,1\n", "w", &[]).exits(0);
    ground.set("other", 0, 0, 0o700);
    mark(&ground, ALICE, "other");
    for root in ["other", "w"] {
        let marker = format!("w/.atomic/pending-{OTHER}@0@%2Fnowhere%2F{root}");
        File::create(ground.path(&marker)).unwrap();
        chown(ground.path(&marker), Some(ALICE), Some(ALICE)).unwrap();
    }
    ground
        .write(&[], "A,2\n", "w", &[])
        .exits(1)
        .says("w/.atomic/pending-")
        .says("by `recover --abort`");
    ground.run(&[], b"", &["recover", "w"]).exits(1);
    ground
        .run(&[], b"", &["recover", "w", "--abort"])
        .exits(0)
        .prints("removed the marker ")
        .says("warning: ");
    ground.write(&[], "A,3\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [1, 3]);
    assert!(ground.path("other").exists());
}

#[test]
fn a_marker_of_somebody_who_may_not_write_says_nothing_and_is_told_of() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    ground.write(&[], "A,1\n", "w", &[]).exits(0);
    ground.set("other", 0, 0, 0o700);
    mark(&ground, ALICE, "other");
    ground.set("w", 0, 0, 0o755);
    ground.write(&[], "A,2\n", "w", &[]).exits(0);
    let says = format!("user {ALICE}, to whom it belongs, may not change");
    ground.run(&[], b"", &["recover", "w"]).exits(1).says(&says);
    ground.run(&[], b"", &["inspect", "w"]).prints(&says);
    assert_eq!(ground.values("w"), [1, 2]);
}

#[test]
fn what_a_colleague_forges_in_the_control_directory_lets_no_write_be_taken_for_done() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    ground
        .write(&[], "A,1\n", "w", &["--write-id", "sunday"])
        .exits(0);
    let key = XxHash3_128::oneshot(b"\0\0monday");
    for name in [format!("writes/{key:032x}@%2Fnowhere"), "mounted".into()] {
        let path = ground.path("w/.atomic").join(name);
        File::create(&path).unwrap();
        chown(&path, Some(ALICE), Some(ALICE)).unwrap();
    }
    ground
        .write(&[], "A,2\n", "w", &["--write-id", "monday"])
        .exits(5)
        .says("is committed already");
    let tuesday = ["--write-id", "tuesday", "--mode", "overwrite"];
    ground.write(&[], "A,3\n", "w", &tuesday).exits(0);
    assert_eq!(ground.values("w"), [3]);
}
