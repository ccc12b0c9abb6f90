//! Other processes: this very program, started again to play a part in a test.
//!
//! A child says lines on its standard output and waits on its standard input. It ends when that is
//! closed, so none outlives the test that started it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};

use atomic_arrow::disk::{Disk, OsDisk};
use atomic_arrow::{
    AtomicFile, DatasetWriter, DatasetWriterBuilder, Error, FileOptions, PartitionBy, PublishMode,
    WriterOptions, recover,
};

use crate::ground::{begun, stations, weather, writer};
#[cfg(unix)]
use crate::tampered::Tampered;

const ENTRY: &str = "child::a_process_that_another_test_starts";
const PART: &str = "ATOMIC_ARROW_TEST_PART";
const ROOT: &str = "ATOMIC_ARROW_TEST_ROOT";
/// Before each line that a child says; the harness says things too.
const MARK: &str = "child says ";

/// What a child does at its root.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Begins a file of weather, says `begun`, and commits it when told to.
    Hold,
    /// Stages `ROUNDS` files, says `ready`, and publishes them when told to; says of each whether it won.
    Race,
    /// When told to, replaces one file `ROUNDS` times.
    Replace,
    /// When told to, commits `ROUNDS` files of weather and says where they are.
    Commit,
    /// When told to, recovers `10 * ROUNDS` times and says how many staging files it removed.
    Recover,
    /// Commits one file of weather and says where it was staged, or the error.
    Once,
    /// Commits data sets of `STATIONS` files as long as it lives, and says the transaction of each.
    DataSets,
    /// Takes rows of `STATIONS` stations, says `ready`, stages them when told to, and says the result as
    /// JSON.
    Stage,
    /// Commits one data set in the way that it is told, see [`kills`](crate::kills).
    Kill,
    /// When told to, recovers once.
    RecoverOnce,
    /// Commits again and again in the way that it is told, see [`crowd`](crate::crowd).
    Crowd,
    /// Verifies damaged files, see [`damage`](crate::damage).
    Damage,
    /// Reads mutated bytes, see [`fuzz`](crate::fuzz).
    Fuzz,
    /// Commits a data set of `STATIONS` files with the umask that it is told, and dies when that is
    /// decided, before the first file is published.
    Die,
    /// Recovers, says what it finished and what failed, and then whether it could commit a data set.
    Follow,
    /// Commits a data set of the kind that it is told, and says by how much its memory grew, see
    /// [`memory`](crate::memory).
    Memory,
}

/// How often a child does what it does.
pub(crate) const ROUNDS: usize = 30;
/// How many stations, and so files, a data set of a child has.
pub(crate) const STATIONS: usize = 6;
/// How many rows such a data set has.
pub(crate) const ROWS: usize = 7 * STATIONS;

impl Part {
    const ALL: &[Part] = &[
        Part::Hold,
        Part::Race,
        Part::Replace,
        Part::Commit,
        Part::Recover,
        Part::Once,
        Part::DataSets,
        Part::Stage,
        Part::Kill,
        Part::RecoverOnce,
        Part::Crowd,
        Part::Damage,
        Part::Fuzz,
        Part::Die,
        Part::Follow,
        Part::Memory,
    ];
}

