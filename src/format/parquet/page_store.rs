//! Finishing pages outside of parquet-rs: checksums, which it does not write, and compressing.
//!
//! Pages arrive header and content, one after the other. Each header gets the checksum of the content
//! as it is in the file: CRC-32, that of gzip, by which any reader can tell damage at rest.
//!
//! A context of zstd costs more than the rows of a small file, and parquet-rs makes two for each column
//! chunk: one to compress, one to decompress. So column writers are told not to compress what is zstd
//! and of version 1, and their pages are compressed as they arrive, by contexts that all chunks share.
//!
//! Page headers, offsets and sizes are corrected. But for the checksums, and for pages of ordered dictionaries
//! (`recode.rs`), what comes out of the pages of parquet-rs is byte for byte what it would have written. Pages that are
//! encoded in `column/` come the same way. Encrypted pages are opaque, and never come here.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page_store::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::OffsetIndexBuilder;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::SchemaDescriptor;

use super::compress::Compressors;
use super::once::said_once;
use super::ordered::{OrderedColumn, OrderedColumns};
use super::page_header::Header;
use super::page_spill::{ChunkPages, PageSpill, Pages};
use super::recode::{Recoding, levels};
use super::thrift::Malformed;

/// Compression and checksums of the pages of each column, with the contexts that compress.
pub(crate) struct PageFinish {
    /// By leaf column; those without a level are left as parquet-rs compressed them.
    codecs: Vec<(Compression, Option<i32>)>,
    /// By leaf column, where it is an ordered dictionary.
    ordered: Vec<Option<OrderedLeaf>>,
    is_version_1: bool,
    checksums: bool,
    compressors: Arc<Compressors>,
}

/// A leaf column that is an ordered dictionary.
#[derive(Debug)]
struct OrderedLeaf {
    column: Arc<OrderedColumn>,
    /// How many kinds of levels its data pages have.
    levels: usize,
}

impl fmt::Debug for PageFinish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageFinish")
            .field("codecs", &self.codecs)
            .field("checksums", &self.checksums)
            .finish_non_exhaustive()
    }
}

impl PageFinish {
    /// Takes over what `properties`, which must not encrypt, say of zstd, adds `checksums` if there are to be any,
    /// and brings the pages of `ordered` columns, which are compressed by zstd or not at all, into their order; gives the properties that column writers are to have then. `None` where there is
    /// nothing to do.
    pub(super) fn take_over(
        properties: &WriterProperties,
        schema: &SchemaDescriptor,
        checksums: bool,
        ordered: &OrderedColumns,
        compressors: &Arc<Compressors>,
    ) -> Option<(Self, WriterProperties)> {
        let is_version_1 = properties.writer_version() == WriterVersion::PARQUET_1_0;
        let codec = |leaf: usize| {
            let codec = properties.compression(schema.column(leaf).path());
            let level = match codec {
                Compression::ZSTD(level) if is_version_1 => Some(level.compression_level()),
                _ => None,
            };
            if level.is_none() && ordered.leaf(leaf).is_some() {
                return (Compression::UNCOMPRESSED, None);
            }
            (codec, level)
        };
        let codecs: Vec<_> = (0..schema.num_columns()).map(codec).collect();
        let ordered = |leaf: usize| {
            let column = schema.column(leaf);
            Some(OrderedLeaf {
                column: Arc::clone(ordered.leaf(leaf)?),
                levels: usize::from(column.max_rep_level() > 0)
                    + usize::from(column.max_def_level() > 0),
            })
        };
        let ordered: Vec<_> = (0..schema.num_columns()).map(ordered).collect();
        let changes = checksums || ordered.iter().any(Option::is_some);
        if !changes && codecs.iter().all(|(_, level)| level.is_none()) {
            return None;
        }
        let mut without = properties.clone().into_builder();
        for (leaf, (codec, level)) in codecs.iter().enumerate() {
            let codec = level.map_or(*codec, |_| Compression::UNCOMPRESSED);
            let path = schema.column(leaf).path().clone();
            if ordered[leaf].is_some() {
                without = without
                    .set_column_dictionary_enabled(path.clone(), true)
                    .set_column_dictionary_page_size_limit(path.clone(), usize::MAX);
            }
            without = without.set_column_compression(path, codec);
        }
        let finish = PageFinish {
            codecs,
            ordered,
            is_version_1,
            checksums,
            compressors: Arc::clone(compressors),
        };
        Some((finish, without.build()))
    }

