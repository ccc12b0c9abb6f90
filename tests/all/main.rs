//! The library's tests, one module for each behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/fields.rs"]
mod fields;
#[path = "../support/mod.rs"]
mod support;

mod appends;
mod arrow_schema;
mod async_writer;
#[cfg(target_os = "linux")]
mod bounded;
mod callbacks;
mod categories;
mod checksums;
mod child;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod damage;
mod dataset;
#[cfg(unix)]
mod decided;
mod documents;
mod dry_run;
mod encodings;
#[cfg(feature = "encryption")]
mod encryption;
mod errors;
mod examples;
mod field_ids;
mod file;
#[cfg(target_os = "linux")]
mod forged;
#[cfg(target_os = "linux")]
mod fuzz;
mod ground;
#[cfg(target_os = "linux")]
mod hostile;
mod interleave;
mod jobs;
mod kept;
mod keys;
#[cfg(target_os = "linux")]
mod kills;
mod layers;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod names;
mod null_columns;
mod option_texts;
#[cfg(feature = "encryption")]
mod parquet_keys;
mod parquet_properties;
mod peer_files;
mod proof;
mod properties;
mod public;
mod push_down;
mod race;
mod readers;
mod records;
mod refusals;
#[cfg(target_os = "linux")]
mod row_labels;
mod samples;
mod scan_progress;
mod staged_writes;
mod staging;
mod streams;
#[cfg(unix)]
mod success_file;
mod surroundings;
mod tables;
#[cfg(unix)]
mod tampered;
mod text;
mod trace;
mod types;
#[cfg(unix)]
mod update;
mod verify;
mod writer;
#[cfg(target_os = "linux")]
mod zombies;
mod zones;
