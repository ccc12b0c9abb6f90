//! The limit of what is uploaded at a time, by all threads of a writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Permits to hold one part each in memory.
#[derive(Debug)]
pub(super) struct Permits {
    free: Mutex<usize>,
    given_back: Condvar,
}

/// Permits that are given back when this is dropped.
pub(super) struct Permit<'a> {
    permits: &'a Permits,
    pub(super) parts: usize,
}

impl Permits {
    pub(super) fn new(parts: usize) -> Self {
        Permits {
            free: Mutex::new(parts),
            given_back: Condvar::new(),
        }
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one permit, and takes up to `most` if there are more.
    pub(super) fn take(&self, most: usize) -> Permit<'_> {
        let none_free = |free: &mut usize| *free == 0;
        let waited = self.given_back.wait_while(self.free(), none_free);
        let mut free = waited.unwrap_or_else(PoisonError::into_inner);
        let parts = most.clamp(1, *free);
        *free -= parts;
        Permit {
            permits: self,
            parts,
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.permits.free() += self.parts;
        self.permits.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_taken_is_within_the_limit_and_comes_back() {
        let permits = Permits::new(3);
        let two = permits.take(2);
        let one = permits.take(5);
        assert_eq!((two.parts, one.parts, *permits.free()), (2, 1, 0));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| permits.take(9).parts);
            drop(two);
            assert!(waits.join().unwrap() > 0);
        });
        drop(one);
        assert_eq!(*permits.free(), 3);
    }
}
