//! The metadata of a message of Arrow IPC.

use arrow::error::ArrowError;
use arrow::ipc::{Buffer, root_as_message};

/// The dictionary that a message holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dictionary {
    pub(super) id: i64,
    /// Whether its values are added to those of the dictionary so far.
    pub(super) is_delta: bool,
}

/// The metadata of a message about the body that follows it.
pub(super) struct Body {
    pub(super) length: i64,
    pub(super) rows: i64,
    pub(super) buffers: Vec<Buffer>,
    pub(super) compressed: bool,
    /// The dictionary that it is for, if it is not for rows.
    pub(super) dictionary: Option<Dictionary>,
}

/// Reads the metadata of a message.
pub(super) fn parse_message(bytes: &[u8]) -> Result<Body, ArrowError> {
    let message = root_as_message(bytes).map_err(malformed)?;
    let dictionary = message.header_as_dictionary_batch();
    let batch = message
        .header_as_record_batch()
        .or_else(|| dictionary.and_then(|dictionary| dictionary.data()));
    let compressed = batch.is_some_and(|batch| batch.compression().is_some());
    let buffers = batch
        .and_then(|batch| batch.buffers())
        .into_iter()
        .flatten()
        .copied()
        .collect();
    Ok(Body {
        length: message.bodyLength(),
        rows: batch.map_or(0, |batch| batch.length()),
        buffers,
        compressed,
        dictionary: dictionary.map(|dictionary| Dictionary {
            id: dictionary.id(),
            is_delta: dictionary.isDelta(),
        }),
    })
}

pub(super) fn malformed(error: impl std::fmt::Display) -> ArrowError {
    ArrowError::ParseError(error.to_string())
}
