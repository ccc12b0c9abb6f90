//! Measures what the time of a write is spent on, by the threads that do the work.
//!
//! A region of work counts the time of the thread that runs it, and that of the threads of [`pool`](crate::pool) that help
//! it, and does not count the regions within it, which count for themselves. Regions are as large as a batch, a row group or
//! a file, so that the clock costs nothing that could be noticed.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

thread_local! {
    /// What the region that this thread is in counts beside its own time, in nanoseconds: the time of its helpers, less that
    /// of the regions within it.
    static BESIDE: Cell<i128> = const { Cell::new(0) };
}

/// The work that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Taking batches: checking, converting, splitting, holding and spilling their rows.
    Split,
    /// Gathering, sorting, encoding and writing the rows of files.
    Encode,
    /// Syncing files and the directories in which they are staged.
    Sync,
    /// Re-opening files and comparing them with what was written.
    Verify,
    /// The steps of a commit from its locks to the last sync of a directory.
    Publish,
}

/// The time that each kind of work has taken so far, that of all threads together.
#[derive(Debug)]
pub(crate) struct Meter {
    begun: Instant,
    nanoseconds: [AtomicU64; 5],
}

impl Default for Meter {
    fn default() -> Self {
        Meter {
            begun: Instant::now(),
            nanoseconds: Default::default(),
        }
    }
}

impl Meter {
    /// Does a piece of work, and counts its time.
    pub(crate) fn measure<T>(&self, work: Work, piece: impl FnOnce() -> T) -> T {
        let (done, time) = timed(piece);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds[work as usize].fetch_add(nanoseconds, Ordering::Relaxed);
        done
    }

    /// The time that was counted for a kind of work.
    pub(crate) fn spent(&self, work: Work) -> Duration {
        Duration::from_nanos(self.nanoseconds[work as usize].load(Ordering::Relaxed))
    }

    /// The time since the meter was made.
    pub(crate) fn wall(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Does something that the region around it is not to count, such as waiting for another thread.
pub(crate) fn uncounted<T>(piece: impl FnOnce() -> T) -> T {
    timed(piece).0
}

/// Does a piece of work; also gives its time, that of helpers included and that of regions within it left out.
pub(crate) fn timed<T>(piece: impl FnOnce() -> T) -> (T, Duration) {
    let around = BESIDE.replace(0);
    let begun = Instant::now();
    let done = piece();
    let own = begun.elapsed().as_nanos() as i128;
    let time = u64::try_from((own + BESIDE.get()).max(0)).unwrap_or(u64::MAX);
    BESIDE.set(around - own);
    (done, Duration::from_nanos(time))
}

/// Adds the time of threads that have helped this one to the region that it is in.
pub(crate) fn add_helpers(time: Duration) {
    BESIDE.set(BESIDE.get() + time.as_nanos() as i128);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::thread::sleep;

    use super::*;
    use crate::error::Error;
    use crate::pool::for_each;

    const SHORT: Duration = Duration::from_millis(5);

    #[test]
    fn a_region_within_another_counts_for_itself_alone() {
        let meter = Meter::default();
        meter.measure(Work::Encode, || {
            meter.measure(Work::Verify, || {
                sleep(SHORT);
                uncounted(|| sleep(4 * SHORT));
            });
            sleep(2 * SHORT);
        });
        let (encoding, verifying) = (meter.spent(Work::Encode), meter.spent(Work::Verify));
        assert!(verifying >= SHORT && encoding >= 2 * SHORT);
        assert!(encoding + verifying + 4 * SHORT <= meter.wall());
        assert_eq!(meter.spent(Work::Split), Duration::ZERO);
    }

    #[test]
    fn threads_that_help_count_with_the_region_that_they_help() {
        let meter = Meter::default();
        meter.measure(Work::Encode, || {
            for_each(4, 4, Path::new("/lake"), |_| {
                sleep(4 * SHORT);
                Ok::<(), Error>(())
            })
            .unwrap();
        });
        assert!(meter.spent(Work::Encode) >= 16 * SHORT);
    }
}
