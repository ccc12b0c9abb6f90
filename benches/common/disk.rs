//! The time that a disk spends on syncing.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use atomic_arrow::disk::tap::{Call, Tap, Verdict, Watch};
use atomic_arrow::disk::{Disk, OsDisk};

thread_local! {
    /// When the sync began that this thread waits for.
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Adds up how long syncs took, of all threads together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopwatch(Arc<AtomicU64>);

impl Stopwatch {
    /// [`OsDisk`], whose syncs are timed.
    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Tap::on(Arc::new(OsDisk), Arc::new(self.clone()))
    }

    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Adds a sync that began at `start` and has just ended.
    pub(crate) fn add(&self, start: Instant) {
        self.0
            .fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Watch for Stopwatch {
    fn before(&self, call: &Call) -> Verdict {
        START.set(call.verb.syncs().then(Instant::now));
        Verdict::Pass
    }

    fn after(&self, _call: &Call) -> Option<i32> {
        if let Some(start) = START.take() {
            self.add(start);
        }
        None
    }
}
