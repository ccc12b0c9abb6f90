//! How much memory batches hold, each buffer counted once.

use std::collections::HashSet;

use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::buffer::Buffer;

/// The buffers that are counted already, so that slices of one array are not counted twice.
#[derive(Debug, Default)]
pub(in crate::dataset) struct Counted {
    buffers: HashSet<usize>,
}

/// The memory that holding a batch takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::dataset) struct Cost {
    /// The whole of each buffer that was not counted before.
    pub(in crate::dataset) held: usize,
    /// The size of a copy of the rows.
    pub(in crate::dataset) copied: usize,
}

impl Counted {
    /// The memory that holding `batch` would take, which is counted only by [`add`](Counted::add).
    pub(in crate::dataset) fn cost(&self, batch: &RecordBatch) -> Cost {
        let mut new = HashSet::new();
        let mut cost = Cost { held: 0, copied: 0 };
        for column in batch.columns() {
            let data = column.to_data();
            cost.copied += size_of_data(&data);
            each_buffer(&data, &mut |buffer| {
                let start = buffer.data_ptr().as_ptr() as usize;
                if !self.buffers.contains(&start) && new.insert(start) {
                    cost.held += buffer.capacity();
                }
            });
        }
        cost
    }

    /// Counts the buffers of `batch`.
    pub(in crate::dataset) fn add(&mut self, batch: &RecordBatch) {
        for column in batch.columns() {
            each_buffer(&column.to_data(), &mut |buffer| {
                self.buffers.insert(buffer.data_ptr().as_ptr() as usize);
            });
        }
    }

    pub(in crate::dataset) fn clear(&mut self) {
        self.buffers.clear();
    }
}

/// The memory that a copy of the rows would take.
pub(in crate::dataset) fn size_of_copy(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| size_of_data(&column.to_data())).sum()
}

fn size_of_data(data: &ArrayData) -> usize {
    data.get_slice_memory_size()
        .unwrap_or_else(|_| data.get_buffer_memory_size())
}

fn each_buffer(data: &ArrayData, call: &mut impl FnMut(&Buffer)) {
    data.buffers().iter().for_each(&mut *call);
    if let Some(nulls) = data.nulls() {
        call(nulls.buffer());
    }
    for child in data.child_data() {
        each_buffer(child, call);
    }
}
