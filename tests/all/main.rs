//! The library's tests, one module for each behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod child;
#[cfg(target_os = "linux")]
mod crowd;
mod dataset;
mod documents;
mod errors;
mod file;
mod ground;
mod interleave;
#[cfg(target_os = "linux")]
mod kills;
mod race;
mod readers;
mod staged_writes;
mod staging;
mod verify;
mod writer;
#[cfg(target_os = "linux")]
mod zombies;
