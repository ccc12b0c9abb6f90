//! Scenarios after the death of a writer: recovery, rolling forward, and the next writer.
//!
//! A writer is killed by its disk, which does nothing for it any more from one call on. What it held
//! is given back, as the kernel does; what it would still do in dropping does not reach the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atomic_arrow::disk::Disk;
use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::{CommitMode, Error, RecoverOptions, recover_with_options};

use super::dataset::{LAKE, Tune, commit, earlier, earlier_marked, marked, same};
use super::{Ground, Scenario};
use crate::found::without_ids;

const EIO: i32 = 5;
/// The operation is not supported on this file system.
const EOPNOTSUPP: i32 = 95;

/// A disk that does nothing any more for a writer that died after one call.
#[derive(Debug)]
pub struct Dead {
    verb: Verb,
    /// What the path that the call is about ends with, `*` for what differs in every run.
    name: &'static str,
    /// The number of such calls after which the writer dies.
    count: AtomicUsize,
    dead: AtomicBool,
}

impl Dead {
    /// The writer dies after the `count`th call of this kind about such a name.
    #[must_use]
    pub fn after(count: usize, verb: Verb, name: &'static str) -> Self {
        Dead {
            verb,
            name,
            count: AtomicUsize::new(count),
            dead: AtomicBool::new(false),
        }
    }
}

impl Watch for Dead {
    fn before(&self, _call: &Call) -> Verdict {
        match self.dead.load(Ordering::Relaxed) {
            true => Verdict::Fail(EIO),
            false => Verdict::Pass,
        }
    }

    fn after(&self, call: &Call) -> Option<i32> {
        let path = without_ids(&call.path);
        let its = call.verb == self.verb && path.to_string_lossy().ends_with(self.name);
        if its && self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.dead.store(true, Ordering::Relaxed);
            return Some(EIO);
        }
        None
    }
}

#[derive(Debug)]
struct NoExchange;

impl Watch for NoExchange {
    fn before(&self, call: &Call) -> Verdict {
        match call.verb {
            Verb::Exchange => Verdict::Fail(EOPNOTSUPP),
            _ => Verdict::Pass,
        }
    }
}

/// The disk, of a file system that cannot exchange directories.
pub(super) fn without_exchange(disk: &Arc<dyn Disk>) -> Arc<dyn Disk> {
    Tap::on(Arc::clone(disk), Arc::new(NoExchange))
}

/// A commit whose writer died.
pub(super) fn died(ground: &Ground, mode: CommitMode, tune: Tune, dead: Dead) -> Result<(), Error> {
    let dead = Arc::new(dead);
    let disk = Tap::on(Arc::clone(&ground.disk), Arc::clone(&dead) as _);
    match commit(&ground.on(disk), mode, tune) {
        Err(_) => Ok(()),
        // What is left once all is published is no error to a writer that lives.
        Ok(()) if dead.dead.load(Ordering::Relaxed) => Ok(()),
        Ok(()) => Err(Error::InvalidOption {
            option: "scenario",
            reason: "the writer lived on".to_owned(),
        }),
    }
}

fn recover(ground: &Ground) -> Result<(), Error> {
    let options = RecoverOptions::new().disk(Arc::clone(&ground.disk));
    let recovery = recover_with_options(ground.path(LAKE), &options)?;
    match recovery.failed.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

struct Death {
    name: &'static str,
    mode: CommitMode,
    exchanges: bool,
    count: usize,
    verb: Verb,
    of: &'static str,
}

const fn death(
    name: &'static str,
    mode: CommitMode,
    count: usize,
    verb: Verb,
    of: &'static str,
) -> Death {
    Death {
        name,
        mode,
        exchanges: true,
        count,
        verb,
        of,
    }
}

const NOT_DURABLE: &str = "before its record was durable";

fn deaths() -> Vec<Death> {
    use CommitMode::{Append, Overwrite, OverwritePartitions};
    const RECORD: &str = "decision.record";
    const TRANSACTION: &str = ".weather.atomic/*";
    let mut deaths = vec![
        death("before its record", Append, 2, Verb::SyncFile, ".staged"),
        death(NOT_DURABLE, Append, 1, Verb::Rename, RECORD),
        death("at its record", Append, 2, Verb::SyncDirectory, TRANSACTION),
        death("between its files", Append, 1, Verb::Rename, ".parquet"),
        death(
            "with its record to remove",
            Append,
            1,
            Verb::SyncDirectory,
            "year=2",
        ),
        death(
            "with its record removed",
            Append,
            1,
            Verb::RemoveFile,
            RECORD,
        ),
        death(
            "at its record",
            OverwritePartitions,
            2,
            Verb::SyncDirectory,
            TRANSACTION,
        ),
        death(
            "between its exchanges",
            OverwritePartitions,
            1,
            Verb::Exchange,
            "year=1",
        ),
        death(
            "at its record",
            Overwrite,
            2,
            Verb::SyncDirectory,
            TRANSACTION,
        ),
        death("at its exchange", Overwrite, 1, Verb::Exchange, "weather"),
    ];
    deaths.push(Death {
        exchanges: false,
        ..death(
            "between its files, without exchange",
            Overwrite,
            3,
            Verb::Rename,
            ".parquet",
        )
    });
    deaths
}

pub(super) fn all() -> Vec<Scenario> {
    let unsynced = |ground: &Ground| {
        let dead = Dead::after(1, Verb::CreateDirectory, "year=1");
        died(ground, CommitMode::Append, same, dead)
    };
    let new = "recovery of a new data set whose writer died making its directories";
    let mut all = vec![
        Scenario::new(new, LAKE, unsynced, recover)
            .came_from(|_| Ok(()), false)
            .many(),
        Scenario::new(
            "recovery of an overwrite of partitions whose writer died when the earlier success file was gone",
            LAKE,
            |ground| {
                earlier_marked(ground)?;
                let dead = Dead::after(1, Verb::RemoveFile, "_SUCCESS");
                died(ground, CommitMode::OverwritePartitions, marked, dead)
            },
            recover,
        )
        .came_from(earlier_marked, false)
        .many(),
    ];
    for (
        number,
        Death {
            name,
            mode,
            exchanges,
            count,
            verb,
            of,
        },
    ) in deaths().into_iter().enumerate()
    {
        let what = match mode {
            CommitMode::Append => "an append",
            CommitMode::OverwritePartitions => "an overwrite of partitions",
            _ => "an overwrite",
        };
        let prepare = move |ground: &Ground| {
            earlier(ground)?;
            died(ground, mode, same, Dead::after(count, verb, of))
        };
        let mut recovered = Scenario::new(
            format!("recovery of {what} whose writer died {name}"),
            LAKE,
            prepare,
            recover,
        );
        let mut followed = Scenario::new(
            format!("an append after {what} whose writer died {name}"),
            LAKE,
            prepare,
            |ground| commit(ground, CommitMode::Append, same),
        );
        if !exchanges {
            (recovered, followed) = (recovered.without_exchange(), followed.without_exchange());
        }
        let undoable = name == NOT_DURABLE;
        all.push(recovered.came_from(earlier, undoable).many());
        // The next writer does the same recovery: one of each mode is enough.
        if number % 4 == 1 {
            all.push(followed.came_from(earlier, undoable).many());
        }
    }
    all
}
