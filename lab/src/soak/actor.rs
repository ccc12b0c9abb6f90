//! One user of the soak: the commands that he runs, and their answers.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::staging::{COMMIT, STAGE};
use super::{GROUP, USERS, wrong};
use crate::Wrong;

/// The first argument of a process that is to be the command.
pub const COMMAND: &str = "command";

/// The seconds after which a command counts as hung: it takes much less.
const PATIENCE: &str = "300";

/// System calls before which a command may be killed.
const CALLS: [&str; 6] = [
    "renameat2",
    "fsync",
    "openat",
    "flock",
    "unlinkat,unlink",
    "mkdir,mkdirat",
];
pub(super) const PARTITIONS: usize = 4;

/// Numbers that look random, and are the same for the same seed (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Acknowledged,
    /// The command said that nothing was published.
    Refused,
    /// The command was killed, or said that it does not know.
    Unknown,
}

/// The answer of one command.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) end: End,
    /// The values of its rows: no other command has them.
    pub(super) values: Vec<i64>,
    /// Files that its receipt names, below the root.
    pub(super) files: Vec<String>,
    /// Files that its receipt says were removed.
    pub(super) removed: Vec<String>,
    /// The command line and its output, in words.
    pub(super) words: String,
}

pub(super) struct Actor {
    user: u32,
    root: PathBuf,
    /// The user and path by which a write is repeated that is not known to be done.
    again: (u32, PathBuf),
    number: usize,
    count: usize,
    random: Random,
}

struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    words: String,
}

impl Actor {
    pub(super) fn new(user: u32, root: &Path, number: usize, random: Random) -> Self {
        Actor {
            user,
            root: root.to_owned(),
            again: (user, root.to_owned()),
            number,
            count: 0,
            random,
        }
    }

    /// Lets another user repeat, by another path, what is not known to be done.
    pub(super) fn repeated_by(mut self, user: u32, root: &Path) -> Self {
        self.again = (user, root.to_owned());
        self
    }

    /// Runs the command.
    fn run(&self, how: &[String], input: &str, arguments: &[&str]) -> Result<Ran, Wrong> {
        self.run_command_as(self.user, how, input, arguments)
    }

    fn run_command_as(
        &self,
        user: u32,
        how: &[String],
        input: &str,
        arguments: &[&str],
    ) -> Result<Ran, Wrong> {
        let all: Vec<&str> = [COMMAND].iter().chain(arguments).copied().collect();
        self.run_as(user, how, input, &all)
    }

