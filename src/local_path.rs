//! Paths as callers give them: a path of the system, or a `file://` URL.
//!
//! Every path that a caller gives comes through here, so that a name which is not meant for the local disk
//! never becomes a directory on it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The local path that a path or a `file://` URL stands for.
///
/// The path of a URL is absolute and percent-encoded. Everything else is a path already, taken as it
/// is; so a local name that looks like a URL or begins with `~` can be given as `./s3://bucket` or `./~`.
///
/// # Errors
/// [`Error::InvalidPath`] for a URL of another scheme or of another machine, and for `~` and `~/…`, which a
/// shell expands and this does not: the caller knows whose home is meant.
///
/// ```
/// use std::path::Path;
/// use atomic_arrow::local_path;
///
/// assert_eq!(local_path(Path::new("file:///data/wind%20speed"))?, Path::new("/data/wind speed"));
/// assert_eq!(local_path(Path::new("lake/weather"))?, Path::new("lake/weather"));
/// assert!(local_path(Path::new("s3://bucket/weather")).is_err());
/// assert!(local_path(Path::new("~/weather")).is_err());
/// # Ok::<(), atomic_arrow::Error>(())
/// ```
pub fn local_path(path: &Path) -> Result<Cow<'_, Path>> {
    let invalid = |reason| Error::InvalidPath {
        path: path.to_owned(),
        reason,
    };
    let text = path.as_os_str().as_encoded_bytes();
    if text == b"~" || text.starts_with(b"~/") {
        return Err(invalid(
            "begins with `~`, which is not expanded here: name the home directory itself, or a \
             directory called `~` as `./~`",
        ));
    }
    if is_cut_url(path) {
        return Err(invalid(
            "has one slash after the scheme of an object store, whose URLs have two, as s3://bucket/weather, and lose one \
             where they are taken for paths; a local path that looks so can be given with `./` before it",
        ));
    }
    let Some((scheme, rest)) = scheme(text) else {
        return Ok(Cow::Borrowed(path));
    };
    if store_url(path).is_some() {
        return Err(invalid(
            "is in an object store, where only a path on a disk is taken, or of a build without the feature `object_store`; \
             a local path that looks like a URL can be given with `./` before it",
        ));
    }
    if !scheme.eq_ignore_ascii_case(b"file") {
        return Err(invalid(
            "this kind of URL is not supported; supported are paths, file:// URLs and, where an object store may be named, \
             s3://, gs://, az:// and abfss://; a local path that looks like a URL can be given with `./` before it",
        ));
    }
    if rest.iter().any(|byte| matches!(byte, b'?' | b'#')) {
        return Err(invalid(
            "a file:// URL has neither a query nor a fragment; escape ? and # as %3F and %23",
        ));
    }
    let rest = rest.strip_prefix(b"//").unwrap_or(rest);
    let host = rest.iter().position(|byte| *byte == b'/');
    let (host, path) = rest.split_at(host.unwrap_or(rest.len()));
    if !host.is_empty() && !host.eq_ignore_ascii_case(b"localhost") {
        return Err(invalid(
            "this URL names another machine; the path of a file:// URL follows three slashes",
        ));
    }
    if path.is_empty() {
        return Err(invalid("the path of a file:// URL is absolute"));
    }
    match decoded(path) {
        Some(path) => Ok(Cow::Owned(path)),
        None => Err(invalid("the path of this URL is not UTF-8")),
    }
}

/// The schemes of URLs of object stores; `memory` is that of a store which is given as an object.
const STORES: [&str; 9] = [
    "s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "memory",
];

/// Whether a path is the URL of an object store, as `s3://lake/weather` is: of S3 (`s3`, `s3a`), Google Cloud Storage
/// (`gs`), Azure Blob (`az`, `azure`, `adl`, `abfs`, `abfss`), or of a store that is given as an object (`memory`).
///
/// ```
/// use atomic_arrow::is_object_store_url;
///
/// assert!(is_object_store_url("s3://lake/weather"));
/// assert!(!is_object_store_url("./s3://lake/weather"));
/// assert!(!is_object_store_url("https://example.org/weather"));
/// ```
#[cfg(feature = "object_store")]
pub fn is_object_store_url(path: impl AsRef<Path>) -> bool {
    store_url(path.as_ref()).is_some()
}

/// The scheme of the URL of an object store, in small letters, and what follows `://`; `None` for any other path.
pub(crate) fn store_url(path: &Path) -> Option<(&'static str, &str)> {
    let (scheme, rest) = path.to_str()?.split_once("://")?;
    let known = STORES
        .iter()
        .find(|known| scheme.eq_ignore_ascii_case(known));
    known.map(|scheme| (*scheme, rest))
}

/// Whether a path is the URL of an object store that lost a slash, as it does where its parts are put together as those of
/// a path.
fn is_cut_url(path: &Path) -> bool {
    let parts = path.to_str().and_then(|text| text.split_once(":/"));
    parts.is_some_and(|(scheme, rest)| {
        !rest.starts_with('/')
            && STORES
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// The scheme of a URL and what follows its colon.
fn scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
    let (first, others) = scheme.split_first()?;
    let is_scheme = first.is_ascii_alphabetic()
        // One letter is a drive of Windows.
        && !others.is_empty()
        && others
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(byte));
    let is_url = rest.starts_with(b"//") || scheme.eq_ignore_ascii_case(b"file");
    (is_scheme && is_url).then_some((scheme, rest))
}

/// The path with percent escapes decoded; `None` if the system has no such path.
fn decoded(text: &[u8]) -> Option<PathBuf> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
    }
    #[cfg(not(unix))]
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_url_is_its_path() {
        for (url, path) in [
            ("file:///lake/weather", "/lake/weather"),
            ("FILE:///lake", "/lake"),
            ("file://localhost/lake", "/lake"),
            ("file:/lake", "/lake"),
            ("file:///a%20b%3Fc%zz", "/a b?c%zz"),
        ] {
            assert_eq!(
                local_path(Path::new(url)).unwrap(),
                Path::new(path),
                "{url}"
            );
        }
    }

    #[test]
    fn other_urls_and_homes_are_refused() {
        for (url, reason) in [
            ("s3://bucket/x", "is in an object store"),
            ("s3:/bucket/x", "has one slash after the scheme"),
            ("GS:/", "has one slash after the scheme"),
            ("hdfs://bucket", "this kind of URL is not supported"),
            ("abfss+x://a@b/c", "this kind of URL"),
            ("http://localhost/x", "this kind of URL"),
            ("file://host/x", "names another machine"),
            ("file://", "is absolute"),
            ("file:x", "names another machine"),
            ("file:///x?y", "neither a query"),
            ("file:///x#y", "neither a query"),
            ("~", "begins with `~`"),
            ("~/x", "begins with `~`"),
        ] {
            let error = local_path(Path::new(url)).unwrap_err();
            assert!(error.to_string().starts_with(url), "{error}");
            assert!(error.to_string().contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn everything_else_is_a_path() {
        for path in [
            "./s3://bucket/x",
            "./s3:/bucket/x",
            "s4:/bucket/x",
            "./~/x",
            "~x",
            "a~/b",
            "/lake",
            "C://x",
            "a:b",
            "k=v:w/x",
            "",
            ":",
            "1a://b",
        ] {
            assert_eq!(local_path(Path::new(path)).unwrap(), Path::new(path));
        }
    }
}
