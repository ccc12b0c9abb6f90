//! [`recover`]: what dead writers left of a data set is finished or removed (promises P6 and P7).

use std::collections::BTreeSet;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::Backend;
use crate::disk::{Disk, OsDisk};
use crate::error::{Error, Result, Step};
use crate::location::Location;
use crate::options::scan::{OnScan, Scan};
use crate::options::{Interrupt, ScanProgress, StagingPlace, SyncPolicy};
use crate::store::ObjectStoreOptions;
use crate::trace;
use crate::transaction::{Recovered, Target, recover_all};

/// The result of [`recover`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Transactions of dead writers that were committed and are now published as a whole, or would be
    /// in a dry run: their directories in the staging area.
    pub finished: Vec<PathBuf>,
    /// Transactions that were committed, could not be finished, and were given up because
    /// [`RecoverOptions::abort_unfinished`] asks for it. What was published of them stays visible, which may be all
    /// of it where only the receipt of a named write could not be kept.
    pub abandoned: Vec<PathBuf>,
    /// Markers of dead writers' transactions that are out of reach
    /// ([`Error::OutOfReach`](crate::Error::OutOfReach)), and that were removed because
    /// [`RecoverOptions::abort_unfinished`] asks for it.
    pub forgotten: Vec<PathBuf>,
    /// Transactions of dead writers that were not committed and are removed, or would be in a dry run.
    pub aborted: Vec<PathBuf>,
    /// Staging files of dead writers that were removed, or would be in a dry run.
    pub removed: Vec<PathBuf>,
    /// Staging files whose writers are alive, or may be; left alone.
    pub alive: Vec<PathBuf>,
    /// What was staged for another process to commit, and is still to be kept: the directories in the
    /// staging area.
    pub staged: Vec<PathBuf>,
    /// What could not be looked at or removed, and why.
    pub failed: Vec<Error>,
}

/// Options of [`recover_with_options`].
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    dry_run: bool,
    abort_unfinished: bool,
    staging: StagingPlace,
    interrupt: Interrupt,
    on_scan: OnScan,
    disk: Arc<dyn Disk>,
    object_store: ObjectStoreOptions,
}

impl Default for RecoverOptions {
    fn default() -> Self {
        RecoverOptions {
            dry_run: false,
            abort_unfinished: false,
            staging: StagingPlace::default(),
            interrupt: Interrupt::default(),
            on_scan: OnScan::default(),
            disk: Arc::new(OsDisk),
            object_store: ObjectStoreOptions::default(),
        }
    }
}

impl RecoverOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to say only what would be done; by default it is done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Whether to give up commits that cannot be finished, for instance because a staged file was removed;
    /// by default they are kept, and writes to their partitions fail until somebody can finish them.
    ///
    /// What such a commit had published stays visible, and what it had replaced stays replaced: readers see a
    /// part of the write for ever. The rest of its rows is removed. A named write is not remembered as
    /// committed, so that repeating it writes all of its rows again, also those that are visible. Does nothing
    /// in a dry run, nor to a commit for which there is only no room on the disk: make room, and recover again.
    ///
    /// Of a commit whose staging area is not reached from here, only the marker is removed, so that it keeps
    /// nobody from writing any more. Whoever reaches that area later publishes the rest of it, over what was
    /// written since.
    #[must_use]
    pub fn abort_unfinished(mut self, abort_unfinished: bool) -> Self {
        self.abort_unfinished = abort_unfinished;
        self
    }

    /// Where the writers staged their files; by default [`StagingPlace::Auto`], which looks beside
    /// the root and inside it.
    #[must_use]
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.staging = place;
        self
    }

    /// Called after each staging file and transaction, with how many were looked at; by default nothing is.
    #[must_use]
    pub fn on_progress(mut self, call: impl FnMut(ScanProgress) + Send + 'static) -> Self {
        self.on_scan = OnScan::calling(call);
        self
    }

    /// Asked, while another writer's lock on the data set is waited for, whether to give up; by default nothing is
    /// asked. Once it says so, recovery ends with [`Error::Interrupted`]; what it did before is done.
    #[must_use]
    pub fn interrupt_when(self, ask: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        self.interrupted_by(Interrupt::when(ask))
    }

    pub(crate) fn interrupted_by(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// How the object store is reached whose URL the root is, as in `s3://lake/weather`; by default as the environment says.
    /// For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    #[must_use]
    pub fn object_store(self, options: ObjectStoreOptions) -> Self {
        self.of_store(options)
    }

    pub(crate) fn of_store(mut self, options: ObjectStoreOptions) -> Self {
        self.object_store = options;
        self
    }

    /// The disk to recover, for tests; by default the operating system's ([`OsDisk`]).
    #[cfg(feature = "sim")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
    #[must_use]
    pub fn disk(self, disk: Arc<dyn Disk>) -> Self {
        self.on(disk)
    }

    pub(crate) fn on(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }
}

