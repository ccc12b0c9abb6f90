//! Pauses between tries.

use std::time::Duration;

/// Pauses, each twice as long as the one before, until they are as long as they may be.
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Pauses {
            next: first,
            longest,
        }
    }

    /// The pause before the next try.
    pub(crate) fn longer(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}