    /// Whether all is done here that has to be done to pages of a leaf column that are not compressed yet.
    pub(super) fn is_whole(&self, leaf: usize) -> bool {
        let (codec, level) = self.codecs[leaf];
        let is_compressed = level.is_some() || codec == Compression::UNCOMPRESSED;
        is_compressed && self.is_version_1 && self.ordered[leaf].is_none()
    }

    /// Adds a page of a leaf column to its chunk, compressed if that is ours to do.
    fn push(&self, leaf: usize, chunk: &mut Chunk, header: &Header<'_>, page: &[u8]) -> Result<()> {
        let Some(level) = self.codecs[leaf].1 else {
            return chunk.push(header, page, self.checksums);
        };
        self.compressors.compress(level, page, |compressed| {
            chunk.push(header, compressed, self.checksums)
        })
    }

    /// Adds a page of an ordered dictionary. Data pages that come before the dictionary wait for it.
    fn push_ordered(
        &self,
        (leaf, ordered): (usize, &OrderedLeaf),
        chunk: &mut Chunk,
        header: Bytes,
        page: Bytes,
    ) -> Result<()> {
        let parsed = Header::parse(&header).map_err(malformed)?;
        if parsed.is_dictionary() {
            let recoding = Recoding::new(&ordered.column, &page)?;
            let rest = parsed
                .rest_with_entries(recoding.entries)
                .map_err(malformed)?;
            let changed = parsed.resized(recoding.page.len()).with_rest(&rest);
            self.push(leaf, chunk, &changed, &recoding.page)?;
            chunk.waiting_bytes = 0;
            for (header, page) in std::mem::take(&mut chunk.waiting) {
                self.push_recoded((leaf, ordered), chunk, &recoding, (&header, &page))?;
            }
            chunk.recoding = Some(recoding);
            return Ok(());
        }
        match chunk.recoding.take() {
            Some(recoding) => {
                self.push_recoded((leaf, ordered), chunk, &recoding, (&header, &page))?;
                chunk.recoding = Some(recoding);
            }
            None => {
                chunk.waiting_bytes += header.len() + page.len();
                chunk.waiting.push((header, page));
            }
        }
        Ok(())
    }

    fn push_recoded(
        &self,
        (leaf, ordered): (usize, &OrderedLeaf),
        chunk: &mut Chunk,
        recoding: &Recoding,
        (header, page): (&Bytes, &Bytes),
    ) -> Result<()> {
        let header = Header::parse(header).map_err(malformed)?;
        let (is_coded, levels_of_version_2) = header.data().map_err(malformed)?;
        if !is_coded {
            return Err(ParquetError::General(format!(
                "column {:?} is an ordered dictionary, and a page of it is not encoded by one",
                ordered.column.path()
            )));
        }
        let levels = match levels_of_version_2 {
            Some(levels) => levels,
            None => levels(page, ordered.levels)?,
        };
        let page = recoding.data_page(page, levels)?;
        self.push(leaf, chunk, &header.resized(page.len()), &page)
    }
}

fn malformed(malformed: Malformed) -> ParquetError {
    ParquetError::External(Box::new(malformed))
}

/// The pages of a row group's column chunks, by leaf column.
#[derive(Debug)]
pub(crate) struct Chunks {
    finish: Arc<PageFinish>,
    chunks: Vec<SharedChunk>,
}

type SharedChunk = Arc<Mutex<Chunk>>;

