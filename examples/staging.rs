//! Several processes stage parts of one data set, and one of them commits all parts, or none.
//!
//! `cargo run --example staging -- lake/counts`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::process::Command;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::{DatasetWriter, StagedWrite, StagedWrites};

const WORKERS: i64 = 3;

/// Stages one part and prints, as JSON, what the driver needs to commit it.
fn work(root: &str, part: i64) -> Result<(), Box<dyn Error>> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(part * 1000..(part + 1) * 1000));
    let batch = RecordBatch::try_from_iter([("number", numbers)])?;
    // Of two attempts at one task, as after a retry, one is committed.
    let task = format!("part {part}");
    let builder = DatasetWriter::builder(root).task(task);
    let mut writer = builder.build(batch.schema())?;
    writer.write(&batch)?;
    let staged = writer.stage()?;
    println!("{}", staged.to_json()?);
    Ok(())
}

fn drive(root: &str) -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let mut workers = Vec::new();
    for part in 0..WORKERS {
        let mut command = Command::new(&program);
        command.args([root, &part.to_string()]);
        workers.push(command.stdout(std::process::Stdio::piped()).spawn()?);
    }
    let mut staged = Vec::new();
    for worker in workers {
        let output = worker.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("a worker ended with {}", output.status).into());
        }
        staged.push(StagedWrite::from_json(
            String::from_utf8(output.stdout)?.trim(),
        )?);
    }
    let receipt = StagedWrites::new(staged).commit()?;
    let totals = receipt.totals();
    println!("{} rows in {} files", totals.rows, totals.files);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap_or("lake/counts".into());
    match arguments.next() {
        Some(part) => work(&root, part.parse()?),
        None => drive(&root),
    }
}
