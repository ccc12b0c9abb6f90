//! The library without one of its syncs, checks or locks: a disk that does not do what it says.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_arrow::disk::sim::{Lie, SimDisk};
use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::disk::{Disk, Entry, FileStatus, Identity, PublishMode};

use crate::found::without_ids;

/// A mutation of the disk: what is taken away from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// Nothing.
    None,
    /// Every sync of these [marks](Marks).
    Syncs(Vec<String>),
    /// Every sync of this kind.
    AllSyncs(Verb),
    /// Every lock on files whose path, ids left out, ends like this.
    Lock(&'static str),
    /// Every look at the files of the data set after the first.
    SecondLooks,
    /// The refusal to follow symbolic links: every call goes where they lead.
    FollowedLinks,
    /// The identities of files: all have the same.
    Identities,
    /// The refusal to replace files whose path ends like this.
    Refusal(&'static str),
    /// What the simulated disk can lie about.
    Lie(Lie),
}

impl Mutation {
    /// The disk with the mutation; `sim` is the simulated one behind it, if it is one.
    #[must_use]
    pub fn wrap(&self, disk: Arc<dyn Disk>, sim: Option<&SimDisk>, top: &Path) -> Arc<dyn Disk> {
        if let (Mutation::Lie(lie), Some(sim)) = (self, sim) {
            sim.lie(lie.clone());
        }
        match self {
            Mutation::None | Mutation::Lie(_) => disk,
            _ => Tap::on(disk, Arc::new(Marks::new(top, self.clone()))),
        }
    }
}

impl std::fmt::Display for Mutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mutation::None => f.write_str("nothing"),
            Mutation::Syncs(marks) => f.write_str(&marks.join(" and ")),
            Mutation::AllSyncs(verb) => write!(f, "every {verb:?}"),
            Mutation::Lock(name) => write!(f, "locks of {name}"),
            Mutation::SecondLooks => f.write_str("looking at the data set again"),
            Mutation::FollowedLinks => f.write_str("the refusal to follow links"),
            Mutation::Identities => f.write_str("what tells one file from another"),
            Mutation::Refusal(name) => write!(f, "the refusal to replace {name}"),
            Mutation::Lie(lie) => write!(f, "{lie:?}"),
        }
    }
}

/// Tells the syncs of a run apart by what they are for: of which file; or of which directory, and
/// what was last done in it.
///
/// That comes close to a line of the library, and a sync that is added there gets a mark of its own.
#[derive(Debug)]
pub struct Marks {
    top: PathBuf,
    mutation: Mutation,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last change in each directory.
    last: HashMap<PathBuf, String>,
    /// The entries first found in each directory.
    first: HashMap<PathBuf, Vec<Entry>>,
    seen: BTreeSet<String>,
}

/// What a mark of a sync says if nothing was done in the directory since its last one.
pub const AGAIN: &str = "again";
/// What it says if this process has done nothing in it.
pub const FOREIGN: &str = "for what others did";

impl Marks {
    /// Marks of what happens below and above `top`, with a mutation.
    #[must_use]
    pub fn new(top: &Path, mutation: Mutation) -> Self {
        Marks {
            top: top.to_owned(),
            mutation,
            state: Mutex::default(),
        }
    }

    /// The marks of the syncs so far.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<String> {
        self.state().seen.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn class(&self, path: &Path) -> String {
        match path.strip_prefix(&self.top) {
            Ok(below) if below.as_os_str().is_empty() => "the ground".to_owned(),
            Ok(below) => without_ids(below).display().to_string(),
            Err(_) => "what is above the ground".to_owned(),
        }
    }

    fn mark(&self, call: &Call) -> String {
        let class = self.class(&call.path);
        let verb = call.verb;
        if !matches!(verb, Verb::SyncDirectory | Verb::SyncNames) {
            return format!("{verb:?} {class}");
        }
        let state = self.state();
        let last = state.last.get(&call.path);
        let last = last.map_or(FOREIGN, String::as_str);
        format!("{verb:?} {class}, {last}")
    }
}

impl Watch for Marks {
    fn before(&self, call: &Call) -> Verdict {
        let verb = call.verb;
        let taken = match &self.mutation {
            Mutation::AllSyncs(all) => verb == *all,
            Mutation::Lock(name) if matches!(verb, Verb::Lock | Verb::TryLock) => {
                without_ids(&call.path).to_string_lossy().ends_with(name)
            }
            mutation if verb.syncs() => {
                let mark = self.mark(call);
                let taken = matches!(mutation, Mutation::Syncs(of) if of.contains(&mark));
                let mut state = self.state();
                state.seen.insert(mark);
                if !taken && verb == Verb::SyncDirectory {
                    state.last.insert(call.path.clone(), AGAIN.to_owned());
                }
                taken
            }
            _ => false,
        };
        match taken {
            true => Verdict::Pretend,
            false => Verdict::Pass,
        }
    }

    fn listed(&self, path: &Path, entries: Vec<Entry>) -> Vec<Entry> {
        let below = path.strip_prefix(&self.top).unwrap_or(path);
        let hidden = below.components().any(|part| {
            let name = part.as_os_str().as_encoded_bytes();
            name.first() == Some(&b'.')
        });
        if self.mutation != Mutation::SecondLooks || hidden {
            return entries;
        }
        let mut state = self.state();
        state
            .first
            .entry(path.to_owned())
            .or_insert(entries)
            .clone()
    }

    fn leads(&self, verb: Verb, path: &Path) -> PathBuf {
        if self.mutation != Mutation::FollowedLinks {
            return path.to_owned();
        }
        // Those calls that would follow a link at the end too.
        let whole = matches!(
            verb,
            Verb::List
                | Verb::OpenDirectory
                | Verb::OpenFile
                | Verb::OpenOrCreateFile
                | Verb::Place
                | Verb::CopyPermissions
        );
        let leads = match (path.parent(), path.file_name()) {
            (Some(above), Some(name)) if !whole => {
                above.canonicalize().map(|above| above.join(name))
            }
            _ => path.canonicalize(),
        };
        leads.unwrap_or_else(|_| path.to_owned())
    }

    fn known(&self, path: &Path, status: FileStatus) -> FileStatus {
        // Locks are asked for their own file, which is another matter.
        let is_lock = path.ends_with("lock");
        if self.mutation != Mutation::Identities || is_lock {
            return status;
        }
        FileStatus {
            identity: Identity {
                device: 1,
                file: 1,
                born: None,
            },
            ..status
        }
    }

    fn mode(&self, to: &Path, mode: PublishMode) -> PublishMode {
        match &self.mutation {
            Mutation::Refusal(name) if to.to_string_lossy().ends_with(name) => PublishMode::Replace,
            _ => mode,
        }
    }

    fn after(&self, call: &Call) -> Option<i32> {
        let names = [
            (Some(&call.path), "after"),
            (call.from.as_ref(), "after the leaving of"),
        ];
        let in_directory = matches!(
            call.verb,
            Verb::CreateFile
                | Verb::OpenOrCreateFile
                | Verb::CreateDirectory
                | Verb::Rename
                | Verb::Exchange
                | Verb::RemoveFile
                | Verb::RemoveDirectory
        );
        for (path, how) in names {
            if let Some(path) = path.filter(|_| in_directory)
                && let Some((parent, name)) = path.parent().zip(path.file_name())
            {
                let name = without_ids(Path::new(name));
                let what = format!("{how} {:?} {}", call.verb, name.display());
                self.state().last.insert(parent.to_owned(), what);
            }
        }
        None
    }
}
