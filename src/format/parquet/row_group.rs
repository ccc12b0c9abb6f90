//! A template of the files of one schema and properties, and a row group of such a file being encoded,
//! its columns side by side if its owner has threads for that.
//!
//! Where a row group ends is for its owner to say.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Sink, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions,
    compute_leaves,
};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{SchemaDescriptor, TypePtr};

use super::column::{Choices, Chooser, ChunkEncoder, Column};
use super::embedded::tells_more;
use super::footer::encrypts;
use super::keys::Keys;
use super::ordered::OrderedColumns;
use super::page_spill::{ChunkPages, PageSpill, SpillingStores};
use super::page_store::{Chunks, PageFinish};
use super::writable;
use crate::categories::KnownCategories;
use crate::damage::Location;
use crate::error::Error;
use crate::format::{contained, proof};
use crate::options::Encodings;

/// How many sets of encodings are remembered with their properties.
const MOST_CHOSEN: usize = 64;

/// A writer of no file, for its properties.
type NoFile = SerializedFileWriter<Sink>;

/// A template of the files of one schema and properties.
pub(crate) struct FileTemplate {
    arrow_schema: SchemaRef,
    schema: TypePtr,
    properties: WriterPropertiesPtr,
    /// How many leaf columns each field has.
    leaves: Vec<usize>,
    ordered: OrderedColumns,
    /// Where something is done to pages: what, and a writer of no file with the properties that column
    /// writers have then.
    finish: Option<(Arc<PageFinish>, NoFile)>,
    /// Where encodings are chosen: by what, and writers of no file with the properties that have been chosen.
    chooser: Option<Chooser>,
    chosen: Mutex<HashMap<Choices, Arc<NoFile>>>,
    /// The fields whose chunks are encoded here, and choose their encodings by themselves.
    columns: Vec<Option<Arc<Column>>>,
    /// The decryption keys of encrypted files.
    keys: Option<Keys>,
    /// Why no such file is to be written.
    refused: Option<String>,
}

