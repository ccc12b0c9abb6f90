//! Other projects' readers, for tests: a virtual environment with exact versions, made on first use.
//!
//! Owns `target/peers/<hash>/`, where the hash is of a list of requirements in `tests/peers/` and of the
//! Python that runs it; Spark has an environment of its own. It is made under a file lock, so test processes may start together, and
//! marked complete as the last step, so an installation that was interrupted is made anew.
//! What the scripts in `tests/peers/` do is theirs to say.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

/// What is installed together.
struct Requirements {
    /// The file's name in `tests/peers/`.
    file: &'static str,
    /// The exact versions of all of it.
    content: &'static str,
    /// What there is only as a source, which has no native code.
    from_source: &'static str,
}

const READERS_ALONE: Requirements = Requirements {
    file: "requirements.txt",
    content: include_str!("../peers/requirements.txt"),
    from_source: "",
};

const SPARK: Requirements = Requirements {
    file: "spark-requirements.txt",
    content: include_str!("../peers/spark-requirements.txt"),
    from_source: "pyspark",
};

/// Every reader that the scripts know by name.
pub(crate) const READERS: [&str; 5] = ["pyarrow", "pandas", "polars", "duckdb", "datafusion"];

/// The installed readers.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    python: PathBuf,
    bytecode: PathBuf,
    scripts: PathBuf,
}

/// The readers, installed first where they are not yet.
///
/// The outcome is kept for the life of the process: without a network one attempt is enough.
///
/// # Errors
/// Why they cannot be had, as a reason to skip a test.
pub(crate) fn peers() -> Result<Peers, String> {
    static PEERS: OnceLock<Result<Peers, String>> = OnceLock::new();
    PEERS
        .get_or_init(|| Peers::at(&target_directory()?.join("peers"), &READERS_ALONE))
        .clone()
}

/// Spark, installed first where it is not yet; it needs Java.
///
/// # Errors
/// Why it cannot be had, as a reason to skip a test.
pub(crate) fn spark() -> Result<Peers, String> {
    static SPARK_READER: OnceLock<Result<Peers, String>> = OnceLock::new();
    let installed = || {
        succeed(Command::new("java").arg("-version")).map_err(|why| format!("no Java: {why}"))?;
        Peers::at(&target_directory()?.join("peers"), &SPARK)
    };
    SPARK_READER.get_or_init(installed).clone()
}

impl Peers {
    /// The readers installed in a directory below `parent`.
    fn at(parent: &Path, requirements: &Requirements) -> Result<Self, String> {
        let scripts = scripts_directory()?;
        let system_python = if cfg!(windows) { "python" } else { "python3" };
        let version = succeed(Command::new(system_python).args([
            "-c",
            "import sys; print(sys.version, sys.executable, sys.prefix)",
        ]))?;
        let environment = parent.join(format!("{:016x}", fnv1a(&[requirements.content, &version])));
        fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        install(
            system_python,
            &environment,
            &scripts.join(requirements.file),
            requirements.from_source,
        )?;
        let python = if cfg!(windows) {
            "Scripts/python.exe"
        } else {
            "bin/python"
        };
        let bytecode = environment.join("bytecode");
        Ok(Self {
            python: environment.join(python),
            bytecode,
            scripts,
        })
    }

    fn command(&self, script: &str, args: &[&dyn AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.python);
        // Nothing of the user's Python settings counts.
        command.args(["-E", "-s"]);
        // Bytecode of what is imported is kept, and not among the sources.
        let bytecode = format!("pycache_prefix={}", self.bytecode.display());
        command
            .args(["-X", &bytecode])
            .arg(self.scripts.join(script));
        command
            .args(args.iter().map(|arg| arg.as_ref()))
            .stdin(Stdio::null());
        command
    }

    /// Runs a script of `tests/peers/` to its end.
    ///
    /// # Errors
    /// If it cannot be started; its own failure is in the output's status.
    pub(crate) fn run(&self, script: &str, args: &[&dyn AsRef<OsStr>]) -> io::Result<Output> {
        self.command(script, args).output()
    }

