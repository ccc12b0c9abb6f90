//! Rows that are held in memory, as they came, until they are encoded or spilled.
//!
//! Batches are not moved: which rows are whose is kept beside them, and they are put in order once,
//! when they leave.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::coded::Coder;
use super::gather::{batch_of, compact};
use super::memory::{Cost, Counted};
use super::scatter::Piece;
use crate::error::{Error, Step};
use crate::partition::Assignment;
use crate::pool::for_each;
use crate::size::size_of_rows;

/// From how many rows on it is faster to code columns on several threads.
const MANY_ROWS: usize = 1 << 13;
/// The memory of a piece of neighbouring rows while rows are put in order.
const PIECE: usize = size_of::<Piece>();

/// Batches with the partitions of their rows.
#[derive(Debug)]
pub(in crate::dataset) struct Buffer {
    schema: SchemaRef,
    held: Vec<(Arc<RecordBatch>, Assignment)>,
    dictionaries: Vec<Dictionary>,
    /// For each column whether, and how, its values are held as codes.
    coding: Vec<Coding>,
    /// Whether any rows came yet, by which it is known how they lie.
    has_begun: bool,
    counted: Counted,
    bytes: usize,
}

/// How a column of dictionaries is held: its rows can be gathered only if they share one dictionary.
#[derive(Debug, Clone)]
enum Dictionary {
    /// The column is no dictionary, or no rows came yet.
    None,
    /// All rows so far share this dictionary.
    One(ArrayRef),
    /// The dictionaries differ, so rows are held as plain values.
    Resolved,
}

/// How a column of texts or bytes is held.
#[derive(Debug)]
enum Coding {
    /// As it is.
    Off,
    /// As codes.
    On(Box<Coder>),
    /// As codes so far, of which there are not enough for what comes.
    Full,
}

/// Rows in the order of their partitions, and for each partition in the order in which they came.
#[derive(Debug)]
pub(in crate::dataset) struct Sorted {
    pub(in crate::dataset) batches: Vec<Arc<RecordBatch>>,
    pieces: Vec<Piece>,
    /// For each partition, the index of its first piece; then the number of pieces.
    starts: Vec<usize>,
}

impl Sorted {
    pub(in crate::dataset) fn pieces(&self, partition: usize) -> &[Piece] {
        match (self.starts.get(partition), self.starts.get(partition + 1)) {
            (Some(start), Some(end)) => &self.pieces[*start..*end],
            _ => &[],
        }
    }
}

impl Buffer {
    /// Rows that are strewn over their partitions have their columns held as codes that are `codeable`, if these are few.
    pub(in crate::dataset) fn new(schema: SchemaRef, codeable: &[bool]) -> Self {
        let columns = schema.fields().len();
        let coding = (0..columns).map(|column| match codeable.get(column) {
            Some(true) => Coding::On(Box::default()),
            _ => Coding::Off,
        });
        Buffer {
            schema,
            held: Vec::new(),
            dictionaries: vec![Dictionary::None; columns],
            coding: coding.collect(),
            has_begun: false,
            counted: Counted::default(),
            bytes: 0,
        }
    }

    /// The memory of the rows held, and of what sorting them by partition will take.
    pub(in crate::dataset) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same rows with values as codes, where columns are held so. `threads` columns at a time.
    ///
    /// # Errors
    /// An array cannot be made of the values.
    pub(in crate::dataset) fn code(
        &mut self,
        batch: RecordBatch,
        assignment: &Assignment,
        threads: usize,
        root: &Path,
    ) -> Result<RecordBatch, Error> {
        if batch.num_rows() == 0 {
            return Ok(batch);
        }
        if !std::mem::replace(&mut self.has_begun, true)
            && matches!(assignment, Assignment::Runs(_))
        {
            // Neighbours are moved together, whatever they are.
            self.coding.fill_with(|| Coding::Off);
        }
        let coders = self.coding.iter_mut().enumerate();
        let coders = coders.filter_map(|(column, coding)| match coding {
            Coding::On(_) => Some((column, Mutex::new((coding, None)))),
            Coding::Off | Coding::Full => None,
        });
        let coders: Vec<_> = coders.collect();
        if coders.is_empty() {
            return Ok(batch);
        }
        let threads = if batch.num_rows() < MANY_ROWS {
            1
        } else {
            threads
        };
        for_each(threads, coders.len(), root, |number| {
            let (column, coder) = &coders[number];
            let mut coder = coder.lock().unwrap_or_else(PoisonError::into_inner);
            let (Coding::On(of_column), coded) = &mut *coder else {
                return Ok(());
            };
            *coded = of_column
                .code(batch.column(*column))
                .map_err(|source| Error::encode(Step::WriteRows, root, source))?;
            if coded.is_none() {
                *coder.0 = Coding::Full;
            }
            Ok::<(), Error>(())
        })?;
        let mut columns = batch.columns().to_vec();
        for (column, coder) in coders {
            let (_, coded) = coder.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(coded) = coded {
                columns[column] = coded;
            }
        }
        batch_of(&self.schema, columns, batch.num_rows())
            .map_err(|source| Error::encode(Step::WriteRows, root, source))
    }

