//! Object stores in a build without the feature `object_store`: there are none.

/// There is no client.
#[derive(Debug)]
pub(crate) enum Store {}

impl Store {
    pub(crate) fn parallel_requests(&self) -> usize {
        match *self {}
    }

    pub(crate) fn reads_back(&self) -> bool {
        match *self {}
    }
}

/// There is nothing to say.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectStoreOptions {
    _nothing: (),
}

/// No object has a version.
#[derive(Debug, Clone)]
pub(crate) enum Version {}

/// What has to be at a key.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    Absent,
    Version(Version),
    Any,
}
