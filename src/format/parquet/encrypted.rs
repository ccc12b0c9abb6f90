//! Checks encrypted modules as far as that goes without keys: their lengths.
//!
//! A module is its length, four bytes that are not encrypted, and then a nonce, the ciphertext and a
//! tag. The lengths are compared with the file before parquet-rs sees a module, since it allocates as
//! much as a length says. What is inside is opened, and by that authenticated, where it is decoded: sizes
//! that are declared in there are those of somebody who has the key.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::structure::check_against_offset_index;
use crate::damage::{Damage, Location};
use crate::format::Fault;
use crate::format::source::Source;

/// The size of the length field before a module.
const LENGTH: u64 = 4;
/// The length of the shortest module: a nonce and a tag.
const LEAST: u64 = 28;
/// The signature of a footer that is not encrypted: a nonce and a tag.
pub(super) const SIGNATURE: usize = 28;

/// Checks that a module fills `bytes`.
pub(super) fn check_module(location: &Location, bytes: &[u8]) -> Result<(), Damage> {
    let room = bytes.len() as u64;
    let length = module_length(location, bytes, room)?;
    if length != room {
        let what = format!("an encrypted module of {length} bytes in a place of {room}");
        let location = location.clone();
        return Err(Damage::Contradiction { location, what });
    }
    Ok(())
}

/// Checks where the pages of an encrypted column chunk are, and gives their number. What is in them is
/// for `decode.rs`: parquet-rs opens pages for nobody but its Arrow reader.
pub(super) fn check_pages(
    source: &Source,
    location: &Location,
    metadata: &ParquetMetaData,
    place: (usize, usize),
) -> Result<u64, Fault> {
    let chunk = metadata.row_group(place.0).column(place.1);
    let pages = walk_pages(source, location, chunk)?;
    let dictionaries = usize::from(chunk.dictionary_page_offset().is_some());
    let data = pages.get(dictionaries..).unwrap_or_default();
    check_against_offset_index(location, metadata, place, data)?;
    Ok(pages.len() as u64)
}

/// The offsets and lengths of the pages of an encrypted column chunk: each is a module of its header and one of its
/// content, and together they fill the chunk.
fn walk_pages(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
) -> Result<Vec<(u64, u64)>, Fault> {
    let (start, length) = chunk.byte_range();
    let end = start + length;
    let mut pages = Vec::new();
    let mut at = start;
    while at < end {
        let page = at;
        for _ in ["header", "content"] {
            let bytes = source.read(at, LENGTH.min(end - at))?;
            at += module_length(&location.clone().at(at), &bytes, end - at)?;
        }
        pages.push((page, at - page));
    }
    Ok(pages)
}

/// The length of the module that begins with `bytes`, its length field included; `room` bytes are left for it.
fn module_length(location: &Location, bytes: &[u8], room: u64) -> Result<u64, Damage> {
    let declared = bytes
        .first_chunk()
        .map(|length| u32::from_le_bytes(*length));
    let length = declared.map(u64::from).unwrap_or(0);
    if length < LEAST || LENGTH + length > room {
        let what = format!("an encrypted module of {length} bytes, where {room} are left for it");
        let location = location.clone();
        return Err(Damage::Contradiction { location, what });
    }
    Ok(LENGTH + length)
}
