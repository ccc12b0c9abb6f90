//! Reading a Parquet footer: magic numbers, lengths, metadata, page indexes.
//!
//! What comes out has been parsed, but is not known to make sense: that is `structure.rs`.

use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
};
use parquet::schema::types::SchemaDescriptor;

use super::structure;
use super::thrift::{BINARY, I32, LIST, Malformed, STRUCT, Thrift};
use crate::format::source::Source;
use crate::format::{Fault, contained};
use crate::verify::{Damage, Location};

const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// The magic number, an empty footer, its length, the magic number.
const MINIMUM: u64 = 12;
/// The footer's length and the magic number.
const TAIL: u64 = 8;
/// Read at once from the end: enough for footer and page indexes of most files, and all of small ones.
const AHEAD: u64 = 64 << 10;

/// The field of `FileMetaData` that says that columns are encrypted although the footer is not.
const ENCRYPTION_ALGORITHM: i64 = 8;
const ROW_GROUPS: i64 = 4;
const COLUMNS: i64 = 1;
const META_DATA: i64 = 3;
const TYPE: i64 = 1;
const PATH_IN_SCHEMA: i64 = 3;

/// Reads the footer and the page indexes, and checks that all of it describes this file.
pub(super) fn read(source: &mut Source) -> Result<ParquetMetaData, Fault> {
    let (bytes, start) = footer_bytes(source)?;
    let unreadable = |source| Damage::Footer {
        offset: start,
        source,
    };
    let walked = walk(&bytes).map_err(|error| unreadable(Arc::new(error)))?;
    // A signature may follow a footer that is not encrypted itself.
    if walked.is_encrypted {
        return Err(encrypted().into());
    }
    if walked.length != bytes.len() {
        let (declared, available) = (bytes.len() as u64, walked.length as u64);
        return Err(Damage::FooterLength {
            declared,
            available,
        }
        .into());
    }
    let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
    let metadata = contained(&Location::file().at(start), || {
        ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(&options))
    })?
    .map_err(|error| unreadable(Arc::new(error)))?;
    check_names(&walked.chunks, metadata.file_metadata().schema_descr())?;
    structure::check(&metadata, start)?;
    let metadata = read_page_indexes(source, metadata)?;
    structure::check_page_indexes(&metadata)?;
    Ok(metadata)
}

fn encrypted() -> Damage {
    let reason = "it is encrypted, and no keys are known".to_owned();
    Damage::NotCheckable {
        location: Location::file(),
        reason,
    }
}

/// The footer's metadata and where it begins.
fn footer_bytes(source: &mut Source) -> Result<(Bytes, u64), Fault> {
    let len = source.len();
    if len < MINIMUM {
        return Err(Damage::TooShort {
            len,
            minimum: MINIMUM,
        }
        .into());
    }
    let end = source.read_end(AHEAD)?;
    check_magic(&source.read(0, 4)?, 0)?;
    let tail = end.len().checked_sub(TAIL as usize);
    let (rest, tail) = end
        .split_at_checked(tail.unwrap_or(usize::MAX))
        .ok_or_else(|| {
            // The file has become shorter since it was asked for its length.
            Damage::TooShort {
                len: end.len() as u64,
                minimum: MINIMUM,
            }
        })?;
    let (length, magic) = tail.split_at(4);
    check_magic(magic, len - 4)?;
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
        end.slice(rest.len() - declared as usize..rest.len())
    } else {
        source.read(start, declared)?
    };
    Ok((bytes, start))
}

fn check_magic(found: &[u8], offset: u64) -> Result<(), Damage> {
    match found {
        MAGIC => Ok(()),
        MAGIC_ENCRYPTED => Err(encrypted()),
        _ => Err(Damage::Magic {
            offset,
            expected: "PAR1",
            found: found.to_vec(),
        }),
    }
}

/// Whether a file that was just written has anything encrypted in it, or is not to be told.
pub(crate) fn encrypts(file: &[u8]) -> bool {
    let Some((rest, [a, b, c, d, magic @ ..])) = file.split_last_chunk::<8>() else {
        return true;
    };
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let footer = rest.len().checked_sub(length).map(|start| &rest[start..]);
    magic != MAGIC
        || footer.is_none_or(|footer| walk(footer).map_or(true, |walked| walked.is_encrypted))
}

/// What is seen of a footer by walking over all of it, before parquet-rs allocates anything for it.
struct Walked<'a> {
    length: usize,
    is_encrypted: bool,
    /// The column chunks of each row group.
    chunks: Vec<Vec<ChunkName<'a>>>,
}

/// What a column chunk says of its column: path and type, where it says so.
type ChunkName<'a> = (Option<Vec<&'a [u8]>>, Option<i64>);

