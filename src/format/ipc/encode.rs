//! Writing Arrow IPC files, and checking what was written.
//!
//! Every batch given is one batch of the file, compressed as the options say, the same bytes for the
//! same values and dictionaries. Types are those that were given. A file has one dictionary for a column,
//! which has the values of the whole write.

use std::hash::Hasher as _;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::ColumnPath;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use twox_hash::XxHash3_64;

use super::canonical::Canonical;
use super::{frames, undecodable};
use crate::damage::{Damage, Location};
use crate::error::{Error, Result, Step};
use crate::format::dictionaries::Dictionaries;
use crate::format::digest::{CannotDigest, ColumnDigests};
use crate::format::output::Output;
use crate::format::plain::{plain_column, plain_schema};
use crate::format::source::Source;
use crate::format::written::{Content, Written};
use crate::format::{Contents, Fault, contained, proof};
use crate::options::Verify;
use crate::staging::Draft;

/// The most bytes of the buffer that stay allocated between two batches.
const KEPT: usize = 1 << 20;

/// An Arrow IPC file being written.
pub(in crate::format) struct Encoder {
    output: Output,
    /// The IPC writer, into memory; every batch goes on to the draft at once.
    writer: FileWriter<Vec<u8>>,
    canonical: Canonical,
    dictionaries: Arc<Dictionaries>,
    schema: SchemaRef,
    batches: usize,
    digests: Option<ColumnDigests>,
    /// The hash of all bytes so far.
    hash: XxHash3_64,
}

impl Encoder {
    pub(in crate::format) fn new(
        output: Output,
        dictionaries: Arc<Dictionaries>,
        properties: &WriterProperties,
        digesting: bool,
    ) -> Result<Self> {
        let compression = compression(properties)?;
        let schema = dictionaries.schema();
        let start = || {
            let canonical = Canonical::new(plain_schema(&schema)?);
            let options = IpcWriteOptions::default().try_with_compression(compression)?;
            let mut writer = FileWriter::try_new_with_options(Vec::new(), &schema, options)?;
            writer.write_metadata(frames::CREATED_BY, proof::created_by());
            Ok((canonical, writer))
        };
        let (canonical, writer) =
            start().map_err(|source: ArrowError| output.refused(Step::WriteRows, source))?;
        let cannot_digest = |cannot: CannotDigest| Error::InvalidOption {
            option: "verify",
            reason: cannot.to_string(),
        };
        let digests = match digesting {
            true => Some(ColumnDigests::new(&schema).map_err(cannot_digest)?),
            false => None,
        };
        Ok(Encoder {
            output,
            writer,
            canonical,
            dictionaries,
            schema,
            batches: 0,
            digests,
            hash: XxHash3_64::new(),
        })
    }

    pub(in crate::format) fn bytes_written(&self) -> u64 {
        self.output.len()
    }

    /// Adds to the metadata of the footer.
    pub(in crate::format) fn append_metadata(&mut self, key: &str, value: &str) {
        self.writer.write_metadata(key, value);
    }

    pub(in crate::format) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.encode(batch)
            .map_err(|source| self.output.refused(Step::WriteRows, source))?;
        self.batches += 1;
        self.put(Step::WriteRows)
    }

    fn encode(&mut self, batch: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let plain = self.canonical.schema().fields().iter();
        let columns = batch.columns().iter().zip(plain).enumerate();
        let columns = columns.map(|(number, (column, plain))| {
            // The indices are new anyway.
            if self.dictionaries.is_dictionary(number) {
                return self.dictionaries.restore(number, column);
            }
            let column = plain_column(column, plain.data_type())?;
            let column = self.canonical.column(number, &column)?;
            self.dictionaries.restore(number, &column)
        });
        let columns = columns.collect::<std::result::Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        self.writer.write(&batch)?;
        match &mut self.digests {
            Some(digests) => digests.update(&batch),
            None => Ok(()),
        }
    }

    pub(in crate::format) fn finish(mut self) -> Result<(Draft, Content, Option<Vec<u128>>)> {
        self.writer
            .finish()
            .map_err(|source| self.output.refused(Step::WriteFooter, source))?;
        let bytes = self.writer.get_mut();
        if let Some((footer, name)) = frames::end_of(bytes) {
            let (body, end) = bytes.split_at_mut(footer);
            self.hash.write(body);
            proof::complete(self.hash.finish(), end, name);
        }
        self.put(Step::WriteFooter)?;
        let content = Content::Ipc {
            schema: self.schema,
            batches: self.batches,
        };
        let digests = self.digests.map(|digests| digests.finish());
        Ok((self.output.finish()?, content, digests))
    }

    fn put(&mut self, step: Step) -> Result<()> {
        let buffer = self.writer.get_mut();
        self.hash.write(buffer);
        self.output.put(step, buffer)?;
        buffer.clear();
        buffer.shrink_to(KEPT);
        Ok(())
    }
}

