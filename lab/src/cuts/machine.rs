//! A file system of its own on a loop device, whose power can be cut.
//!
//! Images, mounts and loop devices are given back when a [`Machine`] is dropped. Mounts are made in a
//! namespace of the process's own ([`in_own_namespace`]), so that the kernel gives them back with the
//! loop devices even if the process is killed; images that one left are removed by the next
//! ([`sweep_images`]).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rustix::fs::{FlockOperation, SeekFrom};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};
use tempfile::TempDir;

use super::shutdown::shut_down;
use crate::Wrong;

/// The prefix of the names of image directories.
const PREFIX: &str = "atomic-arrow-lab-";
const LOCK: &str = "lock";
const IN_NAMESPACE: &str = "ATOMIC_ARROW_LAB_NAMESPACE";

/// A file system, and how it is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// ext4 as it is by default: data goes to the disk before what names it.
    Ext4Ordered,
    /// ext4 that keeps no order between data and what names it.
    Ext4Writeback,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [Self; 4] = [
        FileSystem::Ext4Ordered,
        FileSystem::Ext4Writeback,
        FileSystem::Xfs,
        FileSystem::Btrfs,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Ext4Ordered => "ext4, data=ordered",
            FileSystem::Ext4Writeback => "ext4, data=writeback",
            FileSystem::Xfs => "XFS",
            FileSystem::Btrfs => "Btrfs",
        }
    }

    fn make(self) -> &'static [&'static str] {
        match self {
            FileSystem::Ext4Ordered | FileSystem::Ext4Writeback => {
                &["mkfs.ext4", "-q", "-F", "-J", "size=4"]
            }
            FileSystem::Xfs => &["mkfs.xfs", "-q", "-f"],
            FileSystem::Btrfs => &["mkfs.btrfs", "-q", "-f"],
        }
    }

    fn options(self) -> &'static str {
        match self {
            FileSystem::Ext4Ordered => "loop,data=ordered",
            FileSystem::Ext4Writeback => "loop,data=writeback",
            FileSystem::Xfs | FileSystem::Btrfs => "loop",
        }
    }

    /// XFS is not made smaller than 300 MB. The images are sparse.
    fn bytes(self) -> u64 {
        match self {
            FileSystem::Ext4Ordered | FileSystem::Ext4Writeback => 128 << 20,
            FileSystem::Xfs | FileSystem::Btrfs => 400 << 20,
        }
    }
}

/// A mounted file system of its own.
#[derive(Debug)]
pub struct Machine {
    file_system: FileSystem,
    mounted: bool,
    directory: TempDir,
    _lock: File,
}

impl Machine {
    /// Makes and mounts a file system.
    ///
    /// # Errors
    /// Why that cannot be done here.
    pub fn start(file_system: FileSystem) -> Result<Self, Wrong> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let directory =
            directory.map_err(|error| Wrong(format!("temporary directory: {error}")))?;
        let lock = File::create(directory.path().join(LOCK)).and_then(|lock| {
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(lock)
        });
        let lock = lock.map_err(|error| Wrong(format!("temporary directory: {error}")))?;
        let mut machine = Machine {
            file_system,
            mounted: false,
            directory,
            _lock: lock,
        };
        let made = File::create(machine.image()).and_then(|f| f.set_len(file_system.bytes()));
        made.and_then(|()| fs::create_dir(machine.mount()))
            .map_err(|error| Wrong(format!("image: {error}")))?;
        let (program, arguments) = match file_system.make() {
            [program, arguments @ ..] => (*program, arguments),
            [] => return Err(Wrong("nothing makes this file system".to_owned())),
        };
        let image = machine.image();
        let arguments = arguments.iter().map(OsStr::new).chain([image.as_os_str()]);
        run(program, arguments)?;
        machine.boot()?;
        Ok(machine)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn copy(&self) -> PathBuf {
        self.directory.path().join("copy")
    }

    /// The switch that cuts the power, from any thread.
    #[must_use]
    pub fn switch(&self) -> Switch {
        Switch {
            file_system: self.file_system,
            mount: self.mount(),
            image: self.image(),
            copy: self.copy(),
        }
    }

    /// Mounts what the power cut left.
    ///
    /// # Errors
    /// The system's: then the file system is broken.
    pub fn reboot(&mut self) -> Result<(), Wrong> {
        self.halt()?;
        if self.copy().exists() {
            let replaced = fs::rename(self.copy(), self.image());
            replaced.map_err(|error| Wrong(format!("image: {error}")))?;
            // The kernel remembers a later state of the same file system. Older tools cannot tell it
            // to forget, and then it has not been asked to remember either.
            let _ = run("btrfs", ["device", "scan", "--forget"]);
        }
        self.boot()
    }

