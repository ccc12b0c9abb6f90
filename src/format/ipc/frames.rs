//! The frames of Arrow IPC: each message's place, length and buffers, before anything is decoded.
//!
//! Arrow's reader allocates what a message declares, and a failed allocation ends the process, so no
//! declared length gets past here that the file has no bytes for. What a compressed buffer declares
//! to become is bounded by the most that its codec can make of its bytes, and what a message becomes as
//! a whole by `bounds.rs`.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::{Block, Buffer, root_as_footer};

use super::bounds::{IpcBounds, IpcTooLarge, Sizes, decoded};
use super::message::{malformed, parse_message};
use crate::damage::{Damage, Location};
use crate::format::proof::Body;
use crate::format::source::Source;
use crate::format::{Fault, contained, proof};

const MAGIC: &[u8] = b"ARROW1";
/// The magic number of Feather version 1, which is not Arrow IPC.
const FEATHER_V1: &[u8] = b"FEA1";
/// The magic number, padded to 8 bytes.
const FILE_START: u64 = 8;
/// The footer's length and the magic number.
const FILE_TAIL: u64 = 10;
/// The key of the writer's name in the metadata of a footer.
pub(super) const CREATED_BY: &str = "created_by";
/// The marker before the length of a message, since version 0.15 of the format.
const CONTINUATION: u32 = u32::MAX;
/// The most bytes that one byte can decompress to: a block of zstd makes at most 128 KiB of 4 bytes, one of LZ4 less.
const MOST_EXPANSION: u64 = 32 << 10;

/// The facts of a file that its frames declare.
pub(super) struct Frames {
    pub(super) schema: Schema,
    pub(super) batches: usize,
    /// The sum of what the batches declare.
    pub(super) rows: u64,
    pub(super) body: Option<Body>,
}

/// Checks magic numbers, footer and every message of the file format, also against the bounds, if there
/// are any.
pub(super) fn check_file(source: &Source, mut bounds: Option<IpcBounds>) -> Result<Frames, Fault> {
    let (start, footer) = read_footer(source)?;
    let Footer {
        schema,
        dictionaries,
        batches,
        body,
        ..
    } = footer;
    for block in &dictionaries {
        check_block(source, block, start, bounds.as_mut())?;
    }
    let mut rows: u64 = 0;
    for block in &batches {
        rows = rows.saturating_add(check_block(source, block, start, bounds.as_mut())?);
    }
    let batches = batches.len();
    Ok(Frames {
        schema,
        batches,
        rows,
        body,
    })
}

/// The schema in the footer of a file; no message is looked at.
pub(super) fn schema(source: &Source) -> Result<Schema, Fault> {
    Ok(read_footer(source)?.1.schema)
}

/// Checks magic numbers, and reads the footer; gives back where it begins.
fn read_footer(source: &Source) -> Result<(u64, Footer), Fault> {
    let len = source.len();
    if len < FILE_START + FILE_TAIL {
        return Err(Damage::TooShort {
            len,
            minimum: FILE_START + FILE_TAIL,
        }
        .into());
    }
    check_magic(source, 0)?;
    check_magic(source, len - MAGIC.len() as u64)?;
    let declared = u64::from(word(source, len - FILE_TAIL)?);
    let available = len - FILE_START - FILE_TAIL;
    if declared > available {
        return Err(Damage::FooterLength {
            declared,
            available,
        }
        .into());
    }
    let start = len - FILE_TAIL - declared;
    let bytes = source.read(start, declared + FILE_TAIL)?;
    let mut footer = footer(&bytes[..bytes.len().min(declared as usize)], start)?;
    if let Some(name) = footer.name.take() {
        footer.body = Some(proof::check_end(start, &bytes, name)?);
    }
    Ok((start, footer))
}

/// Where the end of a file that was just written begins, from its footer on, and in that the writer's name.
pub(super) fn end_of(bytes: &[u8]) -> Option<(usize, Range<usize>)> {
    let (rest, tail) = bytes.split_last_chunk::<{ FILE_TAIL as usize }>()?;
    let [a, b, c, d, ..] = *tail;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let start = rest.len().checked_sub(length)?;
    Some((start, footer(&rest[start..], 0).ok()?.name?))
}

