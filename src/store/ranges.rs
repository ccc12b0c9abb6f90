//! Reading some of the bytes of objects.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::error::io_error;
use super::request::{Request, made};
use super::{Found, Store, wait};

impl Store {
    /// Reads ranges of objects, by their starts and lengths, several at a time, and gives what came of each, in order:
    /// fewer bytes at the end of an object, and which version they are of.
    pub(super) fn get_ranges(
        &self,
        ranges: Vec<(Key, u64, u64)>,
    ) -> io::Result<Vec<io::Result<(Bytes, Found)>>> {
        let (store, at_once) = (
            self.clients.repeating.clone(),
            self.options.parallel_requests,
        );
        wait(async move {
            let get = |(key, start, length): (Key, u64, u64)| {
                let store = store.clone();
                async move { get_range(store.as_ref(), &key, start, length).await }
            };
            Ok(stream::iter(ranges)
                .map(get)
                .buffered(at_once)
                .collect()
                .await)
        })
    }
}

async fn get_range(
    store: &dyn ObjectStore,
    key: &Key,
    start: u64,
    length: u64,
) -> io::Result<(Bytes, Found)> {
    let options = GetOptions {
        range: Some(GetRange::Bounded(start..start + length)),
        ..GetOptions::default()
    };
    let get = async {
        let answer = store.get_opts(key, options).await?;
        let found = Found::of(&answer);
        Ok::<_, object_store::Error>((answer.bytes().await?, found))
    };
    made(Request::Get, key, get).await.map_err(io_error)
}
