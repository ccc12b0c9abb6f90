//! A disk in memory that can lose power.
//!
//! [`SimDisk`] knows of every file and directory what is merely written and what is synced, and keeps
//! a [`Moment`] after every call that changed something. [`Moment::after_power_loss`] gives every
//! disk that a machine could find on booting again. The rules are weaker than those of any real file
//! system that this crate is meant for, so that what holds here does not rest on a habit of ext4:
//!
//! - what a file holds beyond its last sync may be kept, lost, torn or zeroed;
//! - each name in a directory may, independently of every other, stand as it stood at any time since
//!   the directory's last sync: a rename between two directories may show under both names, or under
//!   none, unless the disk is [journaled](SimDisk::set_journaled). An exchange is always one.
//!
//! Symbolic links and permissions are not simulated, of owners one stranger. Faults and lies can be told to it:
//! [`SimDisk::fail_call`] and [`SimDisk::lie`].

mod calls;
mod changes;
mod crash;
mod handles;
mod tree;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::{DiskFile, LockKind};
use handles::SimFile;
use tree::Tree;

/// A disk in memory that can lose power; clones are the same disk.
///
/// ```
/// use std::io::Write as _;
/// use std::sync::Arc;
/// use atomic_arrow::disk::sim::SimDisk;
/// use atomic_arrow::{AtomicFile, FileOptions};
///
/// let disk = SimDisk::new();
/// let options = FileOptions::new().disk(Arc::new(disk.clone()));
/// let mut file = AtomicFile::create_with_options("/data.json", options)?;
/// file.write_all(b"{}")?;
/// file.commit()?;
///
/// // Whenever the power fails after the commit, the file is there and whole.
/// for found in disk.moments().last().ok_or("no moment")?.after_power_loss() {
///     assert_eq!(found.read("/data.json")?, b"{}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    device: u64,
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    moments: Vec<Moment>,
    calls: Vec<String>,
    hooks: Vec<Hook>,
    clock: Duration,
    trusts_locks: bool,
    exchanges: bool,
    faults: Vec<Fault>,
    lies: Vec<Lie>,
    locks: HashMap<u64, Vec<(u64, LockKind)>>,
    next_handle: u64,
}

/// The disk as it was right after one call.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The call, for example `sync_file /area/x.staged`.
    pub call: String,
    tree: Tree,
}

impl Moment {
    /// Every disk that may be found when the power fails at this moment, each once.
    #[must_use]
    pub fn after_power_loss(&self) -> Vec<SimDisk> {
        crash::outcomes(&self.tree)
            .into_iter()
            .map(SimDisk::with_tree)
            .collect()
    }
}

/// An error to be returned by one call.
#[derive(Debug, Clone, Copy)]
struct Fault {
    call: usize,
    errno: i32,
    when: FaultTime,
}

/// What another process does right before a call.
struct Hook {
    name: &'static str,
    run: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "before {}", self.name)
    }
}

/// Whether a failing call does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultTime {
    /// The call fails and does nothing.
    Before,
    /// The call does its work and its answer is lost, as happens on NFS.
    After,
}

/// A way in which the disk does not do what it says, to see that a test notices.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lie {
    /// A sync of a file does nothing.
    FileSync,
    /// A sync of the directory with this path does nothing.
    DirectorySync(PathBuf),
    /// [`PublishMode::CreateNew`](super::PublishMode::CreateNew) replaces what is there.
    Clobber,
    /// Every lock is given to everybody.
    Locks,
    /// Nothing under this directory is ever listed, so a sweep finds nothing.
    List(PathBuf),
    /// A directory made where another stood has its number and its time of birth.
    SameDirectory,
    /// A removed file is still said to be there, as it was when it was open.
    GhostStatus,
    /// Bytes written are damaged: the one at this offset of every file is flipped on its way.
    FlippedByte(u64),
    /// The last byte of every write is not written.
    ShortWrite,
}

