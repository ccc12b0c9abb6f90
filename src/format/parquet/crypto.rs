//! The metadata before an encrypted footer: how it is encrypted, and with which key.
//!
//! It is neither encrypted nor authenticated, so what a writer checks of it is compared with what it
//! asked for. A part of the AAD, that of the file alone, is left out: with another the footer does not
//! open.

use super::thrift::{BINARY, Malformed, STRUCT, Thrift};

const ALGORITHM: i64 = 1;
const KEY_METADATA: i64 = 2;
const AAD_PREFIX: i64 = 1;
const SUPPLY_AAD_PREFIX: i64 = 3;
/// The type of a boolean field that is true: in Thrift's compact protocol the type is the value.
const TRUE: u8 = 1;
const FALSE: u8 = 2;

/// How a footer is encrypted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Crypto<'a> {
    /// The number of the algorithm.
    pub(super) algorithm: i64,
    /// The AAD's prefix, where it is stored.
    pub(super) aad_prefix: Option<&'a [u8]>,
    /// Whether a reader has to know the prefix.
    pub(super) supply_aad_prefix: Option<bool>,
    /// The metadata by which a reader finds the key.
    pub(super) key_metadata: Option<&'a [u8]>,
}

impl<'a> Crypto<'a> {
    /// The encryption that this build writes, AES-GCM.
    #[cfg(feature = "encryption")]
    pub(super) fn gcm() -> Self {
        const AES_GCM_V1: i64 = 1;
        Crypto {
            algorithm: AES_GCM_V1,
            ..Crypto::default()
        }
    }

    /// Parses the metadata at the beginning of `footer`, and returns its length too.
    pub(super) fn parse(footer: &'a [u8]) -> Result<(Self, usize), Malformed> {
        let (mut walk, mut crypto) = (Thrift::new(footer), Crypto::default());
        let mut last = 0;
        while let Some((number, kind)) = walk.field(&mut last)? {
            match (number, kind) {
                (ALGORITHM, STRUCT) => crypto.parse_algorithm(&mut walk)?,
                (KEY_METADATA, BINARY) => crypto.key_metadata = Some(walk.binary()?),
                _ => walk.skip(kind)?,
            }
        }
        Ok((crypto, walk.position()))
    }

    fn parse_algorithm(&mut self, walk: &mut Thrift<'a>) -> Result<(), Malformed> {
        let mut last = 0;
        while let Some((number, kind)) = walk.field(&mut last)? {
            if kind != STRUCT {
                walk.skip(kind)?;
                continue;
            }
            self.algorithm = number;
            let mut last = 0;
            while let Some((number, kind)) = walk.field(&mut last)? {
                match (number, kind) {
                    (AAD_PREFIX, BINARY) => self.aad_prefix = Some(walk.binary()?),
                    (SUPPLY_AAD_PREFIX, TRUE | FALSE) => {
                        self.supply_aad_prefix = Some(kind == TRUE);
                    }
                    _ => walk.skip(kind)?,
                }
            }
        }
        Ok(())
    }
}
