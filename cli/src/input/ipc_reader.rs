//! Reading Arrow IPC, as a file and as a stream.
//!
//! Owns what a truncated or foreign file or stream looks like. Types are its own; nothing is
//! inferred or converted. No length that the input claims is allocated before the input is known
//! to be that long. A stream without its end-of-stream mark is taken for cut short, although the
//! format lets a writer simply stop: a writer that was killed looks the same.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow::ipc::{Block, root_as_footer, root_as_message};

use super::InputError;
use super::parquet_reader::{Share, file_len};
use super::source::{CHUNK, Stream, Watch, read_error};

/// The bytes that open and close an Arrow IPC file.
const MAGIC: &[u8] = b"ARROW1";
/// The bytes before the length of each message of a stream.
const MARK: &[u8] = &[0xff; 4];

/// An iterator over the batches of an Arrow IPC file.
pub(super) struct IpcFileReader {
    path: PathBuf,
    file: Blocks,
    decoder: FileDecoder,
    schema: SchemaRef,
    blocks: std::vec::IntoIter<Block>,
    share: Share,
}

impl IpcFileReader {
    /// Reads the footer and the dictionaries.
    ///
    /// # Errors
    /// A file that is not an Arrow IPC file or lacks its end.
    pub(super) fn open(
        path: PathBuf,
        file: File,
        watch: Option<Watch>,
    ) -> Result<Self, InputError> {
        let len = file_len(&path, &file)?;
        match Self::read_footer(Blocks { file, len }) {
            Ok((file, decoder, schema, blocks)) => Ok(Self {
                path,
                file,
                decoder,
                schema,
                share: Share::new(watch, len, blocks.len() as u64),
                blocks: blocks.into_iter(),
            }),
            Err(source) => Err(InputError::Arrow { path, source }),
        }
    }

    fn read_footer(
        mut file: Blocks,
    ) -> Result<(Blocks, FileDecoder, SchemaRef, Vec<Block>), ArrowError> {
        let damaged = |what: &str| ArrowError::IpcError(what.to_owned());
        if &*file.read(0, MAGIC.len() as u64)? != MAGIC {
            return Err(damaged("it does not begin with ARROW1"));
        }
        let end = file.len.saturating_sub(10);
        let last = <[u8; 10]>::try_from(&*file.read(end, 10)?);
        let footer_len = read_footer_length(last.map_err(|_| damaged("it has no footer"))?)? as u64;
        let footer = file.read(end.saturating_sub(footer_len), footer_len)?;
        let footer = root_as_footer(&footer).map_err(|error| damaged(&error.to_string()))?;
        let schema = footer
            .schema()
            .ok_or_else(|| damaged("its footer has no schema"))?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err(damaged("its byte order is not this machine's"));
        }
        let schema = SchemaRef::new(fb_to_schema(schema));
        let mut decoder = FileDecoder::new(schema.clone(), footer.version());
        for block in footer.dictionaries().into_iter().flatten() {
            decoder.read_dictionary(block, &file.block(block)?)?;
        }
        let blocks = footer.recordBatches().into_iter().flatten();
        let blocks = blocks.copied().collect();
        Ok((file, decoder, schema, blocks))
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        for block in self.blocks.by_ref() {
            self.share.advance(1);
            let bytes = self.file.block(&block)?;
            if let Some(batch) = self.decoder.read_record_batch(&block, &bytes)? {
                return Ok(Some(batch));
            }
        }
        self.share.finish();
        Ok(None)
    }
}

impl Iterator for IpcFileReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().map_err(|source| InputError::Arrow {
            path: self.path.clone(),
            source,
        });
        batch.transpose()
    }
}

/// A file read in pieces that lie within it.
struct Blocks {
    file: File,
    len: u64,
}

impl Blocks {
    fn read(&mut self, offset: u64, len: u64) -> Result<Buffer, ArrowError> {
        let within = offset.checked_add(len).is_some_and(|end| end <= self.len);
        let len = usize::try_from(len).ok().filter(|_| within);
        let len = len.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let mut bytes = vec![0; len];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Buffer::from_vec(bytes))
    }

    fn block(&mut self, block: &Block) -> Result<Buffer, ArrowError> {
        let number = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
        let head = number(block.metaDataLength().into());
        self.read(
            number(block.offset()),
            head.saturating_add(number(block.bodyLength())),
        )
    }
}

/// The length of the first message, which stands behind the mark, or since before version 0.15 of
/// Arrow alone; none where that is no length of a schema.
fn schema_len(opening: &[u8]) -> Option<u64> {
    const LONGEST: i32 = 64 << 20;
    let len = opening.strip_prefix(MARK).unwrap_or(opening);
    let len = i32::from_le_bytes(len.try_into().ok()?);
    (0..=LONGEST)
        .contains(&len)
        .then(|| u64::from(len.unsigned_abs()))
}

