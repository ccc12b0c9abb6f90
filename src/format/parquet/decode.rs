//! Every value of a Parquet file, decoded to Arrow.
//!
//! Row group by row group, in batches of limited rows, each counted against its row group. Where the
//! digests of what went in are known, those of what came out are compared with them. Some encodings
//! declare counts within a page; parquet-rs trusts some of them for an allocation, and that cannot be
//! checked from outside before.

use std::sync::Arc;

use arrow::datatypes::Schema;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::format::digest::ColumnDigests;
use crate::format::source::Source;
use crate::format::{Fault, contained};
use crate::verify::{Damage, Location};

/// The most rows decoded at once, and about the most bytes.
const BATCH_ROWS: u64 = 8192;
const BATCH_BYTES: u64 = 16 << 20;

/// The values that a file should have.
pub(super) struct Expected<'a> {
    /// The schema of what went in.
    pub(super) schema: &'a Schema,
    /// The digests of what went in, one a column.
    pub(super) digests: &'a [u128],
}

/// Decodes every row group, and compares the columns with what is expected, if anything is.
pub(super) fn decode(
    source: &Source,
    metadata: &Arc<ParquetMetaData>,
    expected: Option<&Expected<'_>>,
) -> Result<(), Fault> {
    let arrow = arrow_metadata(metadata, expected)?;
    let mut found = match expected {
        Some(_) => Some(ColumnDigests::new(arrow.schema()).map_err(|error| {
            let (location, reason) = (Location::file(), error.to_string());
            Damage::NotCheckable { location, reason }
        })?),
        None => None,
    };
    for index in 0..metadata.num_row_groups() {
        decode_row_group(source, &arrow, index, found.as_mut())?;
    }
    match (expected, found) {
        (Some(expected), Some(found)) => compare(&arrow, expected.digests, &found.finish()),
        _ => Ok(()),
    }
}

/// How to decode: to the types of what went in, where parquet-rs can, since a file without the Arrow
/// schema would come back as other types, whose digests differ.
fn arrow_metadata(
    metadata: &Arc<ParquetMetaData>,
    expected: Option<&Expected<'_>>,
) -> Result<ArrowReaderMetadata, Damage> {
    let location = Location::file();
    let load = |options| {
        contained(&location, || {
            ArrowReaderMetadata::try_new(Arc::clone(metadata), options)
        })
    };
    if let Some(expected) = expected {
        let schema = Arc::new(expected.schema.clone());
        if let Ok(Ok(arrow)) = load(ArrowReaderOptions::new().with_schema(schema)) {
            return Ok(arrow);
        }
    }
    load(ArrowReaderOptions::new())?.map_err(|error| undecodable(location.clone(), error))
}

fn decode_row_group(
    source: &Source,
    arrow: &ArrowReaderMetadata,
    index: usize,
    mut digests: Option<&mut ColumnDigests>,
) -> Result<(), Fault> {
    let location = Location::row_group(index);
    let row_group = arrow.metadata().row_group(index);
    let mut reader = contained(&location, || {
        ParquetRecordBatchReaderBuilder::new_with_metadata(source.clone(), arrow.clone())
            .with_row_groups(vec![index])
            .with_batch_size(batch_rows(row_group))
            .build()
    })?
    .map_err(|error| undecodable(location.clone(), error))?;
    let mut found = 0;
    while let Some(batch) = contained(&location, || reader.next())? {
        let damage = |error| Damage::Decode {
            location: location.clone(),
            source: Arc::new(error),
        };
        let batch = batch.map_err(damage)?;
        found += batch.num_rows() as u64;
        if let Some(digests) = digests.as_deref_mut() {
            contained(&location, || digests.update(&batch))?.map_err(damage)?;
        }
    }
    let expected = row_group.num_rows().unsigned_abs();
    if found != expected {
        let what = "the number of rows decoded";
        return Err(Damage::Count {
            location,
            what,
            expected,
            found,
        }
        .into());
    }
    Ok(())
}

fn batch_rows(row_group: &RowGroupMetaData) -> usize {
    let row_bytes =
        row_group.total_byte_size().unsigned_abs() / row_group.num_rows().unsigned_abs().max(1);
    (BATCH_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS) as usize
}

fn undecodable(location: Location, error: ParquetError) -> Damage {
    match error {
        ParquetError::NYI(reason) => Damage::NotCheckable { location, reason },
        error => Damage::Decode {
            location,
            source: Arc::new(error),
        },
    }
}

fn compare(arrow: &ArrowReaderMetadata, expected: &[u128], found: &[u128]) -> Result<(), Fault> {
    if expected.len() != found.len() {
        let (location, what) = (Location::file(), "the number of columns");
        let (expected, found) = (expected.len() as u64, found.len() as u64);
        return Err(Damage::Count {
            location,
            what,
            expected,
            found,
        }
        .into());
    }
    let fields = arrow.schema().fields().iter();
    for (field, (expected, found)) in fields.zip(expected.iter().zip(found)) {
        if expected != found {
            return Err(Damage::Values {
                column: field.name().clone(),
            }
            .into());
        }
    }
    Ok(())
}
