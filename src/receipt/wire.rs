//! Receipts as they are written, and what is checked of those that are read.
//!
//! Each structure here has just the fields of the JSON, none too many and none renamed by chance;
//! reading one into the type that it stands for makes the checks.

use std::sync::Arc;

use arrow::datatypes::{TimeUnit, i256};
use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::{
    ColumnStatistics, CommitMode, FileRecord, Metrics, ReceiptError, SchemaText, StagedFileRecord,
    Totals, check_version, path,
};
use crate::partition::{Partition, PartitionValue};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The most keys of a partition: comparing each with each takes no time that anybody would notice.
const MOST_KEYS: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt {
    version: u32,
    transaction: Uuid,
    write_id: Option<String>,
    #[serde(default)]
    sequence: Option<u64>,
    mode: CommitMode,
    #[serde(default)]
    schema: Option<SchemaText>,
    totals: Totals,
    files: Vec<FileRecord>,
    removed: Vec<String>,
    #[serde(default)]
    metrics: Option<Metrics>,
}

impl Serialize for super::Receipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut receipt = serializer.serialize_struct("Receipt", 10)?;
        receipt.serialize_field("version", &VERSION)?;
        receipt.serialize_field("transaction", &self.transaction)?;
        receipt.serialize_field("write_id", &self.write_id)?;
        match &self.sequence {
            Some(sequence) => receipt.serialize_field("sequence", sequence)?,
            None => receipt.skip_field("sequence")?,
        }
        receipt.serialize_field("mode", &self.mode)?;
        match &self.schema {
            Some(schema) => receipt.serialize_field("schema", &SchemaText::of(schema))?,
            None => receipt.skip_field("schema")?,
        }
        receipt.serialize_field("totals", &self.totals)?;
        receipt.serialize_field("files", &self.files)?;
        receipt.serialize_field("removed", &self.removed)?;
        match &self.metrics {
            Some(metrics) => receipt.serialize_field("metrics", metrics)?,
            None => receipt.skip_field("metrics")?,
        }
        receipt.end()
    }
}

impl TryFrom<Receipt> for super::Receipt {
    type Error = ReceiptError;

    fn try_from(wire: Receipt) -> Result<Self, ReceiptError> {
        check_version(wire.version, VERSION)?;
        wire.removed
            .iter()
            .try_for_each(|path| path::check_plain(path))?;
        let mut receipt = super::Receipt::new(wire.transaction, wire.mode, wire.files)?;
        receipt.totals.removed = wire.removed.len() as u64;
        receipt.removed = wire.removed;
        receipt.metrics = wire.metrics;
        if let Some(write_id) = wire.write_id {
            receipt = receipt.with_write_id(write_id)?;
        }
        receipt.sequence = wire.sequence;
        if let Some(schema) = wire.schema {
            let schema = schema
                .read()
                .map_err(|reason| ReceiptError::invalid("schema", schema.as_str(), reason))?;
            receipt.schema = Some(Arc::new(schema));
        }
        if receipt.sequence.is_some() && receipt.write_id.is_none() {
            return Err(ReceiptError::invalid(
                "sequence",
                "without a write id",
                "is the number of a write in the stream that the write id names",
            ));
        }
        if receipt.totals != wire.totals {
            let totals = format!("{:?}", wire.totals);
            return Err(ReceiptError::invalid(
                "totals",
                &totals,
                "are not those of the files",
            ));
        }
        Ok(receipt)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Staged {
    staged: String,
    file: FileRecord,
}

impl TryFrom<Staged> for StagedFileRecord {
    type Error = ReceiptError;

    fn try_from(wire: Staged) -> Result<Self, ReceiptError> {
        StagedFileRecord::new(wire.staged, wire.file)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    path: String,
    partition: Vec<Key>,
    rows: u64,
    bytes: u64,
    footer_bytes: Option<u64>,
    row_groups: Option<u64>,
    content_hash: Option<String>,
    columns: Vec<ColumnStatistics>,
}

impl Serialize for FileRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hash = self.content_hash.map(|hash| format!("{hash:032x}"));
        let mut file = serializer.serialize_struct("File", 8)?;
        file.serialize_field("path", &self.path)?;
        file.serialize_field("partition", &Keys(&self.partition))?;
        file.serialize_field("rows", &self.rows)?;
        file.serialize_field("bytes", &self.bytes)?;
        file.serialize_field("footer_bytes", &self.footer_bytes)?;
        file.serialize_field("row_groups", &self.row_groups)?;
        file.serialize_field("content_hash", &hash)?;
        file.serialize_field("columns", &self.columns)?;
        file.end()
    }
}

impl TryFrom<File> for FileRecord {
    type Error = ReceiptError;

