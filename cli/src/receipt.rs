//! Receipts, counts and partitions as text and JSON.

use atomic_arrow::{Partition, Receipt};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value};

/// A short text on what was published.
pub(crate) fn summary(receipt: &Receipt) -> String {
    let totals = receipt.totals();
    format!(
        "{} in {} of {}, {}",
        plural(totals.rows, "row"),
        plural(totals.files, "file"),
        plural(totals.partitions, "partition"),
        HumanBytes(totals.bytes),
    )
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

/// A count and what is counted, such as `1 file` and `1,000 files`.
pub(crate) fn plural(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", HumanCount(count))
}
