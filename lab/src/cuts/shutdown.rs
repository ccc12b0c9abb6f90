//! Shutting a mounted file system down without flushing anything: the one unsafe call of the laboratory.
#![allow(unsafe_code)] // Neither the standard library nor rustix has this request of the kernel.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

/// `EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN`, which are the same.
const GOING_DOWN: Opcode = opcode::read::<u32>(b'X', 125);
/// Neither the log nor the data is flushed.
const NO_LOG_FLUSH: u32 = 2;

/// Shuts the file system that is mounted at `mount` down as a power cut would.
pub(super) fn shut_down(mount: &Path) -> io::Result<()> {
    let directory = File::open(mount)?;
    // SAFETY: both file systems read one `u32` from the address that comes with this request, which
    // is what a `Setter` of a `u32` gives; others refuse the request.
    unsafe {
        let request = Setter::<GOING_DOWN, u32>::new(NO_LOG_FLUSH);
        ioctl(&directory, request)?;
    }
    Ok(())
}