fn walk(footer: &[u8]) -> Result<Walked<'_>, Malformed> {
    let mut walk = Thrift::new(footer);
    let (mut is_encrypted, mut chunks) = (false, Vec::new());
    each_field(&mut walk, &mut |walk, number, kind| {
        is_encrypted |= number == ENCRYPTION_ALGORITHM;
        if (number, kind) != (ROW_GROUPS, LIST) {
            return walk.skip(kind);
        }
        for _ in 0..count_of_structures(walk)? {
            let mut columns = Vec::new();
            each_field(walk, &mut |walk, number, kind| {
                if (number, kind) != (COLUMNS, LIST) {
                    return walk.skip(kind);
                }
                for _ in 0..count_of_structures(walk)? {
                    columns.push(chunk_name(walk)?);
                }
                Ok(())
            })?;
            chunks.push(columns);
        }
        Ok(())
    })?;
    Ok(Walked {
        length: walk.position(),
        is_encrypted,
        chunks,
    })
}

fn count_of_structures(walk: &mut Thrift<'_>) -> Result<usize, Malformed> {
    match walk.list()? {
        (STRUCT, count) => Ok(count),
        // An empty list has elements of any type.
        (_, 0) => Ok(0),
        (other, _) => Err(Malformed::UnknownType(other)),
    }
}

fn chunk_name<'a>(walk: &mut Thrift<'a>) -> Result<ChunkName<'a>, Malformed> {
    let (mut path, mut physical) = (None, None);
    each_field(walk, &mut |walk, number, kind| {
        if (number, kind) != (META_DATA, STRUCT) {
            return walk.skip(kind);
        }
        each_field(walk, &mut |walk, number, kind| match (number, kind) {
            (TYPE, I32) => {
                physical = Some(walk.integer()?);
                Ok(())
            }
            (PATH_IN_SCHEMA, LIST) => match walk.list()? {
                (BINARY, count) => {
                    path = Some(
                        (0..count)
                            .map(|_| walk.binary())
                            .collect::<Result<_, _>>()?,
                    );
                    Ok(())
                }
                (_, 0) => Ok(()),
                (other, _) => Err(Malformed::UnknownType(other)),
            },
            _ => walk.skip(kind),
        })
    })?;
    Ok((path, physical))
}

/// Checks that every column chunk carries the path and type of its column in the schema, which
/// parquet-rs takes for granted.
fn check_names(chunks: &[Vec<ChunkName<'_>>], schema: &SchemaDescriptor) -> Result<(), Damage> {
    for (row_group, columns) in chunks.iter().enumerate() {
        for (column, found) in columns.iter().enumerate() {
            check_name(schema, row_group, column, found)?;
        }
    }
    Ok(())
}

fn check_name(
    schema: &SchemaDescriptor,
    row_group: usize,
    column: usize,
    (path, physical): &ChunkName<'_>,
) -> Result<(), Damage> {
    if column >= schema.num_columns() {
        return Ok(()); // Too many columns are reported with their number.
    }
    let expected = schema.column(column);
    let contradiction = |what| Damage::Contradiction {
        location: Location::row_group(row_group).column(expected.path().string()),
        what,
    };
    let parts = expected.path().parts().iter().map(String::as_bytes);
    if let Some(path) = path
        && !path.iter().copied().eq(parts)
    {
        let found: Vec<_> = path
            .iter()
            .map(|part| String::from_utf8_lossy(part))
            .collect();
        return Err(contradiction(format!(
            "the column chunk says it is of {:?}",
            found.join(".")
        )));
    }
    let physical_type = expected.physical_type();
    match physical {
        Some(found) if *found != physical_type as i64 => Err(contradiction(format!(
            "the column chunk says it is of type {found}, the schema says {physical_type}"
        ))),
        _ => Ok(()),
    }
}

type OnField<'f, 'a> = &'f mut dyn FnMut(&mut Thrift<'a>, i64, u8) -> Result<(), Malformed>;

fn each_field<'a>(walk: &mut Thrift<'a>, on_field: OnField<'_, 'a>) -> Result<(), Malformed> {
    let mut last = 0;
    while let Some((number, kind)) = walk.field(&mut last)? {
        on_field(walk, number, kind)?;
    }
    Ok(())
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
                    measure_page_index(source, &location, offset, length)?;
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
    offset: i64,
    length: i32,
) -> Result<(), Fault> {
    let (offset, length) = (offset.unsigned_abs(), u64::from(length.unsigned_abs()));
    let bytes = source.read(offset, length)?;
    Thrift::measure(&bytes).map(drop).map_err(|error| {
        let location = location.clone().at(offset);
        Damage::PageIndex {
            location,
            source: Arc::new(error),
        }
        .into()
    })
}
