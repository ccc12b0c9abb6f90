//! A hostile neighbour, who does something right before any one call of a writer: he moves a directory away
//! and puts a link or another one there, links, removes, replaces or locks a file, or makes the next name first.
//!
//! He has every right on the file system, and what he puts there belongs to a stranger. It is played on a real
//! kernel, as root, since the simulated disk has neither links nor owners. Afterwards:
//!
//! - what the writer was told is true of all that the neighbour himself did not take away;
//! - nothing of a stranger is changed or removed, wherever links lead (promise P12);
//! - nothing that was committed before is gone, and nothing is visible that nobody committed;
//! - a recovery, when the neighbour is gone, keeps all of this.
//!
//! Syncs are answered and not made: no power is cut here.

mod deed;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_arrow::disk::tap::{Call, Tap, Verdict, Watch};
use atomic_arrow::disk::{Disk, OsDisk};
use atomic_arrow::{Outcome, RecoverOptions, recover_with_options};

use crate::check::{Rules, Told};
use crate::found::{Found, View, hash_of};
use crate::mutant::Mutation;
use crate::report::Findings;
use crate::scenario::Ground;
use crate::{Sample, Wrong};

use deed::{Deed, Neighbour, THEIRS};

/// The directory in which it is played: no power is cut, and a file system in memory is fast.
const MEMORY: &str = "/dev/shm";

/// The scenarios that are played.
const SCENES: [&str; 12] = [
    "a lone file replaced",
    "a new JSON file in a new partition",
    "a Parquet file replaced",
    "one more file for a data set",
    "a new data set",
    "an append",
    "a named append",
    "partitions overwritten",
    "all overwritten",
    "all overwritten without exchange",
    "recovery of an append whose writer died between its files",
    "recovery of an overwrite whose writer died at its exchange",
];

/// The scenarios that are played with something taken away from the disk.
const NOTICING: [&str; 2] = ["one more file for a data set", "an append"];

/// The neighbour, who waits for his call.
#[derive(Debug)]
struct Waiting {
    deed: Deed,
    at: usize,
    state: Mutex<(usize, Neighbour)>,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, (usize, Neighbour)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Waiting {
    fn before(&self, call: &Call) -> Verdict {
        if call.verb.syncs() {
            return Verdict::Pretend;
        }
        let (count, neighbour) = &mut *self.state();
        if *count == self.at {
            neighbour.does(self.deed, call);
        }
        *count += 1;
        Verdict::Pass
    }

    fn waits_for_lock(&self, _call: &Call) -> bool {
        // Whoever may write in the data set can hold its lock; he gives it back when somebody waits for it.
        self.state().1.lock.take().is_some()
    }
}

/// The reason why there can be no neighbour here, if there is one.
fn unable() -> Option<Wrong> {
    let root = rustix::process::geteuid().is_root();
    (!root).then(|| Wrong("what belongs to another user takes root".to_owned()))
}

/// Runs the section, and returns its findings for the report.
pub(crate) fn run(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    if let Some(why) = unable() {
        return Ok(Findings::skipped(why));
    }
    let mut found = Findings::table(&["scenario", "deeds", "failures"]);
    for rules in scenes(all)? {
        let (count, failures) = play_all(rules, sample)?;
        found.count("deeds", count);
        let cells = [count, failures.len()].map(|count| count.to_string());
        let name = rules.scenario.name.clone();
        found.rows.push([name].into_iter().chain(cells).collect());
        found.failures.extend(failures);
    }
    Ok(found)
}

fn scenes(all: &[Rules]) -> Result<Vec<&Rules>, Wrong> {
    let of = |name| all.iter().find(|rules| rules.scenario.name == name);
    // Those that are not asked for are left out before.
    let found: Vec<&Rules> = SCENES.into_iter().filter_map(of).collect();
    match found.is_empty() {
        true => Err(Wrong("no scenario of these has a neighbour".to_owned())),
        false => Ok(found),
    }
}

/// What is taken away from the disk, and which deed is noticed then; nothing where this is not root.
///
/// # Errors
/// If a scenario cannot be played.
pub(crate) fn taken(all: &[Rules]) -> Result<Vec<(String, Option<Wrong>)>, Wrong> {
    if unable().is_some() {
        return Ok(Vec::new());
    }
    let all = scenes(all)?;
    let taken = [
        (Mutation::FollowedLinks, Deed::LinkForDirectory),
        (Mutation::Identities, Deed::Replace),
    ];
    let mut found = Vec::new();
    for (mutation, deed) in taken {
        let name = format!("{mutation}, next to a neighbour");
        found.push((name, noticed(&all, &mutation, deed)?));
    }
    Ok(found)
}

fn noticed(all: &[&Rules], mutation: &Mutation, deed: Deed) -> Result<Option<Wrong>, Wrong> {
    let of = |name| all.iter().find(|rules| rules.scenario.name == name);
    for rules in NOTICING.into_iter().filter_map(of) {
        for at in 0.. {
            let (calls, played) = Play::new(rules, mutation, deed, at)?.end();
            if let Err(wrong) = played {
                return Ok(Some(wrong));
            }
            if at >= calls {
                break;
            }
        }
    }
    Ok(None)
}

/// Every deed at the sampled calls; how many were done, and what was wrong.
fn play_all(rules: &Rules, sample: Sample) -> Result<(usize, Vec<Wrong>), Wrong> {
    let none = Mutation::None;
    let undisturbed = Play::new(rules, &none, Deed::Lock, usize::MAX)?;
    let (calls, _) = undisturbed.end();
    let (mut count, mut failures) = (0, Vec::new());
    for deed in Deed::ALL {
        for at in (0..calls).filter(|&at| sample.takes(at, calls)) {
            let (_, played) = Play::new(rules, &none, deed, at)?.end();
            match played {
                Ok(did) => count += usize::from(did),
                Err(wrong) => {
                    count += 1;
                    failures.push(wrong);
                }
            }
        }
    }
    Ok((count, failures))
}

/// One play, when it is over.
struct Play<'a> {
    rules: &'a Rules,
    _directory: tempfile::TempDir,
    ground: Ground,
    waiting: Arc<Waiting>,
    told: Result<(), atomic_arrow::Error>,
}

