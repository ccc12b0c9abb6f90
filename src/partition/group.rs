//! Finding which rows of a batch belong to the same partition.
//!
//! Neighbouring equal rows are found first, by comparing columns with themselves shifted by one.
//! What costs more (encoding, hashing, rendering) is done once per such run, so that sorted batches
//! cost next to nothing and shuffled ones no more than without.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{partition, take};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use super::{Partition, PartitionError};

/// The partitions of a batch in order of first appearance, and which rows are theirs.
pub(super) struct Groups {
    /// Each partition and its number of rows.
    groups: Vec<(Partition, usize)>,
    /// The runs of neighbouring rows in order, each with the place of its group in `groups`.
    runs: Vec<(Range<usize>, usize)>,
}

impl Groups {
    /// The order of rows in which those of each group stand together, or `None` where it is theirs.
    pub(super) fn order(&self) -> Option<Vec<u32>> {
        // Groups are in order of appearance: with a run each, they are in order of rows.
        if self.runs.is_sorted_by_key(|(_, group)| *group) {
            return None;
        }
        let mut next = Vec::with_capacity(self.groups.len());
        let mut rows = 0;
        for (_, size) in &self.groups {
            next.push(rows);
            rows += size;
        }
        let mut order = vec![0; rows];
        for (run, group) in &self.runs {
            let start = next[*group];
            next[*group] += run.len();
            for (place, row) in order[start..next[*group]].iter_mut().zip(run.clone()) {
                *place = row as u32;
            }
        }
        Some(order)
    }

    pub(super) fn into_sizes(self) -> impl Iterator<Item = (Partition, usize)> {
        self.groups.into_iter()
    }
}

/// Groups the rows of some columns, which are at least one and at least one row.
///
/// The partition of a row is asked for once per group of equal rows. Where two such groups have the
/// same partition (both zeros of a float, two times of one day in a date), they become one.
pub(super) fn group_rows(
    columns: &[ArrayRef],
    partition_of: impl Fn(usize) -> Result<Partition, PartitionError>,
) -> Result<Groups, PartitionError> {
    let runs = partition(columns).map_err(PartitionError::arrow)?.ranges();
    let rows = runs.last().map_or(0, |run| run.end);
    if u32::try_from(rows).is_err() {
        let problem = format!("a batch of {rows} rows is too large to split");
        return Err(PartitionError::arrow(ArrowError::InvalidArgumentError(
            problem,
        )));
    }
    let mut places: HashMap<Partition, usize> = HashMap::new();
    let mut place_of = |row: usize| {
        let next = places.len();
        Ok::<_, PartitionError>(*places.entry(partition_of(row)?).or_insert(next))
    };
    let placed = if let [run] = runs.as_slice() {
        vec![(run.clone(), place_of(run.start)?)]
    } else {
        let encoded = encode(columns, &runs).map_err(PartitionError::arrow)?;
        let mut seen = HashMap::new();
        let mut placed = Vec::with_capacity(runs.len());
        for (run, row) in runs.into_iter().zip(encoded.iter()) {
            let place = match seen.entry(row) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(place_of(run.start)?),
            };
            placed.push((run, place));
        }
        placed
    };
    let mut groups: Vec<_> = places
        .into_iter()
        .map(|(group, place)| (place, group, 0))
        .collect();
    groups.sort_unstable_by_key(|(place, _, _)| *place);
    for (run, place) in &placed {
        groups[*place].2 += run.len();
    }
    let groups = groups
        .into_iter()
        .map(|(_, partition, size)| (partition, size))
        .collect();
    Ok(Groups {
        groups,
        runs: placed,
    })
}

/// Encodes the first row of each run, so that equal rows have equal bytes.
fn encode(columns: &[ArrayRef], runs: &[Range<usize>]) -> Result<arrow::row::Rows, ArrowError> {
    let fields = columns
        .iter()
        .map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let rows = runs.last().map_or(0, |run| run.end);
    if runs.len() == rows {
        return converter.convert_columns(columns);
    }
    let firsts = UInt32Array::from_iter_values(runs.iter().map(|run| run.start as u32));
    let firsts: Vec<ArrayRef> = columns
        .iter()
        .map(|column| take(column, &firsts, None))
        .collect::<Result<_, _>>()?;
    converter.convert_columns(&firsts)
}