    fn try_from(wire: File) -> Result<Self, ReceiptError> {
        let (_, name) = wire.path.rsplit_once('/').unwrap_or(("", &wire.path));
        let partition = partition(wire.partition, &wire.path)?;
        let mut file = FileRecord::new(partition, name, wire.rows, wire.bytes)?;
        if file.path != wire.path {
            let reason = format!("does not fit its partition, {:?}", file.directory());
            return Err(ReceiptError::invalid("path", &wire.path, reason));
        }
        file.content_hash = wire.content_hash.as_deref().map(hash).transpose()?;
        file.footer_bytes = wire.footer_bytes;
        file.row_groups = wire.row_groups;
        file.columns = wire.columns;
        Ok(file)
    }
}

/// Reads a hash that is spelled as it is written.
fn hash(text: &str) -> Result<u128, ReceiptError> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let plain = text.len() == 32 && text.bytes().all(is_digit);
    u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| ReceiptError::invalid("content hash", text, "is not 32 hexadecimal digits"))
}

struct Keys<'a>(&'a Partition);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut keys = serializer.serialize_seq(Some(self.0.len()))?;
        for (key, value) in self.0.iter() {
            let (key, value) = (key.to_owned(), Value::of(value));
            keys.serialize_element(&Key { key, value })?;
        }
        keys.end()
    }
}

fn partition(keys: Vec<Key>, path: &str) -> Result<Partition, ReceiptError> {
    if keys.len() > MOST_KEYS {
        return Err(ReceiptError::invalid(
            "path",
            path,
            "has too many partition keys",
        ));
    }
    let mut values = Vec::with_capacity(keys.len());
    for Key { key, value } in keys {
        let value = match value {
            Some(value) => value.read()?,
            None => PartitionValue::Null,
        };
        values.push((key, value));
    }
    Partition::new(values)
        .map_err(|error| ReceiptError::invalid("partition of", path, error.to_string()))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: String,
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Value {
    Boolean(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Decimal {
        unscaled: String,
        scale: i8,
    },
    String(String),
    Date(i32),
    Timestamp {
        value: i64,
        unit: Unit,
        time_zone: Option<Arc<str>>,
    },
}

#[derive(Serialize, Deserialize)]
enum Unit {
    #[serde(rename = "s")]
    Second,
    #[serde(rename = "ms")]
    Millisecond,
    #[serde(rename = "us")]
    Microsecond,
    #[serde(rename = "ns")]
    Nanosecond,
}

impl Value {
    fn of(value: &PartitionValue) -> Option<Self> {
        Some(match value {
            PartitionValue::Null => return None,
            PartitionValue::Boolean(value) => Value::Boolean(*value),
            PartitionValue::Int(value) => Value::Int(*value),
            PartitionValue::UInt(value) => Value::UInt(*value),
            PartitionValue::Float(value) => Value::Float(*value),
            PartitionValue::Decimal { unscaled, scale } => Value::Decimal {
                unscaled: unscaled.to_string(),
                scale: *scale,
            },
            PartitionValue::String(value) => Value::String(value.clone()),
            PartitionValue::Date(days) => Value::Date(*days),
            PartitionValue::Timestamp {
                value,
                unit,
                time_zone,
            } => Value::Timestamp {
                value: *value,
                unit: match unit {
                    TimeUnit::Second => Unit::Second,
                    TimeUnit::Millisecond => Unit::Millisecond,
                    TimeUnit::Microsecond => Unit::Microsecond,
                    TimeUnit::Nanosecond => Unit::Nanosecond,
                },
                time_zone: time_zone.clone(),
            },
        })
    }

    fn read(self) -> Result<PartitionValue, ReceiptError> {
        Ok(match self {
            Value::Boolean(value) => PartitionValue::Boolean(value),
            Value::Int(value) => PartitionValue::Int(value),
            Value::UInt(value) => PartitionValue::UInt(value),
            Value::Float(value) => PartitionValue::Float(value),
            Value::Decimal { unscaled, scale } => PartitionValue::Decimal {
                unscaled: i256::from_string(&unscaled)
                    .ok_or_else(|| ReceiptError::invalid("decimal", &unscaled, "is no integer"))?,
                scale,
            },
            Value::String(value) => PartitionValue::String(value),
            Value::Date(days) => PartitionValue::Date(days),
            Value::Timestamp {
                value,
                unit,
                time_zone,
            } => PartitionValue::Timestamp {
                value,
                unit: match unit {
                    Unit::Second => TimeUnit::Second,
                    Unit::Millisecond => TimeUnit::Millisecond,
                    Unit::Microsecond => TimeUnit::Microsecond,
                    Unit::Nanosecond => TimeUnit::Nanosecond,
                },
                time_zone,
            },
        })
    }
}
