//! SIGINT and SIGTERM: discard what is staged, publish nothing further (promise P5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// Whether a signal came that asks to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to watch. The first signal is noted; a second one ends the process at once, which
    /// leaves staging files to the next writer.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn watch() -> Result<Self, Failure> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down.
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, raised.clone())
                .and_then(|_| flag::register(signal, raised.clone()))
                .map_err(|error| Failure::io("signals cannot be watched", &error))?;
        }
        Ok(Interrupt(raised))
    }

    /// One that nothing raises.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Interrupt(Arc::default())
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
        Arc::clone(&self.0)
    }
}