/// Whether a stream begins with a schema of this machine's byte order.
fn check_opening(opening: &[u8]) -> Result<(), &'static str> {
    const FOREIGN: &str = "it does not begin as an Arrow IPC stream does";
    let message = opening.strip_prefix(MARK).unwrap_or(opening);
    // What is cut short is for the decoder to tell.
    let cut = opening.starts_with(MARK)
        && (message.len() < 4
            || schema_len(&opening[..8]).is_some_and(|len| message.len() as u64 - 4 < len));
    if cut || opening.is_empty() {
        return Ok(());
    }
    let message = message
        .get(4..)
        .filter(|message| !message.is_empty())
        .ok_or(FOREIGN)?;
    let message = root_as_message(message).map_err(|_| FOREIGN)?;
    let schema = message.header_as_schema().ok_or(FOREIGN)?;
    match schema.endianness().equals_to_target_endianness() {
        true => Ok(()),
        false => Err("its byte order is not this machine's"),
    }
}

/// An iterator over the batches of an Arrow IPC stream.
pub(super) struct IpcStreamReader {
    path: PathBuf,
    compressed: bool,
    stream: Stream,
    decoder: StreamDecoder,
    /// What was read and is not decoded yet.
    rest: Buffer,
    schema: SchemaRef,
    /// A batch that was decoded together with the schema.
    ahead: Option<RecordBatch>,
}

impl IpcStreamReader {
    /// Reads as far as the schema.
    ///
    /// # Errors
    /// What does not begin as a stream does, or ends before its schema.
    pub(super) fn open(
        path: PathBuf,
        stream: Stream,
        compressed: bool,
    ) -> Result<Self, InputError> {
        let mut reader = Self {
            path,
            compressed,
            stream,
            decoder: StreamDecoder::new(),
            rest: Buffer::from_vec(Vec::<u8>::new()),
            schema: SchemaRef::new(Schema::empty()),
            ahead: None,
        };
        let opening = reader.opening()?;
        if let Err(reason) = check_opening(&opening) {
            return Err(reader.arrow_error(ArrowError::IpcError(reason.to_owned())));
        }
        reader.rest = Buffer::from_vec(opening);
        while reader.decoder.schema().is_none() {
            reader.ahead = reader.decode()?;
            if reader.ahead.is_none() && reader.decoder.schema().is_none() && !reader.fill()? {
                return Err(InputError::StreamCut { path: reader.path });
            }
        }
        if let Some(schema) = reader.decoder.schema() {
            reader.schema = schema;
        }
        Ok(reader)
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Reads the first message, with what stands before it, as far as there is one.
    fn opening(&mut self) -> Result<Vec<u8>, InputError> {
        let mut opening = Vec::new();
        let mut read = |opening: &mut Vec<u8>, n: u64| {
            let mut more = self.stream.by_ref().take(n);
            let read = more.read_to_end(opening);
            read.map_err(|source| read_error(&self.path, self.compressed, source))
        };
        read(&mut opening, 4)?;
        if opening == MARK {
            read(&mut opening, 4)?;
        }
        if let Some(len) = schema_len(&opening) {
            read(&mut opening, len)?;
        }
        Ok(opening)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, InputError> {
        if let Some(batch) = self.ahead.take() {
            return Ok(Some(batch));
        }
        loop {
            if let Some(batch) = self.decode()? {
                return Ok(Some(batch));
            }
            if !self.fill()? {
                break;
            }
        }
        // Behind the end-of-stream mark, and only there, a further byte is refused.
        let mut further = Buffer::from_vec(vec![0u8]);
        match self.decoder.finish().is_ok() && self.decoder.decode(&mut further).is_err() {
            true => Ok(None),
            false => Err(InputError::StreamCut {
                path: self.path.clone(),
            }),
        }
    }

    fn decode(&mut self) -> Result<Option<RecordBatch>, InputError> {
        self.decoder
            .decode(&mut self.rest)
            .map_err(|source| InputError::Arrow {
                path: self.path.clone(),
                source,
            })
    }

    /// Reads the next bytes; says whether there were any.
    fn fill(&mut self) -> Result<bool, InputError> {
        let mut bytes = Vec::with_capacity(CHUNK);
        self.stream
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut bytes)
            .map_err(|source| read_error(&self.path, self.compressed, source))?;
        let any = !bytes.is_empty();
        self.rest = Buffer::from_vec(bytes);
        Ok(any)
    }

    fn arrow_error(self, source: ArrowError) -> InputError {
        InputError::Arrow {
            path: self.path,
            source,
        }
    }
}

impl Iterator for IpcStreamReader {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
