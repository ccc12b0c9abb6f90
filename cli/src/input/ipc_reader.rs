//! Reading Arrow IPC, as a file and as a stream.
//!
//! Owns what a truncated or foreign file or stream looks like. Types are its own; nothing is
//! inferred or converted. No length that the input claims is allocated before the input is known
//! to be that long, and no batch is decoded that would become too much ([`IpcBounds`]). A stream without its end-of-stream mark is taken for cut short, although the
//! format lets a writer simply stop: a writer that was killed looks the same.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow::ipc::{Block, root_as_footer, root_as_message};
use atomic_arrow::format::{IpcBounds, IpcTooLarge};
use atomic_arrow::schema::{Refused, check_nulls};

use super::InputError;
use super::format::FEATHER_V1;
use super::integers::{UnknownInteger, unknown_of_message, unknown_of_schema};
use super::parquet_reader::{Share, file_len};
use super::source::{Watch, read_error};
use super::stream::Stream;

/// The bytes that open and close an Arrow IPC file.
const MAGIC: &[u8] = b"ARROW1";
/// The bytes before the length of each message of a stream.
const MARK: &[u8] = &[0xff; 4];
/// The most bytes of a schema; text has more where they would stand.
const LONGEST_SCHEMA: u32 = 64 << 20;

/// The reason why a message is not decoded.
enum Refusal {
    Arrow(ArrowError),
    Value(Refused),
    TooLarge(IpcTooLarge),
    FeatherV1,
    Integer(UnknownInteger),
}

impl From<ArrowError> for Refusal {
    fn from(error: ArrowError) -> Self {
        Refusal::Arrow(error)
    }
}

impl From<IpcTooLarge> for Refusal {
    fn from(error: IpcTooLarge) -> Self {
        Refusal::TooLarge(error)
    }
}

impl Refusal {
    fn of(self, path: PathBuf) -> InputError {
        match self {
            Refusal::Arrow(source) => InputError::Arrow { path, source },
            Refusal::Value(source) => InputError::Refused { path, source },
            Refusal::TooLarge(source) => InputError::BatchTooLarge { path, source },
            Refusal::FeatherV1 => InputError::FeatherV1 { path },
            Refusal::Integer(found) => InputError::UnknownInteger { path, found },
        }
    }
}

