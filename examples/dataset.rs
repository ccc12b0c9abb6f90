//! Writes batches in any order of rows into a partitioned data set, as one commit.
//!
//! `cargo run --example dataset -- lake/daily`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use atomic_arrow::{CommitMode, DatasetWriter, PartitionBy};

fn observations(day: i32) -> Result<RecordBatch, Box<dyn Error>> {
    let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA", "KJFK", "KEWR"]));
    let days: ArrayRef = Arc::new(Int32Array::from(vec![day; 3]));
    let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![Some(11.5), None, Some(3.25)]));
    Ok(RecordBatch::try_from_iter([
        ("station_id", stations),
        ("day", days),
        ("temp", temperatures),
    ])?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).unwrap_or("lake/daily".into());
    let schema = observations(1)?.schema();
    let mut writer = DatasetWriter::builder(&root)
        .partition_by(PartitionBy::column("station_id"))
        // Running it again replaces the partitions that it has rows of.
        .mode(CommitMode::OverwritePartitions)
        .memory_limit(512 << 20)
        .build(schema)?;
    for day in 1..=30 {
        writer.write(&observations(day)?)?;
    }
    // Until here no reader sees any of it; from here all of it, also after a power cut.
    let receipt = writer.commit()?;
    for file in receipt.files() {
        println!("{} rows in {}", file.rows(), file.path());
    }
    Ok(())
}
