//! Checks every page of every column chunk: header, checksum, decompression, number of values.
//!
//! Headers are walked first, since parquet-rs does not tell of a page where it lies, whether it
//! carried a checksum, or what size it declares before it allocates that much. Then parquet-rs reads
//! the pages, checks the checksums that are there, and decompresses. Values are not decoded: that is
//! `decode.rs`. A page without a checksum whose bytes still decompress passes; most writers, parquet-rs
//! among them, write none.
//!
//! What a page takes in memory is what its column chunk declares, at most 2 GiB: that a few bytes
//! cannot decompress to that much is not for the format to say.

use std::sync::Arc;

use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::encrypted;
use super::keys::is_encrypted;
use super::structure::check_against_offset_index;
use super::thrift::{I32, Malformed, STRUCT, Thrift};
use crate::damage::{Damage, Location};
use crate::format::source::Source;
use crate::format::{Fault, PageCount, contained};

/// The number of bytes that are read at first for a page header; more where it is longer.
const HEADER_AHEAD: u64 = 1 << 10;
/// The most bytes of a page header: it holds at most two bounds of a column beside a few numbers.
const HEADER_MAXIMUM: u64 = 64 << 20;

/// The header of a page.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Header {
    length: u64,
    kind: i64,
    pub(super) uncompressed: i64,
    compressed: i64,
    has_crc: bool,
    pub(super) values: i64,
    rows: Option<i64>,
    encoding: i64,
}

const DATA: i64 = 0;
const INDEX: i64 = 1;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

/// Reads every page and bloom filter of a file whose footer is known to make sense.
pub(super) fn read(source: &Source, metadata: &ParquetMetaData) -> Result<PageCount, Fault> {
    let mut count = PageCount::default();
    for (row_group, group) in metadata.row_groups().iter().enumerate() {
        for (column, chunk) in group.columns().iter().enumerate() {
            let location = Location::row_group(row_group).column(chunk.column_path().string());
            if is_encrypted(chunk) {
                count.all +=
                    encrypted::check_pages(source, &location, metadata, (row_group, column))?;
                continue;
            }
            let rows = group.num_rows().unsigned_abs();
            let headers = walk_headers(source, &location, chunk)?;
            check_totals(&location, chunk, rows, &headers)?;
            let data = headers.iter().filter(|(_, header)| header.is_data());
            let data =
                data.map(|(at, header)| (*at, header.length + header.compressed.unsigned_abs()));
            let data = data.collect::<Vec<_>>();
            check_against_offset_index(&location, metadata, (row_group, column), &data)?;
            read_pages(source, &location, chunk, &headers)?;
            read_bloom_filter(source, &location, chunk)?;
            count.all += headers.len() as u64;
            count.with_crc += headers.iter().filter(|(_, header)| header.has_crc).count() as u64;
        }
    }
    Ok(count)
}

/// The pages of a column chunk, each with its place; together they fill the chunk.
pub(super) fn walk_headers(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
) -> Result<Vec<(u64, Header)>, Fault> {
    let (start, length) = chunk.byte_range();
    let end = start + length;
    let mut headers = Vec::new();
    let mut at = start;
    while at < end {
        let place = location.clone().at(at);
        let header = read_header(source, &place, at, end)?;
        check_header(&place, chunk, &header, headers.is_empty(), end - at)?;
        let size = header.length + header.compressed.unsigned_abs();
        headers.push((at, header));
        at += size;
    }
    Ok(headers)
}

/// The header of the first page of a column chunk.
pub(super) fn first_header(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
) -> Result<Header, Fault> {
    let (start, length) = chunk.byte_range();
    let place = location.clone().at(start);
    let header = read_header(source, &place, start, start + length)?;
    check_header(&place, chunk, &header, true, length)?;
    Ok(header)
}

fn read_header(source: &Source, place: &Location, at: u64, end: u64) -> Result<Header, Fault> {
    let mut ahead = HEADER_AHEAD;
    loop {
        let bytes = source.read(at, ahead.min(end - at))?;
        match parse_header(&bytes) {
            Ok(header) => return Ok(header),
            Err(Malformed::Truncated) if ahead < (end - at).min(HEADER_MAXIMUM) => ahead *= 8,
            Err(error) => {
                let (location, source) = (place.clone(), Arc::new(error));
                return Err(Damage::PageHeader { location, source }.into());
            }
        }
    }
}

/// Parses `PageHeader`: field 1 its type, 2 and 3 its sizes, 4 the checksum, 5, 7 and 8 what only
/// data pages, dictionary pages and data pages of version 2 have.
fn parse_header(bytes: &[u8]) -> Result<Header, Malformed> {
    let mut walk = Thrift::new(bytes);
    let mut header = Header {
        kind: -1,
        values: -1,
        ..Header::default()
    };
    let mut last = 0;
    while let Some((number, kind)) = walk.field(&mut last)? {
        match (number, kind) {
            (1, I32) => header.kind = walk.integer()?,
            (2, I32) => header.uncompressed = walk.integer()?,
            (3, I32) => header.compressed = walk.integer()?,
            (4, I32) => {
                header.has_crc = true;
                walk.skip(kind)?;
            }
            (5 | 7 | 8, STRUCT) => parse_counts(&mut walk, number == 8, &mut header)?,
            _ => walk.skip(kind)?,
        }
    }
    header.length = walk.position() as u64;
    Ok(header)
}

