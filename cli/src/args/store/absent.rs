//! Object stores in a build without the feature `object_store`: there are no options of them, and their URLs are refused.

use std::path::Path;

use atomic_arrow::{StagingPlace, WaitingWrite, staged_at};
use clap::Args;

use crate::exit::Failure;

/// Examples for the short help.
pub(crate) fn with_stores(examples: &str) -> String {
    examples.to_owned()
}

/// There is nothing to say.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {}

/// There is nothing to say.
#[derive(Debug, Args)]
pub(crate) struct StoreWorkArgs {}

/// There is nothing to say.
#[derive(Debug, Args)]
pub(crate) struct StoreUploadArgs {}

pub(crate) fn reach<T, A>(what: T, _: &A, _: &[impl AsRef<Path>]) -> Result<T, Failure> {
    Ok(what)
}

pub(crate) fn staged<A>(
    root: &Path,
    place: &StagingPlace,
    _: &A,
) -> Result<Vec<WaitingWrite>, Failure> {
    Ok(staged_at(root, place)?)
}
