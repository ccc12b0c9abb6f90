//! What a caller can ask of a writer: how durable, how checked, whether to replace, where to stage.
//!
//! A file of any bytes has [`FileOptions`], a file of rows by itself [`WriterOptions`], which adds how they are encoded; data
//! sets take the same types from here ([`DatasetWriterBuilder`](crate::DatasetWriterBuilder)).

mod arrow_schema;
pub(crate) mod callback;
pub(crate) mod encodings;
mod field_ids;
pub(crate) mod format;
#[cfg(feature = "encryption")]
mod parquet_keys;
mod parquet_properties;
mod parquet_values;
pub mod parse;
pub(crate) mod scan;
mod schema_policy;
mod sync_policy;
pub(crate) mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use serde::{Deserialize, Serialize};

pub use crate::disk::PublishMode;
use crate::disk::{Disk, OsDisk};
use crate::error::{Error, Result, Step};
pub use encodings::Encodings;
pub(crate) use field_ids::FieldIds;
use format::Format;
#[cfg(feature = "encryption")]
pub use parquet_keys::ParquetKeys;
pub use parquet_properties::ParquetProperties;
use parse::{InvalidValue, names, serialized_by_name};
pub use scan::ScanProgress;
pub use schema_policy::SchemaPolicy;
pub use sync_policy::SyncPolicy;
use text::{NonFinite, TextOptions};

use crate::store::ObjectStoreOptions;

/// Whether a commit waits for the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The file, its directory entry and every directory made on the way are synced before a commit
    /// returns: promise P2. The default.
    #[default]
    Synced,
    /// Nothing that is published is synced, whether one file or the files and directories of a
    /// data-set commit: atomic after a crash of the process, but not durable. For measuring, and for
    /// data that can be made again.
    ///
    /// After a crash of the kernel or the power, files may be missing, empty or torn under their final
    /// names, only some of a commit may be there, and what it replaced may be gone all the same, also
    /// if that had been durable. Recovery does not tell such files from whole ones. What others have
    /// synced and such a commit did not replace stays as durable as it was. For their sake alone a
    /// data-set commit still syncs its record, and the removal of that, whatever the number of files.
    Unsynced,
}

/// How closely a staged file is checked before it becomes visible (promise P3).
///
/// Each level includes the ones before it. A check proves that the file is well-formed and is what
/// was written as the system gives it back; only [`Checksum`](Verify::Checksum) and
/// [`Decode`](Verify::Decode) try to read it from the medium, and no check proves that the medium
/// will keep it. Damage that comes later is found by the hashes that Parquet and Arrow IPC carry in
/// their footers, and in Parquet placed by the [checksums of its pages](WriterOptions::page_checksums).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Verify {
    /// No check at all. For measuring what the checks cost.
    Skip,
    /// The staging file is re-opened by name; its length, and for Parquet both magic numbers and
    /// the whole footer, are compared with what was written: schema, row counts, row groups,
    /// every offset within the file, and every byte after the last row group. The cost does not grow
    /// with the rows. The default.
    #[default]
    Footer,
    /// All bytes are hashed (XXH3, 128 bits) while they are written, and again when the whole file
    /// is read back after its cached pages were dropped.
    Checksum,
    /// All pages are decoded as well: rows are counted in every row group, and a digest of every
    /// column is compared with the batches that came in.
    Decode,
}

/// Where the staging area stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StagingPlace {
    /// Beside the data set's root as `.NAME.atomic`, where no reader of the data set sees it; inside
    /// the root as `.atomic` where that is impossible (the root is a mount point, or this user cannot
    /// write in its parent, or in the area that is there), or where a directory of that name beside it belongs to somebody who may not
    /// write in the data set. The default.
    ///
    /// In a directory where everybody may make files, but not remove those of others, as `/tmp`, nobody
    /// stages in the area of another user, who could exchange what is in it: each has one of his own there,
    /// whose name ends with `-` and the number of the user.
    #[default]
    Auto,
    /// Beside the root, also for a lone file: then beside the directory that holds it, as
    /// [`Auto`](StagingPlace::Auto) does for a data set. For files that are published into a data set
    /// without partitions by [`AtomicFile`](crate::AtomicFile).
    Beside,
    /// Inside the root as `.atomic`, always. Readers that scan hidden directories list it, but no
    /// name in it ever ends like a data file's; a Polars scan of the directory fails while something is
    /// staged there. Overwrites exchange no directories.
    Inside,
    /// In this directory, which must be on the same file system as the root, and where nobody else may
    /// write who may not write in the data set: what is recorded in it is carried out. Others find
    /// in the data set what was left there unfinished, and see to it if they reach it by the same path.
    Directory(PathBuf),
}

serialized_by_name!(
    Durability,
    Encodings,
    Format,
    NonFinite,
    PublishMode,
    SchemaPolicy,
    Verify
);

