//! How a chunk may be encoded, and what is known of its values.

use parquet::basic::Encoding;

use super::dictionary::Dictionary;

/// How a column chunk is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::format::parquet) struct Choice {
    /// Whether values are numbers in a dictionary.
    pub(in crate::format::parquet) dictionary: bool,
    /// The encoding of values that are not in the dictionary.
    pub(in crate::format::parquet) encoding: Encoding,
}

/// The encodings of leaf columns, `None` of one where the properties say it.
pub(in crate::format::parquet) type Choices = Vec<Option<Choice>>;

/// Which encodings may be chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// The most bytes of a dictionary's values, if there may be a dictionary.
    pub(super) dictionary_bytes: Option<usize>,
    /// Whether encodings other than a dictionary, PLAIN and RLE of levels may be chosen.
    pub(super) all: bool,
    /// Whether 32 and 64 bits are integers, not floats.
    pub(super) integers: bool,
}

impl Choice {
    pub(super) const PLAIN: Choice = Choice::values(Encoding::PLAIN);

    /// A dictionary, and values by themselves in some encoding where it does not have them.
    pub(super) const fn dictionary(encoding: Encoding) -> Self {
        Choice {
            dictionary: true,
            encoding,
        }
    }

    /// Values by themselves.
    pub(super) const fn values(encoding: Encoding) -> Self {
        Choice {
            dictionary: false,
            encoding,
        }
    }
}

/// The values as numbers in a dictionary, if they repeat enough for one.
pub(super) enum Numbered {
    Whole(Dictionary, Vec<u32>),
    /// Of the first so many values, so many are distinct, and a dictionary of all would be too large.
    TooLarge {
        values: usize,
        distinct: usize,
    },
    /// There is to be none.
    Not,
}

impl Numbered {
    pub(super) fn whole(self) -> Option<(Dictionary, Vec<u32>)> {
        match self {
            Numbered::Whole(dictionary, numbers) => Some((dictionary, numbers)),
            Numbered::TooLarge { .. } | Numbered::Not => None,
        }
    }
}