fn check_magic(source: &Source, offset: u64) -> Result<(), Fault> {
    let found = source.read(offset, MAGIC.len() as u64)?;
    if offset == 0 && found.starts_with(FEATHER_V1) {
        let reason = "it is of version 1 of Feather, which is not read: write it anew as version 2, which is the Arrow \
                      IPC file format";
        return Err(Damage::NotCheckable {
            location: Location::file(),
            reason: reason.to_owned(),
        }
        .into());
    }
    if found != MAGIC {
        return Err(Damage::Magic {
            offset,
            expected: "ARROW1",
            found: found.to_vec(),
        }
        .into());
    }
    Ok(())
}

/// The footer: the schema, and where the messages are.
struct Footer {
    schema: Schema,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
    /// The range of the writer's name in it, if it is one of this crate, damaged or not.
    name: Option<Range<usize>>,
    body: Option<Body>,
}

/// The range of the writer's name in a footer, if it is one of this crate. Where its key is damaged, it is looked for
/// as a text.
fn own_name(bytes: &[u8], footer: &arrow::ipc::Footer<'_>) -> Option<Range<usize>> {
    let mut pairs = footer.custom_metadata().into_iter().flatten();
    let named = pairs.find(|pair| pair.key() == Some(CREATED_BY));
    match named.and_then(|pair| pair.value()) {
        Some(value) if proof::find(value.as_bytes()).is_some() => {
            let start = value.as_ptr() as usize - bytes.as_ptr() as usize;
            Some(start..start + value.len())
        }
        _ => proof::find(bytes).filter(|name| proof::is_whole(&bytes[name.clone()])),
    }
}

fn footer(bytes: &[u8], start: u64) -> Result<Footer, Damage> {
    let location = Location::file().at(start);
    contained(&location, || {
        let footer = root_as_footer(bytes).map_err(malformed)?;
        let schema = footer.schema().ok_or_else(|| malformed("no schema"))?;
        let schema = fb_to_schema(schema);
        Ok(Footer {
            name: own_name(bytes, &footer),
            body: None,
            schema,
            dictionaries: footer
                .dictionaries()
                .into_iter()
                .flatten()
                .copied()
                .collect(),
            batches: footer
                .recordBatches()
                .into_iter()
                .flatten()
                .copied()
                .collect(),
        })
    })?
    .map_err(|error: ArrowError| Damage::Footer {
        offset: start,
        source: Arc::new(error),
    })
}

/// Checks one message and gives back its rows.
fn check_block(
    source: &Source,
    block: &Block,
    footer_start: u64,
    bounds: Option<&mut IpcBounds>,
) -> Result<u64, Fault> {
    let what = "a message";
    let unsigned = |found| not_negative(&Location::file(), what, found);
    let start = unsigned(block.offset())?;
    let metadata = unsigned(i64::from(block.metaDataLength()))?;
    let body = unsigned(block.bodyLength())?;
    let end = start.saturating_add(metadata).saturating_add(body);
    check_bounds(
        &Location::file(),
        what,
        start..end,
        FILE_START..footer_start,
    )?;
    let contradiction = |what: String| Damage::Contradiction {
        location: Location::file().at(start),
        what,
    };
    match check_message(source, start, footer_start, bounds)? {
        None => {
            Err(contradiction("an end marker, where the footer has a message".to_owned()).into())
        }
        Some((found, _)) if found != end => {
            let what = format!("the message ends at {found}, but at {end} by the footer");
            Err(contradiction(what).into())
        }
        Some((_, rows)) => Ok(rows),
    }
}

/// Checks every message of the stream format, also against the bounds, and that the end marker ends it.
pub(super) fn check_stream(source: &Source, mut bounds: IpcBounds) -> Result<(), Fault> {
    let len = source.len();
    let mut at = 0;
    while let Some((end, _)) = check_message(source, at, len, Some(&mut bounds))? {
        at = end;
    }
    // The end marker is a length of 0, with or without the continuation before it.
    let end = at
        + if word(source, at)? == CONTINUATION {
            8
        } else {
            4
        };
    if end < len {
        return Err(Damage::Trailing {
            offset: end,
            excess: len - end,
        }
        .into());
    }
    Ok(())
}

