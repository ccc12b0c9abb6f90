//! What other projects write is sound to `verify`, whatever its types and options.

use std::collections::BTreeMap;

use atomic_arrow::Verify;
use atomic_arrow::verify::verify_file;

use crate::support::peers::peers;
use crate::support::skip;

/// The least number of files of each writer, so that none is left out unnoticed.
const LEAST: [(&str, u64); 5] = [
    ("pyarrow", 400),
    ("polars", 200),
    ("duckdb", 150),
    ("datafusion", 150),
    ("fastparquet", 50),
];

#[test]
fn no_file_of_another_writer_is_called_damaged() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let directory = tempfile::tempdir().unwrap();
    let written = peers.run("write_files.py", &[&directory.path()]).unwrap();
    let errors = String::from_utf8_lossy(&written.stderr);
    assert!(written.status.success(), "{errors}");
    let counts: BTreeMap<String, u64> = serde_json::from_slice(&written.stdout).unwrap();
    for (writer, least) in LEAST {
        assert!(counts[writer] >= least, "{writer}: {counts:?}");
    }
    let mut damaged = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if let Err(error) = verify_file(&path, Verify::Decode) {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            damaged.push(format!("{error}: {}", cause.unwrap_or_default()));
        }
    }
    assert!(damaged.is_empty(), "{}", damaged.join("\n"));
}
