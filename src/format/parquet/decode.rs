//! Decodes every value of a Parquet file to Arrow, and compares the columns with what was written.
//!
//! Row group by row group, and of wide ones some columns at a time, in batches of limited bytes, the rows
//! of each counted against its row group. Where the digests of what went in are known, those of what came
//! out are compared with them. Some encodings declare counts within a page; parquet-rs trusts some of them
//! for an allocation, and that cannot be checked from outside before.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::LogicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::cost::{Cost, cost, with_views};

use crate::damage::{Damage, Location};
use crate::format::digest::ColumnDigests;
use crate::format::source::Source;
use crate::format::{Fault, contained};

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

/// The options of the decoder: it decodes to the types that were given, where parquet-rs can, because a file without
/// the Arrow schema would come back as other types, with other digests; texts and bytes come back as views, with the
/// same digests. Where nothing is known of what went in, the embedded Arrow schema is not asked: other writers name
/// types there that parquet-rs cannot decode to, such as dictionaries of booleans.
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
    let load_as = |schema| load(ArrowReaderOptions::new().with_schema(schema));
    if let Some(expected) = expected {
        for schema in [
            with_views(expected.schema),
            Arc::new(expected.schema.clone()),
        ] {
            if let Ok(Ok(arrow)) = load_as(schema) {
                return Ok(arrow);
            }
        }
    }
    let load = |options| load(options)?.map_err(|error| undecodable(location.clone(), error));
    let embedded = load(ArrowReaderOptions::new())?;
    let arrow = match expected {
        Some(_) => embedded,
        // The embedded types fit the file, and may yet be some that parquet-rs does not decode to.
        None => load(ArrowReaderOptions::new().with_skip_arrow_metadata(true))?,
    };
    match load_as(with_views(arrow.schema())) {
        Ok(Ok(views)) => Ok(views),
        _ => Ok(arrow),
    }
}

/// Decodes neighbouring columns together as long as their pages are small.
fn decode_row_group(
    source: &Source,
    arrow: &ArrowReaderMetadata,
    index: usize,
    mut digests: Option<&mut ColumnDigests>,
) -> Result<(), Fault> {
    let costs = root_costs(source, arrow, index)?;
    let mut first = 0;
    loop {
        let mut cost = Cost::default();
        let mut end = first;
        while let Some(next) = costs.get(end) {
            let held = next.pages.saturating_add(next.row);
            let room = BATCH_BYTES.saturating_sub(cost.pages.saturating_add(cost.row));
            if end > first && held > room {
                break;
            }
            cost.row = cost.row.saturating_add(next.row);
            cost.pages = cost.pages.saturating_add(next.pages);
            end += 1;
        }
        let rows = (BATCH_BYTES / cost.row.max(1)).clamp(1, BATCH_ROWS) as usize;
        decode_columns(
            source,
            arrow,
            (index, first..end, rows),
            digests.as_deref_mut(),
        )?;
        first = end;
        if first >= costs.len() {
            return Ok(());
        }
    }
}

/// The memory that decoding each top-level column takes.
fn root_costs(
    source: &Source,
    arrow: &ArrowReaderMetadata,
    index: usize,
) -> Result<Vec<Cost>, Fault> {
    let row_group = arrow.metadata().row_group(index);
    let schema = arrow.parquet_schema();
    let mut costs = vec![Cost::default(); schema.root_schema().get_fields().len()];
    for (leaf, chunk) in row_group.columns().iter().enumerate() {
        let location = Location::row_group(index).column(chunk.column_path().string());
        let rows = row_group.num_rows().unsigned_abs();
        let found = cost(source, &location, chunk, rows)?;
        if let Some(root) = costs.get_mut(schema.get_column_root_idx(leaf)) {
            root.row = root.row.saturating_add(found.row);
            root.pages = root.pages.saturating_add(found.pages);
        }
    }
    Ok(costs)
}

fn decode_columns(
    source: &Source,
    arrow: &ArrowReaderMetadata,
    (index, columns, rows): (usize, Range<usize>, usize),
    mut digests: Option<&mut ColumnDigests>,
) -> Result<(), Fault> {
    let location = Location::row_group(index);
    let row_group = arrow.metadata().row_group(index);
    let first = columns.start;
    let has_nulls_alone = has_nulls_alone(arrow, columns.clone());
    let mut reader = contained(&location, || {
        ParquetRecordBatchReaderBuilder::new_with_metadata(source.clone(), arrow.clone())
            .with_row_groups(vec![index])
            .with_projection(ProjectionMask::roots(arrow.parquet_schema(), columns))
            .with_batch_size(rows)
            .build()
    })?
    .map_err(|error| undecodable(location.clone(), error))?;
    let mut found = 0;
    while let Some(batch) = contained(&location, || reader.next())? {
        let damage = |error: ArrowError| match has_nulls_alone {
            true => Damage::NotCheckable {
                location: location.clone(),
                reason: error.to_string(),
            },
            false => Damage::Decode {
                location: location.clone(),
                source: Arc::new(error),
            },
        };
        let batch = batch.map_err(damage)?;
        found += batch.num_rows() as u64;
        if let Some(digests) = digests.as_deref_mut() {
            contained(&location, || digests.update_from(first, &batch))?.map_err(damage)?;
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

/// Whether one of the columns is declared to hold nothing but nulls: parquet-rs decodes these in one physical type
/// and encoding only.
fn has_nulls_alone(arrow: &ArrowReaderMetadata, columns: Range<usize>) -> bool {
    let schema = arrow.parquet_schema();
    let leaves = schema.columns().iter().enumerate();
    leaves
        .filter(|(leaf, _)| columns.contains(&schema.get_column_root_idx(*leaf)))
        .any(|(_, leaf)| leaf.logical_type_ref() == Some(&LogicalType::Unknown))
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
