//! Addresses of object stores, as callers write them.

use std::path::Path;

use crate::error::{Error, Result};
use crate::local_path::store_url;

/// The kind of store that a URL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    S3,
    Gcs,
    Azure,
    /// Of a store that the caller gives.
    Given,
}

/// The parts of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scheme: Scheme,
    /// Scheme and bucket, as in `s3://lake`.
    pub(super) base: String,
    /// The path in the bucket, without slashes at either end.
    pub(super) key: String,
}

impl Address {
    /// Reads a URL. What follows the bucket is the key as it is: nothing in it is percent-decoded.
    ///
    /// # Errors
    /// [`Error::InvalidPath`].
    pub(super) fn parse(path: &Path) -> Result<Self> {
        let invalid = |reason| Error::InvalidPath {
            path: path.to_owned(),
            reason,
        };
        let (name, rest) = store_url(path)
            .ok_or_else(|| invalid("is no URL of an object store, as s3://bucket/path is"))?;
        let scheme = match name {
            "s3" | "s3a" => Scheme::S3,
            "gs" => Scheme::Gcs,
            "memory" => Scheme::Given,
            _ => Scheme::Azure,
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid(
                "names no bucket or container, which follows two slashes",
            ));
        }
        let key = key.trim_matches('/');
        if key
            .split('/')
            .any(|part| part.is_empty() && !key.is_empty())
        {
            return Err(invalid(
                "has two slashes in a row, between which a name is missing",
            ));
        }
        if key.split('/').any(|part| part == "." || part == "..") {
            return Err(invalid(
                "has `.` or `..` in it, which mean nothing in an object store",
            ));
        }
        if key.chars().any(|one| one.is_ascii_control()) {
            return Err(invalid("has a control character in it"));
        }
        Ok(Address {
            scheme,
            base: format!("{name}://{bucket}"),
            key: key.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<(Scheme, String, String)> {
        let address = Address::parse(Path::new(url))?;
        Ok((address.scheme, address.base, address.key))
    }

    #[test]
    fn a_url_is_a_bucket_and_a_key_that_is_taken_as_it_is() {
        for (url, scheme, base, key) in [
            ("s3://lake/weather", Scheme::S3, "s3://lake", "weather"),
            ("S3A://lake/a/b/", Scheme::S3, "s3a://lake", "a/b"),
            ("gs://lake", Scheme::Gcs, "gs://lake", ""),
            (
                "abfss://lake@account.dfs.core.windows.net/k=a%20b",
                Scheme::Azure,
                "abfss://lake@account.dfs.core.windows.net",
                "k=a%20b",
            ),
            (
                "memory://lake/weather",
                Scheme::Given,
                "memory://lake",
                "weather",
            ),
        ] {
            assert_eq!(
                parsed(url).unwrap(),
                (scheme, base.to_owned(), key.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_key_of_a_store_is_refused() {
        for url in [
            "s3:///weather",
            "s3://lake/a//b",
            "s3://lake/../b",
            "s3://lake/a\nb",
        ] {
            let error = parsed(url).unwrap_err();
            assert!(matches!(error, Error::InvalidPath { .. }), "{url}: {error}");
        }
        for path in ["lake/weather", "file:///lake", "s3:/lake", "./s3://lake"] {
            assert!(store_url(Path::new(path)).is_none(), "{path}");
        }
    }
}