/// The pages of one column chunk, as they go into the file.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The header whose page comes next.
    header: Option<Bytes>,
    /// The dictionary comes last, and goes into the file first.
    dictionary: Vec<u8>,
    data: Pages,
    /// How long each data page is, its header included.
    pages: Vec<usize>,
    /// How many bytes came.
    received: usize,
    /// What the headers have become longer by, and what of that is for checksums.
    grown: i64,
    checksums: usize,
    /// Data pages of an ordered dictionary that wait for its dictionary page, each with its header.
    waiting: Vec<(Bytes, Bytes)>,
    waiting_bytes: usize,
    /// How the pages of an ordered dictionary change, once its dictionary page is there.
    recoding: Option<Recoding>,
}

impl Chunks {
    /// Of a row group whose pages go to `spill` where memory has no room for them.
    pub(super) fn new(finish: &Arc<PageFinish>, spill: Option<&Arc<PageSpill>>) -> Self {
        let chunk = |_| {
            Arc::new(Mutex::new(Chunk {
                data: Pages::new(spill.cloned()),
                ..Chunk::default()
            }))
        };
        Chunks {
            chunks: finish.codecs.iter().map(chunk).collect(),
            finish: Arc::clone(finish),
        }
    }

    /// What the encoders of a leaf column would take in the file, of which they say what it would be
    /// without compression. Checksums do not count, so that row groups end where they would without.
    pub(super) fn estimate(&self, leaf: usize, uncompressed: usize) -> usize {
        let chunk = lock(&self.chunks[leaf]);
        let pages =
            chunk.dictionary.len() + chunk.data.len() + chunk.waiting_bytes - chunk.checksums;
        (uncompressed + pages).saturating_sub(chunk.received)
    }

    /// Takes a page of a leaf column, which is none of an ordered dictionary, with a header of its own.
    pub(super) fn push(&self, leaf: usize, header: &[u8], page: &[u8]) -> Result<()> {
        let mut chunk = lock(&self.chunks[leaf]);
        chunk.received += header.len() + page.len();
        let header = Header::parse(header).map_err(malformed)?;
        self.finish.push(leaf, &mut chunk, &header, page)
    }

    /// The same of a page of so many bytes that is compressed already, as the leaf column says.
    pub(super) fn push_compressed(
        &self,
        leaf: usize,
        header: &[u8],
        (length, page): (usize, &[u8]),
    ) -> Result<()> {
        let mut chunk = lock(&self.chunks[leaf]);
        chunk.received += header.len() + length;
        let header = Header::parse(header).map_err(malformed)?;
        chunk.push(&header, page, self.finish.checksums)
    }

    /// The memory of the pages of a leaf column, in bytes.
    pub(super) fn memory_size(&self, leaf: usize) -> usize {
        let chunk = lock(&self.chunks[leaf]);
        chunk.dictionary.capacity() + chunk.data.memory_size()
    }

    /// The pages of a leaf's column chunk, and what its writer said of it at the end, corrected.
    pub(super) fn take(
        &self,
        leaf: usize,
        mut close: ColumnCloseResult,
    ) -> Result<(ChunkPages, ColumnCloseResult)> {
        let chunk = std::mem::take(&mut *lock(&self.chunks[leaf]));
        let dictionary = chunk.dictionary.len();
        let length = dictionary + chunk.data.len();
        let uncompressed = close.metadata.uncompressed_size() + chunk.grown;
        let statistics = close.metadata.statistics().cloned().map(said_once);
        let mut metadata = close.metadata.into_builder();
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        close.metadata = metadata
            .set_compression(self.finish.codecs[leaf].0)
            .set_total_compressed_size(length as i64)
            .set_total_uncompressed_size(uncompressed)
            .set_dictionary_page_offset((dictionary > 0).then_some(0))
            .set_data_page_offset(dictionary as i64)
            .build()?;
        close.bytes_written = length as u64;
        if let Some(index) = &close.offset_index {
            close.offset_index = Some(chunk.moved(index)?);
        }
        Ok((ChunkPages::new(chunk.dictionary, chunk.data), close))
    }
}

