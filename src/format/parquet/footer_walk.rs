//! Walks over the bytes of a footer that is not encrypted, before parquet-rs allocates anything for it.
//!
//! Counts that are larger than their bytes are refused here, and column chunks that are not of their
//! column, which parquet-rs takes for granted.

use parquet::schema::types::SchemaDescriptor;

use super::thrift::{BINARY, I32, LIST, Malformed, STRUCT, Thrift};
use crate::damage::{Damage, Location};

/// The field of `FileMetaData` that says that columns are encrypted although the footer is not.
const ENCRYPTION_ALGORITHM: i64 = 8;
const ROW_GROUPS: i64 = 4;
const COLUMNS: i64 = 1;
const META_DATA: i64 = 3;
const TYPE: i64 = 1;
const PATH_IN_SCHEMA: i64 = 3;

/// The facts of a footer that a walk over its bytes finds.
pub(super) struct Walked<'a> {
    /// The length of the footer.
    pub(super) length: usize,
    /// Whether anything in the file is encrypted, if only a column; then a signature follows.
    pub(super) is_encrypted: bool,
    /// The column chunks of each row group.
    pub(super) chunks: Vec<Vec<ChunkName<'a>>>,
}

/// The path and type of a column, where its chunk has them.
pub(super) type ChunkName<'a> = (Option<Vec<&'a [u8]>>, Option<i64>);

pub(super) fn walk(footer: &[u8]) -> Result<Walked<'_>, Malformed> {
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
pub(super) fn check_names(
    chunks: &[Vec<ChunkName<'_>>],
    schema: &SchemaDescriptor,
) -> Result<(), Damage> {
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
