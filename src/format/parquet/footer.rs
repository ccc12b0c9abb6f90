//! Reading a Parquet footer: magic numbers, lengths, metadata, page indexes.
//!
//! What comes out has been parsed, but is not known to make sense: that is `structure.rs`.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader,
};

use super::compare::same;
use super::crypto::Crypto;
use super::encrypted::{self, SIGNATURE};
use super::footer_walk::{check_names, walk};
use super::keys::{Keys, is_encrypted};
use super::structure;
use super::thrift::Thrift;
use crate::damage::{Damage, Location};
use crate::format::proof::{self, Body};
use crate::format::source::Source;
use crate::format::{Fault, contained};

const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// The length of the shortest file: the magic number, an empty footer, its length, the magic number.
const MINIMUM: u64 = 12;
/// The length of what follows the footer: its length and the magic number.
const TAIL: u64 = 8;
/// The number of bytes that are read from the end at once: enough for footer and page indexes of most files, and for
/// all of small ones.
const AHEAD: u64 = 64 << 10;

/// The tail of a file: the footer, its length, and the magic number.
struct End {
    bytes: Bytes,
    /// Where the footer begins.
    start: u64,
    /// Whether the magic number is that of an encrypted footer.
    is_encrypted: bool,
}

impl End {
    fn footer(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - TAIL as usize]
    }
}

/// A footer that was read.
pub(super) struct Footer {
    pub(super) metadata: ParquetMetaData,
    pub(super) body: Option<Body>,
}

/// Reads the footer and the page indexes, and checks that all of it describes this file. What is
/// encrypted is opened with `keys`.
pub(super) fn read(source: &mut Source, keys: Option<&Keys>) -> Result<Footer, Fault> {
    let end = read_end(source, keys)?;
    let metadata = match (end.is_encrypted, keys) {
        (true, Some(keys)) => open_encrypted(&end, keys)?,
        (true, None) => return Err(encrypted().into()),
        (false, _) => parse(&end, keys)?,
    };
    let name = match end.is_encrypted {
        true => None,
        false => own_name(&end, &metadata),
    };
    let body = name.map(|name| proof::check_end(end.start, &end.bytes, name));
    let body = body.transpose()?;
    structure::check(&metadata, end.start)?;
    let metadata = read_page_indexes(source, metadata)?;
    structure::check_page_indexes(&metadata)?;
    Ok(Footer { metadata, body })
}

/// The range of the writer's name in the footer of a file of this crate, hashes included; also where that is damaged.
fn own_name(end: &End, metadata: &ParquetMetaData) -> Option<Range<usize>> {
    let footer = end.footer();
    let name = proof::find(footer)?;
    let writer = metadata.file_metadata().created_by().unwrap_or_default();
    if writer == proof::unproven_created_by() {
        return None;
    }
    // Behind the keys and values, in which the text may stand, comes the writer's name, and first its length.
    let other = proof::find_last(footer, writer).filter(|position| *position > name.start);
    let is_another = other.is_some_and(|position| {
        writer.len() > 127 || usize::from(footer[position - 1]) == writer.len()
    });
    (!is_another).then_some(name)
}

/// Parses a footer that is not encrypted. Columns may be encrypted all the same, and it is signed then.
fn parse(end: &End, keys: Option<&Keys>) -> Result<ParquetMetaData, Damage> {
    let footer = end.footer();
    let unreadable = |source| Damage::Footer {
        offset: end.start,
        source,
    };
    let walked = walk(footer).map_err(|error| unreadable(Arc::new(error)))?;
    let keys = match (walked.is_encrypted, keys) {
        (true, None) => return Err(encrypted()),
        (true, keys) => keys,
        (false, _) => None,
    };
    check_length(footer, walked.length + keys.map_or(0, |_| SIGNATURE))?;
    let metadata = match keys {
        Some(keys) => open(end, keys)?,
        None => {
            let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
            contained(&Location::file().at(end.start), || {
                ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))
            })?
            .map_err(|error| unreadable(Arc::new(error)))?
        }
    };
    check_names(&walked.chunks, metadata.file_metadata().schema_descr())?;
    Ok(metadata)
}

/// Decrypts an encrypted footer: plain metadata that say how it is encrypted, and one module.
fn open_encrypted(end: &End, keys: &Keys) -> Result<ParquetMetaData, Damage> {
    let footer = end.footer();
    let (found, length) = Crypto::parse(footer).map_err(|error| Damage::Footer {
        offset: end.start,
        source: Arc::new(error),
    })?;
    if let Some(expected) = keys.expected() {
        let location = Location::file().at(end.start);
        same(&location, "how the footer is encrypted", &expected, &found)?;
    }
    let location = Location::file().at(end.start + length as u64);
    encrypted::check_module(&location, &footer[length..])?;
    open(end, keys)
}

fn open(end: &End, keys: &Keys) -> Result<ParquetMetaData, Damage> {
    let location = Location::file().at(end.start);
    let opened = contained(&location, || keys.open_footer(&end.bytes))?;
    let (metadata, missing) = opened.map_err(|error| match error {
        ParquetError::NYI(reason) => Damage::NotCheckable {
            location: location.clone(),
            reason,
        },
        error => Damage::Decrypt {
            location: location.clone(),
            source: Arc::new(error),
        },
    })?;
    if let Some((row_group, column)) = missing {
        return Err(Damage::NotCheckable {
            location: Location::row_group(row_group).column(column),
            reason: "it is encrypted, and its key is not known".to_owned(),
        });
    }
    Ok(metadata)
}

