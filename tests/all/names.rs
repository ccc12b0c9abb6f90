//! Keys and values of partitions are for every reader what they were for the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::{AtomicArrowWriter, Durability, Partition, PartitionError, WriterOptions};
use serde::Deserialize;

use crate::support::peers::{READERS, peers};
use crate::support::skip;

#[derive(Deserialize)]
struct Seen {
    keys: BTreeSet<String>,
    values: BTreeMap<u32, String>,
}

fn write(root: &Path, partition: &Partition, number: u32) {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![i64::from(number)]));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let options = WriterOptions::new().durability(Durability::Unsynced);
    let mut writer =
        AtomicArrowWriter::create_with_options(root, partition, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.commit().unwrap();
}

#[test]
fn every_reader_gives_back_each_key_that_is_taken_and_each_value() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let directory = tempfile::tempdir().unwrap();
    let (keys, values) = (
        directory.path().join("keys"),
        directory.path().join("values"),
    );
    let characters: Vec<char> = (1..128)
        .filter_map(char::from_u32)
        .chain(['é', '東'])
        // DuckDB takes names that differ by case for one.
        .filter(|character| !character.is_ascii_alphabetic())
        .collect();
    let key = |character: &char| format!("a{character}b");

    let is_taken = |character: &&char| match Partition::new([(key(character), "x")]) {
        Ok(_) => true,
        Err(PartitionError::UnreadableKey { .. }) => false,
        Err(other) => panic!("{other}"),
    };
    let taken: Vec<char> = characters.iter().filter(is_taken).copied().collect();
    assert!(taken.contains(&' ') && !taken.contains(&'%'));
    let all = Partition::new(taken.iter().map(|character| (key(character), "x"))).unwrap();
    write(&keys, &all, 0);
    for character in &characters {
        let partition = Partition::new([("k", key(character))]).unwrap();
        write(&values, &partition, u32::from(*character));
    }

    let expected: BTreeSet<String> = taken.iter().map(key).chain(["n".to_owned()]).collect();
    for reader in READERS {
        let output = peers.run("names.py", &[&reader, &keys, &values]).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{reader}: {errors}");
        let seen: Seen = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(seen.keys, expected, "{reader}");
        for character in &characters {
            let found = &seen.values[&u32::from(*character)];
            assert_eq!(found, &key(character), "{reader}");
        }
    }
}