static NEXT_DEVICE: AtomicU64 = AtomicU64::new(1);

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::with_tree(Tree::new())
    }

    fn with_tree(tree: Tree) -> Self {
        SimDisk {
            shared: Arc::new(Shared {
                device: NEXT_DEVICE.fetch_add(1, Ordering::Relaxed),
                state: Mutex::new(State {
                    tree,
                    moments: Vec::new(),
                    calls: Vec::new(),
                    hooks: Vec::new(),
                    clock: Duration::from_secs(1_700_000_000),
                    trusts_locks: true,
                    exchanges: true,
                    faults: Vec::new(),
                    lies: Vec::new(),
                    locks: HashMap::new(),
                    next_handle: 0,
                }),
                released: Condvar::new(),
            }),
        }
    }

    /// The disk after each call so far that changed something, the empty beginning not included.
    #[must_use]
    pub fn moments(&self) -> Vec<Moment> {
        self.shared.state().moments.clone()
    }

    /// Every call so far, failed ones included: its name and what it was about.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.shared.state().calls.clone()
    }

    /// Runs `hook` once, right before the next call with this name: what another process does
    /// meanwhile.
    pub fn before_call(&self, name: &'static str, hook: impl FnOnce() + Send + 'static) {
        self.shared.state().hooks.push(Hook {
            name,
            run: Box::new(hook),
        });
    }

    /// Makes the call with this number, counted from 0 over the disk's life, fail with a system
    /// error number.
    pub fn fail_call(&self, call: usize, errno: i32, when: FaultTime) {
        self.shared.state().faults.push(Fault { call, errno, when });
    }

    /// Makes the disk lie from now on.
    pub fn lie(&self, lie: Lie) {
        self.shared.state().lies.push(lie);
    }

    /// Whether [`Disk::trusts_locks`](super::Disk::trusts_locks) answers yes; it does by default.
    pub fn set_trusts_locks(&self, trusts: bool) {
        self.shared.state().trusts_locks = trusts;
    }

    /// Whether [`Disk::exchange`](super::Disk::exchange) works; it does by default.
    pub fn set_exchanges(&self, exchanges: bool) {
        self.shared.state().exchanges = exchanges;
    }

    /// Whether both sides of a rename between two directories become durable together, as on every file system with a
    /// journal; by default they do not.
    pub fn set_journaled(&self, journaled: bool) {
        self.shared.state().tree.journaled = journaled;
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.state().clock += by;
    }

    /// The content of the file at `path`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such file.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let state = self.shared.state();
        let node = state.tree.find(path.as_ref())?;
        Ok(state.tree.file(node)?.content.to_vec())
    }

    /// Puts a file at `path`, durably, making the directories on the way: the scene before a test.
    ///
    /// # Errors
    /// The disk's own.
    pub fn put(&self, path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
        let mut state = self.shared.state();
        let now = state.now();
        state.tree.put_durable(path.as_ref(), content, now)
    }

    /// Gives a file or directory to a stranger, who may not write in any directory of others.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    pub fn give_to_stranger(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.shared.state().tree.give(path.as_ref(), true)
    }

    /// Takes a file or directory from the stranger, if it is his.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    pub fn give_to_writer(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.shared.state().tree.give(path.as_ref(), false)
    }

    /// The paths of all files, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.shared.state().tree.walk().0
    }

    /// The paths of all directories but the root, sorted.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        self.shared.state().tree.walk().1
    }

    fn open(&self, state: &mut State, node: u64) -> Box<dyn DiskFile> {
        state.next_handle += 1;
        Box::new(SimFile {
            shared: Arc::clone(&self.shared),
            node,
            handle: state.next_handle,
        })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_hook(&self, name: &str) {
        let hook = {
            let hooks = &mut self.state().hooks;
            let found = hooks.iter().position(|hook| hook.name == name);
            found.map(|position| hooks.remove(position))
        };
        if let Some(hook) = hook {
            (hook.run)();
        }
    }

    /// Runs one call: counts it, fails it if told to, and keeps the moment if it changed something.
    fn call<T>(
        &self,
        name: &str,
        path: &Path,
        work: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        self.run_hook(name);
        let mut state = self.state();
        let call = state.calls.len();
        state.calls.push(format!("{name} {}", path.display()));
        let fault = state
            .faults
            .iter()
            .find(|fault| fault.call == call)
            .copied();
        if let Some(Fault {
            errno,
            when: FaultTime::Before,
            ..
        }) = fault
        {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let done = work(&mut state)?;
        if state.tree.take_changed() {
            let call = state.calls.last().cloned().unwrap_or_default();
            let tree = state.tree.clone();
            state.moments.push(Moment { call, tree });
        }
        // An open file that is dropped on the way needs the state to give back its lock.
        drop(state);
        match fault {
            Some(Fault { errno, .. }) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(done),
        }
    }
}

impl State {
    fn now(&mut self) -> SystemTime {
        self.clock += Duration::from_millis(1);
        SystemTime::UNIX_EPOCH + self.clock
    }

    fn lies(&self, lie: &Lie) -> bool {
        self.lies.contains(lie)
    }
}
