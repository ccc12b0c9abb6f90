//! What `write` answers: the files it published, as text and as JSON.

use std::fmt::{self, Display};
use std::path::PathBuf;

use atomic_arrow::{Partition, PublishedFile};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value, json};

use crate::publish::Publication;

/// One published file.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) path: PathBuf,
    partition: Partition,
    rows: u64,
    bytes: u64,
    row_groups: usize,
}

impl Row {
    pub(crate) fn new(partition: Partition, file: &PublishedFile) -> Self {
        Row {
            path: file.path().to_owned(),
            partition,
            rows: file.num_rows(),
            bytes: file.bytes(),
            row_groups: file.num_row_groups(),
        }
    }
}

/// A line of `--verbose`.
impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, bytes) = (plural(self.rows, "row"), HumanBytes(self.bytes));
        write!(f, "{}: {rows}, {bytes}", self.path.display())
    }
}

/// The line that sums up what was published.
pub(crate) fn summary(rows: &[Row]) -> String {
    let partitions = partitions(rows);
    format!(
        "{} in {} of {}, {}",
        plural(rows.iter().map(|row| row.rows).sum(), "row"),
        plural(rows.len() as u64, "file"),
        plural(partitions, "partition"),
        HumanBytes(rows.iter().map(|row| row.bytes).sum()),
    )
}

/// Everything, for machines.
pub(crate) fn json(root: &std::path::Path, publication: &Publication) -> Value {
    let rows = &publication.published;
    let mut receipt = json!({
        "root": root.to_string_lossy(),
        "files": rows.iter().map(row_json).collect::<Vec<_>>(),
        "totals": {
            "partitions": partitions(rows),
            "files": rows.len(),
            "rows": rows.iter().map(|row| row.rows).sum::<u64>(),
            "bytes": rows.iter().map(|row| row.bytes).sum::<u64>(),
            "row_groups": rows.iter().map(|row| row.row_groups).sum::<usize>(),
        },
    });
    if publication.failure.is_some() {
        receipt["doubtful"] = publication
            .doubtful
            .iter()
            .map(|(path, outcome)| {
                json!({"path": path.to_string_lossy(), "outcome": outcome.to_string()})
            })
            .collect();
        receipt["not_published"] = publication
            .discarded
            .iter()
            .map(|path| path.to_string_lossy())
            .collect();
    }
    receipt
}

fn row_json(row: &Row) -> Value {
    json!({
        "path": row.path.to_string_lossy(),
        "partition": partition_json(&row.partition),
        "rows": row.rows,
        "bytes": row.bytes,
        "row_groups": row.row_groups,
    })
}

/// An object of the keys, each with its value's text or null.
pub(crate) fn partition_json(partition: &Partition) -> Value {
    let value = |value: &atomic_arrow::PartitionValue| match value.is_null() {
        true => Value::Null,
        false => value.to_string().into(),
    };
    partition
        .iter()
        .map(|(key, v)| (key.to_owned(), value(v)))
        .collect::<Map<_, _>>()
        .into()
}

/// Rows are sorted, so those of one partition stand together.
fn partitions(rows: &[Row]) -> u64 {
    rows.chunk_by(|a, b| a.partition == b.partition).count() as u64
}

/// A count and what is counted, such as `1 file` and `1,000 files`.
pub(crate) fn plural(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", HumanCount(count))
}