    fn boot(&mut self) -> Result<(), Wrong> {
        let (image, mount) = (self.image(), self.mount());
        let options = OsStr::new(self.file_system.options());
        let arguments = [OsStr::new("-o"), options, image.as_ref(), mount.as_ref()];
        run("mount", arguments)?;
        self.mounted = true;
        Ok(())
    }

    fn halt(&mut self) -> Result<(), Wrong> {
        run("umount", [self.mount()])?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.mounted && self.halt().is_err() {
            // Something is still open in it: it goes with that.
            let _ = run("umount", [OsStr::new("--lazy"), self.mount().as_os_str()]);
        }
    }
}

/// Cuts the power of a [`Machine`].
#[derive(Debug, Clone)]
pub struct Switch {
    file_system: FileSystem,
    mount: PathBuf,
    image: PathBuf,
    copy: PathBuf,
}

impl Switch {
    /// Cuts the power: what is not on the disk is lost.
    ///
    /// # Errors
    /// The system's.
    pub fn cut(&self) -> Result<(), Wrong> {
        match self.file_system {
            // It cannot be shut down before Linux 6.19. What the disk holds is the image, as it is.
            FileSystem::Btrfs => copy_sparse(&self.image, &self.copy)
                .map_err(|error| Wrong(format!("copying the disk: {error}"))),
            _ => shut_down(&self.mount).map_err(|error| Wrong(format!("shutting down: {error}"))),
        }
    }

    /// Lets another program write a file of its own and sync it, which takes what others renamed to
    /// the disk with it on some file systems, but not what they wrote.
    ///
    /// # Errors
    /// The system's.
    pub fn sync_something_else(&self) -> Result<(), Wrong> {
        let written = File::create(self.mount.join("unrelated")).and_then(|mut file| {
            io::Write::write_all(&mut file, b"unrelated")?;
            file.sync_all()
        });
        written.map_err(|error| Wrong(format!("the other program: {error}")))
    }
}

fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let len = from.metadata()?.len();
    to.set_len(len)?;
    let mut at = 0;
    while at < len {
        let data = match rustix::fs::seek(&from, SeekFrom::Data(at)) {
            // There is nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            data => data?,
        };
        at = rustix::fs::seek(&from, SeekFrom::Hole(data))?;
        rustix::fs::seek(&from, SeekFrom::Start(data))?;
        rustix::fs::seek(&to, SeekFrom::Start(data))?;
        io::copy(&mut io::Read::by_ref(&mut from).take(at - data), &mut to)?;
    }
    Ok(())
}

/// A process that is being started has all that is open in this one for a moment, locks and mounts
/// too: none is started while a scenario is played ([`at_play`]).
static STARTING: RwLock<()> = RwLock::new(());

/// Keeps processes from being started as long as it is held.
pub(super) fn at_play() -> RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<(), Wrong> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = {
        let _alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
        command.spawn()
    };
    let output = started.and_then(Child::wait_with_output);
    let output = output.map_err(|error| Wrong(format!("{program}: {error}")))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Wrong(format!("{program}: {}", said.trim())))
        }
    }
}

/// The reason why power cannot be cut here, if it cannot.
#[must_use]
pub fn unable() -> Option<Wrong> {
    if std::env::var_os(IN_NAMESPACE).is_none() {
        return Some(Wrong("mounts need a namespace of their own".to_owned()));
    }
    sweep_images();
    FileSystem::ALL
        .into_iter()
        .find_map(|file_system| Machine::start(file_system).err())
}

/// Runs this program with these arguments again, in a mount namespace of its own, as long as this
/// process lives; its exit code.
///
/// # Errors
/// If there can be none.
pub fn in_own_namespace(
    arguments: impl Iterator<Item = std::ffi::OsString>,
) -> Result<Option<i32>, Wrong> {
    if std::env::var_os(IN_NAMESPACE).is_some() {
        // Where there is no such wish, mounts stay until the end.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        return Ok(None);
    }
    let can = run("unshare", ["--mount", "--propagation", "private", "true"]);
    if can.is_err() {
        return Ok(None);
    }
    let program = std::env::current_exe().map_err(|error| Wrong(error.to_string()))?;
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(program)
        .args(arguments)
        .env(IN_NAMESPACE, "1")
        .status();
    let status = status.map_err(|error| Wrong(format!("unshare: {error}")))?;
    Ok(Some(status.code().unwrap_or(1)))
}

/// Removes images of processes that are gone.
fn sweep_images() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    let ours = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
    };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| ours(path))
    {
        let dead = File::open(path.join(LOCK)).is_ok_and(|lock| {
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        });
        if dead {
            let _ = fs::remove_dir_all(path);
        }
    }
}
