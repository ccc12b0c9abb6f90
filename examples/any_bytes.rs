//! Replaces a JSON file in one step, and only by text that is JSON.
//!
//! `cargo run --features json --example any_bytes -- lake/station.json`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Write as _;

use atomic_arrow::format::Format;
use atomic_arrow::{AtomicFile, FileOptions, PublishMode};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or("lake/station.json".into());
    let options = FileOptions::new()
        .format(Format::Json)
        .mode(PublishMode::Replace);

    let mut file = AtomicFile::create_with_options(&path, options.clone())?;
    serde_json::to_writer(
        &mut file,
        &serde_json::json!({"station_id": 123, "temp": 11.5}),
    )?;
    file.commit()?;

    // What is no JSON never reaches the path: readers go on with the file above.
    let mut file = AtomicFile::create_with_options(&path, options)?;
    file.write_all(br#"{"station_id": 123, "temp": "#)?;
    match file.commit() {
        Ok(_) => println!("published, unchecked"),
        Err(error) => println!("refused: {error}"),
    }
    println!("{path}: {}", std::fs::read_to_string(&path)?);
    Ok(())
}