    /// Replaces all dictionaries, and codes, by their values from now on. Nothing is held.
    pub(in crate::dataset) fn resolve_dictionaries(&mut self) {
        self.coding.fill_with(|| Coding::Off);
        for (field, dictionary) in self.schema.fields().iter().zip(&mut self.dictionaries) {
            if matches!(field.data_type(), DataType::Dictionary(_, _)) {
                *dictionary = Dictionary::Resolved;
            }
        }
    }

    /// Whether dictionaries in new rows are replaced by their values.
    pub(in crate::dataset) fn resolves(&self) -> bool {
        let mut dictionaries = self.dictionaries.iter();
        dictionaries.any(|dictionary| matches!(dictionary, Dictionary::Resolved))
    }

    /// The same rows, in which each dictionary that equals the one held is replaced by it.
    pub(in crate::dataset) fn share_dictionaries(
        &self,
        batch: RecordBatch,
    ) -> Result<RecordBatch, ArrowError> {
        let mut columns = None;
        for (index, dictionary) in self.dictionaries.iter().enumerate() {
            if let (Dictionary::One(one), Some(column)) =
                (dictionary, batch.column(index).as_any_dictionary_opt())
                && !is_one(one, column.values())
                && one == column.values()
            {
                let shared = column.with_values(Arc::clone(one));
                columns.get_or_insert_with(|| batch.columns().to_vec())[index] = shared;
            }
        }
        match columns {
            Some(columns) => batch_of(&self.schema, columns, batch.num_rows()),
            None => Ok(batch),
        }
    }

    /// The memory that the values of held dictionaries would take in the place of their keys, which adding `batch`
    /// would cause; it [shares](Buffer::share_dictionaries) dictionaries that are equal.
    pub(in crate::dataset) fn would_resolve(&self, batch: &RecordBatch) -> usize {
        let other = |index: &usize| match &self.dictionaries[*index] {
            _ if matches!(self.coding[*index], Coding::Full) => true,
            Dictionary::One(one) => {
                let column = batch.column(*index).as_any_dictionary_opt();
                column.is_some_and(|column| !is_one(one, column.values()))
            }
            Dictionary::None | Dictionary::Resolved => false,
        };
        let differ: Vec<usize> = (0..self.dictionaries.len()).filter(other).collect();
        let columns = self
            .held
            .iter()
            .flat_map(|(batch, _)| differ.iter().map(|index| batch.column(*index)));
        columns
            .map(|column| size_of_rows(column, 0..column.len()))
            .sum()
    }

    /// Adds rows, which [share](Buffer::share_dictionaries) their dictionaries with those held. Those of a small part
    /// of a large batch are copied if holding the whole would take more than `room`.
    pub(in crate::dataset) fn push(
        &mut self,
        batch: RecordBatch,
        assignment: Assignment,
        room: usize,
    ) -> Result<Cost, ArrowError> {
        let mut batch = self.unify(batch)?;
        let mut cost = self.counted.cost(&batch);
        if cost.held > room && cost.copied < cost.held / 2 {
            batch = copy(&batch)?;
            cost = self.counted.cost(&batch);
        }
        let runs = match &assignment {
            Assignment::Runs(runs) => runs.len(),
            Assignment::Rows(rows) => rows.len(),
        };
        self.counted.add(&batch);
        self.bytes += cost.held + runs * (8 + PIECE);
        self.held.push((Arc::new(batch), assignment));
        Ok(cost)
    }

