//! Scenarios: what programs do to a disk, described once for every kind of test that lets it go wrong.
//!
//! A [`Scenario`] sets a scene and then acts in it, both through a [`Ground`]: a directory of any
//! disk, simulated or real. What may be found afterwards follows from what is found when nothing goes
//! wrong ([`Reference`]); the rules are in [`check`](crate::check). A scenario that is added here is
//! run by every section of the laboratory.

mod dataset;
mod dead;
mod racers;
mod single;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::Disk;
use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::{Error, RecoverOptions, Recovery, Verify, recover_with_options};

use crate::Wrong;
use crate::found::{Found, View};

pub(crate) use dataset::{LAKE, earlier};
pub use dead::Dead;
pub use racers::{RACERS, Racer};

/// A directory of some disk in which scenarios play.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The disk, with whatever watches it.
    pub disk: Arc<dyn Disk>,
    /// The disk without any, for what is just there.
    pub scene: Arc<dyn Disk>,
    /// The directory; it exists, durably.
    pub top: PathBuf,
    /// How files are verified before they are published.
    pub verify: Verify,
}

impl Ground {
    /// A ground whose files are verified as they are by default.
    pub fn new(disk: Arc<dyn Disk>, top: impl Into<PathBuf>) -> Self {
        Ground {
            scene: Arc::clone(&disk),
            disk,
            top: top.into(),
            verify: Verify::Footer,
        }
    }

    /// The same directory by way of another disk.
    #[must_use]
    pub fn on(&self, disk: Arc<dyn Disk>) -> Self {
        Ground {
            disk,
            ..self.clone()
        }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.top.join(below)
    }
}

type Deed = Arc<dyn Fn(&Ground) -> Result<(), Error> + Send + Sync>;

/// One thing that a program does to a disk.
#[derive(Clone)]
pub struct Scenario {
    /// The name in reports.
    pub name: String,
    /// The data set's root, or the directory of the lone file, below the ground.
    pub root: PathBuf,
    /// Whether several files are published, all or none of them, and nothing in between is only
    /// visible until recovery comes.
    pub many: bool,
    /// Whether a receipt stays in the staging area, for the write to be repeated.
    pub remembers: bool,
    /// Whether the action is refused, with nothing changed.
    pub refused: bool,
    /// Whether the disk can exchange directories.
    pub exchanges: bool,
    /// Whether the staging area is inside the data set.
    pub inside: bool,
    /// Whether the action is not the library's, so that nobody reports an outcome.
    pub by_hand: bool,
    prepare: Deed,
    /// Sets the scene as it was before a writer died in it.
    origin: Option<Deed>,
    /// Whether a crash may leave that for good.
    undoable: bool,
    act: Deed,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Scenario {
    pub(crate) fn new(
        name: impl Into<String>,
        root: &str,
        prepare: impl Fn(&Ground) -> Result<(), Error> + Send + Sync + 'static,
        act: impl Fn(&Ground) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Scenario {
            name: name.into(),
            root: root.into(),
            many: false,
            remembers: false,
            refused: false,
            exchanges: true,
            inside: false,
            by_hand: false,
            prepare: Arc::new(prepare),
            origin: None,
            undoable: false,
            act: Arc::new(act),
        }
    }

    pub(crate) fn many(mut self) -> Self {
        self.many = true;
        self
    }

    pub(crate) fn remembers(mut self) -> Self {
        self.remembers = true;
        self
    }

    pub(crate) fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    pub(crate) fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    pub(crate) fn staged_inside(mut self) -> Self {
        self.inside = true;
        self
    }

    pub(crate) fn without_exchange(mut self) -> Self {
        self.exchanges = false;
        self
    }

    pub(crate) fn came_from(
        mut self,
        origin: impl Fn(&Ground) -> Result<(), Error> + Send + Sync + 'static,
        undoable: bool,
    ) -> Self {
        self.origin = Some(Arc::new(origin));
        self.undoable = undoable;
        self
    }

    /// Sets the scene.
    ///
    /// # Errors
    /// The library's, which is a fault of the laboratory or of the disk.
    pub fn prepare(&self, ground: &Ground) -> Result<(), Error> {
        (self.prepare)(&self.ground(ground))
    }

    /// Does what the scenario is about.
    ///
    /// # Errors
    /// The library's.
    pub fn act(&self, ground: &Ground) -> Result<(), Error> {
        (self.act)(&self.ground(ground))
    }

    /// Recovers what dead writers left.
    ///
    /// # Errors
    /// If anything cannot be recovered, or is taken for alive.
    pub fn recover(&self, ground: &Ground) -> Result<(), Wrong> {
        Self::recover_at(&self.ground(ground), &self.root)
    }

    pub(crate) fn recover_at(ground: &Ground, root: &Path) -> Result<(), Wrong> {
        let options = RecoverOptions::new().disk(Arc::clone(&ground.disk));
        match recover_with_options(ground.top.join(root), &options) {
            Ok(Recovery { failed, alive, .. }) if failed.is_empty() && alive.is_empty() => Ok(()),
            other => Err(Wrong(format!("recovery says {other:?}"))),
        }
    }

    fn ground(&self, ground: &Ground) -> Ground {
        match self.exchanges {
            true => ground.clone(),
            false => ground.on(dead::without_exchange(&ground.disk)),
        }
    }

    /// Whether it is a recovery of what a dead writer left.
    #[must_use]
    pub fn is_recovery(&self) -> bool {
        self.origin.is_some() && self.name.starts_with("recovery")
    }

    /// Whether its root is that of a data set, not the directory of a lone file.
    #[must_use]
    pub fn is_data_set(&self) -> bool {
        self.root.starts_with("lake")
    }

    /// The files of the scenario that a reader sees.
    #[must_use]
    pub fn view(&self, found: &Found) -> View {
        found.view(&self.root)
    }
}

/// The outcomes of a scenario when nothing goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Before the action.
    pub before: View,
    /// Before a writer died in the scene, if one did: its names need not be durable.
    pub origin: Option<View>,
    /// After it.
    pub after: View,
    /// Before it and recovered, which is what a crash may leave of an action that did not return; more
    /// than one if what was before is not durable.
    pub unmoved: Vec<View>,
    /// After it, in each of those.
    pub moved: Vec<View>,
    /// After it was done twice, or done once and refused the second time.
    pub twice: View,
    /// Whether doing it once more is refused.
    pub refused_again: bool,
}

