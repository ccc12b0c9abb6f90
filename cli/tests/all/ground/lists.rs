//! Access control lists, and groups that a directory passes on: what they give to whom.

use std::fs;

use super::{ALICE, GROUP, Ground, as_user};
use crate::support::skip;

const READER: u32 = 20_005;
const OTHER_GROUP: u32 = 30_001;

#[test]
fn who_may_only_read_by_a_list_or_beside_one_gets_no_more_by_what_is_made() {
    for entries in [
        "u:20001:rwx",
        "u:20001:rwx,d:u:20001:rwx,u:20005:r-x,d:u:20005:r-x",
    ] {
        let ground = match Ground::new(&["setfacl", "flock"]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.set("w", 0, GROUP, 0o750);
        ground.set_list("w", entries);
        let named = ["--write-id", "one"];
        ground.write(&[], "A,1\n", "w", &named).exits(0);
        ground.write(&as_user(ALICE), "A,2\n", "w", &[]).exits(0);
        for reader in [READER, READER + 1] {
            for directory in ["w", ".w.atomic", "w/.atomic", "w/k=A"] {
                let touched = format!("{directory}/theirs");
                let may = ground.can(reader, GROUP, &format!("touch {touched}"));
                assert!(!may, "{entries}: {reader} {directory}");
            }
            let may = ground.can(reader, GROUP, "cat w/.atomic/lock");
            assert!(!may, "{entries}: {reader} can lock");
        }
        ground.write(&[], "A,3\n", "w", &[]).exits(0);
        assert_eq!(ground.values("w"), [1, 2, 3]);
    }
}

#[test]
fn whom_a_list_keeps_out_reads_no_receipt() {
    let ground = match Ground::new(&["setfacl"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o755);
    ground.set_list("w", "u:20005:---");
    ground
        .write(&[], "A,1\n", "w", &["--write-id", "one"])
        .exits(0);
    assert!(!ground.can(READER, READER, "ls w"));
    for record in fs::read_dir(ground.path(".w.atomic/writes")).unwrap() {
        let name = record.unwrap().file_name();
        let name = format!(".w.atomic/writes/{}", name.to_str().unwrap());
        assert!(!ground.can(READER, READER, &format!("cat '{name}'")));
    }
}

#[test]
fn a_group_that_a_directory_passes_on_does_not_make_its_maker_a_member() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, GROUP, 0o2775);
    ground.set("inbox", 0, OTHER_GROUP, 0o2777);
    ground
        .write(&[], "A,1\nB,2\n", "w", &["--write-id", "one"])
        .exits(0);
    ground.set("w/k=B", 0, OTHER_GROUP, 0o2775);
    let record = super::confine::decision(&["k=B/part-evil.parquet"], None);
    super::confine::forge(&ground, ".w.atomic", ALICE, OTHER_GROUP, &record);
    ground
        .run(&[], b"", &["recover", "w"])
        .exits(1)
        .says(&format!("user {ALICE}, to whom it belongs, may not change"));
    assert_eq!(ground.values("w"), [1, 2]);
    assert_eq!(ground.files("w").len(), 2);
}

#[test]
fn an_area_that_a_stranger_makes_in_a_directory_for_everybody_is_not_of_its_group() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("all", 0, GROUP, 0o3777);
    ground.set("all/w", 0, GROUP, 0o2775);
    let inside = ["--staging", "inside"];
    ground.write(&[], "A,1\n", "all/w", &inside).exits(0);
    ground.set("all/.w.atomic", ALICE, GROUP, 0o2775);
    let record = super::confine::decision(&["k=A/part-evil.parquet"], None);
    super::confine::forge(&ground, "all/.w.atomic", ALICE, GROUP, &record);
    ground.write(&[], "B,2\n", "all/w", &[]).exits(0);
    ground.run(&[], b"", &["recover", "all/w"]);
    assert_eq!(ground.files("all/w").len(), 2);
    assert_eq!(ground.values("all/w"), [1, 2]);
}
