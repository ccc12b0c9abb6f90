//! Parsers of paths as the user types them: URLs, and `~` where the shell has not replaced it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use atomic_arrow::{Error, StagingPlace, local_path};
use clap::builder::{OsStringValueParser, TypedValueParser};

/// Why an input is refused.
const IN_STORE: &str = "inputs are not read from object stores: download it, or hand its bytes on by a pipe, with - for it; \
                        a local path that looks like a URL can be given with `./` before it";

/// A local path, file or directory.
#[cfg(feature = "object_store")]
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| local(&text))
}

/// A local path, or the URL of what is, or will be, in an object store.
pub(super) fn place() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| match is_in_store(Path::new(&text)) {
        true => Ok(PathBuf::from(text)),
        false => local(&text),
    })
}

/// Whether a path is the URL of an object store.
#[cfg(feature = "object_store")]
pub(crate) fn is_in_store(path: &Path) -> bool {
    atomic_arrow::is_object_store_url(path)
}

/// Whether a path is the URL of an object store.
#[cfg(not(feature = "object_store"))]
pub(crate) fn is_in_store(_: &Path) -> bool {
    false
}

/// A file that is read: a local path, or `-`.
pub(super) fn source() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| read(&text))
}

/// An input: a local path, a pattern, or `-`.
pub(super) fn input(text: &str) -> Result<String, String> {
    let path = read(OsStr::new(text))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| "the path is not UTF-8".to_owned())
}

/// A place where files are staged.
pub(super) fn staging() -> impl TypedValueParser<Value = StagingPlace> {
    OsStringValueParser::new().try_map(|place: OsString| {
        Ok::<_, String>(match place.to_str() {
            Some("auto") => StagingPlace::Auto,
            Some("beside") => StagingPlace::Beside,
            Some("inside") => StagingPlace::Inside,
            _ => StagingPlace::Directory(local(&place)?),
        })
    })
}

fn read(text: &OsStr) -> Result<PathBuf, String> {
    match is_in_store(Path::new(text)) {
        true => Err(IN_STORE.to_owned()),
        false => local(text),
    }
}

/// The local path that a text stands for, with the user's home for `~`.
fn local(text: &OsStr) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let below_home = path.strip_prefix("~").ok();
    if let Some(below) = below_home {
        return match std::env::home_dir().filter(|home| home.is_absolute()) {
            Some(home) if below.as_os_str().is_empty() => Ok(home),
            Some(home) => Ok(home.join(below)),
            None => Err("`~` is not known: HOME is not set".to_owned()),
        };
    }
    match local_path(path) {
        Ok(path) => Ok(path.into_owned()),
        Err(Error::InvalidPath { reason, .. }) => Err(reason.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
