//! Verification tells damaged files from odd ones, at the level at which that can be told.

use std::path::Path;

use atomic_arrow::verify::{verify_file, verify_path};
use atomic_arrow::{Verify, inspect};
use serde_json::Value;

/// What the index of the test data expects of a file at a level: `good`, `damaged` or `any`.
fn expected<'a>(file: &'a Value, level: &str) -> &'a str {
    let expect = &file["expect"];
    expect[level].as_str().or(expect["parse"].as_str()).unwrap()
}

#[test]
fn every_file_of_the_test_data_is_what_its_index_says() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/odd");
    let index = std::fs::read_to_string(directory.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let mut checked = 0;
    for file in index.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        // Whether CSV is what its writer meant depends on options that a file does not carry.
        if name.ends_with(".csv") {
            continue;
        }
        let levels = [
            ("footer", Verify::Footer),
            ("checksum", Verify::Checksum),
            ("decode", Verify::Decode),
        ];
        for (level, verify) in levels {
            let report = verify_file(directory.join(name), verify).unwrap();
            let found = if report.is_sound() { "good" } else { "damaged" };
            let expected = expected(file, level);
            let agrees = expected == "any" || expected == found;
            assert!(
                agrees,
                "{name} at {level} should be {expected}: {:?}",
                report.damage()
            );
            if let (true, Some(rows)) = (report.is_sound(), file["rows"].as_u64()) {
                assert!(report.rows().is_none_or(|found| found == rows), "{name}");
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

/// Depth costs neither stack nor more than the path.
#[test]
fn a_tree_of_any_depth_is_walked() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("d/".repeat(1900));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("x.parquet"), b"PAR1").unwrap();
    let walk = move || {
        let summary = verify_path(root.path(), Verify::Footer, |_| {}).unwrap();
        let inspection = inspect(root.path()).unwrap();
        // The standard library removes it by recursion.
        let path = root.keep();
        (summary.damaged, inspection.totals().files, path)
    };
    let walk = std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(walk)
        .unwrap();
    let (damaged, files, path) = walk.join().unwrap();
    std::fs::remove_dir_all(path).unwrap();
    assert_eq!((damaged, files), (1, 1));
}
