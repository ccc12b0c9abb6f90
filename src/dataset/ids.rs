//! Which partition each row belongs to, by a number that is the same in every batch of a write.
//!
//! A partition's values and text are made once per write, when its first row comes. Neighbouring
//! rows of one partition are found first, so that sorted batches cost next to nothing.

use std::collections::HashMap as StdHashMap;
use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{partition, take};
use arrow::error::ArrowError;
use hashbrown::HashMap;

use super::codes::Codes;
use crate::partition::{Partition, PartitionError, PartitionSplitter};

const UNKNOWN: u32 = u32::MAX;

/// The partitions of the rows of one batch.
#[derive(Debug)]
pub(super) enum Assignment {
    /// Neighbours that belong together: a partition, and the row after its last.
    Runs(Vec<(u32, u32)>),
    /// The partition of each row.
    Rows(Vec<u32>),
}

impl Assignment {
    /// Adds the rows of each partition to `rows`.
    pub(super) fn count(&self, rows: &mut [u64]) {
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
}

/// The partitions of a write, numbered in order of first appearance.
#[derive(Debug)]
pub(super) struct Ids {
    splitter: PartitionSplitter,
    codes: Vec<Codes>,
    /// For each key but the first: the codes of the keys before it and its own, made one.
    pairs: Vec<HashMap<u64, u32>>,
    /// The partition of each combination of codes.
    combinations: Vec<u32>,
    partitions: Vec<Partition>,
    numbers: StdHashMap<Partition, u32>,
}

impl Ids {
    pub(super) fn new(splitter: PartitionSplitter) -> Self {
        Ids {
            splitter,
            codes: Vec::new(),
            pairs: Vec::new(),
            combinations: Vec::new(),
            partitions: Vec::new(),
            numbers: StdHashMap::new(),
        }
    }

    pub(super) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The memory of the partitions seen so far, roughly.
    pub(super) fn memory(&self) -> usize {
        const EACH: usize = 512;
        self.partitions.len() * EACH
    }

    /// The rows as they go into files, and whose they are.
    pub(super) fn assign(
        &mut self,
        batch: &RecordBatch,
    ) -> Result<(RecordBatch, Assignment), PartitionError> {
        let (rows, columns) = self.splitter.rows_and_keys(batch)?;
        let count = batch.num_rows();
        let Ok(end) = u32::try_from(count) else {
            let problem = format!("a batch of {count} rows is too large to split");
            return Err(arrow(ArrowError::InvalidArgumentError(problem)));
        };
        if count == 0 {
            return Ok((rows, Assignment::Runs(Vec::new())));
        }
        if columns.is_empty() {
            let id = self.number(Partition::none());
            return Ok((rows, Assignment::Runs(vec![(id, end)])));
        }
        let Some(runs) = runs(&columns, count).map_err(arrow)? else {
            let ids = self.ids(&columns, None)?;
            return Ok((rows, Assignment::Rows(ids)));
        };
        let firsts = UInt32Array::from_iter_values(runs.iter().map(|run| run.start as u32));
        let ids = self.ids(&columns, Some(&firsts))?;
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
        for (id, run) in ids.into_iter().zip(runs) {
            match merged.last_mut() {
                // Different keys can mean one partition: both zeros of a float.
                Some(last) if last.0 == id => last.1 = run.end as u32,
                _ => merged.push((id, run.end as u32)),
            }
        }
        Ok((rows, Assignment::Runs(merged)))
    }

    /// The partition of each of `rows`, or of every row.
    fn ids(
        &mut self,
        columns: &[ArrayRef],
        rows: Option<&UInt32Array>,
    ) -> Result<Vec<u32>, PartitionError> {
        self.codes.resize_with(columns.len(), Codes::default);
        self.pairs.resize_with(columns.len() - 1, HashMap::new);
        let mut combined: Vec<u32> = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let codes = match rows {
                Some(rows) => {
                    let values = take(column, rows, None).map_err(arrow)?;
                    self.codes[index].of(&values)
                }
                None => self.codes[index].of(column),
            }
            .map_err(arrow)?;
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
                    let partition = self.splitter.partition_of(columns, row)?;
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

/// Neighbouring rows of equal keys, unless most rows stand alone, as the first ones tell.
fn runs(columns: &[ArrayRef], rows: usize) -> Result<Option<Vec<Range<usize>>>, ArrowError> {
    const FIRST: usize = 1024;
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

/// Makes one code of two, for each row.
fn combine(pairs: &mut HashMap<u64, u32>, codes: &mut [u32], others: &[u32]) {
    let mut last = None;
    for (code, other) in codes.iter_mut().zip(others) {
        let pair = u64::from(*code) << 32 | u64::from(*other);
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

fn arrow(source: ArrowError) -> PartitionError {
    PartitionError::Arrow { source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn expanded(assignment: &Assignment) -> Vec<u32> {
        match assignment {
            Assignment::Rows(ids) => ids.clone(),
            Assignment::Runs(runs) => {
                let mut ids = Vec::new();
                for (id, end) in runs {
                    ids.resize(*end as usize, *id);
                }
                ids
            }
        }
    }

    #[test]
    fn rows_are_numbered_alike_whether_those_of_a_partition_stand_together_or_not() {
        // Alone at first and together later, the other way round, and always the one or the other.
        let keys: [fn(usize) -> usize; 4] = [
            |row| if row < 1500 { row % 7 } else { row / 1000 },
            |row| if row < 1500 { row / 500 } else { row % 7 },
            |row| row * 31 % 7,
            |row| row / 900,
        ];
        for key in keys {
            let keys = (0..5000).map(|row| format!("K{}", key(row)));
            let keys: ArrayRef = Arc::new(StringArray::from_iter_values(keys));
            let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5000));
            let batch = RecordBatch::try_from_iter([("key", keys), ("row", rows)]).unwrap();
            let by: crate::partition::PartitionBy = "key".parse().unwrap();
            let new = || Ids::new(by.bind(&batch.schema(), false).unwrap());
            let whole = expanded(&new().assign(&batch).unwrap().1);
            let mut ids = new();
            let in_pieces: Vec<u32> = (0..5000)
                .step_by(100)
                .flat_map(|start| expanded(&ids.assign(&batch.slice(start, 100)).unwrap().1))
                .collect();
            assert_eq!(whole, in_pieces);
            let names = (0..5000).map(|row| format!("key=K{}", key(row)));
            let found = whole
                .iter()
                .map(|id| ids.partitions()[*id as usize].to_string());
            assert!(names.eq(found));
        }
    }
}