fn compression(properties: &WriterProperties) -> Result<Option<CompressionType>> {
    match properties.compression(&ColumnPath::new(Vec::new())) {
        Compression::UNCOMPRESSED => Ok(None),
        Compression::ZSTD(_) => Ok(Some(CompressionType::ZSTD)),
        Compression::LZ4 | Compression::LZ4_RAW => Ok(Some(CompressionType::LZ4_FRAME)),
        other => Err(Error::InvalidOption {
            option: "compression",
            reason: format!("Arrow IPC has zstd, LZ4 and none, but not {other}"),
        }),
    }
}

/// Checks a file against what was written; its length is right.
pub(in crate::format) fn verify_written(
    source: &Source,
    written: &Written<'_>,
    (schema, batches): (&SchemaRef, usize),
    level: Verify,
) -> std::result::Result<Contents, Fault> {
    let location = Location::file();
    let found = frames::check_file(source, None)?;
    if found.schema != **schema {
        return Err(Damage::Differs {
            location,
            field: "the schema",
            expected: format!("{schema:?}").into(),
            found: format!("{:?}", found.schema).into(),
        }
        .into());
    }
    count(
        "the number of batches",
        batches as u64,
        found.batches as u64,
    )?;
    count("the number of rows", written.rows, found.rows)?;
    if level >= Verify::Decode {
        decode(source, written)?;
        proof::check_body(source, found.body)?;
    }
    Ok(Contents {
        rows: Some(found.rows),
        row_groups: Some(batches),
        ..Contents::default()
    })
}

fn count(what: &'static str, expected: u64, found: u64) -> std::result::Result<(), Damage> {
    if expected == found {
        return Ok(());
    }
    Err(Damage::Count {
        location: Location::file(),
        what,
        expected,
        found,
    })
}

fn decode(source: &Source, written: &Written<'_>) -> std::result::Result<(), Fault> {
    let location = Location::file();
    let reader = contained(&location, || FileReader::try_new(source.reader(0), None))?;
    let mut reader = reader.map_err(|error| undecodable(location.clone(), error))?;
    let schema = reader.schema();
    let mut digests = ColumnDigests::new(&schema).map_err(|error| Damage::NotCheckable {
        location,
        reason: error.to_string(),
    })?;
    let (mut rows, mut batches) = (0, 0);
    loop {
        let location = Location::row_group(batches);
        let Some(batch) = contained(&location, || reader.next())? else {
            break;
        };
        let damage = |error| undecodable(location.clone(), error);
        let batch = batch.map_err(damage)?;
        contained(&location, || digests.update(&batch))?.map_err(damage)?;
        rows += batch.num_rows() as u64;
        batches += 1;
    }
    count("the number of rows decoded", written.rows, rows)?;
    let found = digests.finish();
    let expected = written.digests.into_iter().flatten();
    for ((field, expected), found) in schema.fields().iter().zip(expected).zip(&found) {
        if expected != found {
            let column = field.name().clone();
            return Err(Damage::Values { column }.into());
        }
    }
    Ok(())
}