names!(PublishMode {
    CreateNew => "create_new",
    Replace => "replace",
});

names!(Durability {
    Synced => "synced",
    Unsynced => "unsynced",
});

names!(Verify {
    Skip => "skip",
    Footer => "footer",
    Checksum => "checksum",
    Decode => "decode",
});

/// A callback that is asked whether to give up, until it is too late for that.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Option<Arc<dyn Fn(Step) -> bool + Send + Sync>>);

impl Interrupt {
    pub(crate) fn when(ask: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        Interrupt(Some(Arc::new(ask)))
    }

    /// Whether the step had better not be begun.
    pub(crate) fn is_asked_for(&self, step: Step) -> bool {
        self.0.as_ref().is_some_and(|ask| ask(step))
    }

    /// An error if the step had better not be begun.
    pub(crate) fn check(&self, step: Step, path: &Path) -> Result<()> {
        match self.is_asked_for(step) {
            true => Err(Error::Interrupted {
                step,
                path: path.to_owned(),
            }),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0.is_some()).finish()
    }
}

/// `auto`, `beside`, `inside`, or the path of the directory.
impl fmt::Display for StagingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StagingPlace::Auto => f.pad("auto"),
            StagingPlace::Beside => f.pad("beside"),
            StagingPlace::Inside => f.pad("inside"),
            StagingPlace::Directory(path) => path.display().fmt(f),
        }
    }
}

/// Takes `auto`, `beside` or `inside`; any other text is the path of a directory.
impl FromStr for StagingPlace {
    type Err = InvalidValue;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "" => Err(InvalidValue::new("names no place")),
            "auto" => Ok(StagingPlace::Auto),
            "beside" => Ok(StagingPlace::Beside),
            "inside" => Ok(StagingPlace::Inside),
            directory => Ok(StagingPlace::Directory(directory.into())),
        }
    }
}

/// Options of one file of any bytes, [`AtomicFile`](crate::AtomicFile).
#[derive(Debug, Clone)]
pub struct FileOptions {
    pub(crate) durability: Durability,
    pub(crate) verify: Verify,
    /// By default that of the writer.
    pub(crate) mode: Option<PublishMode>,
    pub(crate) staging: StagingPlace,
    pub(crate) format: Option<Format>,
    pub(crate) interrupt: Interrupt,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) object_store: ObjectStoreOptions,
}

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions {
            durability: Durability::default(),
            verify: Verify::default(),
            mode: None,
            staging: StagingPlace::default(),
            format: None,
            interrupt: Interrupt::default(),
            disk: Arc::new(OsDisk),
            object_store: ObjectStoreOptions::default(),
        }
    }
}

impl FileOptions {
    /// The defaults: synced, verified, never replacing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a commit waits for the medium; by default it does ([`Durability::Synced`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How closely the staged file is checked; by default [`Verify::Footer`], which for plain bytes compares the length, and
    /// for Parquet, if that [format](FileOptions::format) is asked for, checks the structure that the footer tells. Parquet's
    /// pages are read and decompressed from [`Verify::Checksum`] on, and its values decoded with [`Verify::Decode`].
    #[must_use]
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// What may stand at the final path; by default nothing ([`PublishMode::CreateNew`]). Long files are put into object
    /// stores with less memory where they may replace what is there: see [`AtomicFile`](crate::AtomicFile).
    #[must_use]
    pub fn mode(mut self, mode: PublishMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Where the file is staged; by default [`StagingPlace::Auto`].
    #[must_use]
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.staging = place;
        self
    }

    /// The format that the bytes must have: a staged file that is not of it is never published. By default none, so any
    /// bytes will do. Parquet is checked as closely as [`verify`](FileOptions::verify) says; every other format is read as a
    /// whole, since it has no structure that tells less. [`Verify::Skip`] is refused beside it.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Asked, while another writer's lock on the data set is waited for, whether to give up, with the step that
    /// waits; by default nothing is asked, and it waits as long as it takes. Once it says so, the wait ends with
    /// [`Error::Interrupted`](crate::Error::Interrupted), and nothing is published.
    #[must_use]
    pub fn interrupt_when(mut self, ask: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        self.interrupt = Interrupt::when(ask);
        self
    }

    /// How the object store is reached whose URL the path is, as in `s3://lake/raw/data.json`; by default as the environment
    /// says. For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    #[must_use]
    pub fn object_store(mut self, options: ObjectStoreOptions) -> Self {
        self.object_store = options;
        self
    }

    /// The disk that is written to, for tests; by default the operating system's ([`OsDisk`]).
    #[cfg(feature = "sim")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }
}

