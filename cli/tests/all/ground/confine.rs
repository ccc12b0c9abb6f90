//! Nobody who may write beside a user, or only read, gets him to do what he could not do himself.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::{Pid, Signal, kill_process_group};

use serde_json::json;

use super::{ALICE, BOB, GROUP, Ground, STRANGER, as_user, held_at_rename};
use crate::support::skip;

pub(super) const DEAD: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A process of another user, which ends with this.
pub(super) struct Attacker(Child);

impl Attacker {
    pub(super) fn start(ground: &Ground, user: u32, script: &str) -> Self {
        let mut command = Command::new("setpriv");
        let (user, own) = (user.to_string(), user.to_string());
        command.args([
            "--reuid",
            &user,
            "--regid",
            &own,
            "--clear-groups",
            "--",
            "sh",
            "-c",
            script,
        ]);
        command.current_dir(ground.path(".")).stdin(Stdio::null());
        Attacker(command.process_group(0).spawn().unwrap())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // With all that it started.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

#[test]
fn a_link_in_place_of_a_directory_that_is_being_removed_leads_nowhere() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    for command in ["recover", "write"] {
        let _ = fs::remove_dir_all(ground.path("w"));
        let _ = fs::remove_dir_all(ground.path(".w.atomic"));
        ground.set("w", 0, 0, 0o777);
        ground
            .write(&[], "A,1\n", "w", &["--write-id", "one"])
            .exits(0);
        let _ = fs::remove_dir_all(ground.path("victim"));
        fs::create_dir_all(ground.path("victim/sub")).unwrap();
        fs::write(ground.path("victim/secret"), "precious").unwrap();
        fs::write(ground.path("victim/sub/secret"), "precious").unwrap();
        // What a dead writer of another user left, so much that removing it takes a while.
        let (dead, doomed) = (
            format!(".w.atomic/{DEAD}"),
            format!(".w.atomic/{DEAD}.dead"),
        );
        let dead = ground.path(&dead);
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lease"), "").unwrap();
        for number in 0..8_000 {
            fs::write(dead.join(format!("f{number}")), "").unwrap();
        }
        for number in 0..40 {
            fs::create_dir(dead.join(format!("d{number}"))).unwrap();
        }
        let owner = format!("{ALICE}:{ALICE}");
        let done = Command::new("chown")
            .args(["-R", &owner])
            .arg(&dead)
            .status()
            .unwrap();
        assert!(done.success());
        let (victim, doomed) = (ground.path("victim"), ground.path(&doomed));
        let script = format!(
            "until [ -e {0} ]; do :; done; while [ -e {0}/f7999 ] && [ -e {0}/f0 ]; do :; done;
             for n in $(seq 0 39); do mv {0}/d$n {0}/x$n && ln -s {1} {0}/d$n; done 2>/dev/null",
            doomed.display(),
            victim.display()
        );
        let attacker = Attacker::start(&ground, ALICE, &script);
        match command {
            "write" => drop(ground.write(&[], "A,2\n", "w", &[])),
            _ => drop(ground.run(&[], b"", &["recover", "w"])),
        }
        drop(attacker);
        for file in ["secret", "sub/secret"] {
            assert!(victim.join(file).exists(), "{command} removed {file}");
        }
    }
}

#[test]
fn an_area_that_is_a_link_to_another_data_set_s_is_not_recovered() {
    let died = Ground::die_decided(
        &["strace"],
        |ground| {
            ground.set("private", 0, 0, 0o700);
            ground.set("x", 0, 0, 0o777);
        },
        &[],
        "A,42\n",
        "private/secret",
        &[],
    );
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    symlink(
        ground.path("private/.secret.atomic"),
        ground.path("x/.atomic"),
    )
    .unwrap();
    let ran = ground.run(&[], b"", &["recover", "x"]).exits(1);
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    assert!(ground.files("x").is_empty(), "{:?}", ground.files("x"));
    ground
        .run(&[], b"", &["recover", "private/secret"])
        .exits(0);
    assert_eq!(ground.values("private/secret"), [42]);
}

/// What the command may take of memory, virtual memory in all.
const LITTLE_MEMORY: [&str; 2] = ["prlimit", "--as=700000000"];

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

/// What stands in a record for the identity of its staged file.
pub(super) const IDENTITY: &str = "<identity>";

/// What tells a file from every other in a record, as docs/format.md has it.
pub(super) fn identity(path: &Path) -> String {
    let found = fs::metadata(path).unwrap();
    let changed = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    let mut bytes = found.ino().to_le_bytes().to_vec();
    bytes.extend(found.len().to_le_bytes());
    bytes.extend(changed.to_le_bytes());
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(&bytes))
}