/// An iterator over the batches of an Arrow IPC file.
pub(super) struct IpcFileReader {
    path: PathBuf,
    file: Blocks,
    bounds: IpcBounds,
    decoder: FileDecoder,
    schema: SchemaRef,
    /// The number of rows read so far.
    rows: u64,
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
        mut bounds: IpcBounds,
    ) -> Result<Self, InputError> {
        let len = file_len(&path, &file)?;
        match Self::read_footer(Blocks { file, len }, &mut bounds) {
            Ok((file, decoder, schema, blocks)) => Ok(Self {
                path,
                file,
                bounds,
                decoder,
                schema,
                rows: 0,
                share: Share::new(watch, len, blocks.len() as u64),
                blocks: blocks.into_iter(),
            }),
            Err(refusal) => Err(refusal.of(path)),
        }
    }

    fn read_footer(
        mut file: Blocks,
        bounds: &mut IpcBounds,
    ) -> Result<(Blocks, FileDecoder, SchemaRef, Vec<Block>), Refusal> {
        let damaged = |what: &str| ArrowError::IpcError(what.to_owned());
        let magic = file.read(0, MAGIC.len() as u64)?;
        if magic.starts_with(FEATHER_V1) {
            return Err(Refusal::FeatherV1);
        }
        if &*magic != MAGIC {
            return Err(damaged("it does not begin with ARROW1").into());
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
            return Err(damaged("its byte order is not this machine's").into());
        }
        if let Some(found) = unknown_of_schema(schema) {
            return Err(Refusal::Integer(found));
        }
        let schema = SchemaRef::new(fb_to_schema(schema));
        let mut decoder = FileDecoder::new(schema.clone(), footer.version());
        for block in footer.dictionaries().into_iter().flatten() {
            decoder.read_dictionary(block, &file.block(block, bounds)?)?;
        }
        let blocks = footer.recordBatches().into_iter().flatten();
        let blocks = blocks.copied().collect();
        Ok((file, decoder, schema, blocks))
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Refusal> {
        for block in self.blocks.by_ref() {
            self.share.advance(1);
            let bytes = self.file.block(&block, &mut self.bounds)?;
            let decoded = self.decoder.read_record_batch(&block, &bytes);
            let decoded = decoded.map_err(|error| match forbidden_null(&bytes, &self.schema) {
                Some(refused) => Refusal::Value(refused.behind(self.rows)),
                None => Refusal::Arrow(error),
            });
            if let Some(batch) = decoded? {
                self.rows += batch.num_rows() as u64;
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
        let batch = self.next_batch();
        batch
            .map_err(|refusal| refusal.of(self.path.clone()))
            .transpose()
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

    /// Reads a message, and checks it against the bounds.
    fn block(&mut self, block: &Block, bounds: &mut IpcBounds) -> Result<Buffer, Refusal> {
        let number = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
        let head = number(block.metaDataLength().into());
        let len = head.saturating_add(number(block.bodyLength()));
        let bytes = self.read(number(block.offset()), len)?;
        // It is not longer than the bytes.
        let (metadata, body) = bytes.split_at(usize::try_from(head).unwrap_or(bytes.len()));
        let metadata = metadata.strip_prefix(MARK).unwrap_or(metadata);
        bounds.check(metadata.get(4..).unwrap_or_default(), body)?;
        Ok(bytes)
    }
}

/// The first null where the schema has none, in a message that a decoder has refused.
fn forbidden_null(message: &Buffer, schema: &Schema) -> Option<Refused> {
    let head = if message.starts_with(MARK) { 8 } else { 4 };
    let len = metadata_len(message.get(..head)?, u32::MAX)?;
    let end = head.checked_add(usize::try_from(len).ok()?)?;
    let version = root_as_message(message.get(head..end)?).ok()?.version();
    let body = message.len().checked_sub(end)?;
    let block = Block::new(0, i32::try_from(end).ok()?, i64::try_from(body).ok()?);
    let fields: Fields = schema.fields().iter().map(nullable).collect();
    let decoder = FileDecoder::new(Arc::new(Schema::new(fields)), version);
    let batch = decoder.read_record_batch(&block, message).ok()??;
    check_nulls(schema.fields(), batch.columns()).err()
}

/// The field with nulls allowed everywhere, and of dictionaries only the indices, which are all that a batch has of
/// them.
fn nullable(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(nullable(item)),
        DataType::LargeList(item) => DataType::LargeList(nullable(item)),
        DataType::ListView(item) => DataType::ListView(nullable(item)),
        DataType::LargeListView(item) => DataType::LargeListView(nullable(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(nullable(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(nullable).collect()),
        DataType::Dictionary(indices, _) => indices.as_ref().clone(),
        other => other.clone(),
    };
    let field = field.as_ref().clone().with_data_type(data_type);
    Arc::new(field.with_nullable(true))
}

/// The length of the metadata of a message, which stands behind the mark, or since before version 0.15
/// of Arrow alone; none where it is longer than the longest, or not whole.
fn metadata_len(opening: &[u8], longest: u32) -> Option<u64> {
    let len = opening.strip_prefix(MARK).unwrap_or(opening);
    let len = u32::from_le_bytes(len.try_into().ok()?);
    (len <= longest).then(|| u64::from(len))
}

/// Whether a stream begins with a schema of this machine's byte order.
fn check_opening(opening: &[u8]) -> Result<(), &'static str> {
    const FOREIGN: &str = "it does not begin as an Arrow IPC stream does";
    let message = opening.strip_prefix(MARK).unwrap_or(opening);
    // What is cut short is for the decoder to tell.
    let cut = opening.starts_with(MARK)
        && (message.len() < 4
            || metadata_len(&opening[..8], LONGEST_SCHEMA)
                .is_some_and(|len| message.len() as u64 - 4 < len));
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
    bounds: IpcBounds,
    decoder: StreamDecoder,
    /// The bytes read and not decoded yet.
    rest: Buffer,
    schema: SchemaRef,
    /// A batch that was decoded together with the schema.
    ahead: Option<RecordBatch>,
    /// The number of rows read so far.
    rows: u64,
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
        bounds: IpcBounds,
    ) -> Result<Self, InputError> {
        let mut reader = Self {
            path,
            compressed,
            stream,
            bounds,
            decoder: StreamDecoder::new(),
            rest: Buffer::from_vec(Vec::<u8>::new()),
            schema: SchemaRef::new(Schema::empty()),
            ahead: None,
            rows: 0,
        };
        let opening = reader.message(LONGEST_SCHEMA)?;
        if let Err(reason) = check_opening(&opening) {
            return Err(reader.arrow_error(ArrowError::IpcError(reason.to_owned())));
        }
        if let Some(found) = unknown_of_message(&opening) {
            return Err(Refusal::Integer(found).of(reader.path));
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

    /// Reads the next message, with what stands before it, as far as there is one, and checks it against
    /// the bounds.
    fn message(&mut self, longest: u32) -> Result<Vec<u8>, InputError> {
        let mut bytes = Vec::new();
        let mut read = |bytes: &mut Vec<u8>, n: u64| {
            let mut more = self.stream.by_ref().take(n);
            let read = more.read_to_end(bytes);
            read.map_err(|source| read_error(&self.path, self.compressed, source))
        };
        read(&mut bytes, 4)?;
        if bytes == MARK {
            read(&mut bytes, 4)?;
        }
        let Some(len) = metadata_len(&bytes, longest).filter(|len| *len > 0) else {
            return Ok(bytes);
        };
        let head = bytes.len();
        read(&mut bytes, len)?;
        let body = bytes.len();
        let message = root_as_message(&bytes[head..]);
        let length = message.map_or(0, |message| message.bodyLength());
        read(&mut bytes, u64::try_from(length).unwrap_or(0))?;
        let checked = self.bounds.check(&bytes[head..body], &bytes[body..]);
        checked.map_err(|too_large| Refusal::TooLarge(too_large).of(self.path.clone()))?;
        Ok(bytes)
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
        let message = self.rest.clone();
        match self.decoder.decode(&mut self.rest) {
            Ok(batch) => {
                self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                Ok(batch)
            }
            Err(source) => {
                let path = self.path.clone();
                Err(match forbidden_null(&message, &self.schema) {
                    Some(refused) => InputError::Refused {
                        path,
                        source: refused.behind(self.rows),
                    },
                    None => InputError::Arrow { path, source },
                })
            }
        }
    }

    /// Reads the next message; says whether there was any.
    fn fill(&mut self) -> Result<bool, InputError> {
        let bytes = self.message(u32::MAX)?;
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