/// Options of one file of rows, [`AtomicArrowWriter`](crate::AtomicArrowWriter).
#[derive(Clone)]
pub struct WriterOptions {
    pub(crate) file: FileOptions,
    pub(crate) properties: Option<WriterProperties>,
    pub(crate) compression: Option<Compression>,
    pub(crate) text: TextOptions,
    pub(crate) page_checksums: bool,
    pub(crate) encodings: Encodings,
    pub(crate) file_name: Option<String>,
    pub(crate) keep_partition_columns: bool,
    pub(crate) case_sensitive_names: bool,
    pub(crate) schema_check: bool,
    pub(crate) schema_policy: SchemaPolicy,
    pub(crate) parquet: ParquetProperties,
}

/// Without the properties, which show the keys that they encrypt with.
impl fmt::Debug for WriterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterOptions")
            .field("file", &self.file)
            .field("compression", &self.compression)
            .field("text", &self.text)
            .field("page_checksums", &self.page_checksums)
            .field("encodings", &self.encodings)
            .field("file_name", &self.file_name)
            .field("keep_partition_columns", &self.keep_partition_columns)
            .field("case_sensitive_names", &self.case_sensitive_names)
            .field("schema_check", &self.schema_check)
            .field("schema_policy", &self.schema_policy)
            .finish_non_exhaustive()
    }
}

impl Default for WriterOptions {
    fn default() -> Self {
        WriterOptions {
            file: FileOptions::default(),
            properties: None,
            compression: None,
            text: TextOptions::default(),
            page_checksums: true,
            encodings: Encodings::default(),
            file_name: None,
            keep_partition_columns: false,
            case_sensitive_names: false,
            schema_check: true,
            schema_policy: SchemaPolicy::default(),
            parquet: ParquetProperties::default(),
        }
    }
}