/// Checks the message at `at` and gives back where it ends and its rows; `None` for the end marker.
fn check_message(
    source: &Source,
    at: u64,
    limit: u64,
    bounds: Option<&mut IpcBounds>,
) -> Result<Option<(u64, u64)>, Fault> {
    let unfinished = |missing| Damage::Unfinished {
        offset: limit,
        missing,
    };
    if limit - at < 4 {
        return Err(unfinished("the end marker of the stream").into());
    }
    let mut start = at + 4;
    let mut length = word(source, at)?;
    if length == CONTINUATION {
        if limit - start < 4 {
            return Err(unfinished("the length of a message").into());
        }
        length = word(source, start)?;
        start += 4;
    }
    if length == 0 {
        return Ok(None);
    }
    let length = u64::from(length);
    if length > limit - start {
        return Err(unfinished("the rest of a message").into());
    }
    let bytes = source.read(start, length)?;
    let location = Location::file().at(start);
    let body_start = start + length;
    let body = contained(&location, || parse_message(&bytes))?.map_err(|error| Damage::Decode {
        location: location.clone(),
        source: Arc::new(error),
    })?;
    let body_length = not_negative(&location, "the body's length", body.length)?;
    if body_length > limit - body_start {
        return Err(unfinished("the rest of a message's body").into());
    }
    for buffer in &body.buffers {
        check_buffer(
            source,
            &location,
            buffer,
            body.compressed,
            (body_start, body_length),
        )?;
    }
    if let Some(bounds) = bounds {
        let stored = length + body_length;
        let prefix = |offset| declared_length(source, body_start + offset);
        let decoded = decoded(&body, prefix)?;
        bounds
            .admit(body.dictionary, Sizes { stored, decoded })
            .map_err(|too_large| not_checkable(&location, &too_large))?;
    }
    let rows = not_negative(&location, "the number of rows", body.rows)?;
    Ok(Some((body_start + body_length, rows)))
}

fn check_buffer(
    source: &Source,
    location: &Location,
    buffer: &Buffer,
    compressed: bool,
    (body, body_length): (u64, u64),
) -> Result<(), Fault> {
    let what = "a buffer";
    let offset = not_negative(location, what, buffer.offset())?;
    let length = not_negative(location, what, buffer.length())?;
    let end = offset.saturating_add(length);
    let bytes = body.saturating_add(offset)..body.saturating_add(end);
    check_bounds(location, what, bytes, body..body + body_length)?;
    if !compressed || length < 8 {
        return Ok(());
    }
    let start = body + offset;
    let declared = declared_length(source, start)?;
    // Negative ones are not lengths: -1 says that the buffer is not compressed after all.
    if u64::try_from(declared).is_ok_and(|most| most / MOST_EXPANSION > length) {
        let what = format!("{length} bytes said to decompress to {declared}");
        return Err(Damage::Contradiction {
            location: location.clone().at(start),
            what,
        }
        .into());
    }
    Ok(())
}

/// The uncompressed length that a compressed buffer declares in its first eight bytes.
fn declared_length(source: &Source, start: u64) -> Result<i64, Fault> {
    let bytes = source.read(start, 8)?;
    Ok(<[u8; 8]>::try_from(bytes.as_ref()).map_or(0, i64::from_le_bytes))
}

fn not_checkable(location: &Location, too_large: &IpcTooLarge) -> Damage {
    Damage::NotCheckable {
        location: location.clone(),
        reason: format!("{too_large}; write it in smaller batches"),
    }
}

/// Refuses a range of bytes that is not within another.
fn check_bounds(
    location: &Location,
    what: &'static str,
    bytes: Range<u64>,
    within: Range<u64>,
) -> Result<(), Damage> {
    if bytes.start >= within.start && bytes.end <= within.end {
        return Ok(());
    }
    Err(Damage::OutOfBounds {
        location: location.clone(),
        what,
        start: bytes.start,
        end: bytes.end,
        from: within.start,
        to: within.end,
    })
}

fn not_negative(location: &Location, what: &'static str, found: i64) -> Result<u64, Damage> {
    u64::try_from(found).map_err(|_| Damage::Negative {
        location: location.clone(),
        what,
        found,
    })
}

fn word(source: &Source, at: u64) -> Result<u32, Fault> {
    let bytes = source.read(at, 4)?;
    let bytes = <[u8; 4]>::try_from(bytes.as_ref());
    Ok(bytes.map_or(0, u32::from_le_bytes))
}