impl fmt::Debug for FileTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTemplate")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl FileTemplate {
    /// Pages carry `checksums` unless the properties encrypt, and the footer Arrow's schema if that is `embedded`, or tells
    /// more than Parquet's types where nothing is said of it. May panic over a type that parquet-rs does not know.
    pub(crate) fn new(
        arrow_schema: &SchemaRef,
        properties: WriterProperties,
        (checksums, embedded): (bool, Option<bool>),
        encodings: Encodings,
    ) -> Result<Self> {
        super::types::check(arrow_schema)?;
        let ordered = OrderedColumns::new(arrow_schema)?;
        let properties = named(with_metadata_of(arrow_schema, properties));
        // The writer adds the Arrow schema to the properties: done once, not once a file.
        let embedded = match embedded {
            Some(embedded) => embedded,
            None => tells_more(arrow_schema, &properties)?,
        };
        let schema = Arc::clone(arrow_schema);
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(!embedded);
        let (mut writer, _) = ArrowWriter::try_new_with_options(Vec::new(), schema, options)
            .and_then(ArrowWriter::into_serialized_writer)?;
        writer.finish()?;
        let description = writer.schema_descr();
        let encrypts = encrypts(writer.inner());
        let keys = Keys::of_writer(writer.properties())?;
        let refused = refusal(writer.properties(), description, (encrypts, keys.is_some()))
            .or_else(|| order_refusal(writer.properties(), &ordered, encrypts))
            .or_else(|| writable::refusal(writer.properties(), description));
        let compressors = Arc::default();
        let finish = match encrypts {
            true => None,
            false => PageFinish::take_over(
                writer.properties(),
                description,
                checksums,
                &ordered,
                &compressors,
            ),
        };
        let chooser = match encrypts {
            true => None,
            false => {
                let fixed = |leaf| ordered.leaf(leaf).is_some();
                let properties = writer.properties();
                let schemas = (arrow_schema.as_ref(), description);
                Chooser::new(properties, schemas, encodings, fixed, &compressors)
            }
        };
        let mut leaves = vec![0; arrow_schema.fields().len()];
        for leaf in 0..description.num_columns() {
            leaves[description.get_column_root_idx(leaf)] += 1;
        }
        let mut first_leaf = 0;
        let fields = arrow_schema.fields().iter().zip(&leaves);
        let columns = fields.map(|(field, count)| {
            let leaf = first_leaf;
            first_leaf += count;
            let is_whole = |(finish, _): &(PageFinish, _)| *count == 1 && finish.is_whole(leaf);
            finish.as_ref().filter(|finish| is_whole(finish))?;
            let (column, properties) = (description.column(leaf), writer.properties());
            Column::new(
                leaf,
                &column,
                field.data_type(),
                properties,
                chooser.as_ref()?,
            )
            .map(Arc::new)
        });
        let columns = columns.collect();
        let finish = finish.map(|(finish, properties)| {
            let root = description.root_schema_ptr();
            SerializedFileWriter::new(io::sink(), root, Arc::new(properties))
                .map(|writer| (Arc::new(finish), writer))
        });
        Ok(FileTemplate {
            arrow_schema: Arc::clone(arrow_schema),
            schema: description.root_schema_ptr(),
            properties: Arc::clone(writer.properties()),
            leaves,
            ordered,
            finish: finish.transpose()?,
            chooser,
            chosen: Mutex::default(),
            columns,
            keys,
            refused,
        })
    }

    /// Refuses properties that cannot be written, would be without effect, or would not encrypt what they are
    /// to encrypt, before there is a row.
    pub(crate) fn check(&self) -> std::result::Result<(), Error> {
        let reason = match self.refused.clone() {
            Some(reason) => reason,
            None => match contained(&Location::file(), || self.rehearse()) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(panicked) => panicked.to_string(),
            },
        };
        let option = "properties";
        Err(Error::InvalidOption { option, reason })
    }

    /// Begins and ends a row group without rows, which makes the encoders of all columns.
    fn rehearse(&self) -> Result<()> {
        let file = self.file(io::sink())?;
        let row_group = self.row_group(&file, 0, None, self.unchosen())?;
        for field in 0..self.fields() {
            row_group.end(field)?;
        }
        Ok(())
    }

    /// The decryption keys, if the files are encrypted.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    pub(crate) fn properties(&self) -> &WriterProperties {
        &self.properties
    }

    /// How many fields there are, none of which has to wait for another.
    pub(crate) fn fields(&self) -> usize {
        self.leaves.len()
    }

    /// Whether the encoder of a field takes codes of a dictionary in the place of values, and makes the same pages of them.
    pub(crate) fn takes_codes(&self, field: usize) -> bool {
        let column = self.columns.get(field);
        column.is_some_and(|column| column.as_ref().is_some_and(|column| column.takes_codes()))
    }

    /// Remembers what the files need of all rows, before any of them is encoded.
    ///
    /// # Errors
    /// The categories of an ordered dictionary contradict those before.
    pub(crate) fn observe(&self, batch: &RecordBatch) -> Result<()> {
        self.ordered.observe(batch)
    }

    /// The categories of ordered dictionaries, as far as rows were [observed](FileTemplate::observe).
    pub(crate) fn categories(&self) -> KnownCategories {
        self.ordered.known()
    }

    pub(super) fn arrow_schema(&self) -> &SchemaRef {
        &self.arrow_schema
    }

    /// Begins a file.
    pub(super) fn file<W: Write + Send>(&self, output: W) -> Result<SerializedFileWriter<W>> {
        let properties = Arc::clone(&self.properties);
        SerializedFileWriter::new(output, Arc::clone(&self.schema), properties)
    }

    /// Begins a file whose writer is parquet-rs's own.
    pub(super) fn arrow_writer<W: Write + Send>(&self, output: W) -> Result<ArrowWriter<W>> {
        let properties = WriterProperties::clone(&self.properties);
        // The Arrow schema is in the properties already, if it is to be there.
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        ArrowWriter::try_new_with_options(output, Arc::clone(&self.arrow_schema), options)
    }

    /// Whether the encodings of a row group are chosen by its first rows.
    pub(super) fn chooses(&self) -> bool {
        self.chooser.is_some()
    }

    /// The fields whose encodings are [chosen](FileTemplate::choose) before their encoders begin. The others' encoders
    /// choose for themselves.
    pub(super) fn chosen_before(&self) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        let before = columns.filter(|(_, column)| self.chooses() && column.is_none());
        before.map(|(field, _)| field).collect()
    }

    /// That no encoding is chosen yet.
    pub(super) fn unchosen(&self) -> Choices {
        vec![None; self.leaves.iter().sum()]
    }

    /// Chooses the encodings of a field's leaf columns by the first rows of a row group. Also says which ones these are.
    pub(super) fn choose(
        &self,
        field: usize,
        rows: &[(RecordBatch, Vec<Range<usize>>)],
    ) -> Result<(Range<usize>, Choices)> {
        let (first, count) = (self.leaves[..field].iter().sum(), self.leaves[field]);
        let leaves = first..first + count;
        let choices = match &self.chooser {
            Some(chooser) => {
                let arrays = rows.iter().map(|(batch, _)| batch.column(field));
                chooser.choose((first, count), arrays)?
            }
            None => vec![None; count],
        };
        Ok((leaves, choices))
    }

    /// A writer of no file with the properties that column writers have which encode as chosen.
    fn writer_as(&self, choices: Choices) -> Result<Arc<NoFile>> {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = chosen.get(&choices) {
            return Ok(Arc::clone(writer));
        }
        let properties = match &self.finish {
            Some((_, writer)) => writer.properties(),
            None => &self.properties,
        };
        let mut properties = WriterProperties::clone(properties).into_builder();
        let schema = SchemaDescriptor::new(Arc::clone(&self.schema));
        for (leaf, choice) in choices.iter().enumerate() {
            let Some(choice) = choice else {
                continue;
            };
            let path = schema.column(leaf).path().clone();
            properties = properties
                .set_column_dictionary_enabled(path.clone(), choice.dictionary)
                .set_column_encoding(path, choice.encoding);
        }
        let properties = Arc::new(properties.build());
        let root = Arc::clone(&self.schema);
        let writer = Arc::new(SerializedFileWriter::new(io::sink(), root, properties)?);
        if chosen.len() < MOST_CHOSEN {
            chosen.insert(choices, Arc::clone(&writer));
        }
        Ok(writer)
    }

    /// Begins a row group of a file, counted from 0. The others before it need not be written yet. Pages that memory
    /// has no room for go where `spill` says, if it is given. `choices` are the encodings that are [chosen](FileTemplate::choose),
    /// one a leaf column.
    pub(super) fn row_group<W: Write + Send>(
        &self,
        file: &SerializedFileWriter<W>,
        number: usize,
        spill: Option<&Arc<PageSpill>>,
        choices: Choices,
    ) -> Result<RowGroup> {
        let chunks = self.finish.as_ref();
        let chunks = chunks.map(|(finish, _)| Arc::new(Chunks::new(finish, spill)));
        let mut fields = self.own_encoders(chunks.as_ref())?;
        if fields.iter().any(Option::is_none) {
            let writers = self.parquet_encoders((file, number), spill, chunks.as_ref(), choices)?;
            let mut writers = writers.into_iter();
            for (field, count) in fields.iter_mut().zip(&self.leaves) {
                let of_field = writers.by_ref().take(*count).collect();
                field.get_or_insert(Encoders::Parquet(of_field));
            }
        }
        let mut first_leaf = 0;
        let fields = fields.into_iter().flatten().zip(&self.leaves);
        let fields = fields.map(|(encoders, count)| {
            let field = Field {
                first_leaf,
                encoders: Mutex::new(encoders),
            };
            first_leaf += count;
            field
        });
        Ok(RowGroup {
            fields: fields.collect(),
            chunks,
        })
    }

    /// The encoders of fields whose chunks are encoded here.
    fn own_encoders(&self, chunks: Option<&Arc<Chunks>>) -> Result<Vec<Option<Encoders>>> {
        let encoder = |column: &Option<Arc<Column>>| {
            let (Some(column), Some(chunks)) = (column, chunks) else {
                return Ok(None);
            };
            let encoder = ChunkEncoder::new(column, chunks)?;
            Ok(Some(Encoders::Own(Box::new(encoder))))
        };
        self.columns.iter().map(encoder).collect()
    }

    /// The encoders of parquet-rs for all leaf columns.
    fn parquet_encoders<W: Write + Send>(
        &self,
        (file, number): (&SerializedFileWriter<W>, usize),
        spill: Option<&Arc<PageSpill>>,
        chunks: Option<&Arc<Chunks>>,
        choices: Choices,
    ) -> Result<Vec<ArrowColumnWriter>> {
        let schema = Arc::clone(&self.arrow_schema);
        let chosen = match self.chooses() {
            true => Some(self.writer_as(choices)?),
            false => None,
        };
        let factory = match (&chosen, &self.finish) {
            (Some(writer), _) => ArrowRowGroupWriterFactory::new(writer, schema),
            (None, Some((_, writer))) => ArrowRowGroupWriterFactory::new(writer, schema),
            (None, None) => ArrowRowGroupWriterFactory::new(file, schema),
        };
        let factory = match (chunks, spill) {
            (Some(chunks), _) => {
                let stores = Arc::clone(chunks);
                factory.with_page_store_factory(stores)
            }
            (None, Some(spill)) => {
                let stores = SpillingStores(Arc::clone(spill));
                factory.with_page_store_factory(Arc::new(stores))
            }
            (None, None) => factory,
        };
        factory.create_column_writers(number)
    }
}

