//! The least that can be done on parquet-rs: a baseline that does nothing but split, encode and write.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomic_arrow::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use atomic_arrow::arrow::compute::{cast, concat_batches, interleave};
use atomic_arrow::arrow::datatypes::DataType;
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::parquet::file::properties::WriterProperties;

/// Writes batches into one file a partition; keys are made into strings first.
pub(crate) fn write(
    to: &Path,
    name: &str,
    batches: &[RecordBatch],
    keys: &[String],
    properties: &WriterProperties,
) {
    fs::create_dir_all(to).unwrap();
    if keys.is_empty() {
        let mut writer = writer(&to.join(name), batches[0].clone(), properties);
        batches
            .iter()
            .for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
        return;
    }
    let schema = batches[0].schema();
    let at: Vec<usize> = keys
        .iter()
        .map(|key| schema.index_of(key).unwrap())
        .collect();
    let columns: Vec<Vec<ArrayRef>> = batches
        .iter()
        .map(|batch| {
            at.iter()
                .map(|at| cast(batch.column(*at), &DataType::Utf8).unwrap())
        })
        .map(Iterator::collect)
        .collect();
    let groups = group(keys, &columns);
    let kept: Vec<usize> = (0..batches[0].num_columns())
        .filter(|i| !at.contains(i))
        .collect();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(groups.len()) {
            scope.spawn(|| {
                while let Some((directory, rows)) = groups.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let rows = gather(batches, &kept, rows);
                    let directory = to.join(directory);
                    fs::create_dir_all(&directory).unwrap();
                    let mut writer = writer(&directory.join(name), rows.clone(), properties);
                    writer.write(&rows).unwrap();
                    writer.close().unwrap();
                }
            });
        }
    });
}

fn writer(path: &Path, like: RecordBatch, properties: &WriterProperties) -> ArrowWriter<File> {
    let file = File::create_new(path).unwrap();
    ArrowWriter::try_new(file, like.schema(), Some(properties.clone())).unwrap()
}

/// The places of the rows of each partition, whose keys are numbered as the directories nest.
fn group(keys: &[String], columns: &[Vec<ArrayRef>]) -> Vec<(String, Vec<(usize, usize)>)> {
    let mut numbers: HashMap<(usize, &str), usize> = HashMap::new();
    let mut nested: Vec<(String, Vec<(usize, usize)>)> = vec![(String::new(), Vec::new())];
    for (batch, columns) in columns.iter().enumerate() {
        let columns: Vec<_> = columns.iter().map(|c| c.as_string::<i32>()).collect();
        for row in 0..columns[0].len() {
            let mut number = 0;
            for (key, column) in keys.iter().zip(&columns) {
                let value = column.value(row);
                number = *numbers.entry((number, value)).or_insert_with(|| {
                    let above = &nested[number].0;
                    nested.push((format!("{above}{key}={value}/"), Vec::new()));
                    nested.len() - 1
                });
            }
            nested[number].1.push((batch, row));
        }
    }
    nested.retain(|(_, rows)| !rows.is_empty());
    nested
}

fn gather(batches: &[RecordBatch], kept: &[usize], rows: &[(usize, usize)]) -> RecordBatch {
    let schema = batches[0].schema().project(kept).unwrap().into();
    let together = |pair: &[(usize, usize)]| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1;
    let runs: Vec<_> = rows.chunk_by(|a, b| together(&[*a, *b])).collect();
    if runs.len() * 24 < rows.len() {
        let slices: Vec<RecordBatch> = runs
            .iter()
            .map(|run| {
                let rows = batches[run[0].0].project(kept).unwrap();
                rows.slice(run[0].1, run.len())
            })
            .collect();
        return concat_batches(&schema, &slices).unwrap();
    }
    let columns = kept.iter().map(|column| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|b| b.column(*column).as_ref()).collect();
        interleave(&arrays, rows).unwrap()
    });
    RecordBatch::try_new(schema, columns.collect()).unwrap()
}
