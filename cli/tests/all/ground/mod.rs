//! Ground that others share: other users, another path to the data set, mounts and attackers.
//!
//! Everything is real: users by `setpriv`, mounts in a namespace of the command's own, windows that
//! `strace` holds open. That takes root.
#![cfg(target_os = "linux")]

mod colleagues;
mod confine;
mod control;
mod decided;
mod kernels;
mod lists;
mod markers;
mod moved;
mod views;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::run::{Place, Ran, binary};

pub(super) const ALICE: u32 = 20_001;
pub(super) const BOB: u32 = 20_002;
pub(super) const STRANGER: u32 = 65_534;
pub(super) const GROUP: u32 = 30_000;

/// A command that takes longer is blocked: without anybody in its way it takes much less.
const PATIENCE: [&str; 4] = ["timeout", "-s", "KILL", "60"];

/// The arguments that write CSV lines of `k,v` from the standard input to a data set.
fn to_write<'a>(root: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = "write - --input-format csv --partition-by k -q --to".split(' ');
    args.chain([root]).chain(more.iter().copied()).collect()
}

/// A directory that everybody can enter, with what a command needs.
pub(super) struct Ground(Place);

impl Ground {
    /// The reason to skip a test if this is not root, or lacks one of the programs.
    pub(super) fn new(programs: &[&str]) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("other users and mounts need root".to_owned());
        }
        for program in programs.iter().chain(&["setpriv", "timeout"]) {
            let found = Command::new("sh")
                .args(["-c", "command -v \"$0\"", program])
                .output();
            if !found.is_ok_and(|output| output.status.success()) {
                return Err(format!("{program} is not installed"));
            }
        }
        let ground = Ground(Place::new());
        ground.set(".", 0, 0, 0o755);
        let ran = ground.run(&as_user(STRANGER), b"", &["--version"]);
        match ran.code {
            Some(0) => Ok(ground),
            _ => Err("other users cannot run the command where it was built".to_owned()),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// Makes a directory of this owner, group and mode, or gives them to what is there.
    pub(super) fn set(&self, name: &str, user: u32, group: u32, mode: u32) {
        let path = self.path(name);
        if !path.exists() {
            fs::create_dir(&path).unwrap();
        }
        chown(&path, Some(user), Some(group)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    /// Adds entries to the access control list of a file or directory.
    #[track_caller]
    pub(super) fn set_list(&self, name: &str, entries: &str) {
        let mut command = Command::new("setfacl");
        let done = command.args(["-m", entries]).arg(self.path(name)).status();
        assert!(done.unwrap().success());
    }

    /// Lets a user of one group run a shell script in the directory, and says whether it went well.
    pub(super) fn can(&self, user: u32, group: u32, script: &str) -> bool {
        let how = words(&format!(
            "setpriv --reuid {user} --regid {group} --clear-groups -- sh -ec"
        ));
        let mut command = Command::new(&how[0]);
        command
            .args(&how[1..])
            .arg(script)
            .current_dir(self.path("."));
        command.output().unwrap().status.success()
    }

    /// The command, with programs before it that run it in some way.
    pub(super) fn command(&self, how: &[String], args: &[&str]) -> Command {
        let mut command = Command::new(PATIENCE[0]);
        command.args(&PATIENCE[1..]).args(how);
        command.arg(binary().get_program()).args(args);
        command.current_dir(self.path("."));
        command
    }

    pub(super) fn run(&self, how: &[String], stdin: &[u8], args: &[&str]) -> Ran {
        // From a file, so that nobody waits for a writer that is held up.
        let input = self.0.file("input", stdin);
        let mut command = self.command(how, args);
        command.stdin(File::open(input).unwrap());
        command.output().unwrap().into()
    }

    /// Writes CSV lines of `k,v` to a data set.
    pub(super) fn write(&self, how: &[String], lines: &str, root: &str, more: &[&str]) -> Ran {
        let input = format!("k,v\n{lines}");
        let args = to_write(root, more);
        self.run(how, input.as_bytes(), &args)
    }

    /// [`Ground::write`], left running.
    pub(super) fn start(&self, how: &[String], lines: &str, root: &str, more: &[&str]) -> Child {
        let input = self.0.file("input of another", format!("k,v\n{lines}"));
        let args = to_write(root, more);
        let mut command = self.command(how, &args);
        command.stdin(File::open(input).unwrap());
        command
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        command.spawn().unwrap()
    }

    /// The values in column `v` of all that a reader of the data set sees, sorted.
    #[track_caller]
    pub(super) fn values(&self, root: &str) -> Vec<i64> {
        let mut values = Vec::new();
        for file in self.files(root) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".parquet") {
                continue;
            }
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap());
            for batch in reader.unwrap().build().unwrap() {
                let batch = batch.unwrap();
                let column = batch.column_by_name("v").unwrap();
                values.extend(column.as_primitive::<Int64Type>().values());
            }
        }
        values.sort_unstable();
        values
    }

    /// The files of a data set that no name hides.
    pub(super) fn files(&self, root: &str) -> Vec<PathBuf> {
        let hidden = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with('.');
        let mut found = Vec::new();
        let mut open = vec![self.path(root)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    _ if hidden(&path) => {}
                    true => open.push(path),
                    false => found.push(path),
                }
            }
        }
        found
    }

    /// The decisions of transactions that are not finished.
    pub(super) fn decisions(&self) -> Vec<PathBuf> {
        let mut find = Command::new("find");
        find.arg(self.path(".")).args(["-name", "decision.record"]);
        let found = String::from_utf8(find.output().unwrap().stdout).unwrap();
        found.lines().map(PathBuf::from).collect()
    }

    /// Lets a write die right after its decision, before anything is published.
    ///
    /// How many renames come before that is found by trying: `scene` makes what is there before.
    #[track_caller]
    pub(super) fn die_decided(
        programs: &[&str],
        scene: impl Fn(&Ground),
        how: &[String],
        lines: &str,
        root: &str,
        more: &[&str],
    ) -> Result<Self, String> {
        for when in 1..12 {
            let ground = Ground::new(programs)?;
            scene(&ground);
            let all: Vec<String> = killed_at_rename(when)
                .into_iter()
                .chain(how.to_vec())
                .collect();
            ground.write(&all, lines, root, more);
            let decided = ground.decisions().iter().any(|path| {
                let record = fs::read_to_string(path).unwrap_or_default();
                record.contains("\"committed\"")
            });
            if decided {
                return Ok(ground);
            }
        }
        panic!("no rename comes after a decision");
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs the command as this user, who has no other group than the shared one.
pub(super) fn as_user(user: u32) -> Vec<String> {
    let mut how = words(&format!(
        "setpriv --reuid {user} --regid {GROUP} --clear-groups --"
    ));
    how.extend(["sh", "-c", "umask 022; exec \"$@\"", "sh"].map(str::to_owned));
    how
}

pub(super) fn killed_at_rename(when: usize) -> Vec<String> {
    let inject = format!("inject=renameat2:signal=KILL:when={when}");
    words(&format!(
        "strace -f -qq -o /dev/null -e trace=renameat2 -e {inject}"
    ))
}

/// Holds the command up before one of its renames, for as long as others need.
pub(super) fn held_at_rename(when: usize) -> Vec<String> {
    let inject = format!("inject=renameat2:delay_enter=2500000:when={when}");
    words(&format!(
        "strace -f -qq -o /dev/null -e trace=renameat2 -e {inject}"
    ))
}

/// Runs the command where something is mounted that nobody else sees.
pub(super) fn where_mounted(mount: &str) -> Vec<String> {
    let mut how = words("unshare --mount --propagation private sh -c");
    how.push(format!("mount {mount} && exec \"$@\""));
    how.push("sh".to_owned());
    how
}