    /// Starts a script of `tests/peers/` and leaves it running.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(&self, script: &str, args: &[&dyn AsRef<OsStr>]) -> io::Result<Running> {
        let mut command = self.command(script, args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Both pipes are drained all along: a full one would stop the script.
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                let read = BufReader::new(stdout).lines().map_while(Result::ok);
                read.map(|line| sender.send(line))
                    .take_while(Result::is_ok)
                    .for_each(drop);
            });
        }
        let stderr = child.stderr.take().map(|mut stderr| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                // What was read up to an error is the best there is.
                let _ = stderr.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Ok(Running {
            child,
            lines,
            stderr,
        })
    }
}

/// A script that is running; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// What a script that has ended left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The lines of standard output that `next_line` had not given.
    pub(crate) lines: Vec<String>,
    pub(crate) stderr: String,
}

impl Running {
    /// Waits for the next line of standard output; `None` once the script has ended.
    pub(crate) fn next_line(&self) -> Option<String> {
        self.lines.recv().ok()
    }

    /// Waits for the script's own end.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub(crate) fn finish(mut self) -> io::Result<Ended> {
        let lines = self.lines.iter().collect();
        let stderr = self
            .stderr
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        Ok(Ended {
            status: self.child.wait()?,
            lines,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the environment unless it is complete.
fn install(
    python: &str,
    environment: &Path,
    requirements: &Path,
    from_source: &str,
) -> Result<(), String> {
    let failed = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let lock_path = environment.with_extension("lock");
    let lock = File::create(&lock_path).map_err(|e| failed(&lock_path, e))?;
    lock.lock().map_err(|e| failed(&lock_path, e))?;
    // As their standard input, the lock is held by pip and venv too: where this process is killed,
    // the next one waits until they have ended instead of installing among them.
    let held = || lock.try_clone().map_err(|e| failed(&lock_path, e));
    let complete = environment.join("complete");
    if complete.exists() {
        return Ok(());
    }
    match fs::remove_dir_all(environment) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(environment, error));
        }
        _ => {}
    }
    succeed(
        Command::new(python)
            .args(["-m", "venv"])
            .arg(environment)
            .stdin(held()?),
    )?;
    let pip = if cfg!(windows) {
        "Scripts/pip.exe"
    } else {
        "bin/pip"
    };
    succeed(
        Command::new(environment.join(pip))
            .args(["install", "--no-input", "--disable-pip-version-check"])
            // Errors alone: they become the reason of a skip.
            .arg("-qq")
            // The list is complete, and none of it is to be built from source, which takes hours.
            .args(["--no-deps", "--only-binary=:all:"])
            .arg(format!("--no-binary={from_source}"))
            // Most of it is never imported; what is gets compiled then.
            .args(["--no-compile", "--requirement"])
            .arg(requirements)
            .stdin(held()?),
    )?;
    fs::write(&complete, "").map_err(|e| failed(&complete, e))
}

/// The standard output of a command that has to succeed.
fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // venv explains itself on standard output, pip on standard error.
    let said =
        [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
    let said = said
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    let said: Vec<_> = said.flat_map(str::lines).collect();
    Err(format!(
        "{} ({}): {}",
        show(command),
        output.status,
        said.join("; ")
    ))
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A hash that stays the same whatever the Rust version.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Cargo's target directory, as far as a test can know it.
fn target_directory() -> Result<PathBuf, String> {
    // Set where an integration test is compiled, with every configuration of Cargo heeded.
    if let Some(target) = option_env!("CARGO_TARGET_TMPDIR").and_then(|tmp| Path::new(tmp).parent())
    {
        return Ok(target.to_owned());
    }
    let workspace = scripts_directory()?.join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(workspace.join(target))
}

/// `tests/peers`, from whichever package of the workspace this is compiled in.
fn scripts_directory() -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let candidates = package
        .ancestors()
        .map(|directory| directory.join("tests/peers"));
    let mut found = candidates.filter(|scripts| scripts.join("requirements.txt").is_file());
    found
        .next()
        .ok_or_else(|| format!("no tests/peers above {}", package.display()))
}
