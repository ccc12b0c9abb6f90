//! Parsers of paths as the user types them: `file://` URLs, and `~` where the shell has not replaced it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use atomic_arrow::{Error, StagingPlace, local_path};
use clap::builder::{OsStringValueParser, TypedValueParser};

/// A local path, file or directory.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| local(&text))
}

/// An input: a local path, a pattern, or `-`.
pub(super) fn input(text: &str) -> Result<String, String> {
    let path = local(OsStr::new(text))?;
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