    fn run_as(
        &self,
        user: u32,
        how: &[String],
        input: &str,
        arguments: &[&str],
    ) -> Result<Ran, Wrong> {
        let program = std::env::current_exe().map_err(wrong("this program"))?;
        let mut all: Vec<OsString> = ["timeout", "-s", "KILL", PATIENCE].map(Into::into).into();
        all.extend(how.iter().map(Into::into));
        let (user, group) = (user.to_string(), GROUP.to_string());
        let setpriv = [
            "setpriv",
            "--reuid",
            &user,
            "--regid",
            &group,
            "--clear-groups",
            "--",
        ];
        all.extend(setpriv.map(Into::into));
        let shell = ["sh", "-c", "umask 002; exec \"$@\"", "sh"];
        all.extend(shell.map(Into::into));
        all.push(program.into_os_string());
        all.extend(arguments.iter().map(Into::into));
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(wrong("a command"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that is killed does not read it.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(wrong("a command"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(Ran {
            code: output.status.code(),
            words: format!("{all:?} ended with {}: {}", output.status, said.trim()),
            stdout: output.stdout,
        })
    }

    /// A way to be killed, or none.
    fn how(&mut self) -> Vec<String> {
        match self.random.below(4) {
            0 => {
                let calls = CALLS[self.random.below(CALLS.len())];
                let when = 1 + self.random.below(12);
                let inject = format!("inject={calls}:signal=KILL:when={when}");
                let trace = format!("trace={calls}");
                [
                    "strace",
                    "-f",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    &trace,
                    "-e",
                    &inject,
                ]
                .map(str::to_owned)
                .into()
            }
            1 => {
                let time = format!("0.{:03}", 5 + self.random.below(400));
                ["timeout", "-s", "KILL", &time].map(str::to_owned).into()
            }
            _ => Vec::new(),
        }
    }

    /// Runs one command, chosen at random.
    pub(super) fn act(&mut self) -> Result<Vec<Told>, Wrong> {
        self.count += 1;
        let how = self.how();
        let what = self.random.below(15);
        let told = match what {
            12.. => return self.staged_commit(&how),
            0 => self.put(&how),
            1 => {
                let root = self.root_text();
                let ran = self.run(&how, "", &["recover", &root])?;
                Ok(told(&ran, how.is_empty(), Vec::new()))
            }
            2 => self.write(&how, "overwrite", PARTITIONS),
            3..6 => {
                let partitions = 1 + self.random.below(2);
                self.write(&how, "overwrite-partitions", partitions)
            }
            _ => {
                let partitions = 1 + self.random.below(PARTITIONS);
                self.write(&how, "append", partitions)
            }
        };
        Ok(vec![told?])
    }

    /// Lets both users stage rows at the same time, each in a process or two of its own, and one of them commit what
    /// they gave. Any of the processes may be killed; a named commit that was is repeated by the other user.
    fn staged_commit(&mut self, how: &[String]) -> Result<Vec<Told>, Wrong> {
        let number = self.number * 10_000 + self.count;
        let stagers = 2 + self.random.below(2);
        let killed = self.random.below(2 * stagers);
        let mode = ["append", "overwrite-partitions"][self.random.below(2)];
        let root = self.root_text();
        let parts: Vec<(String, i64)> = (0..stagers)
            .map(|part| {
                let value = (number * PARTITIONS + part) as i64;
                let key = self.random.below(PARTITIONS);
                (format!("p{key},{value}\n"), value)
            })
            .collect();
        let this = &*self;
        let ran: Vec<Ran> = std::thread::scope(|scope| {
            let stage = |(part, (line, _)): (usize, &(String, i64))| {
                let (line, root) = (line.clone(), root.clone());
                let user = USERS[(part + this.number) % USERS.len()];
                // In half of the commits it is one of those who stage who is killed.
                let how = if part == killed { how } else { &[] };
                scope.spawn(move || this.run_as(user, how, &line, &[STAGE, &root, mode]))
            };
            let threads: Vec<_> = parts.iter().enumerate().map(stage).collect();
            threads
                .into_iter()
                .map(super::join)
                .collect::<Result<_, _>>()
        })?;
        let mut all = Vec::new();
        let (mut staged, mut values) = (String::new(), Vec::new());
        for (part, (ran, (_, value))) in ran.iter().zip(&parts).enumerate() {
            if ran.code == Some(0) {
                staged.push_str(&String::from_utf8_lossy(&ran.stdout));
                values.push(*value);
            } else {
                // What nobody commits is never visible.
                let mut lost = told(ran, part != killed || how.is_empty(), vec![*value]);
                lost.end = End::Refused;
                all.push(lost);
            }
        }
        if values.is_empty() {
            return Ok(all);
        }
        let name = format!("staged-{number}");
        let named = self.random.below(2) == 0;
        let arguments: Vec<&str> = match named {
            true => vec![COMMIT, &name],
            false => vec![COMMIT],
        };
        let how = if killed >= stagers { how } else { &[] };
        let first = self.run_as(self.user, how, &staged, &arguments)?;
        let mut committed = told(&first, how.is_empty(), values.clone());
        if committed.end == End::Unknown && named && mode == "append" {
            let ran = self.run_as(self.again.0, &[], &staged, &arguments)?;
            let again = told(&ran, true, values);
            if again.end == End::Acknowledged {
                committed = again;
            }
        }
        all.push(committed);
        Ok(all)
    }

    fn root_text(&self) -> String {
        self.root.display().to_string()
    }

    /// Writes a row into each of some partitions; a named append that was killed is repeated.
    fn write(&mut self, how: &[String], mode: &str, partitions: usize) -> Result<Told, Wrong> {
        let number = self.number * 10_000 + self.count;
        let first = self.random.below(PARTITIONS);
        let row = |of: usize| ((first + of) % PARTITIONS, (number * PARTITIONS + of) as i64);
        let rows: Vec<(usize, i64)> = (0..partitions).map(row).collect();
        let lines = rows.iter().map(|(key, value)| format!("p{key},{value}\n"));
        let input: String = ["k,v\n".to_owned()].into_iter().chain(lines).collect();
        let name = format!("write-{number}");
        let named = self.random.below(2) == 0;
        let arguments = |root: &Path| -> Vec<String> {
            let root = root.display().to_string();
            let mut all = vec!["write", "-", "--input-format", "csv", "--to", &root];
            all.extend(["--partition-by", "k", "--mode", mode]);
            all.extend(["--json", "--threads", "1"]);
            if named {
                all.extend(["--write-id", &name]);
            }
            all.into_iter().map(str::to_owned).collect()
        };
        let values: Vec<i64> = rows.into_iter().map(|(_, value)| value).collect();
        let ran = |user, root: &Path, how: &[String]| {
            let all = arguments(root);
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            self.run_command_as(user, how, &input, &all)
        };
        let all = told(
            &ran(self.user, &self.root, how)?,
            how.is_empty(),
            values.clone(),
        );
        // An overwrite whose first attempt counts must not be done again after somebody's append.
        if all.end == End::Unknown && named && mode == "append" {
            let (user, root) = &self.again;
            let again = told(&ran(*user, root, &[])?, true, values);
            // It may have been committed the first time, and what is refused now may yet be visible.
            if again.end == End::Acknowledged {
                return Ok(again);
            }
        }
        Ok(all)
    }

    fn put(&mut self, how: &[String]) -> Result<Told, Wrong> {
        let name = format!("k=p0/note-{}-{}.bin", self.number, self.count);
        let path = self.root.join(&name).display().to_string();
        let ran = self.run(how, "a note\n", &["put", "-", &path, "-q"])?;
        let mut told = told(&ran, how.is_empty(), Vec::new());
        if told.end == End::Acknowledged {
            told.files.push(name);
        }
        Ok(told)
    }

    pub(super) fn recover(&self) -> Result<(), Wrong> {
        let ran = self.run(&[], "", &["recover", &self.root_text()])?;
        match ran.code {
            Some(0) => Ok(()),
            _ => Err(Wrong(ran.words)),
        }
    }

    pub(super) fn has_nothing_to_recover(&self) -> Result<(), Wrong> {
        let ran = self.run(
            &[],
            "",
            &["recover", &self.root_text(), "--dry-run", "--json"],
        )?;
        let report: Value = serde_json::from_slice(&ran.stdout)
            .map_err(|error| Wrong(format!("{error}: {}", ran.words)))?;
        let lists = report
            .as_object()
            .into_iter()
            .flat_map(|report| report.values());
        match lists.filter_map(Value::as_array).all(Vec::is_empty) {
            true => Ok(()),
            false => Err(Wrong(format!("left after recovery: {report}"))),
        }
    }
}

/// The outcome of a command; `whole` if nobody killed it.
fn told(ran: &Ran, whole: bool, values: Vec<i64>) -> Told {
    let end = match ran.code {
        Some(0) => End::Acknowledged,
        Some(1 | 3 | 5) => End::Refused,
        _ => End::Unknown,
    };
    let words = match (whole, ran.code) {
        (true, None | Some(137)) => format!("blocked for {PATIENCE} s: {}", ran.words),
        _ => ran.words.clone(),
    };
    let receipt: Value = serde_json::from_slice(&ran.stdout).unwrap_or_default();
    let list = |name: &str, field: Option<&str>| -> Vec<String> {
        let items = receipt[name].as_array().into_iter().flatten();
        let texts = items.filter_map(|item| match field {
            Some(field) => item[field].as_str(),
            None => item.as_str(),
        });
        texts.map(str::to_owned).collect()
    };
    Told {
        end,
        values,
        files: list("files", Some("path")),
        removed: match receipt["transaction"].is_string() {
            true => list("removed", None),
            false => Vec::new(),
        },
        words,
    }
}
