//! The command `atomic-arrow`, as a user meets it: what it prints, how it exits, what is on disk.
//!
//! One module a subcommand, and one for each kind of mischance: signals, full and read-only disks,
//! limits. Every test runs the built binary.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "../../../tests/support/mod.rs"]
mod support;

mod bars;
mod bombs;
mod completions;
mod disks;
mod faithful;
mod ground;
mod inputs;
mod inspect;
mod keys;
mod log;
#[cfg(feature = "object_store")]
mod object_store;
mod options;
mod paths;
mod peers;
mod publishing;
mod put;
#[cfg(unix)]
mod readme;
mod recover;
mod refusals;
mod row_file;
mod run;
mod select;
mod signals;
mod staged;
mod usage;
mod verify;
mod write;
