//! Installing the servers: exact versions, in a directory each, made on first use.
//!
//! Owns `target/store-servers/<name>-<hash>/`, where the hash is of the list of packages and of the program that
//! runs them. It is made under a file lock, so test processes may start together, and marked complete as the last step,
//! so an installation that was interrupted is made anew.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kind::Kind;
use crate::skip::Skipped;

/// What is installed for a server: its list of packages, with the version of each.
enum Packages {
    /// A list of requirements for pip.
    Python(&'static str),
    /// `package.json` and `package-lock.json` for npm.
    Node {
        manifest: &'static str,
        lock: &'static str,
    },
}

impl Packages {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::SeaweedFs => Packages::Python(include_str!("../servers/seaweedfs.txt")),
            Kind::Moto => Packages::Python(include_str!("../servers/moto.txt")),
            Kind::FakeGcs => Packages::Python(include_str!("../servers/fake-gcs.txt")),
            Kind::Azurite => Packages::Node {
                manifest: include_str!("../servers/azurite/package.json"),
                lock: include_str!("../servers/azurite/package-lock.json"),
            },
        }
    }

    /// The installed directory's hash: of everything that it is made of.
    fn hash(&self) -> Result<u64, Skipped> {
        Ok(match self {
            Packages::Python(requirements) => {
                let version = succeed(Command::new("python3").args([
                    "-c",
                    "import sys; print(sys.version, sys.executable, sys.prefix)",
                ]))?;
                fnv1a(&[requirements, &version])
            }
            Packages::Node { manifest, lock } => {
                let version = succeed(Command::new("node").arg("--version"))?;
                fnv1a(&[manifest, lock, &version])
            }
        })
    }
}

/// The directory in which a server is installed, after installing it where it is not yet.
///
/// # Errors
/// Why it cannot be had.
pub(crate) fn installed(kind: Kind) -> Result<PathBuf, Skipped> {
    if !cfg!(unix) {
        return Err(Skipped(format!("{kind} is started through a POSIX shell")));
    }
    let packages = Packages::of(kind);
    let parent = target_directory().join("store-servers");
    fs::create_dir_all(&parent).map_err(|e| failed(&parent, e))?;
    let directory = parent.join(format!("{kind}-{:016x}", packages.hash()?));
    let lock_path = directory.with_extension("lock");
    let lock = File::create(&lock_path).map_err(|e| failed(&lock_path, e))?;
    lock.lock().map_err(|e| failed(&lock_path, e))?;
    // As their standard input, the lock is held by pip and npm too: where this process is killed, the next one waits
    // until they have ended instead of installing among them.
    let held = || lock.try_clone().map_err(|e| failed(&lock_path, e));
    let complete = directory.join("complete");
    if complete.exists() {
        return Ok(directory);
    }
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(&directory, error));
        }
        _ => {}
    }
    fs::create_dir(&directory).map_err(|e| failed(&directory, e))?;
    match packages {
        Packages::Python(requirements) => {
            let list = directory.join("requirements.txt");
            fs::write(&list, requirements).map_err(|e| failed(&list, e))?;
            let environment = directory.join("venv");
            succeed(
                Command::new("python3")
                    .args(["-m", "venv"])
                    .arg(&environment)
                    .stdin(held()?),
            )?;
            succeed(
                Command::new(environment.join("bin/pip"))
                    .args([
                        "install",
                        "--no-input",
                        "--disable-pip-version-check",
                        "-qq",
                    ])
                    // The list is complete, and none of it is to be built from source.
                    .args(["--no-deps", "--only-binary=:all:", "--requirement"])
                    .arg(&list)
                    .stdin(held()?),
            )?;
        }
        Packages::Node { manifest, lock } => {
            for (name, content) in [("package.json", manifest), ("package-lock.json", lock)] {
                let path = directory.join(name);
                fs::write(&path, content).map_err(|e| failed(&path, e))?;
            }
            succeed(
                Command::new("npm")
                    // Native addons would be compiled, and the server does without.
                    .args(["ci", "--ignore-scripts", "--omit=optional"])
                    .args(["--no-audit", "--no-fund", "--loglevel=error"])
                    .current_dir(&directory)
                    .stdin(held()?),
            )?;
        }
    }
    fs::write(&complete, "").map_err(|e| failed(&complete, e))?;
    Ok(directory)
}

/// Cargo's target directory, as far as a program that it built can know.
fn target_directory() -> PathBuf {
    // Cargo marks the directory as a cache.
    let program = std::env::current_exe().unwrap_or_default();
    let mut above = program.ancestors().skip(1);
    if let Some(target) = above.find(|directory| directory.join("CACHEDIR.TAG").is_file()) {
        return target.to_owned();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(target)
}

/// The standard output of a command that has to succeed.
fn succeed(command: &mut Command) -> Result<String, Skipped> {
    let program = command.get_program().display().to_string();
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| Skipped(format!("{program}: {e}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let said: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let args: Vec<_> = command
        .get_args()
        .map(|arg| arg.to_string_lossy())
        .collect();
    Err(Skipped(format!(
        "{program} {} ({}): {}",
        args.join(" "),
        output.status,
        said.join("; ")
    )))
}

fn failed(path: &Path, error: io::Error) -> Skipped {
    Skipped(format!("{}: {error}", path.display()))
}

/// A hash that stays the same whatever the Rust version.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
