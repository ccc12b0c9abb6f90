//! SIGINT and SIGTERM: discard what is staged and publish nothing, or finish what is decided (promise
//! P5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
#[cfg(unix)]
use signal_hook::consts::SIGXFSZ;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::exit::{Exit, Failure};

/// Lets a write beyond the limit of a file's size (`ulimit -f`) fail, instead of ending the process. So
/// does the standard library with one to a pipe that nobody reads.
///
/// # Errors
/// The system's.
pub(crate) fn take_limits_as_errors() -> Result<(), Failure> {
    #[cfg(unix)]
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .map_err(|error| Failure::io("signals cannot be watched", &error))?;
    Ok(())
}

/// Whether a signal came that asks to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
    /// The handlers by which a second signal ends the process.
    impatience: [SigId; 2],
}

impl Interrupt {
    /// Starts to watch. The first signal is noted; a second one ends the process at once, which
    /// leaves staging files to the next writer.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn watch() -> Result<Self, Failure> {
        let raised = Arc::new(AtomicBool::new(false));
        let watch = |signal| {
            // In this order: the first signal finds the flag down.
            let exit = Exit::Interrupted as i32;
            let second = flag::register_conditional_shutdown(signal, exit, raised.clone())?;
            flag::register(signal, raised.clone())?;
            Ok(second)
        };
        let watched = |signal| {
            watch(signal).map_err(|error| Failure::io("signals cannot be watched", &error))
        };
        Ok(Interrupt {
            impatience: [watched(SIGINT)?, watched(SIGTERM)?],
            raised,
        })
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Stops watching, for good: from now on a second signal does not end the process either, since its exit code
    /// would say that nothing is published.
    pub(crate) fn is_raised_at_last(&self) -> bool {
        for second in self.impatience {
            low_level::unregister(second);
        }
        self.is_raised()
    }

    /// An error once a signal came, while nothing is published.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_raised() {
            Err(Failure::interrupted())
        } else {
            Ok(())
        }
    }

    /// The flag itself, for the reading side.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.raised)
    }
}
