//! What somebody moves to where others remove or share something: it stays as it is.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use super::confine::{DEAD, decision, forge};
use super::{ALICE, BOB, GROUP, Ground, as_user, where_mounted};
use crate::support::skip;

#[test]
fn what_a_colleague_moves_into_a_dead_transaction_is_not_removed_for_him() {
    // The name of the transaction, whose it is, and what he calls the directory in it.
    for (name, user, inner) in [
        (DEAD.to_owned(), ALICE, "V"),
        (DEAD.to_owned(), ALICE, "new-00000"),
        (DEAD.to_owned(), ALICE, ".atomic"),
        (format!("{DEAD}.dead"), ALICE, "new-00000"),
        // He has moved it into one of somebody else who died.
        (DEAD.to_owned(), 0, "V"),
        (format!("{DEAD}.dead"), 0, "V"),
    ] {
        let ground = match Ground::new(&[]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.set("w", 0, GROUP, 0o2775);
        let named = ["--write-id", "one"];
        ground.write(&[], "A,1\n", "w", &named).exits(0);
        let place = format!(".w.atomic/{name}");
        ground.set(&place, user, GROUP, 0o2775);
        fs::write(ground.path(&format!("{place}/lease")), "").unwrap();
        let moved = format!("{place}/{inner}");
        ground.set(&moved, 0, GROUP, 0o2775);
        ground.set(&format!("{moved}/private"), 0, 0, 0o700);
        let precious = |ground: &Ground| {
            let aside = [place.clone(), format!(".w.atomic/{DEAD}.dead")];
            let file = |place: &String| ground.path(&format!("{place}/{inner}/private/f"));
            aside.iter().any(|place| file(place).exists())
        };
        fs::write(ground.path(&format!("{moved}/private/f")), "precious").unwrap();
        ground.write(&[], "B,2\n", "w", &[]).exits(0);
        ground
            .run(&[], b"", &["recover", "w"])
            .exits(1)
            .says("a leftover cannot be removed");
        ground.write(&as_user(BOB), "C,3\n", "w", &[]).exits(0);
        assert!(precious(&ground), "{name} of {user}, {inner}");
        assert_eq!(ground.values("w"), [1, 2, 3]);
    }
}

#[test]
fn a_lease_that_is_a_directory_stops_nobody() {
    for kind in ["directory", "link", "pipe"] {
        for decided in [false, true] {
            let ground = match Ground::new(&["mkfifo", "ln"]) {
                Ok(ground) => ground,
                Err(reason) => return skip(reason),
            };
            ground.set("w", 0, GROUP, 0o2775);
            let named = ["--write-id", "one"];
            ground.write(&[], "A,1\n", "w", &named).exits(0);
            let record = decision(&[], None);
            forge(&ground, ".w.atomic", ALICE, GROUP, &record);
            let place = format!(".w.atomic/{}", DEAD);
            let lease = ground.path(&format!("{place}/lease"));
            fs::remove_file(&lease).unwrap();
            match kind {
                "directory" => fs::create_dir(&lease).unwrap(),
                "link" => std::os::unix::fs::symlink("/etc/passwd", &lease).unwrap(),
                _ => {
                    let made = std::process::Command::new("mkfifo").arg(&lease).status();
                    assert!(made.unwrap().success());
                }
            }
            std::os::unix::fs::lchown(&lease, Some(ALICE), Some(GROUP)).unwrap();
            if !decided {
                fs::remove_file(ground.path(&format!("{place}/decision.record"))).unwrap();
            }
            for user in [BOB, 0] {
                ground.write(&as_user(user), "B,2\n", "w", &[]).exits(0);
            }
            ground.run(&[], b"", &["recover", "w"]).exits(0);
            assert!(!ground.path(&place).exists(), "{kind} {decided}");
            assert_eq!(ground.values("w"), [1, 2, 2], "{kind} {decided}");
        }
    }
}

#[test]
fn a_private_directory_that_is_moved_to_where_the_area_stands_stays_private() {
    for name in [".w.atomic", "w/.atomic"] {
        let ground = match Ground::new(&[]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.set(".", ALICE, ALICE, 0o755);
        ground.set("w", ALICE, ALICE, 0o777);
        ground.set(name, 0, 0, 0o700);
        fs::write(ground.path(&format!("{name}/secret")), "x").unwrap();
        // Whether it can be used is another matter.
        ground.write(&[], "A,1\n", "w", &[]);
        let found = fs::metadata(ground.path(name)).unwrap();
        let seen = (found.mode() & 0o7777, found.uid(), found.gid());
        assert_eq!(seen, (0o700, 0, 0), "{name}");
    }
}

#[test]
fn what_root_makes_in_the_data_set_of_another_is_for_its_owner() {
    for staging in ["auto", "inside"] {
        let ground = match Ground::new(&[]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.set(".", ALICE, GROUP, 0o755);
        ground.set("w", ALICE, GROUP, 0o755);
        let more = ["--staging", staging, "--write-id", "one"];
        let more = if staging == "auto" {
            &more[2..]
        } else {
            &more[..]
        };
        ground.write(&[], "A,1\n", "w", more).exits(0);
        for name in ["w/.atomic", "w/.atomic/lock"] {
            let found = fs::metadata(ground.path(name)).unwrap();
            assert_eq!((found.uid(), found.gid()), (ALICE, GROUP), "{name}");
        }
        let more = &more[..more.len() - 2];
        ground.write(&as_user(ALICE), "B,2\n", "w", more).exits(0);
        ground.run(&as_user(ALICE), b"", &["recover", "w"]).exits(0);
        assert_eq!(ground.values("w"), [1, 2]);
    }
}

#[test]
fn a_record_removes_nothing_in_a_mount_below_the_data_set() {
    let ground = match Ground::new(&["unshare", "mount"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", ALICE, ALICE, 0o755);
    ground.set("w/mnt", ALICE, ALICE, 0o755);
    ground.set("other", 0, 0, 0o755);
    let precious = ground.path("other/file");
    fs::write(&precious, "precious").unwrap();
    let identity = super::confine::identity(&precious);
    let removed = serde_json::json!([{"path": "mnt/file", "identity": identity}]);
    let mut record: serde_json::Value = serde_json::from_str(&decision(&[], None)).unwrap();
    record["removed"] = removed;
    forge(&ground, ".w.atomic", ALICE, ALICE, &record.to_string());
    chown(ground.path(".w.atomic"), Some(ALICE), Some(ALICE)).unwrap();
    let how = where_mounted("--bind other w/mnt");
    ground.write(&how, "A,1\n", "w", &[]).exits(0);
    ground
        .run(&how, b"", &["recover", "w"])
        .says("in a mount below the data set");
    assert!(precious.exists());
    assert_eq!(ground.values("w"), [1]);
}
