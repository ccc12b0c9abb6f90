//! One data set seen through two paths, or by users who cannot use the same area.

use std::process::Command;
use std::time::Duration;

use super::{ALICE, BOB, GROUP, Ground, as_user, held_at_rename, where_mounted};
use crate::support::skip;

const OVERWRITE: [&str; 2] = ["--mode", "overwrite-partitions"];
const TOOLS: [&str; 3] = ["strace", "unshare", "mount"];

fn container() -> Vec<String> {
    where_mounted("--bind w container")
}

/// A data set with one row of A, and a place where a container sees it.
fn scene(ground: &Ground) {
    ground.set("container", 0, 0, 0o755);
    ground.write(&[], "A,1\n", "w", &[]).exits(0);
}

#[test]
fn a_write_id_is_known_through_every_path() {
    let ground = match Ground::new(&TOOLS) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("container", 0, 0, 0o755);
    let named = ["--write-id", "monday"];
    ground.write(&[], "A,1\n", "w", &named).exits(0);
    ground.write(&container(), "A,1\n", "container", &named);
    assert_eq!(ground.values("w"), [1]);
}

#[test]
fn what_is_acknowledged_through_one_path_outlives_what_died_on_another() {
    let died = Ground::die_decided(&TOOLS, scene, &[], "A,2\n", "w", &OVERWRITE);
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let ran = ground.write(&container(), "A,77\n", "container", &[]);
    ground.run(&[], b"", &["recover", "w"]).exits(0);
    assert_eq!(
        ground.values("w").contains(&77),
        ran.code == Some(0),
        "{ran:?}"
    );
}

#[test]
fn an_overwrite_takes_no_row_that_was_acknowledged_through_another_path_meanwhile() {
    for when in 1..5 {
        let ground = match Ground::new(&TOOLS) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        scene(&ground);
        let host = ground.start(&held_at_rename(when), "A,2\n", "w", &OVERWRITE);
        std::thread::sleep(Duration::from_millis(1_200));
        let ran = ground.write(&container(), "A,77\n", "container", &[]);
        let host = host.wait_with_output().unwrap();
        assert!(host.status.success(), "{host:?}");
        // Before or after the overwrite: then it is one of the files that it says it removed.
        let values = ground.values("w");
        let before = values == [2] && when == 1;
        assert!(
            before || values.contains(&77) == (ran.code == Some(0)),
            "{when}: {values:?}"
        );
    }
}

#[test]
fn who_has_access_by_a_list_knows_the_same_writes_and_loses_none() {
    let tools = ["setfacl", "strace"];
    let shared = |ground: &Ground| {
        ground.set("w", ALICE, ALICE, 0o750);
        ground.set_list("w", "u:20002:rwx,d:u:20002:rwx,d:u:20001:rwx");
    };
    let named = ["--write-id", "monday"];
    let died = Ground::die_decided(
        &tools,
        |ground| {
            shared(ground);
            ground.write(&as_user(ALICE), "A,1\n", "w", &named).exits(0);
            ground.write(&as_user(BOB), "A,1\n", "w", &named);
            assert_eq!(ground.values("w"), [1]);
        },
        &as_user(ALICE),
        "A,2\n",
        "w",
        &OVERWRITE,
    );
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let ran = ground.write(&as_user(BOB), "A,77\n", "w", &[]);
    ground.run(&as_user(ALICE), b"", &["recover", "w"]).exits(0);
    assert_eq!(
        ground.values("w").contains(&77),
        ran.code == Some(0),
        "{ran:?}"
    );
}

#[test]
fn who_cannot_use_the_area_beside_the_data_set_writes_all_the_same() {
    let ground = match Ground::new(&["chown"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground
        .write(&[], "A,1\n", "w", &["--write-id", "one"])
        .exits(0);
    let owner = format!("{ALICE}:{GROUP}");
    let done = Command::new("chown")
        .args(["-R", &owner])
        .arg(ground.path("w"))
        .status();
    assert!(done.unwrap().success());
    ground.write(&as_user(ALICE), "A,2\n", "w", &[]).exits(0);
    ground
        .run(&as_user(ALICE), b"x", &["put", "-", "w/k=Q/x.bin"])
        .exits(0);
    assert_eq!(ground.values("w"), [1, 2]);
}

#[test]
fn a_root_in_a_directory_of_others_is_overwritten_file_by_file() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    // Nobody but root may move the data set itself, or remove its name.
    for (above, mode) in [("closed", 0o755), ("sticky", 0o1777)] {
        ground.set(above, 0, 0, mode);
        let root = format!("{above}/w");
        ground.set(&root, if mode == 0o755 { ALICE } else { 0 }, GROUP, 0o775);
        ground.set(&format!("{above}-staging"), ALICE, GROUP, 0o700);
        let staging = format!("{above}-staging");
        let mode = ["--mode", "overwrite", "--staging", &staging];
        for value in 1..3 {
            let line = format!("A,{value}\n");
            ground.write(&as_user(ALICE), &line, &root, &mode).exits(0);
            assert_eq!(ground.values(&root), [value], "{above}");
        }
    }
}
