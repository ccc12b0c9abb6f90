//! Pages of row groups that are not in their file yet: in memory, or in a scratch file where there is no
//! room for them (promise P9).
//!
//! Where pages lie changes nothing in the file that they go into.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::column::page_store::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::Error;
use crate::scratch::{Extent, Scratch};

/// The least bytes of a column chunk that are put into the scratch file at once.
const LEAST: usize = 64 << 10;
/// The most bytes of a column chunk that are put into the scratch file at once.
const MOST: usize = 1 << 20;
/// The size below which a page stays in memory where pages are kept one by one, such as a header.
const SMALL: usize = 4 << 10;

/// The memory limit of the encoded pages of a write, and the scratch file for pages beyond it.
#[derive(Debug)]
pub(crate) struct PageSpill {
    limit: usize,
    held: AtomicUsize,
    scratch: Arc<Scratch>,
}

impl PageSpill {
    /// Holds up to `limit` bytes.
    pub(crate) fn new(limit: usize, scratch: Arc<Scratch>) -> Self {
        PageSpill {
            limit,
            held: AtomicUsize::new(0),
            scratch,
        }
    }

    /// Counts bytes that are held, and says whether they are too many now.
    fn hold(&self, bytes: usize) -> bool {
        self.held.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit
    }

    fn let_go(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The error of this crate that parquet-rs passes on as a cause, if there is one.
pub(crate) fn own_error(error: ParquetError) -> std::result::Result<Error, ParquetError> {
    let ParquetError::External(cause) = error else {
        return Err(error);
    };
    let cause = match cause.downcast::<Error>() {
        Ok(own) => return Ok(*own),
        Err(cause) => cause,
    };
    match cause.downcast::<io::Error>() {
        Ok(cause) => cause
            .downcast::<Error>()
            .map_err(|cause| ParquetError::External(Box::new(cause))),
        Err(cause) => Err(ParquetError::External(cause)),
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// The data pages of a column chunk, in order.
#[derive(Debug, Default)]
pub(super) struct Pages {
    spill: Option<Arc<PageSpill>>,
    spilled: Vec<Extent>,
    spilled_len: usize,
    /// The pages that follow the spilled ones.
    held: Vec<u8>,
    /// How much of the memory is counted.
    counted: usize,
}

impl Pages {
    pub(super) fn new(spill: Option<Arc<PageSpill>>) -> Self {
        let mut pages = Pages::default();
        pages.spill = spill;
        pages
    }

    pub(super) fn len(&self) -> usize {
        self.spilled_len + self.held.len()
    }

    /// The size of the pages in memory, in bytes.
    pub(super) fn memory_size(&self) -> usize {
        self.held.capacity()
    }

    /// Adds a page, as `write` writes it.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        write(&mut self.held);
        let Some(spill) = &self.spill else {
            return Ok(());
        };
        let grown = self.held.capacity() - self.counted;
        self.counted += grown;
        if !spill.hold(grown) || self.held.len() < LEAST {
            return Ok(());
        }
        for extent in self.held.chunks(MOST) {
            self.spilled
                .push(spill.scratch.append(extent).map_err(external)?);
        }
        self.spilled_len += self.held.len();
        self.held = Vec::new();
        spill.let_go(std::mem::take(&mut self.counted));
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(spill) = &self.spill {
            spill.let_go(self.counted);
        }
    }
}

/// All pages of a column chunk, as they go into the file.
#[derive(Debug, Clone)]
pub(crate) struct ChunkPages(Arc<Whole>);

#[derive(Debug)]
struct Whole {
    dictionary: Bytes,
    /// What `data` held.
    held: Bytes,
    data: Pages,
    len: usize,
}

impl ChunkPages {
    pub(super) fn new(dictionary: Vec<u8>, mut data: Pages) -> Self {
        ChunkPages(Arc::new(Whole {
            len: dictionary.len() + data.len(),
            dictionary: dictionary.into(),
            held: std::mem::take(&mut data.held).into(),
            data,
        }))
    }
}

impl Length for ChunkPages {
    fn len(&self) -> u64 {
        self.0.len as u64
    }
}

impl ChunkReader for ChunkPages {
    type T = PagesReader;

    fn get_read(&self, start: u64) -> Result<PagesReader> {
        let mut reader = PagesReader {
            pages: Arc::clone(&self.0),
            next: 0,
            current: self.0.dictionary.clone(),
        };
        io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(length);
        let mut reader = self.get_read(start)?.take(length as u64);
        reader.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Reads the pages of a column chunk: the dictionary, what is spilled, what is held.
pub(crate) struct PagesReader {
    pages: Arc<Whole>,
    /// The index of the extent after `current`; after the last extent come the pages in memory.
    next: usize,
    current: Bytes,
}

impl Read for PagesReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            let Whole { data, held, .. } = self.pages.as_ref();
            self.current = match (&data.spill, data.spilled.get(self.next)) {
                (Some(spill), Some(extent)) => {
                    spill.scratch.read(extent).map_err(io::Error::other)?.into()
                }
                _ if self.next == data.spilled.len() => held.clone(),
                _ => return Ok(0),
            };
            self.next += 1;
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// Makes stores for pages to which nothing else is done.
#[derive(Debug)]
pub(super) struct SpillingStores(pub(super) Arc<PageSpill>);

impl PageStoreFactory for SpillingStores {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        Ok(Box::new(SpillingStore {
            spill: Arc::clone(&self.0),
            pages: Vec::new(),
            held: 0,
        }))
    }
}

/// The pages of a column chunk, which parquet-rs takes back one by one.
struct SpillingStore {
    spill: Arc<PageSpill>,
    pages: Vec<Page>,
    held: usize,
}

enum Page {
    Held(Bytes),
    Spilled(Extent),
}

impl PageStore for SpillingStore {
    fn put(&mut self, page: Bytes) -> Result<PageKey> {
        let key = PageKey::new(self.pages.len() as u64);
        let page = if self.spill.hold(page.len()) && page.len() >= SMALL {
            self.spill.let_go(page.len());
            Page::Spilled(self.spill.scratch.append(&page).map_err(external)?)
        } else {
            self.held += page.len();
            Page::Held(page)
        };
        self.pages.push(page);
        Ok(key)
    }

    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        let page = self.pages.get_mut(key.get() as usize);
        match page.map(|page| std::mem::replace(page, Page::Held(Bytes::new()))) {
            Some(Page::Held(page)) => {
                self.held -= page.len();
                self.spill.let_go(page.len());
                Ok(page)
            }
            Some(Page::Spilled(extent)) => {
                Ok(self.spill.scratch.read(&extent).map_err(external)?.into())
            }
            None => Err(ParquetError::General("there is no such page".to_owned())),
        }
    }

    fn memory_size(&self) -> usize {
        self.held
    }
}

impl Drop for SpillingStore {
    fn drop(&mut self) {
        self.spill.let_go(self.held);
    }
}

#[cfg(test)]
#[path = "page_spill_tests.rs"]
mod tests;
