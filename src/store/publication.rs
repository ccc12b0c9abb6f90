//! Putting a file as one object that is visible as a whole or not at all.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, PutMultipartOptions};
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::error::{io_error, is_refused};
use super::parts::abort;
use super::payload::{Payload, part_size, read};
use super::request::{Request, made};
use super::requests::{head, tokens};
use super::{Expected, Store, Swapped, wait};

/// The most bytes that S3 takes in one PUT.
const MOST_PUT: u64 = 5 << 30;

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
        self.swap_patiently(key, payload.whole()?, expected)
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
            let begun = store.put_multipart_opts(&location, options);
            let begun = made(Request::BeginUpload, &location, begun).await;
            begun.map_err(io_error)
        });
        let mut upload = begun?;
        let put = self.put_parts(key, upload.as_mut(), payload);
        if let Err(error) = put {
            abort(upload)?;
            return Err(error);
        }
        let (store, key) = (self.clients.repeating.clone(), key.clone());
        wait(async move {
            let completed = made(Request::CompleteUpload, &key, upload.complete()).await;
            let error = match completed {
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
    fn put_parts(
        &self,
        key: &Key,
        upload: &mut dyn MultipartUpload,
        payload: &Payload<'_>,
    ) -> io::Result<()> {
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
            let key = key.clone();
            wait(async move {
                let mut put = Vec::new();
                for part in parts {
                    put.push(made(Request::PutPart, &key, part));
                }
                let put = stream::iter(put).buffer_unordered(at_once);
                put.try_collect::<()>().await.map_err(io_error)
            })?;
        }
        payload.check(&hasher)
    }
}
