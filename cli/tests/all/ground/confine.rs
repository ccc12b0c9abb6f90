//! Nobody who may write beside a user, or only read, gets him to do what he could not do himself.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{ALICE, Ground};
use crate::support::skip;

const DEAD: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A process of another user, which ends with this.
struct Attacker(Child);

impl Attacker {
    fn start(ground: &Ground, user: u32, script: &str) -> Self {
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
    ground.run(&[], b"", &["recover", "x"]);
    assert!(ground.files("x").is_empty(), "{:?}", ground.files("x"));
    ground
        .run(&[], b"", &["recover", "private/secret"])
        .exits(0);
    assert_eq!(ground.values("private/secret"), [42]);
}
