//! Running the binary in a directory of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The keys that the weather is partitioned by.
pub(crate) const KEYS: &str = "station_id=origin,year,month";

/// A file of the committed test data.
pub(crate) fn testdata(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// The binary, not yet started.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_atomic-arrow"))
}

/// A directory to run the command in.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Asserts the exit code and gives the run back.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that standard error has the text, and that nothing panicked.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in: {}",
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Asserts that standard output has the text.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "no {text:?} in: {}",
            self.stdout
        );
        self
    }

    /// Standard output as JSON, which is all there is on it.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Place {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(path)
    }

    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = binary();
        command
            .args(args)
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// Runs with these bytes as standard input, which then ends.
    pub(crate) fn run_with<S: AsRef<OsStr>>(
        &self,
        stdin: &[u8],
        args: impl IntoIterator<Item = S>,
    ) -> Ran {
        let mut child = self.start(args);
        // One that fails early may not read it all.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap().into()
    }

    /// Starts and leaves it running, with pipes.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Writes the weather to `lake/weather`, with more arguments.
    pub(crate) fn write_weather(&self, more: &[&str]) -> Ran {
        let weather = testdata("weather.csv");
        let args = [
            "write",
            &weather,
            "--to",
            "lake/weather",
            "--partition-by",
            KEYS,
        ];
        self.run(args.iter().chain(more))
    }

    /// Every file below a directory, relative to it and sorted; none where it is missing. The lock and
    /// the markers of a control directory are left out.
    pub(crate) fn files(&self, directory: &str) -> Vec<String> {
        let root = self.path(directory);
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        let is_control = |name: &str| {
            let markers = [".atomic/lock", ".atomic/pending-", "/.atomic/writes/"];
            markers
                .iter()
                .any(|marker| format!("/{name}").contains(marker))
        };
        files.retain(|name| !is_control(name));
        files.sort();
        files
    }

    /// The staging files of the data set `lake/weather`.
    pub(crate) fn staged(&self) -> Vec<String> {
        let mut files = self.files("lake/.weather.atomic");
        files.retain(|name| name.ends_with(".staged"));
        files
    }
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(root, &entry.path(), files);
        } else {
            files.push(
                entry
                    .path()
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

/// Waits until something is so, and gives up after a minute.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to be that {what}");
}
