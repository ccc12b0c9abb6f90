//! Uploads in parts: their parts are in the store, and no object is visible until they are put together.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;
use object_store::path::Path as Key;
use serde::{Deserialize, Serialize};

use super::{Store, Version, io_error, wait};
use crate::disk::DiskFile;

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

/// The most parts that S3 takes.
const MOST_PARTS: u64 = 10_000;

impl Store {
    /// Whether uploads in parts can be ended by others than who began them.
    pub(crate) fn has_parts(&self) -> bool {
        self.clients.uploads.is_some()
    }

    /// Begins an upload in parts, and gives the store's name of it.
    pub(crate) fn begin_upload(&self, key: &Key) -> io::Result<String> {
        let (uploads, key) = (self.uploads()?, key.clone());
        wait(async move { uploads.create_multipart(&key).await.map_err(io_error) })
    }

    /// Uploads a file in parts, several at a time.
    pub(crate) fn upload_parts(
        &self,
        key: &Key,
        upload: &str,
        file: &dyn DiskFile,
        bytes: u64,
    ) -> io::Result<UploadedParts> {
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
                group.push(read(file, start, length)?);
                start += length;
            }
            let (uploads, key, upload) = (self.uploads()?, key.clone(), upload.to_owned());
            let first = ids.len();
            let at_once = self.options.parallel_requests;
            let parts: Vec<PartId> = wait(async move {
                let put = |(number, part): (usize, Bytes)| {
                    let (uploads, key, upload) = (uploads.clone(), key.clone(), upload.clone());
                    async move {
                        uploads
                            .put_part(&key, &upload, first + number, part.into())
                            .await
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
            let completed = uploads.complete_multipart(&key, &parts.upload, ids).await;
            completed.map(drop).map_err(io_error)
        })
    }

    /// Removes the parts of an upload. That there are none is no error.
    pub(crate) fn abort_upload(&self, key: &Key, upload: &str) -> io::Result<()> {
        let (uploads, key, upload) = (self.uploads()?, key.clone(), upload.to_owned());
        wait(async move {
            match uploads.abort_multipart(&key, &upload).await {
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
    pub(crate) fn put_file(
        &self,
        key: &Key,
        file: &dyn DiskFile,
        bytes: u64,
    ) -> io::Result<Version> {
        let _permit = self.permits.take(1);
        if bytes <= self.options.part_size {
            return self.put(key, read(file, 0, bytes)?);
        }
        let (store, location) = (self.clients.repeating.clone(), key.clone());
        let begun = wait(async move {
            let begun = store.put_multipart_opts(&location, Default::default());
            begun.await.map_err(io_error)
        });
        let mut upload = begun?;
        let size = part_size(self.options.part_size, bytes);
        let mut start = 0;
        while start < bytes {
            let length = size.min(bytes - start);
            let part = read(file, start, length)?;
            start += length;
            upload = wait(async move {
                let put = upload.put_part(part.into()).await;
                match put.map_err(io_error) {
                    Ok(()) => Ok(upload),
                    Err(error) => {
                        // What cannot be removed now, the rules of the bucket remove.
                        let _ = upload.abort().await;
                        Err(error)
                    }
                }
            })?;
        }
        wait(async move {
            let put = upload.complete().await;
            Ok(put.map_err(io_error)?.into())
        })
    }
}

/// The size of the parts of a file of so many bytes: as was asked for, if there are not too many then.
pub(super) fn part_size(asked: u64, bytes: u64) -> u64 {
    asked.max(bytes.div_ceil(MOST_PARTS))
}

/// Reads a range of a file, all of it.
pub(super) fn read(file: &dyn DiskFile, start: u64, length: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], start + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(bytes.into())
}
