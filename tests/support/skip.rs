//! Skipping a test aloud, where something that it needs cannot be had.

use std::fmt::Display;
use std::io::Write as _;
use std::panic::Location;

/// Where this is set to 1, nothing may be skipped: a skip is a failure.
const REQUIRE_ALL: &str = "ATOMIC_ARROW_REQUIRE_ALL";

/// Says on standard error that the calling test is skipped, and why; the caller then returns.
///
/// # Panics
/// If `ATOMIC_ARROW_REQUIRE_ALL` is 1.
#[track_caller]
pub(crate) fn skip(reason: impl Display) {
    // With one test thread the harness runs tests on the main thread, which has no test's name.
    let thread = std::thread::current();
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => Location::caller().to_string(),
    };
    // The harness captures what print! and eprint! write; a skip must be seen without asking for it.
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
    let required = std::env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1");
    assert!(
        !required,
        "{REQUIRE_ALL}=1 and {test} was skipped: {reason}"
    );
}
