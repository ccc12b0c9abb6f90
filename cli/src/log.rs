//! What the library tells while it works, on standard error: waits for other writers that take long, or what the variable
//! `ATOMIC_ARROW_LOG` asks for.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use atomic_arrow::trace;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::exit::{Exit, Failure};

const VARIABLE: &str = "ATOMIC_ARROW_LOG";

/// The variable, for the help of the command.
pub(crate) const HELP: &str = "\
With ATOMIC_ARROW_LOG=info, or debug, what is done is told on standard error, in the place of a
progress bar; ATOMIC_ARROW_LOG=atomic_arrow::commit=debug tells it of one target (write, commit,
recover, verify, store).";

/// Whether lines are printed that the variable asks for.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Listens to the library, as the variable asks for.
pub(crate) fn listen() -> Result<(), Failure> {
    let Some(asked) = std::env::var_os(VARIABLE).filter(|asked| !asked.is_empty()) else {
        tell_of_waits();
        return Ok(());
    };
    let asked = asked.to_string_lossy();
    let Some(filter) = filter(&asked) else {
        let reason = "is no level (error, warn, info, debug, off) nor a list such as info,atomic_arrow::commit=debug";
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{VARIABLE}={asked}: {reason}"),
        ));
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // In a process that listens already, that one goes on.
    let _ = tracing_subscriber::registry()
        .with(lines.with_ansi(false))
        .with(filter)
        .try_init();
    IS_ON.store(
        LevelFilter::current() != LevelFilter::OFF,
        Ordering::Relaxed,
    );
    Ok(())
}

/// Prints a line for each wait that takes long, so that nobody takes the command for stuck.
fn tell_of_waits() {
    let is_wait = filter_fn(|told| told.name() == trace::WAITING);
    let message = debug_fn(|line, field, value| match field.name() {
        "message" => write!(line, "{value:?}"),
        _ => Ok(()),
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .with_level(false)
        .with_target(false)
        .fmt_fields(message)
        .with_filter(is_wait.with_max_level_hint(LevelFilter::WARN));
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// A filter by levels and by the targets that the library has.
fn filter(asked: &str) -> Option<Targets> {
    let filter: Targets = asked.parse().ok()?;
    let targets = [
        trace::WRITE,
        trace::COMMIT,
        trace::RECOVER,
        trace::VERIFY,
        trace::STORE,
    ];
    let is_known =
        |asked: &str| !asked.is_empty() && targets.iter().any(|target| target.starts_with(asked));
    let known = filter.iter().all(|(target, _)| is_known(target));
    known.then_some(filter)
}

/// Whether lines are printed that the variable asks for.
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn only_levels_and_known_targets_are_asked_for() {
        for asked in [
            "info",
            "DEBUG",
            "off",
            "warn,atomic_arrow::commit=debug",
            "info,atomic_arrow::store=debug",
            "atomic_arrow",
        ] {
            assert!(filter(asked).is_some(), "{asked}");
        }
        for asked in [
            "debg",
            "atomic_arrow::comit=debug",
            "info,hyper=debug",
            "=",
            "commit=loud",
        ] {
            assert!(filter(asked).is_none(), "{asked}");
        }
    }
}