impl WriterOptions {
    /// The defaults: synced, verified, never replacing, zstd.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a commit waits for the medium; by default it does ([`Durability::Synced`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.file = self.file.durability(durability);
        self
    }

    /// How closely the staged file is checked; by default [`Verify::Footer`].
    #[must_use]
    pub fn verify(mut self, verify: Verify) -> Self {
        self.file = self.file.verify(verify);
        self
    }

    /// What may stand at the final path. By default nothing in a partition of a data set ([`PublishMode::CreateNew`]),
    /// where files are added; a file that is named [by its path](crate::AtomicArrowWriter::at) is replaced.
    #[must_use]
    pub fn mode(mut self, mode: PublishMode) -> Self {
        self.file = self.file.mode(mode);
        self
    }

    /// Where the file is staged; by default [`StagingPlace::Auto`].
    #[must_use]
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.file = self.file.staging(place);
        self
    }

    /// Asked, while another writer's lock on the data set is waited for, whether to give up, as by
    /// [`FileOptions::interrupt_when`].
    #[must_use]
    pub fn interrupt_when(mut self, ask: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        self.file = self.file.interrupt_when(ask);
        self
    }

    /// How the object store is reached whose URL the root or the path is, as in `s3://lake/weather`; by default as the
    /// environment says. For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    #[must_use]
    pub fn object_store(mut self, options: ObjectStoreOptions) -> Self {
        self.file = self.file.object_store(options);
        self
    }

    /// The disk that is written to, for tests; by default the operating system's ([`OsDisk`]).
    #[cfg(feature = "sim")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.file = self.file.disk(disk);
        self
    }

    /// How Parquet is written: row groups, pages, encodings, bloom filters, key-value metadata. By
    /// default parquet-rs's own defaults, compressed with zstd at its default level. Unless they name another
    /// (`set_created_by`), the writer is `atomic-arrow`, and with its name stand the hashes of the file
    /// that [`verify`](crate::verify) compares.
    ///
    /// With the feature `encryption` they may encrypt (`with_file_encryption_properties`). The file is
    /// then verified with those keys, as closely as any other, before it is published: what is encrypted
    /// is authenticated as it is opened. Its pages carry no checksums. A bloom filter of an encrypted
    /// column is refused, since parquet-rs would not encrypt it; the partition's values are in the path,
    /// as ever.
    ///
    /// They take the place of the defaults, also of the default codec: begin with
    /// [`default_properties`](WriterOptions::default_properties) to keep that, or set
    /// [`compression`](WriterOptions::compression) beside them. Other formats refuse them.
    #[must_use]
    pub fn properties(mut self, properties: WriterProperties) -> Self {
        self.properties = Some(properties);
        self
    }

    /// Options of Parquet by their names, which go before [`properties`](Self::properties); by default none.
    #[must_use]
    pub fn parquet(mut self, properties: ParquetProperties) -> Self {
        self.parquet = properties;
        self
    }

    /// The properties that Parquet is written with by default, to be changed: those of parquet-rs with the codec of
    /// this crate, zstd.
    ///
    /// ```
    /// use atomic_arrow::WriterOptions;
    ///
    /// let properties = WriterOptions::default_properties()
    ///     .set_max_row_group_row_count(Some(100_000))
    ///     .build();
    /// let options = WriterOptions::new().properties(properties);
    /// ```
    pub fn default_properties() -> WriterPropertiesBuilder {
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()))
    }

    /// How the file is compressed, in any format, whatever the [`properties`](WriterOptions::properties) say of columns
    /// that they do not name. By default with zstd in Parquet and Arrow IPC; text as its suffix says (`.csv.gz`), and
    /// else not at all.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The format of the file; by default that of the suffix of its name, and Parquet where the name is made. A name
    /// with the suffix of another format is refused.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.file.format = Some(format);
        self
    }

    /// How NDJSON and CSV are written; see [`TextOptions`] for the defaults. Other formats refuse what is not the
    /// default.
    #[must_use]
    pub fn text(mut self, options: TextOptions) -> Self {
        self.text = options;
        self
    }

    /// The properties that a file of a format is written with.
    pub(crate) fn properties_of(&self, format: Format) -> WriterProperties {
        let properties = self.properties.clone();
        let properties = properties.unwrap_or_else(|| Self::default_properties().build());
        match self.compression.filter(|_| !format.is_text()) {
            Some(codec) => properties.into_builder().set_compression(codec).build(),
            None => properties,
        }
    }

    /// The options of a text that is at this path.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if what is asked for is not what the suffix says.
    pub(crate) fn text_at(&self, format: Format, path: &Path) -> Result<TextOptions> {
        let mut text = self.text.clone();
        if !format.is_text() {
            return Ok(text);
        }
        if let Some(compression) = self.compression {
            text = text.compression(compression);
        }
        let plain = Compression::UNCOMPRESSED;
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        let named = match suffix.map(str::to_ascii_lowercase).as_deref() {
            Some("gz") => Compression::GZIP(GzipLevel::default()),
            Some("zst") => Compression::ZSTD(ZstdLevel::default()),
            _ => Compression::UNCOMPRESSED,
        };
        if self.compression.is_none() && text.compression == plain {
            text = text.compression(named);
        }
        let of_named = TextOptions::new().compression(named);
        match text.suffix() == of_named.suffix() {
            true => Ok(text),
            false => Err(Error::InvalidOption {
                option: "compression",
                reason: format!(
                    "{} is not what the suffix of {} says",
                    text.compression,
                    path.display()
                ),
            }),
        }
    }

    /// Whether each page carries a CRC-32 of its bytes as they are in the file, by which readers that
    /// look at it, and [`verify_file`](crate::verify::verify_file) from [`Verify::Checksum`] on, tell
    /// damage at rest; by default it does. Encrypted files, whose cipher authenticates every page it
    /// encrypts, and those with content-defined chunking never have any.
    #[must_use]
    pub fn page_checksums(mut self, checksums: bool) -> Self {
        self.page_checksums = checksums;
        self
    }

    /// Which encodings are chosen among for columns whose encoding the [properties](WriterOptions::properties) do not
    /// name; by default those that all readers of today read ([`Encodings::Auto`]). Encrypted files, and those with
    /// content-defined chunking, are encoded as the properties say, by default with dictionaries.
    #[must_use]
    pub fn encodings(mut self, encodings: Encodings) -> Self {
        self.encodings = encodings;
        self
    }

    /// The file's name within its partition; by default `part-<uuid v7>-00000.parquet`, which no
    /// other writer can have.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Whether partition columns stay in the file as well as in its path; by default they do not. Not every
    /// reader of the whole data set can read it then; see
    /// [`DatasetWriterBuilder::keep_partition_columns`](crate::DatasetWriterBuilder::keep_partition_columns).
    #[must_use]
    pub fn keep_partition_columns(mut self, keep: bool) -> Self {
        self.keep_partition_columns = keep;
        self
    }

    /// Whether columns, members of structs and keys may have names that differ by case alone, which DuckDB and
    /// Spark take for one, also from those of a file that is there; by default they are refused.
    #[must_use]
    pub fn case_sensitive_names(mut self, allowed: bool) -> Self {
        self.case_sensitive_names = allowed;
        self
    }

    /// Whether keys and columns are compared with those of one file that is in the data set already, as by
    /// [`DatasetWriterBuilder::schema_check`](crate::DatasetWriterBuilder::schema_check); by default they are. A
    /// file that is to be replaced does not count.
    #[must_use]
    pub fn schema_check(mut self, check: bool) -> Self {
        self.schema_check = check;
        self
    }

    /// Whether batches may hold the schema's logical types in other physical forms; by default they may
    /// ([`SchemaPolicy::Unify`]).
    #[must_use]
    pub fn schema_policy(mut self, policy: SchemaPolicy) -> Self {
        self.schema_policy = policy;
        self
    }
}