fn encrypted() -> Damage {
    let reason = "it is encrypted, and no keys are known".to_owned();
    Damage::NotCheckable {
        location: Location::file(),
        reason,
    }
}

fn check_length(footer: &[u8], found: usize) -> Result<(), Damage> {
    if found == footer.len() {
        return Ok(());
    }
    let (declared, available) = (footer.len() as u64, found as u64);
    Err(Damage::FooterLength {
        declared,
        available,
    })
}

fn read_end(source: &mut Source, keys: Option<&Keys>) -> Result<End, Fault> {
    let len = source.len();
    let too_short = |len| Damage::TooShort {
        len,
        minimum: MINIMUM,
    };
    if len < MINIMUM {
        return Err(too_short(len).into());
    }
    let end = source.read_end(AHEAD)?;
    let is_encrypted = check_magic(&source.read(0, 4)?, 0, keys)?;
    // The file may have become shorter since it was asked for its length.
    let (rest, tail) = end
        .split_last_chunk::<{ TAIL as usize }>()
        .ok_or_else(|| too_short(end.len() as u64))?;
    let (length, magic) = tail.split_at(4);
    if check_magic(magic, len - 4, keys)? != is_encrypted {
        return Err(Damage::Magic {
            offset: len - 4,
            expected: if is_encrypted { "PARE" } else { "PAR1" },
            found: magic.to_vec(),
        }
        .into());
    }
    let declared = length
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let available = len - MINIMUM;
    if declared > available {
        return Err(Damage::FooterLength {
            declared,
            available,
        }
        .into());
    }
    let start = len - TAIL - declared;
    let bytes = if declared <= rest.len() as u64 {
        end.slice(rest.len() - declared as usize..)
    } else {
        let bytes = source.read(start, declared + TAIL)?;
        if (bytes.len() as u64) < declared + TAIL {
            return Err(too_short(bytes.len() as u64).into());
        }
        bytes
    };
    Ok(End {
        bytes,
        start,
        is_encrypted,
    })
}

/// Whether the magic number is that of an encrypted footer, which without keys is the end of the check.
fn check_magic(found: &[u8], offset: u64, keys: Option<&Keys>) -> Result<bool, Damage> {
    match (found, keys) {
        (MAGIC, _) => Ok(false),
        (MAGIC_ENCRYPTED, Some(_)) => Ok(true),
        (MAGIC_ENCRYPTED, None) => Err(encrypted()),
        _ => Err(Damage::Magic {
            offset,
            expected: "PAR1",
            found: found.to_vec(),
        }),
    }
}

/// Whether a file that was just written has encrypted parts, or cannot be told.
pub(crate) fn encrypts(file: &[u8]) -> bool {
    let Some((rest, [a, b, c, d, magic @ ..])) = file.split_last_chunk::<8>() else {
        return true;
    };
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let footer = rest.len().checked_sub(length).map(|start| &rest[start..]);
    magic != MAGIC
        || footer.is_none_or(|footer| walk(footer).map_or(true, |walked| walked.is_encrypted))
}

/// Reads the page indexes that are declared; none where a column chunk has no offset index, since
/// parquet-rs then keeps none of them.
fn read_page_indexes(source: &Source, metadata: ParquetMetaData) -> Result<ParquetMetaData, Fault> {
    let mut all_have_offsets = true;
    for (index, row_group) in metadata.row_groups().iter().enumerate() {
        for chunk in row_group.columns() {
            let location = Location::row_group(index).column(chunk.column_path().string());
            all_have_offsets &= chunk.offset_index_offset().is_some();
            let ranges = [
                (chunk.column_index_offset(), chunk.column_index_length()),
                (chunk.offset_index_offset(), chunk.offset_index_length()),
            ];
            for (offset, length) in ranges {
                if let (Some(offset), Some(length)) = (offset, length) {
                    measure_page_index(source, &location, chunk, (offset, length))?;
                }
            }
        }
    }
    // Optional would forget an offset index that cannot be parsed.
    let offset_policy = if all_have_offsets {
        PageIndexPolicy::Required
    } else {
        PageIndexPolicy::Optional
    };
    let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
    let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
        .with_column_index_policy(PageIndexPolicy::Optional)
        .with_offset_index_policy(offset_policy)
        .with_metadata_options(Some(options));
    let location = Location::file();
    let metadata = contained(&location, || {
        reader.read_page_indexes(source)?;
        reader.finish()
    })?;
    metadata.map_err(|error| {
        Damage::PageIndex {
            location,
            source: Arc::new(error),
        }
        .into()
    })
}

fn measure_page_index(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
    (offset, length): (i64, i32),
) -> Result<(), Fault> {
    let (offset, length) = (offset.unsigned_abs(), u64::from(length.unsigned_abs()));
    let bytes = source.read(offset, length)?;
    let location = location.clone().at(offset);
    if is_encrypted(chunk) {
        return Ok(encrypted::check_module(&location, &bytes)?);
    }
    Thrift::measure(&bytes).map(drop).map_err(|error| {
        Damage::PageIndex {
            location,
            source: Arc::new(error),
        }
        .into()
    })
}
