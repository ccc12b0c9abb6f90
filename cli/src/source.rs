//! The input of `put`, read with an eye on the interrupt flag.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::signal::Interrupt;
use crate::stdin::stdin;

/// A file or standard input.
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    len: Option<u64>,
    interrupt: Interrupt,
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// What cannot be opened, and directories.
    pub(crate) fn open(path: &Path, interrupt: &Interrupt) -> Result<Self, Failure> {
        let (path, opened) = match path.as_os_str() == "-" {
            true => (Path::new("standard input"), stdin()),
            false => (path, File::open(path)),
        };
        let found = opened.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        let (file, metadata) = found.map_err(|error| cannot_be_read(path, &error))?;
        if metadata.is_dir() {
            return Err(cannot_be_read(path, &io::ErrorKind::IsADirectory.into()));
        }
        let len = metadata.is_file().then_some(metadata.len());
        Ok(Source {
            path: path.to_owned(),
            file,
            len,
            interrupt: interrupt.clone(),
        })
    }

    /// Its length, where that is known before reading.
    pub(crate) fn len(&self) -> Option<u64> {
        self.len
    }

    /// Reads some bytes, 0 at the end.
    ///
    /// # Errors
    /// The system's, and a signal that came meanwhile.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            self.interrupt.check()?;
            let read = match self.len.is_some() || is_readable(&self.file)? {
                true => self.file.read(buffer),
                false => continue,
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| cannot_be_read(&self.path, &error)),
            }
        }
    }
}

fn cannot_be_read(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format_args!("{}: cannot be read", path.display()), error)
}

/// Waits a moment for bytes or the end of a pipe or terminal, and says whether there is either.
#[cfg(unix)]
fn is_readable(file: &File) -> Result<bool, Failure> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    const MOMENT: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&MOMENT)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Failure::io("standard input: cannot be read", &error.into())),
    }
}

#[cfg(not(unix))]
fn is_readable(_: &File) -> Result<bool, Failure> {
    Ok(true)
}
