//! Data sets in object stores: in memory, on real servers, and where requests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bill;
mod commit_point;
mod deaths;
mod faults;
#[path = "../support/faulty_store.rs"]
mod faulty_store;
#[path = "../support/fields.rs"]
mod fields;
mod files;
mod files_on_servers;
mod gate;
mod guarantees;
mod guarantees_on_servers;
mod lake;
mod modes;
mod processes;
mod publishing;
mod readers;
mod servers;
mod told;