fn lock(chunk: &SharedChunk) -> MutexGuard<'_, Chunk> {
    chunk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chunk {
    /// The offset index, with the pages where they are now.
    fn moved(&self, index: &OffsetIndexMetaData) -> Result<OffsetIndexMetaData> {
        let locations = index.page_locations();
        if locations.len() != self.pages.len() {
            let (said, came) = (locations.len(), self.pages.len());
            return Err(ParquetError::General(format!(
                "{said} pages in the offset index, but {came} came"
            )));
        }
        let mut moved = OffsetIndexBuilder::new();
        let mut offset = self.dictionary.len();
        for (at, (location, length)) in locations.iter().zip(&self.pages).enumerate() {
            let next = locations.get(at + 1);
            // Of the last page the number of rows is not in the index.
            let rows = next.map_or(0, |next| next.first_row_index - location.first_row_index);
            moved.append_row_count(rows);
            moved.append_offset_and_size(offset as i64, *length as i32);
            let bytes = index.unencoded_byte_array_data_bytes();
            moved.append_unencoded_byte_array_data_bytes(bytes.map(|bytes| bytes[at]));
            offset += length;
        }
        Ok(moved.build())
    }

    /// Takes a page as it is to be in the file.
    ///
    /// # Errors
    /// It is longer than its header can say.
    fn push(&mut self, header: &Header<'_>, page: &[u8], checksum: bool) -> Result<()> {
        check_length(header.uncompressed_size())?;
        let crc = checksum.then(|| crc32fast::hash(page));
        let (mut total, mut checksums) = (0, 0);
        let mut write = |into: &mut Vec<u8>| {
            let start = into.len();
            checksums = header.write(page.len(), crc, into);
            into.extend_from_slice(page);
            total = into.len() - start;
        };
        if header.is_dictionary() {
            write(&mut self.dictionary);
        } else {
            self.data.push(write)?;
            self.pages.push(total);
        }
        check_length(total as i64)?;
        self.checksums += checksums;
        self.grown += (total - page.len()) as i64 - header.length() as i64 + header.grown();
        Ok(())
    }
}

/// Checks that the header of a page can say its length: in
/// <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `PageHeader`, lengths have 32 bits.
fn check_length(length: i64) -> Result<()> {
    match i32::try_from(length) {
        Ok(_) => Ok(()),
        Err(_) => Err(ParquetError::General(format!(
            "a page would have {length} bytes, and a Parquet page has at most {}",
            i32::MAX
        ))),
    }
}

/// Receives the pages of a column writer: for each the header, then the content.
struct Store {
    finish: Arc<PageFinish>,
    chunk: SharedChunk,
    leaf: usize,
}

impl PageStore for Store {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        let mut chunk = lock(&self.chunk);
        chunk.received += value.len();
        let Some(header) = chunk.header.take() else {
            chunk.header = Some(value);
            return Ok(PageKey::new(0));
        };
        match &self.finish.ordered[self.leaf] {
            Some(ordered) => {
                let leaf = (self.leaf, ordered);
                self.finish.push_ordered(leaf, &mut chunk, header, value)?;
            }
            None => {
                let header = Header::parse(&header).map_err(malformed)?;
                self.finish.push(self.leaf, &mut chunk, &header, &value)?;
            }
        }
        Ok(PageKey::new(0))
    }

    /// Pages are not taken back one by one: [`Chunks::take`] gives them all.
    fn take(&mut self, _key: PageKey) -> Result<Bytes> {
        Err(ParquetError::General(
            "pages are taken with their chunk".to_owned(),
        ))
    }

    fn memory_size(&self) -> usize {
        let chunk = lock(&self.chunk);
        chunk.dictionary.capacity() + chunk.data.memory_size() + chunk.waiting_bytes
    }
}

impl PageStoreFactory for Chunks {
    fn create(&self, args: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        let leaf = args.column_index();
        Ok(Box::new(Store {
            finish: Arc::clone(&self.finish),
            chunk: Arc::clone(&self.chunks[leaf]),
            leaf,
        }))
    }
}

#[cfg(test)]
#[path = "page_store_tests.rs"]
mod tests;
