//! Partition numbers: which partition each row belongs to, by a number that is the same in every batch.
//!
//! A partition's values and text are made once, when its first row comes. Neighbouring
//! rows of one partition are found first, so that sorted batches cost next to nothing.

use std::collections::HashMap as StdHashMap;
use std::ops::Range;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{partition, take};
use arrow::error::ArrowError;
use hashbrown::HashMap;

use super::codes::Codes;
use super::{Partition, PartitionError};

const UNKNOWN: u32 = u32::MAX;

/// The partitions of the rows of one batch.
#[derive(Debug)]
pub(crate) enum Assignment {
    /// Runs of neighbouring rows: for each its partition, and the row after its last.
    Runs(Vec<(u32, u32)>),
    /// The partition of each row.
    Rows(Vec<u32>),
}

impl Assignment {
    /// Adds the rows of each partition to `rows`.
    pub(crate) fn count(&self, rows: &mut [u64]) {
        match self {
            Assignment::Runs(runs) => {
                let mut start = 0;
                for (id, end) in runs {
                    rows[*id as usize] += u64::from(end - start);
                    start = *end;
                }
            }
            Assignment::Rows(ids) => ids.iter().for_each(|id| rows[*id as usize] += 1),
        }
    }

    /// The order that puts the rows of each partition together, given the number of rows of each; `None` if they are
    /// in that order.
    pub(super) fn order(&self, rows: &[u64]) -> Option<Vec<u32>> {
        let is_theirs = match self {
            Assignment::Runs(runs) => runs.is_sorted_by_key(|(id, _)| *id),
            Assignment::Rows(ids) => ids.is_sorted(),
        };
        if is_theirs {
            return None;
        }
        let mut next: Vec<usize> = Vec::with_capacity(rows.len());
        let mut sum = 0;
        for rows in rows {
            next.push(sum);
            sum += *rows as usize;
        }
        let mut order = vec![0; sum];
        let mut put = |id: u32, rows: Range<u32>| {
            for row in rows {
                order[next[id as usize]] = row;
                next[id as usize] += 1;
            }
        };
        match self {
            Assignment::Runs(runs) => {
                let mut start = 0;
                for (id, end) in runs {
                    put(*id, start..*end);
                    start = *end;
                }
            }
            Assignment::Rows(ids) => {
                for (row, id) in (0..).zip(ids) {
                    put(*id, row..row + 1);
                }
            }
        }
        Some(order)
    }
}

/// Partitions, numbered in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct PartitionIds {
    codes: Vec<Codes>,
    /// For each key but the first: a single code for each pair of the code of the keys before it and its own.
    pairs: Vec<HashMap<u64, u32>>,
    /// The partition of each combination of codes.
    combinations: Vec<u32>,
    partitions: Vec<Partition>,
    numbers: StdHashMap<Partition, u32>,
}

impl PartitionIds {
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The memory of the partitions seen so far, roughly.
    pub(crate) fn memory(&self) -> usize {
        const EACH: usize = 512;
        self.partitions.len() * EACH
    }

    /// The partition of each of `count` rows, whose keys are in `columns`. The partition of a row is asked for once
    /// for equal keys; where different keys have one partition (both zeros of a float, two times of one day in a
    /// date), it has one number.
    pub(super) fn assign(
        &mut self,
        columns: &[ArrayRef],
        count: usize,
        partition_of: impl Fn(usize) -> Result<Partition, PartitionError>,
    ) -> Result<Assignment, PartitionError> {
        let Ok(end) = u32::try_from(count) else {
            let problem = format!("a batch of {count} rows is too large to split");
            return Err(PartitionError::arrow(ArrowError::InvalidArgumentError(
                problem,
            )));
        };
        if count == 0 {
            return Ok(Assignment::Runs(Vec::new()));
        }
        if columns.is_empty() {
            let id = self.number(Partition::none());
            return Ok(Assignment::Runs(vec![(id, end)]));
        }
        let Some(runs) = runs(columns, count).map_err(PartitionError::arrow)? else {
            let ids = self.ids(columns, None, partition_of)?;
            return Ok(Assignment::Rows(ids));
        };
        let firsts = UInt32Array::from_iter_values(runs.iter().map(|run| run.start as u32));
        let ids = self.ids(columns, Some(&firsts), partition_of)?;
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
        for (id, run) in ids.into_iter().zip(runs) {
            match merged.last_mut() {
                Some(last) if last.0 == id => last.1 = run.end as u32,
                _ => merged.push((id, run.end as u32)),
            }
        }
        Ok(Assignment::Runs(merged))
    }

