//! [`WriteName`]: the name by which a commit that is repeated is known again.

/// The name of a write, or that of a stream of writes with a number in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteName {
    pub(crate) id: String,
    /// The number in the stream. Of a stream the highest number alone is remembered.
    pub(crate) sequence: Option<u64>,
}

impl WriteName {
    pub(crate) fn new(id: impl Into<String>, sequence: Option<u64>) -> Self {
        let id = id.into();
        WriteName { id, sequence }
    }

    /// The fields of a span.
    pub(crate) fn fields(name: Option<&Self>) -> (Option<&str>, Option<u64>) {
        match name {
            Some(WriteName { id, sequence }) => (Some(id), *sequence),
            None => (None, None),
        }
    }
}
