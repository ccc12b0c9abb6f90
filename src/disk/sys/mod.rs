//! Where the systems differ. Each module offers the same functions.

#[cfg(unix)]
mod access;
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