    /// The partition of each of `rows`, or of every row.
    fn ids(
        &mut self,
        columns: &[ArrayRef],
        rows: Option<&UInt32Array>,
        partition_of: impl Fn(usize) -> Result<Partition, PartitionError>,
    ) -> Result<Vec<u32>, PartitionError> {
        self.codes.resize_with(columns.len(), Codes::default);
        self.pairs.resize_with(columns.len() - 1, HashMap::new);
        let mut combined: Vec<u32> = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let codes = match rows {
                Some(rows) => {
                    let values = take(column, rows, None).map_err(PartitionError::arrow)?;
                    self.codes[index].of(&values)
                }
                None => self.codes[index].of(column),
            }
            .map_err(PartitionError::arrow)?;
            if index == 0 {
                combined = codes;
            } else {
                combine(&mut self.pairs[index - 1], &mut combined, &codes);
            }
        }
        for (place, code) in combined.iter_mut().enumerate() {
            let known = self.combinations.get(*code as usize).copied();
            *code = match known.filter(|id| *id != UNKNOWN) {
                Some(id) => id,
                None => {
                    let row = rows.map_or(place, |rows| rows.value(place) as usize);
                    let partition = partition_of(row)?;
                    let id = self.number(partition);
                    let code = *code as usize;
                    if self.combinations.len() <= code {
                        self.combinations.resize(code + 1, UNKNOWN);
                    }
                    self.combinations[code] = id;
                    id
                }
            };
        }
        Ok(combined)
    }

    fn number(&mut self, partition: Partition) -> u32 {
        let next = self.partitions.len() as u32;
        let partitions = &mut self.partitions;
        let entry = self.numbers.entry(partition);
        *entry.or_insert_with_key(|partition| {
            partitions.push(partition.clone());
            next
        })
    }
}

/// The runs of neighbouring rows with equal keys; `None` if the first rows show that most stand alone.
fn runs(columns: &[ArrayRef], rows: usize) -> Result<Option<Vec<Range<usize>>>, ArrowError> {
    const FIRST: usize = 1024;
    // Where most rows stand alone, finding runs costs more than it saves: the first rows decide whether to look on.
    let mostly_alone = |runs: usize, rows: usize| runs > rows / 4 && runs > 1;
    if rows > 2 * FIRST {
        let first: Vec<ArrayRef> = columns
            .iter()
            .map(|column| column.slice(0, FIRST))
            .collect();
        if mostly_alone(partition(&first)?.len(), FIRST) {
            return Ok(None);
        }
    }
    let runs = partition(columns)?.ranges();
    Ok((!mostly_alone(runs.len(), rows)).then_some(runs))
}

/// Replaces the two codes of each row by a single one.
fn combine(pairs: &mut HashMap<u64, u32>, codes: &mut [u32], others: &[u32]) {
    let mut last = None;
    for (code, other) in codes.iter_mut().zip(others) {
        let pair = u64::from(*code) << 32 | u64::from(*other);
        // Neighbouring rows often have equal keys, and comparing is cheaper than hashing.
        *code = match last {
            Some((same, code)) if same == pair => code,
            _ => {
                let next = pairs.len() as u32;
                *pairs.entry(pair).or_insert(next)
            }
        };
        last = Some((pair, *code));
    }
}
