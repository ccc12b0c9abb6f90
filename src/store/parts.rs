//! Uploads in parts: their parts are in the store, and no object is visible until they are put together.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::MultipartUpload;
use object_store::multipart::PartId;
use object_store::path::Path as Key;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::error::io_error;
use super::payload::{Payload, part_size, read};
use super::request::{Request, made};
use super::{Store, Version, wait};

/// The parts of a file that are in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedParts {
    /// The store's name of the upload.
    pub(crate) upload: String,
    /// The store's name of each part, in order.
    pub(crate) parts: Vec<String>,
    /// The length of the file in bytes.
    pub(crate) bytes: u64,
}

impl Store {
    /// Whether uploads in parts can be ended by others than who began them.
    pub(crate) fn has_parts(&self) -> bool {
        self.clients.uploads.is_some()
    }

    /// Begins an upload in parts, and gives the store's name of it.
    pub(crate) fn begin_upload(&self, key: &Key) -> io::Result<String> {
        let (uploads, key) = (self.uploads()?, key.clone());
        wait(async move {
            let begun = uploads.create_multipart(&key);
            let begun = made(Request::BeginUpload, &key, begun).await;
            begun.map_err(io_error)
        })
    }

    /// Uploads a file in parts, several at a time.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if what was read and uploaded is not what was written; those of the store.
    pub(crate) fn upload_parts(
        &self,
        key: &Key,
        upload: &str,
        payload: &Payload<'_>,
    ) -> io::Result<UploadedParts> {
        let bytes = payload.bytes;
        let mut hasher = XxHash3_128::new();
        // All parts but the last have the same size, as some stores demand.
        let size = part_size(self.options.part_size, bytes);
        let mut ids = Vec::new();
        let mut start = 0;
        while start < bytes {
            let left = (bytes - start).div_ceil(size);
            let permit = self
                .permits
                .take(usize::try_from(left).unwrap_or(usize::MAX));
            let mut group = Vec::new();
            while start < bytes && group.len() < permit.parts {
                let length = size.min(bytes - start);
                let part = read(payload.file, start, length)?;
                hasher.write(&part);
                group.push(part);
                start += length;
            }
            let (uploads, key, upload) = (self.uploads()?, key.clone(), upload.to_owned());
            let first = ids.len();
            let at_once = self.options.parallel_requests;
            let parts: Vec<PartId> = wait(async move {
                let put = |(number, part): (usize, Bytes)| {
                    let (uploads, key, upload) = (uploads.clone(), key.clone(), upload.clone());
                    async move {
                        let put = uploads.put_part(&key, &upload, first + number, part.into());
                        made(Request::PutPart, &key, put).await
                    }
                };
                let parts = stream::iter(group).enumerate().map(put);
                parts
                    .buffered(at_once)
                    .try_collect()
                    .await
                    .map_err(io_error)
            })?;
            ids.extend(parts.into_iter().map(|part| part.content_id));
        }
        payload.check(&hasher)?;
        Ok(UploadedParts {
            upload: upload.to_owned(),
            parts: ids,
            bytes,
        })
    }

    /// Puts the parts together: the object is visible from now on.
    pub(crate) fn complete_upload(&self, key: &Key, parts: &UploadedParts) -> io::Result<()> {
        let (uploads, key, parts) = (self.uploads()?, key.clone(), parts.clone());
        wait(async move {
            let ids = parts.parts.into_iter();
            let ids = ids.map(|content_id| PartId { content_id }).collect();
            let completed = uploads.complete_multipart(&key, &parts.upload, ids);
            let completed = made(Request::CompleteUpload, &key, completed).await;
            completed.map(drop).map_err(io_error)
        })
    }

    /// Removes the parts of an upload. That there are none is no error.
    pub(crate) fn abort_upload(&self, key: &Key, upload: &str) -> io::Result<()> {
        let (uploads, key, upload) = (self.uploads()?, key.clone(), upload.to_owned());
        wait(async move {
            let aborted = uploads.abort_multipart(&key, &upload);
            match made(Request::AbortUpload, &key, aborted).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(io_error(error)),
            }
        })
    }

    fn uploads(&self) -> io::Result<std::sync::Arc<dyn object_store::multipart::MultipartStore>> {
        let uploads = self.clients.uploads.clone();
        uploads.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Puts a file as one object, whatever is there.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if what was read is not what was written; those of the store.
    pub(crate) fn put_file(&self, key: &Key, payload: &Payload<'_>) -> io::Result<Version> {
        let _permit = self.permits.take(1);
        let bytes = payload.bytes;
        if bytes <= self.options.part_size {
            return self.put(key, payload.whole()?);
        }
        let mut hasher = XxHash3_128::new();
        let (store, location) = (self.clients.repeating.clone(), key.clone());
        let begun = wait(async move {
            let begun = store.put_multipart_opts(&location, Default::default());
            let begun = made(Request::BeginUpload, &location, begun).await;
            begun.map_err(io_error)
        });
        let mut upload = begun?;
        let size = part_size(self.options.part_size, bytes);
        let mut start = 0;
        while start < bytes {
            let length = size.min(bytes - start);
            let part = read(payload.file, start, length)?;
            hasher.write(&part);
            start += length;
            let location = key.clone();
            upload = wait(async move {
                let put = made(Request::PutPart, &location, upload.put_part(part.into()));
                match put.await.map_err(io_error) {
                    Ok(()) => Ok(upload),
                    Err(error) => {
                        // What cannot be removed now, the rules of the bucket remove.
                        let _ = upload.abort().await;
                        Err(error)
                    }
                }
            })?;
        }
        if let Err(error) = payload.check(&hasher) {
            abort(upload)?;
            return Err(error);
        }
        let location = key.clone();
        wait(async move {
            let put = made(Request::CompleteUpload, &location, upload.complete()).await;
            Ok(put.map_err(io_error)?.into())
        })
    }
}

/// Removes the parts of an upload. What cannot be removed now, the rules of the bucket remove.
pub(super) fn abort(mut upload: Box<dyn MultipartUpload>) -> io::Result<()> {
    wait(async move {
        let _ = upload.abort().await;
        Ok(())
    })
}