/// Finishes what dead writers had committed of the data set at `root`, and removes the rest of what they left
/// of it, or of lone files in that directory. Finishing an overwrite removes what it replaces.
///
/// Every writer does the same when it opens the data set, so this is needed only where none comes.
/// Safe at any time, beside any number of writers and other recoveries: a file is removed only when
/// its writer is dead, which its lock tells. On file systems whose locks other machines do not see
/// (network and user-space ones) it must also have been untouched for 24 hours.
///
/// ```
/// # let lake = tempfile::tempdir()?;
/// let recovery = atomic_arrow::recover(lake.path())?;
/// assert!(recovery.removed.is_empty() && recovery.failed.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::InvalidPath`] and [`Error::Io`] if the root cannot be resolved; [`Error::Interrupted`] if
/// [that was asked for](RecoverOptions::interrupt_when). What is in the way of
/// single transactions and files is in [`Recovery::failed`]: each says what is on disk, and the others are
/// recovered all the same.
pub fn recover(root: impl AsRef<Path>) -> Result<Recovery> {
    recover_with_options(root, &RecoverOptions::default())
}

/// [`recover`] with options.
///
/// # Errors
/// Those of [`recover`].
pub fn recover_with_options(root: impl AsRef<Path>, options: &RecoverOptions) -> Result<Recovery> {
    let _inside = trace::recover(root.as_ref(), options.dry_run).entered();
    let mut recovery = recover_root(root.as_ref(), options)?;
    recovery.failed = tell_once(recovery.failed);
    for error in &recovery.failed {
        trace::not_recovered(error);
    }
    Ok(recovery)
}

fn recover_root(root: &Path, options: &RecoverOptions) -> Result<Recovery> {
    let target = Target {
        root: &Location::of_directory(&options.disk, root, &options.object_store)?,
        staging: &options.staging,
        interrupt: &options.interrupt,
        rewrite_missing: false,
        sync: SyncPolicy::default(),
    };
    let backend = target.find()?;
    let mut recovery = Recovery::default();
    recovery.failed.extend(backend.repair(options.dry_run));
    let survey = backend.survey();
    recovery.failed.extend(survey.failed);
    let mut scan = options.on_scan.begin();
    for place in survey.places {
        recover_place(place.as_ref(), options, &mut scan, &mut recovery);
    }
    let interrupted = |error: &Error| matches!(error, Error::Interrupted { .. });
    if let Some(at) = recovery.failed.iter().position(interrupted) {
        return Err(recovery.failed.swap_remove(at));
    }
    let out_of_reach = backend.report_out_of_reach(options.dry_run, options.abort_unfinished);
    recovery.forgotten = out_of_reach.forgotten;
    recovery.failed.extend(out_of_reach.failed);
    Ok(recovery)
}

/// Recovers what stands in one place.
fn recover_place(
    backend: &dyn Backend,
    options: &RecoverOptions,
    scan: &mut Scan<'_>,
    recovery: &mut Recovery,
) {
    let swept = backend.sweep_files(options.dry_run);
    for _ in swept.removed.iter().chain(&swept.alive) {
        scan.file(0);
    }
    recovery.removed.extend(swept.removed);
    recovery.alive.extend(swept.alive);
    recovery.failed.extend(swept.failed);
    let asked = (options.dry_run, options.abort_unfinished);
    let recovered = match recover_all(backend, asked, &mut || scan.file(0)) {
        Ok(recovered) => recovered,
        // One area, of which the others know nothing.
        Err(error) => return recovery.failed.push(error),
    };
    for (id, recovered) in recovered.transactions {
        let place = backend.place(id);
        match recovered {
            Ok(Recovered::Finished) => recovery.finished.push(place),
            Ok(Recovered::Abandoned) => recovery.abandoned.push(place),
            Ok(Recovered::Removed) => recovery.aborted.push(place),
            Ok(Recovered::Alive | Recovered::OfAnotherRoot) => recovery.alive.push(place),
            Ok(Recovered::Waiting(_)) => recovery.staged.push(place),
            Ok(Recovered::Gone) => {}
            Err(error) => recovery.failed.push(error),
        }
    }
    recovery.failed.extend(recovered.left);
    if !options.dry_run {
        backend.tidy();
    }
}

/// Drops errors that repeat another's path and cause.
fn tell_once(failed: Vec<Error>) -> Vec<Error> {
    let mut seen = BTreeSet::new();
    let what = |error: &Error| {
        let cause = error.source().map(ToString::to_string);
        (
            error.path().map(Path::to_owned),
            cause.unwrap_or_else(|| error.to_string()),
        )
    };
    let failed = failed.into_iter();
    failed.filter(|error| seen.insert(what(error))).collect()
}