/// Parses the counts of a page: field 1 is the number of values in all kinds, field 3 that of rows in version 2; the
/// encoding is field 4 there and else field 2.
fn parse_counts(walk: &mut Thrift<'_>, v2: bool, header: &mut Header) -> Result<(), Malformed> {
    let mut last = 0;
    while let Some((number, kind)) = walk.field(&mut last)? {
        match (number, kind) {
            (1, I32) => header.values = walk.integer()?,
            (3, I32) if v2 => header.rows = Some(walk.integer()?),
            (4, I32) if v2 => header.encoding = walk.integer()?,
            (2, I32) if !v2 => header.encoding = walk.integer()?,
            _ => walk.skip(kind)?,
        }
    }
    Ok(())
}

/// Checks one header against the room that is left and what the chunk declares.
fn check_header(
    place: &Location,
    chunk: &ColumnChunkMetaData,
    header: &Header,
    first: bool,
    left: u64,
) -> Result<(), Damage> {
    let contradiction = |what| {
        Err(Damage::Contradiction {
            location: place.clone(),
            what,
        })
    };
    let negative = |what, found| Damage::Negative {
        location: place.clone(),
        what,
        found,
    };
    let size = |what, found| u64::try_from(found).map_err(|_| negative(what, found));
    let compressed = size("the page's compressed size", header.compressed)?;
    let uncompressed = size("the page's uncompressed size", header.uncompressed)?;
    if header.length + compressed > left {
        return contradiction(format!(
            "the page has {compressed} bytes and its header {}, but its chunk has {left} left",
            header.length
        ));
    }
    let total = chunk.uncompressed_size().unsigned_abs();
    if uncompressed > total {
        return contradiction(format!(
            "the page has {uncompressed} bytes uncompressed, but all of its chunk has {total}"
        ));
    }
    match header.kind {
        DATA | DATA_V2 => size("the page's number of values", header.values).map(drop),
        DICTIONARY if !first => contradiction("a dictionary after the first page".to_owned()),
        DICTIONARY => {
            let values = size("the dictionary's number of values", header.values)?;
            let room = most_entries(chunk.column_descr(), uncompressed);
            if values > room {
                return contradiction(format!("{values} entries in {uncompressed} bytes"));
            }
            Ok(())
        }
        INDEX => Ok(()),
        other => contradiction(format!("{other} is no type of page")),
    }
}

/// The most entries that a dictionary of `bytes` bytes can have: each takes a byte, unless it is a bit, or
/// every value has no bytes.
pub(super) fn most_entries(descriptor: &ColumnDescriptor, bytes: u64) -> u64 {
    match descriptor.physical_type() {
        Type::BOOLEAN => bytes.saturating_mul(8),
        Type::FIXED_LEN_BYTE_ARRAY if descriptor.type_length() == 0 => u64::MAX,
        _ => bytes,
    }
}

fn check_totals(
    location: &Location,
    chunk: &ColumnChunkMetaData,
    rows: u64,
    headers: &[(u64, Header)],
) -> Result<(), Damage> {
    let data = || {
        headers
            .iter()
            .map(|(_, header)| header)
            .filter(|header| header.is_data())
    };
    let values: u64 = data().map(|header| header.values.unsigned_abs()).sum();
    let expected = chunk.num_values().unsigned_abs();
    if values != expected {
        let what = "the number of values in all pages";
        return Err(Damage::Count {
            location: location.clone(),
            what,
            expected,
            found: values,
        });
    }
    let counted: Option<u64> = data()
        .map(|header| header.rows.map(i64::unsigned_abs))
        .sum();
    match counted {
        Some(found) if found != rows => {
            let what = "the number of rows in all pages";
            Err(Damage::Count {
                location: location.clone(),
                what,
                expected: rows,
                found,
            })
        }
        _ => Ok(()),
    }
}

impl Header {
    pub(super) fn is_data(&self) -> bool {
        matches!(self.kind, DATA | DATA_V2)
    }

    /// Whether the page holds indices of the dictionary (PLAIN_DICTIONARY, RLE_DICTIONARY).
    pub(super) fn is_dictionary_encoded(&self) -> bool {
        matches!(self.encoding, 2 | 8)
    }
}

/// Lets parquet-rs read, check and decompress the pages.
fn read_pages(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
    headers: &[(u64, Header)],
) -> Result<(), Fault> {
    let reader = contained(location, || {
        SerializedPageReader::new(Arc::new(source.clone()), chunk, 0, None)
    })?;
    // All that can fail here is finding the codec: the chunk's place has been checked.
    let mut reader = reader.map_err(|error| {
        let reason = format!("compressed with {:?}: {error}", chunk.compression());
        Damage::NotCheckable {
            location: location.clone(),
            reason,
        }
    })?;
    for (at, header) in headers.iter().filter(|(_, header)| header.kind != INDEX) {
        let place = location.clone().at(*at);
        let page = contained(&place, || reader.get_next_page())?.map_err(|error| Damage::Page {
            location: place.clone(),
            source: Arc::new(error),
        })?;
        let found = page
            .as_ref()
            .map_or(0, |page| u64::from(Page::num_values(page)));
        let expected = header.values.unsigned_abs();
        if found != expected {
            let what = "the page's number of values";
            return Err(Damage::Count {
                location: place,
                what,
                expected,
                found,
            }
            .into());
        }
    }
    Ok(())
}

fn read_bloom_filter(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
) -> Result<(), Fault> {
    let Some(offset) = chunk.bloom_filter_offset() else {
        return Ok(());
    };
    let place = location.clone().at(offset.unsigned_abs());
    contained(&place, || Sbbf::read_from_column_chunk(chunk, source))?.map_err(|error| {
        Damage::BloomFilter {
            location: place,
            source: Arc::new(error),
        }
    })?;
    Ok(())
}
