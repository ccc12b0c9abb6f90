//! The library's tests, one module for each behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod child;
mod crash;
mod documents;
mod faults;
mod ground;
mod race;
mod scenario;
