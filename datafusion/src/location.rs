//! The local directory that a location in a statement stands for.

use std::path::PathBuf;

use atomic_arrow::Error;
use datafusion::datasource::listing::ListingTableUrl;

use crate::error::{Result, external};

/// The root of the data set at a location: a path, or a `file://` URL.
pub(crate) fn root(location: &ListingTableUrl) -> Result<PathBuf> {
    let refused = |reason| {
        let path = PathBuf::from(location.as_str());
        Err(external(Error::InvalidPath { path, reason }))
    };
    if location.get_glob().is_some() {
        return refused("is a pattern of files; name the directory of one data set");
    }
    if location.scheme() != "file" {
        return refused(
            "is not on a local or mounted file system, where alone data sets can be written atomically by now; \
             name a path or a file:// URL",
        );
    }
    match location.get_url().to_file_path() {
        // Without the slash at its end.
        Ok(path) => Ok(path.components().collect()),
        Err(()) => refused("is no path of this machine"),
    }
}