    /// Makes each column of dictionaries share one dictionary, or replaces them by their values.
    fn unify(&mut self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = None;
        for index in 0..self.dictionaries.len() {
            match &self.coding[index] {
                Coding::On(_) => continue,
                Coding::Full => self.resolve(index)?,
                Coding::Off => {}
            }
            let column = batch.column(index);
            let Some(dictionary) = column.as_any_dictionary_opt() else {
                continue;
            };
            let values = dictionary.values();
            let unified = match &self.dictionaries[index] {
                Dictionary::None => {
                    self.dictionaries[index] = Dictionary::One(Arc::clone(values));
                    continue;
                }
                Dictionary::One(one) if is_one(one, values) => continue,
                Dictionary::One(_) => {
                    self.resolve(index)?;
                    cast(column, values.data_type())?
                }
                Dictionary::Resolved => cast(column, values.data_type())?,
            };
            columns.get_or_insert_with(|| batch.columns().to_vec())[index] = unified;
        }
        match columns {
            Some(columns) => batch_of(&self.schema, columns, batch.num_rows()),
            None => Ok(batch),
        }
    }

    /// Replaces a column's dictionaries by their values in all that is held.
    fn resolve(&mut self, index: usize) -> Result<(), ArrowError> {
        match self.coding[index] {
            Coding::Off => self.dictionaries[index] = Dictionary::Resolved,
            Coding::On(_) | Coding::Full => self.coding[index] = Coding::Off,
        }
        for (batch, _) in &mut self.held {
            let mut columns = batch.columns().to_vec();
            if let Some(dictionary) = columns[index].as_any_dictionary_opt() {
                columns[index] = cast(&columns[index], dictionary.values().data_type())?;
                *batch = Arc::new(batch_of(&self.schema, columns, batch.num_rows())?);
                self.bytes += self.counted.cost(batch).held;
                self.counted.add(batch);
            }
        }
        Ok(())
    }

    /// Takes all rows out of the buffer, sorted by partition; there are `partitions` partitions.
    ///
    /// # Errors
    /// Rows that are held have other types than they had.
    pub(in crate::dataset) fn take_sorted(
        &mut self,
        partitions: usize,
    ) -> Result<Sorted, ArrowError> {
        self.share_codes()?;
        let held = std::mem::take(&mut self.held);
        self.counted.clear();
        self.bytes = 0;
        let mut starts = vec![0_usize; partitions + 1];
        each_piece(&held, &mut |id, _| starts[id as usize] += 1);
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        let mut pieces = vec![
            Piece {
                batch: 0,
                start: 0,
                rows: 0
            };
            sum
        ];
        let mut next = starts.clone();
        each_piece(&held, &mut |id, piece| {
            let place = &mut next[id as usize];
            pieces[*place] = piece;
            *place += 1;
        });
        let batches = held.into_iter().map(|(batch, _)| batch).collect();
        Ok(Sorted {
            batches,
            pieces,
            starts,
        })
    }

    /// Lets all rows that are held as codes share their values.
    fn share_codes(&mut self) -> Result<(), ArrowError> {
        let coders = self.coding.iter().enumerate();
        let coders = coders.filter_map(|(column, coding)| match coding {
            Coding::On(coder) => Some((column, coder)),
            Coding::Off | Coding::Full => None,
        });
        let coders: Vec<_> = coders.collect();
        if coders.is_empty() {
            return Ok(());
        }
        for (batch, _) in &mut self.held {
            let mut columns = batch.columns().to_vec();
            for (column, coder) in &coders {
                columns[*column] = coder.shared(&columns[*column]);
            }
            *batch = Arc::new(batch_of(&self.schema, columns, batch.num_rows())?);
        }
        Ok(())
    }
}

/// Whether two arrays are the same buffers in memory.
fn is_one(one: &ArrayRef, other: &ArrayRef) -> bool {
    one.to_data().ptr_eq(&other.to_data())
}

fn each_piece(held: &[(Arc<RecordBatch>, Assignment)], call: &mut impl FnMut(u32, Piece)) {
    for (batch, (_, assignment)) in held.iter().enumerate() {
        let batch = batch as u32;
        match assignment {
            Assignment::Runs(runs) => {
                let mut start = 0;
                for (id, end) in runs {
                    let rows = end - start;
                    call(*id, Piece { batch, start, rows });
                    start = *end;
                }
            }
            Assignment::Rows(ids) => {
                let mut start = 0;
                for same in ids.chunk_by(|one, other| one == other) {
                    let rows = same.len() as u32;
                    call(same[0], Piece { batch, start, rows });
                    start += rows;
                }
            }
        }
    }
}

/// The same rows in memory of their own.
fn copy(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let every = UInt32Array::from_iter_values(0..batch.num_rows() as u32);
    let copy = take_record_batch(batch, &every)?;
    let columns = copy.columns().iter().cloned().map(compact).collect();
    batch_of(&batch.schema(), columns, batch.num_rows())
}
