//! Writes one Parquet file into a partition of a data set.
//!
//! `cargo run --example one_file -- lake/weather`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
use atomic_arrow::{AtomicArrowWriter, Partition};

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).unwrap_or("lake/weather".into());
    let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![Some(11.5), None, Some(12.25)]));
    let batch = RecordBatch::try_from_iter([("temp", temperatures)])?;

    let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")])?;
    let mut writer = AtomicArrowWriter::create(&root, &partition, batch.schema())?;
    writer.write(&batch)?;
    let file = writer.commit()?;
    println!("{} rows in {}", file.rows(), file.path().display());
    Ok(())
}