/// A process that plays a part; dropping it kills it.
pub(crate) struct Child {
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(part: Part, root: &Path) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), part, root).unwrap()
    }

    /// Starts it as a user that owns nothing.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_as_nobody(part: Part, root: &Path) -> std::io::Result<Self> {
        Self::start_as(65_534, 65_534, part, root)
    }

    /// Starts it as a user who is in one group.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_as(
        user: u32,
        group: u32,
        part: Part,
        root: &Path,
    ) -> std::io::Result<Self> {
        use std::os::unix::process::CommandExt;
        // Whether that user may walk to the program does not matter this way.
        let mut command = Command::new("/proc/self/exe");
        command.uid(user).gid(group);
        Self::spawn(command, part, root)
    }

    /// Starts it with a umask.
    #[cfg(unix)]
    pub(crate) fn start_with_umask(umask: u32, part: Part, root: &Path) -> Self {
        let mut command = Command::new("sh");
        let script = format!("umask {umask:03o} && exec \"$0\" \"$@\"");
        command
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap());
        Self::spawn(command, part, root).unwrap()
    }

    /// Starts it with system calls tampered with as `strace` can; the error is the reason to skip a
    /// test.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_with(injected: &str, part: Part, root: &Path) -> Result<Self, String> {
        let injected = format!("inject={injected}");
        Self::start_under_strace(&["-o", "/dev/null", "-e", &injected], part, root)
    }

    /// Starts it under `strace` with these options; the error is the reason to skip a test.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_under_strace(
        options: &[&str],
        part: Part,
        root: &Path,
    ) -> Result<Self, String> {
        let works = || {
            let tried = Command::new("strace").args(["-qq", "/bin/true"]).output();
            let tried = tried.map_err(|error| format!("strace: {error}"))?;
            match tried.status.success() {
                true => Ok(()),
                false => Err(format!(
                    "strace: {}",
                    String::from_utf8_lossy(&tried.stderr).trim()
                )),
            }
        };
        static WORKS: OnceLock<Result<(), String>> = OnceLock::new();
        WORKS.get_or_init(works).clone()?;
        let mut command = Command::new("strace");
        command.args(["-f", "-qq"]).args(options);
        command.arg(std::env::current_exe().unwrap());
        Self::spawn(command, part, root).map_err(|error| error.to_string())
    }

    fn spawn(mut command: Command, part: Part, root: &Path) -> std::io::Result<Self> {
        if matches!(part, Part::Memory) {
            // glibc gives larger pieces back to the kernel at once then, so that what it counts is in use.
            command.env("MALLOC_MMAP_THRESHOLD_", "65536");
        }
        let mut process = command
            .args([
                ENTRY,
                "--exact",
                "--include-ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(PART, format!("{part:?}"))
            .env(ROOT, root)
            // Cargo's many directories of libraries, none of which is needed, are not searched.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Ok(Child {
            process,
            stdin,
            stdout,
        })
    }

    /// Waits for the next line that it says; `None` once it has ended.
    pub(crate) fn says(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.trim_end().to_owned());
            }
            line.clear();
        }
        None
    }

    /// Tells it to go on.
    pub(crate) fn go_on(&mut self) {
        self.tell("");
    }

    /// Tells it to go on, and how.
    pub(crate) fn tell(&mut self, line: &str) {
        let mut stdin = self.stdin.as_ref().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Ends it by SIGKILL, as the kernel does when memory is short.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it by SIGKILL, and gives what it had said until then.
    pub(crate) fn kill_and_listen(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        std::iter::from_fn(|| self.says()).collect()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Waits for its own end, whatever that is: what it had still said, and whether it ended well.
    pub(crate) fn end(mut self) -> (Vec<String>, bool) {
        self.stdin = None;
        let said = std::iter::from_fn(|| self.says()).collect();
        (said, self.process.wait().unwrap().success())
    }

    /// Stops it where it is: alive, and doing nothing.
    #[cfg(unix)]
    pub(crate) fn freeze(&self) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-STOP", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    #[cfg(unix)]
    pub(crate) fn thaw(&self) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-CONT", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its own end, which must be a good one.
    pub(crate) fn finish(self) {
        assert!(self.end().1);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn say(line: &str) {
    // On a line of its own, whatever the harness has said before.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\n{MARK}{line}").unwrap();
    stdout.flush().unwrap();
}

/// Waits to be told to go on; false if nobody is there any more.
fn told() -> bool {
    heard().is_some()
}

/// Waits to be told how to go on; `None` if nobody is there any more.
pub(crate) fn heard() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).unwrap();
    (read > 0).then(|| line.trim_end().to_owned())
}

/// A text that tells whether it is whole: its length and the same line again and again.
pub(crate) fn version(writer: u32, number: usize) -> String {
    let lines = 1 + (writer as usize + number * 7) % 400;
    format!("{writer} {number} {lines}\n").repeat(lines)
}

/// Whether a text is one of [`version`].
pub(crate) fn is_whole(text: &str) -> bool {
    let Some(first) = text.lines().next() else {
        return false;
    };
    let numbers: Vec<usize> = first
        .split(' ')
        .map_while(|number| number.parse().ok())
        .collect();
    matches!(numbers[..], [writer, number, _] if text == version(writer as u32, number))
}

pub(crate) fn replace(path: &Path, content: &str) -> Result<(), Error> {
    let options = FileOptions::new().mode(PublishMode::Replace);
    let mut file = AtomicFile::create_with_options(path, options)?;
    file.write_all(content.as_bytes())
        .map_err(|error| error.downcast::<Error>().unwrap())?;
    file.commit().map(drop)
}

/// A writer that has taken `ROWS` rows of `STATIONS` stations.
fn data_set(root: &Path) -> DatasetWriter {
    data_set_on(Arc::new(OsDisk), root)
}

fn data_set_on(disk: Arc<dyn Disk>, root: &Path) -> DatasetWriter {
    data_set_of(builder_on(disk, root))
}

fn builder_on(disk: Arc<dyn Disk>, root: &Path) -> DatasetWriterBuilder {
    let by = PartitionBy::column("station_id");
    DatasetWriter::builder(root).partition_by(by).disk(disk)
}

fn data_set_of(builder: DatasetWriterBuilder) -> DatasetWriter {
    let names: Vec<String> = (0..ROWS).map(|n| format!("K{}", n % STATIONS)).collect();
    let batch = stations(&names);
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer
}

fn play(part: Part, root: &Path) {
    let id = std::process::id();
    match part {
        Part::Hold => {
            let writer = begun(root);
            say("begun");
            if told() {
                writer.commit().unwrap();
                say("committed");
            }
        }
        Part::Race => {
            let stage = |round| {
                let mut file = AtomicFile::create(root.join(format!("{round}.json"))).unwrap();
                file.write_all(version(id, round).as_bytes()).unwrap();
                file.finish().unwrap()
            };
            let staged: Vec<_> = (0..ROUNDS).map(stage).collect();
            say("ready");
            told();
            for (round, staged) in staged.into_iter().enumerate() {
                match staged.publish() {
                    Ok(_) => say(&format!("won {round} {id}")),
                    Err(Error::AlreadyExists { .. }) => say(&format!("lost {round}")),
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
        Part::Replace => {
            say("ready");
            told();
            (0..ROUNDS).for_each(|round| replace(root, &version(id, round)).unwrap());
        }
        Part::Commit => {
            say("ready");
            told();
            for _ in 0..ROUNDS {
                let mut writer = writer(root, WriterOptions::new()).unwrap();
                writer.write(&weather("KSEA", 7)).unwrap();
                say(writer.commit().unwrap().path().to_str().unwrap());
            }
        }
        Part::Recover => {
            say("ready");
            told();
            let mut removed = 0;
            for _ in 0..10 * ROUNDS {
                let recovery = recover(root).unwrap();
                assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
                removed += recovery.removed.len();
            }
            say(&removed.to_string());
        }
        Part::DataSets => loop {
            let receipt = data_set(root).commit().unwrap();
            say(&receipt.transaction().to_string());
        },
        Part::Stage => {
            let task = heard().unwrap();
            let writer = data_set_of(builder_on(Arc::new(OsDisk), root).task(task));
            say("ready");
            if told() {
                say(&writer.stage().unwrap().to_json().unwrap());
            }
        }
        #[cfg(unix)]
        Part::Die => {
            let umask = u32::from_str_radix(&heard().unwrap(), 8).unwrap();
            rustix::process::umask(rustix::fs::Mode::from_bits_truncate(umask));
            let data = root.to_owned();
            let disk = Tampered::before_publish(move |to| {
                match to.starts_with(&data) && to.extension().is_some_and(|end| end == "parquet") {
                    true => std::process::exit(0),
                    false => Ok(()),
                }
            });
            data_set_on(disk, root).commit().unwrap();
        }
        #[cfg(not(unix))]
        Part::Die => {}
        Part::Follow => {
            let recovery = recover(root).unwrap();
            say(&format!("finished {}", recovery.finished.len()));
            for error in &recovery.failed {
                let source = std::error::Error::source(error).map(ToString::to_string);
                say(&format!("failed: {error}: {}", source.unwrap_or_default()));
            }
            match data_set(root).commit() {
                Ok(receipt) => say(&format!("committed {}", receipt.totals().files)),
                Err(error) => {
                    let mut said = format!("{:?}: {error}", error.outcome());
                    let mut cause = std::error::Error::source(&error);
                    while let Some(error) = cause {
                        said.push_str(&format!(": {error}"));
                        cause = error.source();
                    }
                    say(&said);
                }
            }
        }
        #[cfg(target_os = "linux")]
        Part::Memory => crate::memory::play(root),
        #[cfg(not(target_os = "linux"))]
        Part::Memory => {}
        Part::Kill => crate::kills::play(root),
        Part::Crowd => crate::crowd::play(root),
        Part::Damage => crate::damage::play(root),
        Part::Fuzz => crate::fuzz::play(root),
        Part::RecoverOnce => {
            crate::kills::ready();
            let recovery = recover(root).unwrap();
            assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
            say("done");
        }
        Part::Once => {
            let staged = begun(root).finish().unwrap();
            say(staged.staging_path().to_str().unwrap());
            staged.publish().unwrap();
        }
    }
}

#[test]
#[ignore = "is started by other tests"]
fn a_process_that_another_test_starts() {
    let (Ok(part), Some(root)) = (std::env::var(PART), std::env::var_os(ROOT)) else {
        return;
    };
    let part = Part::ALL
        .iter()
        .copied()
        .find(|known| format!("{known:?}") == part);
    play(part.unwrap(), &PathBuf::from(root));
}
