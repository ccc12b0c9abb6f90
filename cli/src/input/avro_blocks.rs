//! The blocks of an Avro file, looked at before any row is decoded.
//!
//! Owns what a file that is cut short looks like, which its decoder takes for one that ends, and that no block becomes
//! too much once it is decompressed. The format: <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// The bytes that open an Avro file.
pub(super) const MAGIC: &[u8] = b"Obj\x01";
/// The most bytes of a block, decompressed.
const LARGEST_BLOCK: u64 = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// The most bytes of the schema and what else stands before the blocks.
const LARGEST_HEADER: u64 = 64 << 20;

/// What is known of all blocks together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) rows: u64,
    /// The most bytes that a row takes on average in any block.
    pub(super) bytes_of_row: u64,
}

/// The reason why a file is not read.
#[derive(Debug)]
pub(super) enum Refusal {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it is cut short"),
            _ => Refusal::Io(error),
        }
    }
}

fn damaged(reason: impl Into<String>) -> Refusal {
    Refusal::Damaged(reason.into())
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    None,
    Deflate,
    Snappy,
    Zstandard,
}

/// Goes over all blocks of a file, and back to its beginning.
///
/// # Errors
/// What is no Avro file, is cut short, or has a block that is too large.
pub(super) fn scan(file: &mut File) -> Result<Blocks, Refusal> {
    let len = file.metadata()?.len();
    file.rewind()?;
    let mut source = BufReader::with_capacity(1 << 16, &mut *file);
    let (codec, mark) = header(&mut source)?;
    let mut blocks = Blocks::default();
    loop {
        let at = source.stream_position()?;
        if at == len {
            break;
        }
        let rows = length(&mut source, "rows")?;
        let size = length(&mut source, "bytes")?;
        let begins = source.stream_position()?;
        if size > len.saturating_sub(begins) {
            return Err(damaged("it is cut short"));
        }
        let decoded = decoded_size(&mut source, codec, size)?;
        if decoded > LARGEST_BLOCK {
            return Err(damaged(format!(
                "the block at byte {at} has more than {LARGEST_BLOCK} bytes: write it in smaller blocks"
            )));
        }
        let bytes_of_row = decoded.checked_div(rows).unwrap_or_default();
        blocks.bytes_of_row = blocks.bytes_of_row.max(bytes_of_row);
        source.seek(SeekFrom::Start(begins + size))?;
        let mut found = [0; 16];
        source.read_exact(&mut found)?;
        if found != mark {
            return Err(damaged(format!(
                "the block at byte {at} does not end where it says"
            )));
        }
        blocks.rows = blocks
            .rows
            .checked_add(rows)
            .ok_or_else(|| damaged("it has more rows than can be"))?;
    }
    file.rewind()?;
    Ok(blocks)
}

/// Reads the codec and the mark that ends blocks.
fn header(source: &mut impl Read) -> Result<(Codec, [u8; 16]), Refusal> {
    let mut source = source.take(LARGEST_HEADER);
    let mut magic = [0; 4];
    source.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(damaged("it is no Avro file: it does not begin as one"));
    }
    let mut codec = Codec::None;
    loop {
        let count = long(&mut source)?;
        if count == 0 {
            break;
        }
        if count < 0 {
            // The bytes of what follows, for those who skip it.
            long(&mut source)?;
        }
        for _ in 0..count.unsigned_abs() {
            let (key, value) = (bytes(&mut source)?, bytes(&mut source)?);
            if key == b"avro.codec" {
                codec = match value.as_slice() {
                    b"null" => Codec::None,
                    b"deflate" => Codec::Deflate,
                    b"snappy" => Codec::Snappy,
                    b"zstandard" => Codec::Zstandard,
                    other => {
                        let name = String::from_utf8_lossy(other);
                        return Err(damaged(format!(
                            "its codec is {name}, which is not read: write it with deflate, snappy or zstandard"
                        )));
                    }
                };
            }
        }
    }
    let mut mark = [0; 16];
    source.read_exact(&mut mark)?;
    Ok((codec, mark))
}

/// How many bytes a block has, of at most one more than the largest.
fn decoded_size(source: &mut impl Read, codec: Codec, size: u64) -> Result<u64, Refusal> {
    let mut block = source.take(size);
    let counted = |decoder: &mut dyn Read| {
        let copied = io::copy(&mut decoder.take(LARGEST_BLOCK + 1), &mut io::sink());
        copied.map_err(|error| damaged(format!("its compressed data is damaged: {error}")))
    };
    match codec {
        Codec::None => Ok(size),
        Codec::Deflate => counted(&mut flate2::read::DeflateDecoder::new(block)),
        Codec::Zstandard => counted(&mut zstd::Decoder::new(block)?),
        // It begins with the number.
        Codec::Snappy => varint(&mut block),
    }
}

/// A number of rows or bytes.
fn length(source: &mut impl Read, what: &str) -> Result<u64, Refusal> {
    let number = long(source)?;
    u64::try_from(number).map_err(|_| damaged(format!("a block has {number} {what}")))
}

fn bytes(source: &mut impl Read) -> Result<Vec<u8>, Refusal> {
    let length = length(source, "bytes")?;
    let mut bytes = Vec::new();
    source.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(damaged(
            "it is cut short, or what stands before its rows is too long",
        )),
    }
}

/// A whole number in zigzag.
fn long(source: &mut impl Read) -> Result<i64, Refusal> {
    let number = varint(source)?;
    Ok((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn varint(source: &mut impl Read) -> Result<u64, Refusal> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        source.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
    }
    Err(damaged("a number has more bytes than can be"))
}
