//! Compressing with contexts that all column chunks share: one of zstd costs more than the rows of a small file.

use std::fmt;
use std::io::Cursor;
use std::sync::{Mutex, MutexGuard, PoisonError};

use parquet::basic::Compression;
use parquet::errors::Result;
use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::stored;

/// The levels of zstd that are about as strong as other codecs.
const AS_GZIP: i32 = 1;
const AS_LZ4: i32 = -3;

/// Contexts of zstd, by their levels.
#[derive(Default)]
pub(super) struct Compressors(Mutex<Vec<Context>>);

struct Context {
    level: i32,
    compressor: Compressor<'static>,
    compressed: Vec<u8>,
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compressors").finish()
    }
}

impl Compressors {
    fn contexts(&self) -> MutexGuard<'_, Vec<Context>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self, level: i32) -> Result<Context> {
        let mut contexts = self.contexts();
        if let Some(at) = contexts.iter().rposition(|context| context.level == level) {
            return Ok(contexts.swap_remove(at));
        }
        drop(contexts);
        Ok(Context {
            level,
            compressor: Compressor::new(level)?,
            compressed: Vec::new(),
        })
    }

    /// Gives bytes compressed by zstd to `take`.
    pub(super) fn compress<T>(
        &self,
        level: i32,
        bytes: &[u8],
        take: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        if bytes.len() <= stored::MOST && stored::is_noise(bytes) {
            return take(&stored::frame(bytes));
        }
        let mut context = self.context(level)?;
        context.compressed.clear();
        context.compressed.reserve(compress_bound(bytes.len()));
        let mut compressed = Cursor::new(&mut context.compressed);
        context
            .compressor
            .compress_to_buffer(bytes, &mut compressed)?;
        let taken = take(&context.compressed)?;
        self.contexts().push(context);
        Ok(taken)
    }

    /// How long bytes are about when a codec has compressed them.
    pub(super) fn length(&self, codec: Compression, bytes: &[u8]) -> Result<usize> {
        let level = match codec {
            Compression::UNCOMPRESSED => return Ok(bytes.len()),
            Compression::ZSTD(level) => level.compression_level(),
            Compression::GZIP(_) | Compression::BROTLI(_) => AS_GZIP,
            Compression::SNAPPY | Compression::LZ4 | Compression::LZ4_RAW | Compression::LZO => {
                AS_LZ4
            }
        };
        self.compress(level, bytes, |compressed| Ok(compressed.len()))
    }
}
