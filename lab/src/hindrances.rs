//! Hindrances: what would keep a decided commit from being published. Each is looked for before the decision, and
//! each look is taken away from the disk, after which a commit must stop half-way.
//!
//! A simulated disk with something in the way of one partition: it answers truly when it is asked, and refuses
//! the calls that publish. That the operating system's disk answers truly is tested with real users, mounts and
//! quotas by the library's own tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::disk::{Place, Project};
use atomic_arrow::{Error, Outcome};

use crate::Wrong;
use crate::arena::{Arena, Kind};
use crate::scenario::Racer;

const EACCES: i32 = 13;
const EXDEV: i32 = 18;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

/// The partition that nothing can be moved into.
const CLOSED: &str = "year=1";
/// Another directory of the data set that a commit makes.
const NEW: &str = "year=2";

/// A hindrance to publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hindrance {
    /// The user may not write in the partition.
    Permissions,
    /// He may not remove what is in it.
    Sticky,
    /// Another mount of the same device.
    Mount,
    /// A quota project of its own.
    Project,
    /// No inode is free.
    Inodes,
    /// No descriptor is free.
    Descriptors,
}

impl Hindrance {
    const ALL: [(Hindrance, &'static str, Racer); 6] = [
        (
            Hindrance::Permissions,
            "whether this user may write",
            Racer::Append,
        ),
        (
            Hindrance::Sticky,
            "whether he may remove what is replaced",
            Racer::OverwritePartitions,
        ),
        (Hindrance::Mount, "the mount of a directory", Racer::Append),
        (
            Hindrance::Project,
            "the quota project of a directory",
            Racer::Append,
        ),
        (Hindrance::Inodes, "free inodes", Racer::Append),
        (Hindrance::Descriptors, "free descriptors", Racer::Append),
    ];
}

/// A disk with a hindrance, which it tells when it is asked, or not.
#[derive(Debug)]
struct Hindered {
    by: Hindrance,
    asked: bool,
    /// Whether a decision was recorded: what is scarce has run out by then.
    decided: AtomicBool,
}

impl Hindered {
    fn is_there(&self, path: &Path) -> bool {
        path.iter().any(|name| name == CLOSED) && !path.iter().any(|name| name == ".weather.atomic")
    }
}

impl Watch for Hindered {
    fn before(&self, call: &Call) -> Verdict {
        let there = self.is_there(&call.path);
        let moves = matches!(call.verb, Verb::Rename | Verb::Exchange);
        let asks = |verb| call.verb == verb && there;
        let answer = |errno| match self.asked {
            true => Verdict::Fail(errno),
            false => Verdict::Pretend,
        };
        let decided = self.decided.load(Ordering::Relaxed);
        match self.by {
            Hindrance::Permissions if asks(Verb::CheckWritable) => answer(EACCES),
            Hindrance::Permissions if there && moves => Verdict::Fail(EACCES),
            Hindrance::Sticky if asks(Verb::CheckRemovable) => answer(EACCES),
            Hindrance::Sticky if there && moves => Verdict::Fail(EACCES),
            Hindrance::Mount | Hindrance::Project if there && moves => Verdict::Fail(EXDEV),
            Hindrance::Inodes
                if decided && call.verb == Verb::CreateDirectory && call.path.ends_with(NEW) =>
            {
                Verdict::Fail(ENOSPC)
            }
            Hindrance::Descriptors if decided && call.verb == Verb::OpenDirectory => {
                Verdict::Fail(EMFILE)
            }
            _ => Verdict::Pass,
        }
    }

    fn after(&self, call: &Call) -> Option<i32> {
        if call.verb == Verb::Rename && call.path.ends_with("decision.record") {
            self.decided.store(true, Ordering::Relaxed);
        }
        None
    }

    fn placed(&self, path: &Path, place: Place) -> Place {
        let other = self.by == Hindrance::Mount && self.asked && self.is_there(path);
        Place {
            mount: Some(u64::from(other)),
            ..place
        }
    }

    fn project(&self, path: &Path, project: Project) -> Project {
        match self.by == Hindrance::Project && self.asked && self.is_there(path) {
            true => Project {
                id: 7,
                inherited: true,
            },
            false => project,
        }
    }

    fn free_inodes(&self, free: Option<u64>) -> Option<u64> {
        match self.by == Hindrance::Inodes && self.asked {
            true => Some(1),
            false => free,
        }
    }

    fn free_descriptors(&self, free: Option<u64>) -> Option<u64> {
        match self.by == Hindrance::Descriptors && self.asked {
            true => Some(1),
            false => free,
        }
    }
}

/// Each question that is taken away, with what was wrong without it.
///
/// # Errors
/// If a commit is not refused, with nothing published, when all of it is asked for.
pub fn all() -> Result<Vec<(String, Option<Wrong>)>, Wrong> {
    let mut found = Vec::new();
    for (by, name, racer) in Hindrance::ALL {
        let name = format!("the question of {name} before the decision");
        if let Some(Wrong(what)) = play(by, true, racer)? {
            return Err(Wrong(format!("{name} is there, and {what}")));
        }
        found.push((name, play(by, false, racer)?));
    }
    Ok(found)
}

/// The fault in the outcome of a commit, if there is one.
fn play(by: Hindrance, asked: bool, racer: Racer) -> Result<Option<Wrong>, Wrong> {
    let arena = Arena::new(Kind::Simulated)?;
    let prepared = racer.prepare(&arena.ground);
    prepared.map_err(|error| Wrong(format!("{by:?}, prepared: {error:?}")))?;
    let before = arena.look().view(Racer::root());
    let watch = Arc::new(Hindered {
        by,
        asked,
        decided: AtomicBool::new(false),
    });
    let ground = arena
        .ground
        .on(Tap::on(Arc::clone(&arena.ground.disk), watch));
    let told = racer.act(&ground);
    let after = arena.look().view(Racer::root());
    let refused = told.as_ref().map_err(Error::outcome) == Err(Outcome::NotPublished);
    let is_right = refused && after == before;
    Ok((!is_right).then(|| Wrong(format!("{by:?}: told {told:?}"))))
}
