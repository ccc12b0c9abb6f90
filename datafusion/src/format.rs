//! [`AtomicParquetFormatFactory`]: the format ATOMIC_PARQUET of COPY.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use atomic_arrow::PartitionBy;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{GetExt, Statistics};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::parquet::{ParquetFormat, ParquetFormatFactory};
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::physical_plan::{
    FileOutputMode, FileScanConfig, FileSinkConfig, FileSource,
};
use datafusion::datasource::sink::DataSinkExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::object_store::{ObjectMeta, ObjectStore};
use datafusion::physical_expr::LexRequirement;
use datafusion::physical_plan::ExecutionPlan;

use crate::error::{Result, invalid};
use crate::location::root;
use crate::options::WriteOptions;
use crate::receipts::OnReceipt;
use crate::sink::AtomicSink;

/// The name of the format in SQL.
pub(crate) const NAME: &str = "ATOMIC_PARQUET";

/// Makes the format of `COPY … TO 'root' STORED AS ATOMIC_PARQUET`, which writes a data set as one commit.
///
/// What it reads is Parquet.
#[derive(Debug, Clone, Default)]
pub struct AtomicParquetFormatFactory {
    on_receipt: OnReceipt,
}

impl AtomicParquetFormatFactory {
    /// A factory whose statements hand their receipts to this.
    #[must_use]
    pub fn new(on_receipt: OnReceipt) -> Self {
        AtomicParquetFormatFactory { on_receipt }
    }
}

impl FileFormatFactory for AtomicParquetFormatFactory {
    fn create(
        &self,
        state: &dyn Session,
        format_options: &HashMap<String, String>,
    ) -> Result<Arc<dyn FileFormat>> {
        let parquet = ParquetFormatFactory::new().create(state, &HashMap::new())?;
        Ok(Arc::new(AtomicParquetFormat {
            options: WriteOptions::parse(format_options)?,
            on_receipt: self.on_receipt.clone(),
            parquet,
        }))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        Arc::new(AtomicParquetFormat {
            options: WriteOptions::default(),
            on_receipt: self.on_receipt.clone(),
            parquet: Arc::new(ParquetFormat::default()),
        })
    }
}

/// What stands after STORED AS, in lower case.
impl GetExt for AtomicParquetFormatFactory {
    fn get_ext(&self) -> String {
        NAME.to_lowercase()
    }
}

/// Parquet, written as data sets.
struct AtomicParquetFormat {
    options: WriteOptions,
    on_receipt: OnReceipt,
    parquet: Arc<dyn FileFormat>,
}

impl fmt::Debug for AtomicParquetFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicParquetFormat")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl FileFormat for AtomicParquetFormat {
    fn get_ext(&self) -> String {
        self.parquet.get_ext()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        self.parquet.get_ext_with_compression(compression)
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        None
    }

    async fn infer_schema(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        self.parquet.infer_schema(state, store, objects).await
    }

    async fn infer_stats(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        self.parquet
            .infer_stats(state, store, table_schema, object)
            .await
    }

    async fn create_physical_plan(
        &self,
        state: &dyn Session,
        conf: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.parquet.create_physical_plan(state, conf).await
    }

    async fn create_writer_physical_plan(
        &self,
        input: Arc<dyn ExecutionPlan>,
        _state: &dyn Session,
        conf: FileSinkConfig,
        order_requirements: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let sink = copy_sink(&conf, self.options.clone(), self.on_receipt.clone())?;
        Ok(Arc::new(DataSinkExec::new(
            input,
            Arc::new(sink),
            order_requirements,
        )))
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        self.parquet.file_source(table_schema)
    }
}

/// The sink of a COPY.
fn copy_sink(
    conf: &FileSinkConfig,
    options: WriteOptions,
    on_receipt: OnReceipt,
) -> Result<AtomicSink> {
    // Only a COPY has one: an INSERT into a ListingTable says in `insert_op` what it replaces, which COPY says in `mode`.
    if conf.original_url.is_empty() {
        return invalid(
            "table",
            "a ListingTable of ATOMIC_PARQUET cannot be inserted into, and nothing was written; create the table as \
             AtomicTable, or by CREATE EXTERNAL TABLE … STORED AS ATOMIC_PARQUET",
        );
    }
    let [location] = conf.table_paths.as_slice() else {
        return invalid("location", "one directory is needed");
    };
    let by_columns = !conf.table_partition_cols.is_empty();
    if conf.file_output_mode.single_file_output(location)
        && (!by_columns || conf.file_output_mode == FileOutputMode::SingleFile)
    {
        return invalid(
            "single_file_output",
            format!(
                "{} looks like one file, and ATOMIC_PARQUET writes a directory of files; end it with a slash",
                location.as_str()
            ),
        );
    }
    let keep = options.keep_partition_columns();
    let keep = keep.unwrap_or(conf.keep_partition_by_columns);
    let columns = conf.table_partition_cols.iter().map(|(name, _)| name);
    let partition_by = keys(columns, &options)?;
    let schema = Arc::clone(&conf.output_schema);
    let sink = AtomicSink::new(root(location)?, schema, options, on_receipt)?;
    Ok(sink.partition_by(partition_by).keep_partition_columns(keep))
}

/// The keys of a statement: the columns of PARTITIONED BY, or those of the option, which may have transforms.
pub(crate) fn keys<'a>(
    columns: impl ExactSizeIterator<Item = &'a String>,
    options: &WriteOptions,
) -> Result<PartitionBy> {
    match options.partition_by() {
        Some(_) if columns.len() != 0 => invalid(
            "partition_by",
            "is given as an option beside PARTITIONED BY; put all keys into the option",
        ),
        Some(keys) => Ok(keys),
        None => Ok(columns.fold(PartitionBy::none(), |by, column| by.then_column(column))),
    }
}
