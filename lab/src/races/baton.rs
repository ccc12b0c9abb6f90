//! A baton that two programs hand to each other, so that one of them acts at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Second,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Baton {
    /// And whether one of the two has ended.
    turn: Mutex<(Turn, bool)>,
    passed: Condvar,
}

impl Baton {
    pub(super) fn with(turn: Turn) -> Self {
        Baton {
            turn: Mutex::new((turn, false)),
            passed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, (Turn, bool)> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the turn away and waits for it, or for the other's end; false if that came before.
    pub(super) fn pass(&self, to: Turn, back: Turn) -> bool {
        let mut state = self.state();
        if state.1 {
            return false;
        }
        state.0 = to;
        self.passed.notify_all();
        while state.0 != back && !state.1 {
            state = self
                .passed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Waits for the turn, or for the other's end.
    pub(super) fn wait(&self, turn: Turn) {
        let mut state = self.state();
        while state.0 != turn && !state.1 {
            state = self
                .passed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn end(&self, next: Turn) {
        *self.state() = (next, true);
        self.passed.notify_all();
    }
}