/// The properties with the schema's metadata as key-values of the footer, where readers that do not know
/// Arrow's schema look for it (GeoParquet's `geo`, for one). What the properties have under a key stays, but for Arrow's
/// schema, which is that of another file where they were taken from one.
fn with_metadata_of(schema: &SchemaRef, properties: WriterProperties) -> WriterProperties {
    let mut pairs = properties.key_value_metadata().cloned().unwrap_or_default();
    pairs.retain(|pair| pair.key != ARROW_SCHEMA_META_KEY);
    let given: BTreeMap<&String, &String> = schema.metadata().iter().collect();
    for (key, value) in given {
        if key != ARROW_SCHEMA_META_KEY && pairs.iter().all(|pair| pair.key != *key) {
            pairs.push(KeyValue::new(key.clone(), value.clone()));
        }
    }
    let pairs = (!pairs.is_empty()).then_some(pairs);
    properties
        .into_builder()
        .set_key_value_metadata(pairs)
        .build()
}

/// The properties with this crate as the writer, unless the caller named another. What is encrypted carries no hashes: it
/// is authenticated, and its footer cannot be changed afterwards.
fn named(properties: WriterProperties) -> WriterProperties {
    if properties.created_by() != WriterProperties::new().created_by() {
        return properties;
    }
    #[cfg(feature = "encryption")]
    let encrypts = properties.file_encryption_properties().is_some();
    #[cfg(not(feature = "encryption"))]
    let encrypts = false;
    let name = match encrypts {
        true => proof::unproven_created_by(),
        false => proof::created_by(),
    };
    properties.into_builder().set_created_by(name).build()
}