impl Reference {
    /// Runs the scenario on disks of its own.
    ///
    /// # Errors
    /// If it does not go as the scenario says.
    pub fn of(scenario: &Scenario) -> Result<Self, Wrong> {
        let mut reference = Self::of_scene(scenario, &scenario.prepare)?;
        if let Some(origin) = &scenario.origin {
            let origin = Self::of_scene(scenario, origin)?;
            reference.origin = Some(origin.before);
            if scenario.undoable {
                reference.unmoved.extend(origin.unmoved);
                reference.moved.extend(origin.moved);
            }
        }
        Ok(reference)
    }

    fn of_scene(scenario: &Scenario, prepare: &Deed) -> Result<Self, Wrong> {
        let wrong = |what: &str, error: &dyn std::fmt::Debug| {
            Wrong(format!("{}, undisturbed, {what}: {error:?}", scenario.name))
        };
        let scene = || {
            let (sim, ground) = simulated();
            let prepared = prepare(&scenario.ground(&ground));
            prepared.map_err(|error| wrong("prepared", &error))?;
            Ok::<_, Wrong>((sim, ground))
        };
        let view = |sim: &SimDisk, ground: &Ground| scenario.view(&Found::on_sim(sim, &ground.top));
        let (sim, ground) = scene()?;
        scenario.recover(&ground)?;
        let unmoved = view(&sim, &ground);

        let (sim, ground) = scene()?;
        let before = view(&sim, &ground);
        let acted = scenario.act(&ground);
        if acted.is_err() != scenario.refused {
            return Err(wrong("done", &acted));
        }
        let after = view(&sim, &ground);
        if scenario.refused && before != after {
            return Err(wrong("refused", &after));
        }
        let again = scenario.act(&ground);
        Ok(Reference {
            before,
            origin: None,
            moved: vec![after.clone()],
            after,
            unmoved: vec![unmoved],
            twice: view(&sim, &ground),
            refused_again: again.is_err(),
        })
    }
}

/// A simulated disk with a ground on it. Renames are lost or kept as one, as with a journal.
#[must_use]
pub fn simulated() -> (SimDisk, Ground) {
    let sim = SimDisk::new();
    sim.set_journaled(true);
    // In memory it cannot fail; if it did, the scene would be missing, which every check notices.
    let _ = sim.put("/scene/ground", b"");
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    (sim, Ground::new(disk, "/scene"))
}

/// Every scenario.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = single::all();
    all.extend(dataset::all());
    all.extend(dead::all());
    all.extend(views::all());
    all
}

/// Puts a file of a scene there, durably.
pub(crate) fn put(ground: &Ground, below: &str, content: &[u8]) -> Result<(), Error> {
    let path = ground.path(below);
    put_durably(ground.scene.as_ref(), &ground.top, &path, content).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })
}

fn put_durably(disk: &dyn Disk, top: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    make_directories(disk, top, path)?;
    let mut file = disk.create_file(path, false)?;
    let mut rest = content;
    while !rest.is_empty() {
        rest = &rest[file.write(rest)?..];
    }
    file.sync()?;
    let above = path.ancestors().skip(1).take_while(|a| a.starts_with(top));
    for directory in above {
        disk.open_directory(directory)?.sync()?;
    }
    Ok(())
}

/// Makes the directories of a path and syncs none of them.
pub(crate) fn make_directories(disk: &dyn Disk, top: &Path, path: &Path) -> std::io::Result<()> {
    let above = path.ancestors().skip(1).take_while(|a| a.starts_with(top));
    let missing: Vec<&Path> = above.collect();
    for directory in missing.into_iter().rev() {
        match disk.create_directory(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
