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
    /// [`Error::InvalidPath`], without what stands before an `@`, which may be secret.
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
        let host = match (scheme, bucket.split_once('@')) {
            (_, None) => bucket,
            // The container, and the host of its account.
            (Scheme::Azure, Some((container, host))) if !container.contains(':') => host,
            (_, Some(_)) => {
                let (_, host) = bucket.rsplit_once('@').unwrap_or(("", bucket));
                let path = format!("{name}://…@{host}/{key}").into();
                let reason = "has an `@` before which no container of Azure stands: credentials are settings or variables \
                              of the environment, and never part of a URL";
                return Err(Error::InvalidPath { path, reason });
            }
        };
        if host.contains(':') {
            return Err(invalid(
                "has a colon in the name of its bucket: the address and the port of a store are its endpoint \
                 (AWS_ENDPOINT_URL, AZURE_STORAGE_ENDPOINT, GOOGLE_BASE_URL, or the settings of these names)",
            ));
        }
        if host.contains(['?', '#']) {
            return Err(invalid(
                "has a query or fragment after its bucket: how the store is reached say settings, and the environment",
            ));
        }
        // The clients of Azure take the name of a workspace of Fabric with its escapes.
        let is_escape = |one| one == '%' && scheme == Scheme::Azure;
        if !bucket
            .chars()
            .all(|one| is_of_bucket(one) || is_escape(one))
        {
            return Err(invalid(
                "has a character in the name of its bucket that no bucket or container has",
            ));
        }
        if key.starts_with('/') || key.contains("//") {
            return Err(invalid(
                "has two slashes in a row, between which a name is missing",
            ));
        }
        let key = key.strip_suffix('/').unwrap_or(key);
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

/// Whether the name of a bucket may have a character; that of a container of Azure is followed by `@` and a host.
fn is_of_bucket(one: char) -> bool {
    one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.' | '$' | '@')
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
            ("gs://lake/", Scheme::Gcs, "gs://lake", ""),
            ("s3://lake/a?b#c@d:e", Scheme::S3, "s3://lake", "a?b#c@d:e"),
            (
                "abfss://lake@account.dfs.core.windows.net/k=a%20b",
                Scheme::Azure,
                "abfss://lake@account.dfs.core.windows.net",
                "k=a%20b",
            ),
            (
                "abfss://My%20Work@onelake.dfs.fabric.microsoft.com/a",
                Scheme::Azure,
                "abfss://My%20Work@onelake.dfs.fabric.microsoft.com",
                "a",
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
            "s3://lake//b",
            "s3://lake//",
            "s3://lake/a//",
            "s3://lake/a//b",
            "s3://lake/../b",
            "s3://lake/a\nb",
            "s3://lake:9000/a",
            "gs://lake?project=x/a",
            "s3://lake#a",
            "s3://la ke/a",
            "s3://l%61ke/a",
            "az://lake:10000/a",
            "abfss://lake@account.dfs.core.windows.net:443/a",
        ] {
            let error = parsed(url).unwrap_err();
            assert!(matches!(error, Error::InvalidPath { .. }), "{url}: {error}");
        }
        for path in ["lake/weather", "file:///lake", "s3:/lake", "./s3://lake"] {
            assert!(store_url(Path::new(path)).is_none(), "{path}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for url in [
            "s3://key:secret@lake/a",
            "s3://secret@lake/a",
            "gs://a@b:secret@lake/a",
            "az://lake:secret@account.blob.core.windows.net/a",
        ] {
            let error = parsed(url).unwrap_err();
            assert!(matches!(error, Error::InvalidPath { .. }), "{url}: {error}");
            let told = format!("{error} {error:?}");
            assert!(!told.contains("secret"), "{told}");
            assert!(told.contains("credentials"), "{told}");
        }
    }
}
