//! The calls that differ between operating systems. Each module offers the same functions.

use std::fs::Metadata;

use super::nanoseconds;

#[cfg(unix)]
mod access;
#[cfg(unix)]
mod access_list;
#[cfg(unix)]
mod limits;
#[cfg(unix)]
mod owners;
#[cfg(unix)]
mod paths;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use access::*;
#[cfg(unix)]
pub(super) use limits::*;
#[cfg(unix)]
pub(super) use owners::*;
#[cfg(unix)]
pub(super) use paths::*;
#[cfg(unix)]
pub(super) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::*;

/// The time of creation in nanoseconds since 1970, if the file system tells.
fn born(metadata: &Metadata) -> Option<i128> {
    metadata.created().ok().map(nanoseconds)
}
