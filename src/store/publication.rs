//! Putting a file as one object that is visible as a whole or not at all.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, PutMultipartOptions};
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::parts::{part_size, read};
use super::requests::{head, is_refused, tokens};
use super::{Expected, Store, Swapped, io_error, wait};
use crate::disk::DiskFile;

/// The most bytes that S3 takes in one PUT.
const MOST_PUT: u64 = 5 << 30;

/// A file that is put as an object.
pub(crate) struct Payload<'a> {
    pub(crate) file: &'a dyn DiskFile,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// The XXH3 hash (128 bits) of all bytes, as they were written.
    pub(crate) hash: Option<u128>,
}

impl Payload<'_> {
    /// Compares the bytes that were read, and will be visible, with those that were written.
    fn check(&self, hasher: &XxHash3_128) -> io::Result<()> {
        match self.hash {
            Some(hash) if hash != hasher.finish_128() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the staged file is not what was written",
            )),
            _ => Ok(()),
        }
    }
}

impl Store {
    /// Puts a file as an object if what is there is what is expected, and finds out whether it did.
    ///
    /// A file that is longer than a part is uploaded in parts if anything may be there. Else it is put by one request, which
    /// takes as much memory: no store ends an upload in parts on a condition.
    ///
    /// # Errors
    /// What is certain to have changed nothing.
    pub(crate) fn publish(
        &self,
        key: &Key,
        payload: &Payload<'_>,
        expected: Expected,
    ) -> io::Result<Swapped> {
        if payload.bytes > self.options.part_size && matches!(expected, Expected::Any) {
            return self.upload(key, payload);
        }
        if payload.bytes > MOST_PUT {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "no more than 5 GiB can be put on a condition: more can only replace what is there",
            ));
        }
        let bytes = read(payload.file, 0, payload.bytes)?;
        let mut hasher = XxHash3_128::new();
        hasher.write(&bytes);
        payload.check(&hasher)?;
        self.swap(key, bytes, expected)
    }

    /// Uploads a file in parts, whatever is there.
    fn upload(&self, key: &Key, payload: &Payload<'_>) -> io::Result<Swapped> {
        let token = Uuid::now_v7().to_string();
        let options = PutMultipartOptions {
            attributes: tokens(&token),
            ..PutMultipartOptions::default()
        };
        let (store, location) = (self.clients.repeating.clone(), key.clone());
        let begun = wait(async move {
            let begun = store.put_multipart_opts(&location, options).await;
            begun.map_err(io_error)
        });
        let mut upload = begun?;
        let put = self.put_parts(upload.as_mut(), payload);
        if let Err(error) = put {
            abort(upload)?;
            return Err(error);
        }
        let (store, key) = (self.clients.repeating.clone(), key.clone());
        wait(async move {
            let error = match upload.complete().await {
                Ok(put) => return Ok(Swapped::Done(put.into())),
                Err(error) => io_error(error),
            };
            let refused = is_refused(&error);
            // Of an upload that was ended this does nothing; of another, nothing is left, and nothing comes later.
            let _ = upload.abort().await;
            match head(store.as_ref(), &key).await {
                Ok(Some(found)) if found.has_token(&token) => Ok(Swapped::Done(found.version)),
                _ if refused => Err(error),
                // It may have been there, and been replaced or removed since.
                _ => Ok(Swapped::Unknown(error)),
            }
        })
    }

    /// Uploads the parts of a file, several at a time.
    fn put_parts(&self, upload: &mut dyn MultipartUpload, payload: &Payload<'_>) -> io::Result<()> {
        let size = part_size(self.options.part_size, payload.bytes);
        let at_once = self.options.parallel_requests;
        let mut hasher = XxHash3_128::new();
        let mut start = 0;
        while start < payload.bytes {
            let mut parts = Vec::new();
            while start < payload.bytes && parts.len() < at_once {
                let part: Bytes = read(payload.file, start, size.min(payload.bytes - start))?;
                start += part.len() as u64;
                hasher.write(&part);
                parts.push(upload.put_part(part.into()));
            }
            wait(async move {
                let put = stream::iter(parts).buffer_unordered(at_once);
                put.try_collect::<()>().await.map_err(io_error)
            })?;
        }
        payload.check(&hasher)
    }
}

/// Removes the parts of an upload. What cannot be removed now, the rules of the bucket remove.
fn abort(mut upload: Box<dyn MultipartUpload>) -> io::Result<()> {
    wait(async move {
        let _ = upload.abort().await;
        Ok(())
    })
}
