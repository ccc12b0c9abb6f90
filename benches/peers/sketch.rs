//! The least that can be done on parquet-rs: a baseline that does nothing but split, encode and write.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomic_arrow::arrow::array::{Array, AsArray, RecordBatch};
use atomic_arrow::arrow::compute::{concat_batches, interleave};
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::parquet::file::properties::WriterProperties;

/// Writes batches, whose key is a column of strings, into one file a partition.
pub(crate) fn write(
    to: &Path,
    batches: &[RecordBatch],
    key: Option<&str>,
    properties: &WriterProperties,
) {
    fs::create_dir_all(to).unwrap();
    let Some(key) = key else {
        let mut writer = writer(to, batches[0].clone(), properties);
        batches
            .iter()
            .for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
        return;
    };
    let at = batches[0].schema().index_of(key).unwrap();
    let groups = group(batches, at);
    let kept: Vec<usize> = (0..batches[0].num_columns()).filter(|i| *i != at).collect();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((name, rows)) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rows = gather(batches, &kept, rows);
                    let mut writer =
                        writer(&to.join(format!("{key}={name}")), rows.clone(), properties);
                    writer.write(&rows).unwrap();
                    writer.close().unwrap();
                }
            });
        }
    });
}

fn writer(directory: &Path, like: RecordBatch, properties: &WriterProperties) -> ArrowWriter<File> {
    fs::create_dir_all(directory).unwrap();
    let file = File::create_new(directory.join("part-0.parquet")).unwrap();
    ArrowWriter::try_new(file, like.schema(), Some(properties.clone())).unwrap()
}

/// The places of the rows of each key.
fn group(batches: &[RecordBatch], at: usize) -> Vec<(&str, Vec<(usize, usize)>)> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<(&str, Vec<(usize, usize)>)> = Vec::new();
    for (batch, rows) in batches.iter().enumerate() {
        for (row, key) in rows.column(at).as_string::<i32>().iter().enumerate() {
            let key = key.unwrap();
            let number = *numbers.entry(key).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[number].1.push((batch, row));
        }
    }
    groups
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
