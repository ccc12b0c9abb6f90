//! Pauses between tries, and waits that take long.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a wait is until it is told of, and after how long again.
const TOLD_AFTER: Duration = Duration::from_secs(10);
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Pauses, each twice as long as the one before, until they are as long as they may be.
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
    wait: Wait,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Pauses {
            next: first,
            longest,
            wait: Wait::begin(),
        }
    }

    /// The pause before the next try.
    pub(crate) fn longer(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// The wait that they are part of.
    pub(crate) fn wait(&self) -> &Wait {
        &self.wait
    }
}

/// A wait for somebody else.
pub(crate) struct Wait {
    begun: Instant,
    told_at: Cell<Duration>,
}

impl Wait {
    pub(crate) fn begin() -> Self {
        Wait {
            begun: Instant::now(),
            told_at: Cell::new(TOLD_AFTER),
        }
    }

    #[cfg(feature = "object_store")]
    pub(crate) fn has_lasted(&self, time: Duration) -> bool {
        self.begun.elapsed() >= time
    }

    /// Whether it is to be told of now: it takes long, and was not told of for long.
    pub(crate) fn is_to_be_told(&self) -> bool {
        self.is_to_be_told_after(self.begun.elapsed())
    }

    fn is_to_be_told_after(&self, elapsed: Duration) -> bool {
        let is_late = elapsed >= self.told_at.get();
        if is_late {
            self.told_at.set(elapsed + TOLD_EVERY);
        }
        is_late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_of_after_ten_seconds_and_each_minute_from_then_on() {
        let wait = Wait::begin();
        let told = (0..200).filter(|second| wait.is_to_be_told_after(Duration::from_secs(*second)));
        assert_eq!(told.collect::<Vec<_>>(), [10, 70, 130, 190]);
    }
}