/// Leaves in the area what a dead writer of this user would: a transaction with this record.
pub(super) fn forge(ground: &Ground, area: &str, user: u32, group: u32, record: &str) {
    let transaction = ground.path(area).join(DEAD);
    let staged = transaction.join("new-00000");
    fs::create_dir_all(&staged).unwrap();
    forge_within(&transaction, user, group, record);
    let file = staged.join("part-evil.parquet");
    fs::write(&file, "evil").unwrap();
    chown(&file, Some(user), Some(group)).unwrap();
    for directory in [&staged, &transaction] {
        chown(directory, Some(user), Some(group)).unwrap();
        set_mode(directory, 0o777);
    }
}

/// Makes a transaction of a directory: a staged file, a lease, and this record.
pub(super) fn forge_within(transaction: &Path, user: u32, group: u32, record: &str) {
    let file = transaction.join("00000.staged");
    fs::write(&file, "evil").unwrap();
    let record = record.replace(IDENTITY, &identity(&file));
    fs::write(transaction.join("lease"), "").unwrap();
    fs::write(transaction.join("decision.record"), record).unwrap();
    for name in ["00000.staged", "lease", "decision.record"] {
        chown(transaction.join(name), Some(user), Some(group)).unwrap();
    }
}

fn set_mode(path: &Path, bits: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// A decision that publishes a file, or replaces a partition.
pub(super) fn decision(files: &[&str], exchanged: Option<(&str, &str)>) -> String {
    let files = files
        .iter()
        .map(|path| json!({"staged": "00000.staged", "path": path, "identity": IDENTITY}));
    let exchanges = exchanged.map(|(path, old)| {
        json!({"staged": "new-00000", "path": path, "witness": "part-evil.parquet",
            "files": ["part-evil.parquet"], "removed": [old]})
    });
    let totals = json!({"files": 0, "partitions": 0, "rows": 0, "bytes": 0, "removed": 0});
    json!({
        "decision": "committed", "version": 1, "transaction": DEAD, "root": null, "scope": "",
        "write_id": null, "arrangement": [], "files": files.collect::<Vec<_>>(),
        "exchanges": exchanges.into_iter().collect::<Vec<_>>(),
        "receipt": {"version": 1, "transaction": DEAD, "write_id": null, "mode": "append",
            "totals": totals, "files": [], "removed": []},
    })
    .to_string()
}

#[test]
fn a_decision_does_nothing_that_its_author_may_not_do_himself() {
    // The permissions of the data set when it is written and when the record is found, and of a partition.
    for (what, at_first, now, partition) in [
        ("sticky", 0o1777, 0o1777, 0o755),
        ("tightened", 0o777, 0o755, 0o755),
        ("tightened above", 0o777, 0o755, 0o777),
        ("a partition of another", 0o777, 0o777, 0o755),
        ("a sticky partition", 0o777, 0o777, 0o1777),
    ] {
        for replaces in [false, true] {
            let ground = match Ground::new(&[]) {
                Ok(ground) => ground,
                Err(reason) => return skip(reason),
            };
            ground.set("w", 0, 0, at_first);
            ground
                .write(&[], "A,1\n", "w", &["--write-id", "one"])
                .exits(0);
            ground.set("w", 0, 0, now);
            ground.set("w/k=A", 0, 0, partition);
            let old = ground.files("w").pop().unwrap();
            let old = old.file_name().unwrap().to_str().unwrap();
            let record = match replaces {
                true => decision(&[], Some(("k=A", old))),
                // Who may make files in the partition may do that much.
                false if partition != 0o755 => continue,
                false => decision(&["k=A/part-evil.parquet"], None),
            };
            forge(&ground, ".w.atomic", ALICE, ALICE, &record);
            for _ in 0..2 {
                // It is told each time, and not carried out.
                ground
                    .run(&[], b"", &["recover", "w"])
                    .exits(1)
                    .says(&format!("user {ALICE}, to whom it belongs, may not change"))
                    .says(".aside: was set aside");
                assert_eq!(ground.values("w"), [1], "{what}");
            }
            ground
                .run(&[], b"", &["inspect", "w"])
                .prints(".aside: was set aside");
            ground.write(&[], "Z,2\n", "w", &[]).exits(0);
            assert_eq!(ground.values("w"), [1, 2], "{what}");
        }
    }
}

#[test]
fn a_decision_is_carried_out_whose_author_may_do_it_himself() {
    // The group of the author, the permissions of the data set and of its partition.
    for (group, root, partition) in [(GROUP, 0o2775, 0o2775), (ALICE, 0o777, 0o777)] {
        for replaces in [false, true] {
            let ground = match Ground::new(&[]) {
                Ok(ground) => ground,
                Err(reason) => return skip(reason),
            };
            ground.set("w", 0, GROUP, root);
            ground
                .write(&[], "A,1\n", "w", &["--write-id", "one"])
                .exits(0);
            ground.set("w/k=A", 0, GROUP, partition);
            let old = ground.files("w").pop().unwrap();
            let old = old.file_name().unwrap().to_str().unwrap();
            let record = match replaces {
                true => decision(&[], Some(("k=A", old))),
                false => decision(&["k=A/part-evil.parquet"], None),
            };
            forge(&ground, ".w.atomic", ALICE, group, &record);
            ground.run(&[], b"", &["recover", "w"]).exits(0);
            let evil = ground.path("w/k=A/part-evil.parquet");
            assert_eq!(fs::read(evil).unwrap(), b"evil");
            assert_eq!(ground.files("w").len(), if replaces { 1 } else { 2 });
        }
    }
}

#[test]
fn a_colleague_finishes_what_another_of_the_group_decided() {
    for list in [false, true] {
        let tools: &[&str] = if list {
            &["strace", "setfacl"]
        } else {
            &["strace"]
        };
        let scene = |ground: &Ground| {
            ground.set("w", 0, GROUP, if list { 0o750 } else { 0o2775 });
            if list {
                let both = "u:20001:rwx,u:20002:rwx,d:u:20001:rwx,d:u:20002:rwx";
                ground.set_list("w", both);
            }
            // Whatever the umask of the one is, the other may write there.
            let made = Command::new("mkdir").arg(ground.path("w/k=A")).status();
            assert!(made.unwrap().success());
            if !list {
                ground.set("w/k=A", 0, GROUP, 0o2775);
            }
        };
        let died = Ground::die_decided(tools, scene, &as_user(ALICE), "A,1\n", "w", &[]);
        let ground = match died {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.write(&as_user(BOB), "B,2\n", "w", &[]).exits(0);
        assert_eq!(ground.values("w"), [1, 2], "by a list: {list}");
    }
}

#[test]
fn who_can_finish_what_a_colleague_may_not_is_named() {
    // In a sticky data set nobody may move what another has staged.
    let scene = |ground: &Ground| ground.set("w", 0, 0, 0o1777);
    let died = Ground::die_decided(&["strace"], scene, &as_user(ALICE), "A,1\n", "w", &[]);
    let ground = match died {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let whose = format!("it is user {ALICE}'s");
    ground
        .write(&as_user(BOB), "A,2\n", "w", &[])
        .exits(1)
        .says(&whose);
    ground
        .run(&as_user(BOB), b"", &["recover", "w"])
        .exits(4)
        .says(&whose);
    ground.write(&as_user(BOB), "B,3\n", "w", &[]).exits(0);
    let own = ground.run(&as_user(ALICE), b"", &["recover", "w"]);
    own.exits(0);
    assert_eq!(ground.values("w"), [1, 3]);
}

#[test]
fn a_receipt_that_a_stranger_wrote_does_not_let_a_write_be_taken_for_done() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    let named = ["--write-id", "monday"];
    ground.write(&[], "A,1\n", "w", &named).exits(0);
    let writes = ground.path(".w.atomic/writes");
    for record in fs::read_dir(writes).unwrap() {
        chown(record.unwrap().path(), Some(ALICE), Some(ALICE)).unwrap();
    }
    // He may write in the data set.
    ground.write(&[], "A,1\n", "w", &named).exits(0);
    ground.set("w", 0, 0, 0o755);
    ground
        .write(&[], "A,1\n", "w", &named)
        .exits(1)
        .says(&format!("user {ALICE}, to whom it belongs, may not change"));
    ground.write(&[], "B,2\n", "w", &[]).exits(0);
    assert_eq!(ground.values("w"), [1, 2]);
}

#[test]
fn a_huge_record_of_another_user_takes_no_memory_and_stops_nobody() {
    let many = |what: &str, bytes: usize| what.repeat(bytes / what.len());
    let receipt = r#""receipt":{"version":1,"transaction":"01890a5d-ac96-774b-bcce-b302099a8057","mode":"append","#;
    let records = [
        // No field of a record, and one.
        format!(
            r#"{{"a":[{}0],"decision":"committed"}}"#,
            many("0,", 64 << 20)
        ),
        format!(
            r#"{{{receipt}"removed":[{}"a"]}},"decision":"committed"}}"#,
            many(r#""a","#, 64 << 20)
        ),
        // As long as another user's record may be.
        format!(
            r#"{{{receipt}"removed":[{}"a"]}},"decision":"committed"}}"#,
            many(r#""a","#, 31 << 20)
        ),
    ];
    for record in records {
        let ground = match Ground::new(&["prlimit"]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        ground.set("w", 0, 0, 0o777);
        ground
            .write(&[], "A,1\n", "w", &["--write-id", "one"])
            .exits(0);
        forge(&ground, ".w.atomic", ALICE, ALICE, &record);
        let how = words(LITTLE_MEMORY);
        ground.write(&how, "A,2\n", "w", &[]).exits(0);
        ground
            .run(&how, b"", &["recover", "w"])
            .exits(1)
            .says(".aside: was set aside");
        assert_eq!(ground.values("w"), [1, 2]);
    }
}

#[test]
fn a_huge_receipt_of_another_user_that_is_kept_in_names_takes_no_memory_and_stops_no_other_write() {
    let ground = match Ground::new(&["prlimit"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    let named = ["--staging", "inside", "--write-id", "one"];
    ground.write(&[], "A,1\n", "w", &named).exits(0);
    let kept = fs::read_dir(ground.path("w/.atomic/writes")).unwrap();
    let kept = kept.last().unwrap().unwrap().path();
    for name in fs::read_dir(&kept).unwrap() {
        fs::remove_file(name.unwrap().path()).unwrap();
    }
    let start =
        r#"{"scope":"","receipt":{"version":1,"write_id":"one","mode":"append","removed":["#;
    let record = format!("{start}{}", r#""a","#.repeat((200 << 20) / 4));
    let packed = zstd::bulk::compress(record.as_bytes(), 3).unwrap();
    for (number, piece) in packed.chunks(170).enumerate() {
        let name = format!("{number:06}-{}", URL_SAFE_NO_PAD.encode(piece));
        let path = kept.join(name);
        fs::write(&path, b"").unwrap();
        chown(&path, Some(ALICE), Some(ALICE)).unwrap();
    }
    chown(&kept, Some(ALICE), Some(ALICE)).unwrap();
    let how = words(LITTLE_MEMORY);
    ground
        .write(&how, "A,1\n", "w", &named)
        .exits(1)
        .says(&kept.file_name().unwrap().to_string_lossy());
    ground.write(&how, "A,2\n", "w", &named[..2]).exits(0);
    assert_eq!(ground.values("w"), [1, 2]);
}

#[test]
fn who_may_only_read_cannot_stop_a_writer() {
    let ground = match Ground::new(&["flock", "find"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground
        .write(&[], "A,1\n", "w", &["--write-id", "one"])
        .exits(0);
    // He says when he has tried all that there is, and goes on with what comes.
    let script = "for f in $(find w .w.atomic -type f); do flock -x $f sleep 300 & done; sleep 1; : > tried; \
        while :; do for f in .atomic/*.staged w/.atomic/* .w.atomic/*/*; do flock -n -x $f true; done; done 2>/dev/null";
    ground.set("free", STRANGER, STRANGER, 0o755);
    let script = script.replace("> tried", "> free/tried");
    let attacker = Attacker::start(&ground, STRANGER, &script);
    crate::run::wait_until("the attacker has tried", || {
        ground.path("free/tried").exists()
    });
    for name in ["two", "three"] {
        ground
            .write(&[], "A,2\n", "w", &["--write-id", name])
            .exits(0);
        ground.run(&[], b"x", &["put", "-", name]).exits(0);
    }
    drop(attacker);
    assert_eq!(ground.values("w"), [1, 2, 2]);
}

#[test]
fn what_is_put_into_a_directory_for_everybody_is_not_exchanged_by_another() {
    let ground = match Ground::new(&["strace"]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("all", 0, 0, 0o1777);
    let script = "umask 0; mkdir all/.atomic; while :; do for f in all/.atomic*/*.staged; do
        echo evil > all/.atomic/evil && mv -f all/.atomic/evil $f; done; done 2>/dev/null";
    let attacker = Attacker::start(&ground, ALICE, script);
    crate::run::wait_until("the attacker is ready", || {
        ground.path("all/.atomic").exists()
    });
    ground
        .run(&held_at_rename(1), b"good\n", &["put", "-", "all/out"])
        .exits(0);
    drop(attacker);
    assert_eq!(fs::read(ground.path("all/out")).unwrap(), b"good\n");
    assert!(!ground.path("all/.atomic-0").exists());
}

#[test]
fn in_a_data_set_for_everybody_nobody_stages_in_the_area_of_another() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("all", 0, 0, 0o1777);
    ground.set("all/w", 0, 0, 0o1777);
    let (one, two) = (["--write-id", "one"], ["--write-id", "two"]);
    ground
        .write(&as_user(ALICE), "A,1\n", "all/w", &one)
        .exits(0);
    ground.write(&[], "B,2\n", "all/w", &two).exits(0);
    assert!(ground.path("all/.w.atomic-0/writes").exists());
    ground.write(&as_user(BOB), "C,3\n", "all/w", &[]).exits(0);
    // All know what any of them has written.
    for user in [ALICE, BOB] {
        ground
            .write(&as_user(user), "B,2\n", "all/w", &two)
            .exits(0);
        ground
            .write(&as_user(user), "A,1\n", "all/w", &one)
            .exits(0);
    }
    ground.write(&[], "A,1\n", "all/w", &one).exits(0);
    assert_eq!(ground.values("all/w"), [1, 2, 3]);
    ground.run(&[], b"", &["recover", "all/w"]).exits(0);
}

#[test]
fn a_name_that_is_taken_keeps_no_transaction_from_being_set_aside() {
    let ground = match Ground::new(&[]) {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    ground.set("w", 0, 0, 0o777);
    ground
        .write(&[], "A,1\n", "w", &["--write-id", "one"])
        .exits(0);
    ground.set("w", 0, 0, 0o755);
    let old = ground.files("w").pop().unwrap();
    let old = old.file_name().unwrap().to_str().unwrap();
    let record = decision(&[], Some(("k=A", old)));
    forge(&ground, ".w.atomic", ALICE, ALICE, &record);
    ground.set(&format!(".w.atomic/{DEAD}.aside"), ALICE, ALICE, 0o755);
    ground.write(&[], "A,2\n", "w", &[]).exits(0);
    ground
        .run(&[], b"", &["recover", "w"])
        .exits(1)
        .says(".aside2: was set aside");
    assert_eq!(ground.values("w"), [1, 2]);
}