impl<'a> Play<'a> {
    fn new(rules: &'a Rules, mutation: &Mutation, deed: Deed, at: usize) -> Result<Self, Wrong> {
        let wrong = |error: std::io::Error| Wrong(format!("a neighbour's ground: {error}"));
        let directory = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir());
        let directory = directory.map_err(wrong)?;
        let top = directory.path().canonicalize().map_err(wrong)?;
        let top = top.join("scene");
        fs::create_dir(&top).map_err(wrong)?;
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let ground = Ground::new(Tap::on(disk, Arc::new(WithoutSyncs)), &top);
        let scenario = &rules.scenario;
        let prepared = scenario.prepare(&ground);
        prepared.map_err(|error| Wrong(format!("{}, prepared: {error:?}", scenario.name)))?;
        let waiting = Arc::new(Waiting {
            deed,
            at,
            state: Mutex::new((0, Neighbour::new(&top).map_err(wrong)?)),
        });
        let disk = mutation.wrap(Arc::clone(&ground.disk), None, &top);
        let disk = Tap::on(disk, Arc::clone(&waiting) as _);
        let told = scenario.act(&ground.on(disk));
        Ok(Play {
            rules,
            _directory: directory,
            ground,
            waiting,
            told,
        })
    }

    /// How many calls were made; and whether anything was done to them, or what is wrong.
    fn end(self) -> (usize, Result<bool, Wrong>) {
        let (count, neighbour) = &mut *self.waiting.state();
        neighbour.lock = None;
        let did = neighbour.did.clone();
        let Some(did) = did else {
            return (*count, Ok(false));
        };
        let checked = self.check(neighbour).and_then(|()| {
            // A link on the way to the root, or in its place, is part of the path that a user gives.
            let root = self.ground.top.join(&self.rules.scenario.root);
            if root.ancestors().any(Path::is_symlink) {
                return Ok(());
            }
            // What becomes of it is looked at; what it says of a place like this is in other tests.
            let options = RecoverOptions::new().disk(Arc::clone(&self.ground.disk));
            let recovered = recover_with_options(root, &options);
            self.check(neighbour).map_err(|Wrong(what)| {
                Wrong(format!(
                    "after a recovery, which says {recovered:?}: {what}"
                ))
            })
        });
        let place = |Wrong(what)| {
            let name = &self.rules.scenario.name;
            Wrong(format!("{name}, {did}, told {:?}: {what}", self.told))
        };
        (*count, checked.map(|()| true).map_err(place))
    }

    fn check(&self, neighbour: &Neighbour) -> Result<(), Wrong> {
        let harm = neighbour.harm();
        let harm = harm.map_err(|error| Wrong(format!("what is of others: {error}")))?;
        if let Some(harm) = harm {
            return Err(Wrong(harm));
        }
        let (rules, top) = (self.rules, &self.ground.top);
        let reference = &rules.reference;
        let found = look(top)?;
        let mut elsewhere = Found::default();
        let below = |path: &Path| path.strip_prefix(top).unwrap_or(path).to_owned();
        for (was, is) in &neighbour.away {
            for (path, content) in look(is)?.files {
                elsewhere.files.insert(below(was).join(path), content);
            }
        }
        let gone = neighbour.gone.iter();
        let gone = gone.map(|(path, content)| (below(path), content.clone()));
        elsewhere.files.extend(gone);
        // What a name hides from readers is none of theirs.
        let view = |found: &Found| {
            let mut view = rules.scenario.view(found);
            view.0.retain(|(path, ..)| !is_hidden(path));
            view
        };
        let (here, away) = (view(&found), view(&elsewhere));
        let anywhere = |entry: &Entry| here.0.contains(entry) || away.0.contains(entry);
        let known: Vec<&View> = [&reference.before, &reference.after]
            .into_iter()
            .chain(&reference.origin)
            .chain(&reference.unmoved)
            .chain(&reference.moved)
            .collect();
        let is_theirs = |entry: &Entry| entry.2 == hash_of(THEIRS);
        if let Some(entry) = here
            .0
            .iter()
            .find(|entry| !is_theirs(entry) && !known.iter().any(|view| view.0.contains(entry)))
        {
            return Err(Wrong(format!(
                "{entry:?} is visible, which nobody committed"
            )));
        }
        let before: BTreeSet<&Entry> = reference.before.0.iter().collect();
        let after: BTreeSet<&Entry> = reference.after.0.iter().collect();
        // An old file may have been in the staging area when the neighbour took that away.
        let taken: BTreeSet<u64> = elsewhere.files.values().map(|c| hash_of(c)).collect();
        let misses = |wanted: &BTreeSet<&Entry>, may_be_taken: bool| {
            let is_gone =
                |entry: &&&Entry| !(anywhere(entry) || may_be_taken && taken.contains(&entry.2));
            match wanted.iter().find(is_gone) {
                Some(entry) => Err(Wrong(format!("{entry:?} is gone"))),
                None => Ok(()),
            }
        };
        // What stays is nobody's to take.
        misses(&(&before & &after), true)?;
        let visible = |entries: BTreeSet<&Entry>, what: &str| match entries
            .into_iter()
            .find(|entry| here.0.contains(entry))
        {
            Some(entry) => Err(Wrong(format!("{entry:?} is visible, which {what}"))),
            None => Ok(()),
        };
        // A recovery promises nothing of what is not in the area any more.
        let told = match rules.scenario.is_recovery()
            && neighbour.robbed(&top.join(&rules.scenario.root))
        {
            true => Told::Nothing,
            false => Told::of(&self.told),
        };
        match told {
            Told::Done | Told::Failed(Outcome::PublishedNotDurable) => {
                misses(&after, false)?;
                visible(&before - &after, "was replaced")
            }
            Told::Failed(Outcome::NotPublished)
                if reference.unmoved.contains(&reference.before) =>
            {
                misses(&before, true)?;
                visible(&after - &before, "was not published")
            }
            // What was replaced goes only when what replaces it is known to be there.
            _ => {
                let mut somewhere: BTreeSet<u64> =
                    found.files.values().map(|c| hash_of(c)).collect();
                somewhere.extend(&taken);
                let replaced_by_nothing = after.iter().any(|entry| !somewhere.contains(&entry.2));
                match replaced_by_nothing {
                    true => misses(&before, true),
                    false => Ok(()),
                }
            }
        }
    }
}

/// Whether a part of a path begins with a dot.
fn is_hidden(path: &Path) -> bool {
    path.iter()
        .any(|name| name.as_encoded_bytes().starts_with(b"."))
}

type Entry = (PathBuf, usize, u64);

fn look(top: &Path) -> Result<Found, Wrong> {
    Found::on_system(top).map_err(|error| Wrong(format!("{}: {error}", top.display())))
}

#[derive(Debug)]
struct WithoutSyncs;

impl Watch for WithoutSyncs {
    fn before(&self, call: &Call) -> Verdict {
        match call.verb.syncs() {
            true => Verdict::Pretend,
            false => Verdict::Pass,
        }
    }
}