/// Why nothing is to be written with these properties: encrypted, which can be without this crate's
/// feature where somebody else switches parquet-rs's on, or with something left in the clear.
fn refusal(
    properties: &WriterProperties,
    schema: &SchemaDescriptor,
    (encrypts, has_keys): (bool, bool),
) -> Option<String> {
    if encrypts && !has_keys {
        return Some(
            "they encrypt, which takes the feature \"encryption\" of this crate".to_owned(),
        );
    }
    let column = Keys::column_in_the_clear(properties, schema)?;
    Some(format!(
        "the bloom filter of the encrypted column {column:?} would not be encrypted"
    ))
}

/// Why ordered dictionaries cannot be written with these properties: where pages are not finished here.
fn order_refusal(
    properties: &WriterProperties,
    ordered: &OrderedColumns,
    encrypts: bool,
) -> Option<String> {
    let column = ordered.first()?;
    let what = match encrypts {
        true => "encrypted",
        false => properties
            .content_defined_chunking()
            .map(|_| "chunked by content")?,
    };
    Some(format!(
        "column {column:?} is an ordered dictionary, whose categories do not keep their order in files that are {what}; \
         cast the column to its values"
    ))
}

/// A row group whose rows are in the encoders.
pub(super) struct RowGroup {
    fields: Vec<Field>,
    /// The pages, where something is done to them.
    chunks: Option<Arc<Chunks>>,
}

/// The encoders of a field's leaves.
struct Field {
    first_leaf: usize,
    encoders: Mutex<Encoders>,
}

enum Encoders {
    /// Those of parquet-rs, one a leaf.
    Parquet(Vec<ArrowColumnWriter>),
    /// That of the only leaf.
    Own(Box<ChunkEncoder>),
    Ended,
}

/// A column chunk that is ready to go into the file.
pub(super) enum Ended {
    Pages(ChunkPages, Box<ColumnCloseResult>),
    Encoder(Box<ArrowColumnChunk>),
}

