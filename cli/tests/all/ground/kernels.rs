//! Kernels and sandboxes without the newer system calls: all comes out the same.

use std::fs;

use super::{ALICE, GROUP, Ground, as_user, words};
use crate::support::skip;

/// Calls that are answered as if there were none of the name, by this error.
fn without(calls: &str, error: &str) -> Vec<String> {
    words(&format!(
        "strace -f -qq -o /dev/null -e trace={calls} -e inject={calls}:error={error}"
    ))
}

/// Everything that a user does with a data set, and what is there then.
fn everything(ground: &Ground, how: &[String]) -> (Vec<i64>, Vec<String>) {
    ground.set(".", 0, GROUP, 0o2775);
    ground.set("w", 0, GROUP, 0o2775);
    let write = |lines: &str, more: &[&str]| ground.write(how, lines, "w", more).exits(0);
    write("A,1\nB,2\nC,3\n", &[]);
    write("A,4\n", &["--mode", "overwrite-partitions"]);
    for _ in 0..2 {
        write("D,5\n", &["--write-id", "one"]);
    }
    ground
        .run(how, b"note", &["put", "-", "w/k=A/note.bin"])
        .exits(0);
    let verified = ground.run(how, b"", &["verify", "w"]);
    verified.exits(0).prints("4 sound, 0 damaged");
    ground.run(how, b"", &["recover", "w"]).exits(0);
    let before = ground.values("w");
    write("E,6\n", &["--mode", "overwrite"]);
    (before, left(ground))
}

/// Every file below the scene but the inputs of the commands, without the numbers in their names.
fn left(ground: &Ground) -> Vec<String> {
    let mut found: Vec<String> = ground
        .files("w")
        .iter()
        .map(|path| path.parent().unwrap().display().to_string())
        .map(|path| path.rsplit('/').next().unwrap().to_owned())
        .collect();
    let areas = ground.path(".w.atomic");
    for entry in fs::read_dir(areas).into_iter().flatten() {
        found.push(entry.unwrap().file_name().to_string_lossy().into_owned());
    }
    found.sort();
    found
}

#[test]
fn kernels_without_the_newer_calls_give_the_same_results() {
    let all = || Ground::new(&["strace"]);
    let ground = match all() {
        Ok(ground) => ground,
        Err(reason) => return skip(reason),
    };
    let expected = everything(&ground, &as_user(ALICE));
    assert_eq!(expected.0, [2, 3, 4, 5]);
    for (calls, error) in [
        // Before Linux 5.6 and 5.8, and as old sandboxes answer.
        ("openat2,faccessat2", "ENOSYS"),
        ("openat2", "EPERM"),
        // Where the file system or the kernel has no exchange, and no statx.
        ("openat2,faccessat2,renameat2", "ENOSYS"),
        ("openat2,statx", "ENOSYS"),
    ] {
        let ground = all().unwrap();
        let how: Vec<String> = without(calls, error)
            .into_iter()
            .chain(as_user(ALICE))
            .collect();
        assert_eq!(everything(&ground, &how), expected, "{calls} {error}");
    }
}

#[test]
fn a_link_in_place_of_a_directory_is_refused_also_without_the_newer_calls() {
    for (calls, error) in [("openat2", "ENOSYS"), ("openat2", "EPERM")] {
        let ground = match Ground::new(&["strace"]) {
            Ok(ground) => ground,
            Err(reason) => return skip(reason),
        };
        let how = without(calls, error);
        ground.set("w", 0, 0, 0o755);
        ground.set("elsewhere", 0, 0, 0o755);
        std::os::unix::fs::symlink(ground.path("elsewhere"), ground.path("w/k=A")).unwrap();
        ground
            .write(&how, "A,1\n", "w", &[])
            .exits(1)
            .says("symbolic link");
        assert!(ground.files("elsewhere").is_empty());
    }
}
