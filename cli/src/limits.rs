//! The limit of open files: every staged file holds one until it is published.

/// Raises the limit to what the system grants at most. Where it does not, running out is an error of
/// the file that comes too many, and nothing is published.
#[cfg(unix)]
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

/// There is no such limit to raise.
#[cfg(not(unix))]
pub(crate) fn raise_open_files() {}