impl Field {
    fn encoders(&self) -> MutexGuard<'_, Encoders> {
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RowGroup {
    /// Encodes one field of some rows. Pieces follow one another; parquet-rs gets those of a piece at once.
    pub(super) fn encode(
        &self,
        field: usize,
        batch: &RecordBatch,
        pieces: &[Range<usize>],
    ) -> Result<()> {
        let mut encoders = self.fields[field].encoders();
        let (array, field) = (batch.column(field), batch.schema_ref().field(field));
        match &mut *encoders {
            Encoders::Own(encoder) => match (pieces.first(), pieces.last()) {
                (Some(first), Some(last)) => {
                    encoder.write(&array.slice(first.start, last.end - first.start))
                }
                _ => Ok(()),
            },
            Encoders::Parquet(writers) => {
                for rows in pieces {
                    let values = compute_leaves(field, &array.slice(rows.start, rows.len()))?;
                    for (writer, leaf) in writers.iter_mut().zip(&values) {
                        writer.write(leaf)?;
                    }
                }
                Ok(())
            }
            Encoders::Ended => Err(ParquetError::General("the row group has ended".to_owned())),
        }
    }

    /// Chooses how a field is encoded whose encoder waits for that, by the rows so far.
    pub(super) fn choose(&self, field: usize) -> Result<()> {
        match &mut *self.fields[field].encoders() {
            Encoders::Own(encoder) => encoder.choose(),
            Encoders::Parquet(_) | Encoders::Ended => Ok(()),
        }
    }

    /// The estimated size of the rows so far in the file, in bytes.
    pub(super) fn estimate(&self) -> usize {
        let field = |field: &Field| match &*field.encoders() {
            Encoders::Own(encoder) => encoder.estimate(),
            Encoders::Parquet(writers) => {
                let sizes = writers.iter().enumerate().map(|(number, leaf)| {
                    let bytes = leaf.get_estimated_total_bytes();
                    self.chunks.as_ref().map_or(bytes, |chunks| {
                        chunks.estimate(field.first_leaf + number, bytes)
                    })
                });
                sizes.sum()
            }
            Encoders::Ended => 0,
        };
        self.fields.iter().map(field).sum()
    }

    /// The memory of the encoders, in bytes.
    pub(super) fn memory_size(&self) -> usize {
        let sizes = self.fields.iter().map(|field| match &*field.encoders() {
            Encoders::Own(encoder) => encoder.memory_size(),
            Encoders::Parquet(writers) => writers.iter().map(|leaf| leaf.memory_size()).sum(),
            Encoders::Ended => 0,
        });
        sizes.sum()
    }

    /// Ends a field's column chunks.
    pub(super) fn end(&self, field: usize) -> Result<Vec<Ended>> {
        let field = &self.fields[field];
        let encoders = std::mem::replace(&mut *field.encoders(), Encoders::Ended);
        let pages = |leaf: usize, close: ColumnCloseResult| {
            let chunks = self.chunks.as_ref();
            let taken = chunks.map(|chunks| chunks.take(field.first_leaf + leaf, close));
            let taken = taken.transpose()?;
            let pages = taken.map(|(pages, close)| Ended::Pages(pages, Box::new(close)));
            Ok::<_, ParquetError>(pages)
        };
        match encoders {
            Encoders::Own(encoder) => Ok(pages(0, encoder.close()?)?.into_iter().collect()),
            Encoders::Parquet(writers) => {
                let end = |(number, leaf): (usize, ArrowColumnWriter)| {
                    let chunk = leaf.close()?;
                    let ended = pages(number, chunk.close().clone())?;
                    Ok(ended.unwrap_or_else(|| Ended::Encoder(Box::new(chunk))))
                };
                writers.into_iter().enumerate().map(end).collect()
            }
            Encoders::Ended => Ok(Vec::new()),
        }
    }
}

impl Ended {
    /// Whether the chunk has one page at most, so that a page index tells nothing that the footer does not.
    pub(super) fn is_one_page(&self) -> bool {
        match self {
            Ended::Pages(_, close) => match (&close.offset_index, &close.column_index) {
                (Some(index), _) => index.page_locations().len() <= 1,
                (None, index) => index.is_none(),
            },
            Ended::Encoder(_) => false,
        }
    }

    /// Leaves the page index of the chunk out.
    pub(super) fn without_page_index(mut self) -> Self {
        if let Ended::Pages(_, close) = &mut self {
            close.offset_index = None;
            close.column_index = None;
        }
        self
    }

    pub(super) fn append_to<W: Write + Send>(
        self,
        writer: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        match self {
            Ended::Pages(pages, close) => writer.append_column(&pages, *close),
            Ended::Encoder(chunk) => chunk.append_to_row_group(writer),
        }
    }
}
