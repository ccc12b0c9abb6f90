//! Files of text that are compressed as a whole: written through an encoder, and read through a decoder.
//!
//! A compressed file is told by its first bytes, which no text has; one whose name says that it is compressed
//! must begin with them. Its checksums are checked by reading it to its end. Of several members or frames, one
//! after the other, those at the end can be missing unseen: each ends as a file does.

use std::io;
#[cfg(any(feature = "csv", feature = "json"))]
use std::io::{BufRead, BufReader, Read};
#[cfg(any(feature = "csv", feature = "json"))]
use std::path::Path;
#[cfg(any(feature = "csv", feature = "json"))]
use std::sync::Arc;

use ::parquet::basic::Compression;

#[cfg(any(feature = "csv", feature = "json"))]
use super::{Fault, source::Source};
#[cfg(any(feature = "csv", feature = "json"))]
use crate::damage::{Damage, Location};
use crate::error::{Error, Result};

/// The number of first bytes of a file that tell whether it is compressed.
#[cfg(any(feature = "csv", feature = "json"))]
const MAGIC: u64 = 4;
/// The number of bytes that are read at once.
#[cfg(any(feature = "csv", feature = "json"))]
const BUFFER: usize = 64 << 10;

/// How a file is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Zstd(i32),
    #[cfg(feature = "codecs")]
    Gzip(u32),
}

impl Codec {
    pub(super) fn of(compression: Compression) -> Result<Self> {
        match compression {
            Compression::UNCOMPRESSED => Ok(Codec::Plain),
            Compression::ZSTD(level) => Ok(Codec::Zstd(level.compression_level())),
            #[cfg(feature = "codecs")]
            Compression::GZIP(level) => Ok(Codec::Gzip(level.compression_level())),
            other => Err(Error::InvalidOption {
                option: "compression",
                reason: format!(
                    "text is compressed with zstd, with gzip (feature codecs) or not at all, but not with {other}"
                ),
            }),
        }
    }
}

/// Compresses bytes, in the codec of the file.
pub(super) enum Compressor {
    Plain(Vec<u8>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    #[cfg(feature = "codecs")]
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
}

impl Compressor {
    pub(super) fn new(codec: Codec) -> io::Result<Self> {
        Ok(match codec {
            Codec::Plain => Compressor::Plain(Vec::new()),
            Codec::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
                encoder.include_checksum(true)?;
                Compressor::Zstd(Box::new(encoder))
            }
            #[cfg(feature = "codecs")]
            Codec::Gzip(level) => {
                let level = flate2::Compression::new(level);
                let encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                Compressor::Gzip(Box::new(encoder))
            }
        })
    }

    /// Compresses some bytes, and passes the output that is ready to `put`.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        put: impl FnOnce(&[u8]) -> Result<()>,
        failed: impl FnOnce(io::Error) -> Error,
    ) -> Result<()> {
        use std::io::Write as _;
        let output = match self {
            Compressor::Plain(_) => return put(bytes),
            Compressor::Zstd(encoder) => {
                encoder.write_all(bytes).map_err(failed)?;
                encoder.get_mut()
            }
            #[cfg(feature = "codecs")]
            Compressor::Gzip(encoder) => {
                encoder.write_all(bytes).map_err(failed)?;
                encoder.get_mut()
            }
        };
        put(output)?;
        output.clear();
        Ok(())
    }

    /// Ends the compression, and returns its last bytes.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Compressor::Plain(rest) => Ok(rest),
            Compressor::Zstd(encoder) => encoder.finish(),
            #[cfg(feature = "codecs")]
            Compressor::Gzip(encoder) => encoder.finish(),
        }
    }
}

/// Checks that a file whose name ends in `.gz` or `.zst` is compressed so.
///
/// An empty file is no compressed text, though decoders take it for one without members.
#[cfg(any(feature = "csv", feature = "json"))]
pub(super) fn check_start(source: &Source, path: &Path) -> Result<(), Fault> {
    let suffix = path.extension().unwrap_or_default().to_ascii_lowercase();
    // Header, an empty block and, of gzip, the trailer.
    let (is_compressed, expected, minimum): (fn(&[u8]) -> bool, _, _) = match suffix.to_str() {
        Some("gz") => (is_gzip, r"\x1f\x8b", 20),
        Some("zst") => (is_zstd, r"(\xb5/\xfd", 9),
        _ => return Ok(()),
    };
    let len = source.len();
    if len < minimum {
        return Err(Damage::TooShort { len, minimum }.into());
    }
    let start = source.read(0, MAGIC)?;
    if is_compressed(&start) {
        return Ok(());
    }
    Err(Damage::Magic {
        offset: 0,
        expected,
        found: start.to_vec(),
    }
    .into())
}

#[cfg(any(feature = "csv", feature = "json"))]
fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// Whether the bytes begin a zstd frame, or a skippable frame, as `pzstd` writes them (RFC 8878, section 3.1.2).
#[cfg(any(feature = "csv", feature = "json"))]
fn is_zstd(start: &[u8]) -> bool {
    match start {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        [first, 0x2a, 0x4d, 0x18, ..] => first >> 4 == 5,
        _ => false,
    }
}

/// A reader of the text of a file, decompressed if the file is compressed.
///
/// Errors of the decoder are errors of reading; those of the disk are kept by the [`Source`].
#[cfg(any(feature = "csv", feature = "json"))]
pub(super) fn reader(source: &Source) -> Result<Box<dyn Read>, Fault> {
    let mut bytes = BufReader::with_capacity(BUFFER, source.reader(0));
    let start = bytes.fill_buf()?;
    if is_zstd(start) {
        return Ok(Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?));
    }
    if is_gzip(start) {
        return gzip(bytes);
    }
    Ok(Box::new(bytes))
}

#[cfg(all(feature = "codecs", any(feature = "csv", feature = "json")))]
fn gzip(bytes: impl BufRead + 'static) -> Result<Box<dyn Read>, Fault> {
    Ok(Box::new(flate2::bufread::MultiGzDecoder::new(bytes)))
}

#[cfg(all(not(feature = "codecs"), any(feature = "csv", feature = "json")))]
fn gzip(_: impl BufRead) -> Result<Box<dyn Read>, Fault> {
    let reason = "it is compressed with gzip, which takes the feature codecs".to_owned();
    let location = Location::file();
    Err(Damage::NotCheckable { location, reason }.into())
}

/// The length of a file's text and its last byte. One that is compressed is read to its end for that, and
/// its checksums with it.
#[cfg(any(feature = "csv", feature = "json"))]
pub(super) fn end_of_text(source: &Source) -> Result<(u64, Option<u8>), Fault> {
    let start = source.read(0, MAGIC)?;
    if !is_zstd(&start) && !is_gzip(&start) {
        let len = source.len();
        let last = source.read(len.saturating_sub(1), 1)?;
        return Ok((len, last.last().copied()));
    }
    let (mut reader, mut buffer) = (reader(source)?, vec![0; BUFFER]);
    let (mut len, mut last) = (0, None);
    loop {
        let count = reader.read(&mut buffer).map_err(undecodable)?;
        if count == 0 {
            return Ok((len, last));
        }
        len += count as u64;
        last = Some(buffer[count - 1]);
    }
}

/// The damage of a file whose text cannot be read.
#[cfg(any(feature = "csv", feature = "json"))]
pub(super) fn undecodable(error: io::Error) -> Damage {
    Damage::Decode {
        location: Location::file(),
        source: Arc::new(error),
    }
}
