//! Colleagues whom a list names, who close what they leave, or who move what is of others into it.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use super::confine::{DEAD, decision, forge_within};
use super::{ALICE, BOB, GROUP, Ground, as_user};
use crate::support::skip;

/// A group that has nothing to do with the data set.
const OTHERS: u32 = 30_001;

#[test]
fn a_user_whom_a_list_names_is_not_taken_to_be_of_the_group() {
    let ground = match Ground::new(&["setfacl"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, GROUP, 0o2770);
    let list = format!("u:{ALICE}:rwx,d:u:{ALICE}:rwx");
    ground.set_list("w", &list);
    let inside = ["--staging", "inside", "--write-id", "one"];
    ground.write(&[], "B,1\n", "w", &inside).exits(0);
    // A partition that the list does not open.
    let mut command = Command::new("setfacl");
    assert!(
        command
            .arg("-b")
            .arg(ground.path("w/k=B"))
            .status()
            .unwrap()
            .success()
    );
    ground.set("w/k=B", 0, GROUP, 0o2770);
    assert!(!ground.can(ALICE, OTHERS, "touch w/k=B/x"));
    assert!(ground.can(ALICE, OTHERS, &format!("mkdir w/.atomic/{DEAD}")));
    let record = decision(&["k=B/part-evil.parquet"], None);
    let transaction = ground.path(&format!("w/.atomic/{DEAD}"));
    forge_within(&transaction, ALICE, GROUP, &record);
    ground
        .run(&[], b"", &["recover", "w", "--staging", "inside"])
        .exits(1)
        .says(&format!("user {ALICE}, to whom it belongs, may not change"));
    assert_eq!(ground.values("w"), [1]);
}

#[test]
fn what_a_colleague_closes_or_makes_of_another_kind_stops_nobody() {
    let makes = [
        ("a closed transaction", "mkdir -m 000 D"),
        ("a lease that is a directory", "mkdir -p D/lease"),
        ("a lease that is a pipe", "mkdir D; mkfifo D/lease"),
        ("a closed lease", "mkdir D; touch D/lease; chmod 0 D/lease"),
        (
            "a closed record",
            "mkdir D; touch D/lease D/decision.record; chmod 0 D/decision.record",
        ),
    ];
    for (what, make) in makes {
        for decided in [false, true] {
            let ground = match Ground::new(&["mkfifo"]) {
                Ok(ground) => ground,
                Err(reason) => return skip(reason),
            };
            ground.set(".", 0, GROUP, 0o2775);
            ground.set("w", 0, GROUP, 0o2775);
            ground
                .write(&as_user(ALICE), "A,1\n", "w", &["--write-id", "one"])
                .exits(0);
            let transaction = format!(".w.atomic/{DEAD}");
            let make = make.replace('D', &transaction);
            assert!(ground.can(BOB, GROUP, &make), "{what}");
            let record = ground.path(&transaction).join("decision.record");
            if decided && !record.exists() {
                fs::write(&record, decision(&[], None)).unwrap();
                chown(&record, Some(BOB), Some(GROUP)).unwrap();
            }
            for value in 2..4 {
                let line = format!("A,{value}\n");
                let ran = ground.write(&as_user(ALICE), &line, "w", &[]);
                assert_eq!(ran.code, Some(0), "{what} {decided}: {ran:?}");
            }
            ground.write(&[], "A,4\n", "w", &[]).exits(0);
            assert_eq!(ground.values("w"), [1, 2, 3, 4], "{what}");
            // What was set aside is told of; nothing else is left.
            let ran = ground.run(&[], b"", &["recover", "w"]);
            let told = ran.stderr.contains(".aside: was set aside");
            assert!(ran.code == Some(0) || told, "{what} {decided}: {ran:?}");
        }
    }
}

#[test]
fn what_is_moved_into_what_another_left_is_not_removed_for_who_could_not_do_so() {
    for command in ["recover", "write"] {
        let ground = match Ground::new(&[]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        for name in ["w", "project", "project/theirs"] {
            ground.set(name, 0, GROUP, 0o2775);
        }
        ground
            .write(&[], "A,1\n", "w", &["--write-id", "one"])
            .exits(0);
        ground.set("project/theirs/private", 0, 0, 0o700);
        fs::write(ground.path("project/theirs/private/file"), "precious").unwrap();
        assert!(!ground.can(ALICE, GROUP, "rm -r project/theirs/private"));
        // One that root has left.
        let transaction = format!(".w.atomic/{DEAD}");
        ground.set(&transaction, 0, GROUP, 0o2775);
        fs::write(ground.path(&transaction).join("lease"), "").unwrap();
        let script = format!("mv project/theirs {transaction}/new-00000");
        assert!(ground.can(ALICE, GROUP, &script));
        for _ in 0..2 {
            match command {
                "write" => drop(ground.write(&[], "B,2\n", "w", &[]).exits(0)),
                _ => {
                    let ran = ground.run(&[], b"", &["recover", "w"]).exits(1);
                    ran.says("private stays");
                }
            }
        }
        let left = ground.path(&format!(".w.atomic/{DEAD}.dead/new-00000/private/file"));
        assert_eq!(fs::read(left).unwrap(), b"precious", "{command}");
    }
}

#[test]
fn what_a_transaction_replaces_goes_also_where_the_transaction_is_more_open() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, GROUP, 0o2775);
    ground
        .write(&[], "A,1\nB,2\n", "w", &["--write-id", "one"])
        .exits(0);
    for partition in ["w/k=A", "w/k=B"] {
        ground.set(partition, 0, 0, 0o755);
    }
    for mode in ["overwrite", "overwrite-partitions"] {
        ground.write(&[], "A,3\n", "w", &["--mode", mode]).exits(0);
        assert_eq!(ground.values("w"), [3]);
        ground.set("w/k=A", 0, 0, 0o755);
    }
    ground.run(&[], b"", &["recover", "w"]).exits(0);
    let left = fs::read_dir(ground.path(".w.atomic")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["writes"]);
}
