//! [`AtomicTable`]: a data set as a table, into which rows are inserted by one commit each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use atomic_arrow::{CommitMode, PartitionBy, Transform};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{SchemaExt as _, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::FileFormatFactory as _;
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::sink::DataSinkExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion_datasource::compute_all_files_statistics;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::{Result, invalid};
use crate::files::{self, Listed, PathColumn};
use crate::options::WriteOptions;
use crate::receipts::OnReceipt;
use crate::sink::AtomicSink;

/// What names one write, and would be the same for all writes of a table.
const OF_ONE_WRITE: [&str; 3] = ["write_id", "sequence", "rewrite_missing"];

/// A data set as a table of DataFusion: scanned by DataFusion's own Parquet reader, and written by one commit for each
/// `INSERT`.
///
/// Partition columns stand last, with the types that the table gives them, and null where the directory says so. Of a key
/// with a transform, as `year(ts)`, the table has the column `ts` alone. Staging areas are never read.
///
/// `INSERT INTO` appends, or does what the option `mode` says if that replaces nothing; `INSERT OVERWRITE` replaces all that
/// is there, or with the mode `overwrite_partitions` the partitions that rows go to.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
/// use std::sync::Arc;
/// use atomic_arrow_datafusion::{AtomicTable, WriteOptions};
/// use datafusion::arrow::datatypes::{DataType, Field, Schema};
/// use datafusion::prelude::SessionContext;
///
/// let schema = Schema::new(vec![
///     Field::new("temp", DataType::Float64, true),
///     Field::new("station_id", DataType::Utf8, true),
/// ]);
/// let options = WriteOptions::parse([("partition_by", "station_id")])?;
/// let context = SessionContext::new();
/// context.register_table("weather", Arc::new(AtomicTable::new(&root, Arc::new(schema), options)?))?;
///
/// context.sql("INSERT INTO weather VALUES (11.5, 'KSEA'), (3.0, 'KJFK')").await?.collect().await?;
/// assert_eq!(context.sql("SELECT * FROM weather").await?.count().await?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AtomicTable {
    root: PathBuf,
    /// All columns, those in directories last.
    schema: SchemaRef,
    /// The columns that files have.
    file_schema: SchemaRef,
    in_paths: Vec<PathColumn>,
    options: WriteOptions,
    on_receipt: OnReceipt,
    column_defaults: HashMap<String, Expr>,
    definition: Option<String>,
}

impl AtomicTable {
    /// The table of the data set at a root, which need not be there yet. The schema has all columns; those by which the option
    /// `partition_by` divides rows are put last.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](atomic_arrow::Error::InvalidOption) if the options contradict the schema. Nothing is on disk.
    pub fn new(root: impl AsRef<Path>, schema: SchemaRef, options: WriteOptions) -> Result<Self> {
        let root = std::path::absolute(root)?;
        if let Some(name) = OF_ONE_WRITE
            .into_iter()
            .find(|it| options.get(it).is_some())
        {
            return invalid(
                name,
                "is of one write, and a table takes many, of which the second would be taken for the first; give it to a COPY \
                 to the table's location",
            );
        }
        let partition_by = options.partition_by().unwrap_or_default();
        for key in partition_by.keys() {
            if schema.field_with_name(key.column()).is_err() {
                let known = schema.fields().iter().map(|field| field.name().as_str());
                let meant = atomic_arrow::suggestion(key.column(), known);
                return invalid(
                    "partition_by",
                    format!("the table has no column {:?}{meant}", key.column()),
                );
            }
        }
        let in_paths: Vec<PathColumn> = match options.keep_partition_columns() {
            Some(true) => Vec::new(),
            _ => path_columns(&partition_by, &schema),
        };
        let is_in_path =
            |field: &FieldRef| in_paths.iter().any(|it| it.field.name() == field.name());
        let in_files = schema.fields().iter().filter(|field| !is_in_path(field));
        let in_files: Vec<FieldRef> = in_files.cloned().collect();
        let file_schema = Schema::new_with_metadata(in_files, schema.metadata().clone());
        let all = file_schema.fields().iter().cloned();
        let all: Vec<FieldRef> = all
            .chain(in_paths.iter().map(|it| Arc::clone(&it.field)))
            .collect();
        let schema = Schema::new_with_metadata(all, schema.metadata().clone());
        let table = AtomicTable {
            root,
            schema: Arc::new(schema),
            file_schema: Arc::new(file_schema),
            in_paths,
            options,
            on_receipt: OnReceipt::default(),
            column_defaults: HashMap::new(),
            definition: None,
        };
        table.sink(CommitMode::Append)?;
        Ok(table)
    }

    /// The table of a data set that has files, from which its schema is read. Without the option `partition_by` its keys are
    /// those of the directories, as texts.
    ///
    /// # Errors
    /// Those of [`new`](Self::new) and of reading; `DataFusionError::Plan` if there are no files.
    pub async fn open(
        state: &dyn Session,
        root: impl AsRef<Path>,
        options: WriteOptions,
    ) -> Result<Self> {
        let root = std::path::absolute(root)?;
        let listed = list(root.clone()).await?;
        let Some(first) = listed.first() else {
            let message = format!(
                "{} has no Parquet files from which the columns could be read; name the columns with their types",
                root.display()
            );
            return Err(DataFusionError::Plan(message));
        };
        let options = match options.partition_by() {
            Some(_) => options,
            None => {
                let keys = first.values.iter().map(|(key, _)| key);
                let by = keys.fold(PartitionBy::none(), |by, key| by.then_column(key));
                options.with("partition_by", by.to_string())?
            }
        };
        let store = state
            .runtime_env()
            .object_store(ObjectStoreUrl::local_filesystem())?;
        let metas: Vec<_> = listed.into_iter().map(|file| file.meta).collect();
        let format = parquet(state)?;
        let in_files = format.infer_schema(state, &store, &metas).await?;
        let mut fields: Vec<FieldRef> = in_files.fields().iter().cloned().collect();
        let mut kept = false;
        for key in options.partition_by().unwrap_or_default().keys() {
            if in_files.field_with_name(key.column()).is_ok() {
                kept |= key.transform() == Transform::Identity;
                continue;
            }
            fields.push(Arc::new(Field::new(key.column(), DataType::Utf8, true)));
        }
        let options = match kept {
            true => options.with("keep_partition_columns", "true")?,
            false => options,
        };
        let schema = Schema::new_with_metadata(fields, in_files.metadata().clone());
        Self::new(root, Arc::new(schema), options)
    }

    /// Hands the receipts of the table's commits to this.
    #[must_use]
    pub fn on_receipt(mut self, on_receipt: OnReceipt) -> Self {
        self.on_receipt = on_receipt;
        self
    }

    /// The values of columns that an INSERT leaves out; by default they are null.
    #[must_use]
    pub fn column_defaults(mut self, defaults: HashMap<String, Expr>) -> Self {
        self.column_defaults = defaults;
        self
    }

    /// The statement by which the table was made.
    #[must_use]
    pub fn definition(mut self, definition: Option<String>) -> Self {
        self.definition = definition;
        self
    }

    fn sink(&self, mode: CommitMode) -> Result<AtomicSink> {
        let schema = Arc::clone(&self.schema);
        let (options, on_receipt) = (self.options.clone(), self.on_receipt.clone());
        Ok(AtomicSink::new(&self.root, schema, options, on_receipt)?.mode(mode))
    }

    /// What an INSERT does with what is there.
    fn mode_of(&self, operation: InsertOp) -> Result<CommitMode> {
        use CommitMode::{
            Append, ErrorIfAnyExists, ErrorIfExists, Ignore, Overwrite, OverwritePartitions,
        };
        match (operation, self.options.mode().unwrap_or_default()) {
            (InsertOp::Append, mode @ (Append | ErrorIfExists | ErrorIfAnyExists | Ignore)) => {
                Ok(mode)
            }
            (InsertOp::Append, Overwrite | OverwritePartitions) => Ok(Append),
            (InsertOp::Overwrite, Append | Overwrite) => Ok(Overwrite),
            (InsertOp::Overwrite, OverwritePartitions) => Ok(OverwritePartitions),
            (operation @ (InsertOp::Append | InsertOp::Overwrite), mode) => invalid(
                "mode",
                format!(
                    "{} does not go with the table's mode {mode}",
                    operation.name()
                ),
            ),
            (InsertOp::Replace, _) => invalid(
                "mode",
                "REPLACE INTO finds rows by a key, which data sets do not have; INSERT OVERWRITE replaces partitions or \
                 all",
            ),
        }
    }

    /// Whether a filter is of columns in directories alone, so that whole files are kept or left out by it.
    fn is_of_paths(&self, filter: &Expr) -> bool {
        let names: Vec<&str> = self
            .in_paths
            .iter()
            .map(|it| it.field.name().as_str())
            .collect();
        !names.is_empty() && expr_applicable_for_cols(&names, filter)
    }

    /// The files to scan, with what is known of them.
    async fn files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let listed = list(self.root.clone()).await?;
        let files = files::partitioned(state, listed, &self.in_paths, filters)?;
        if !state.config().collect_statistics() {
            let unknown = Statistics::new_unknown(&self.file_schema);
            let files = files.into_iter();
            return Ok(files
                .map(|file| files::with_statistics(file, unknown.clone()))
                .collect());
        }
        let store = state
            .runtime_env()
            .object_store(ObjectStoreUrl::local_filesystem())?;
        let format = parquet(state)?;
        let at_once = state
            .config_options()
            .execution
            .meta_fetch_concurrency
            .get();
        let with_statistics = |file: PartitionedFile| {
            let (store, format) = (&store, &format);
            async move {
                let schema = Arc::clone(&self.file_schema);
                let known = format
                    .infer_stats(state, store, schema, &file.object_meta)
                    .await?;
                Ok(files::with_statistics(file, known))
            }
        };
        stream::iter(files)
            .map(with_statistics)
            .boxed()
            .buffered(at_once)
            .try_collect()
            .await
    }
}

/// The columns whose values are in directories alone: those that are keys as they are.
fn path_columns(by: &PartitionBy, schema: &Schema) -> Vec<PathColumn> {
    let keys = by
        .keys()
        .iter()
        .filter(|key| key.transform() == Transform::Identity);
    let columns = keys.filter_map(|key| {
        let field = schema.field_with_name(key.column()).ok()?;
        Some(PathColumn {
            key: key.name().to_owned(),
            field: Arc::new(field.clone()),
        })
    });
    columns.collect()
}

/// DataFusion's own format, with the options of the session.
fn parquet(state: &dyn Session) -> Result<Arc<dyn FileFormat>> {
    ParquetFormatFactory::new().create(state, &HashMap::new())
}

async fn list(root: PathBuf) -> Result<Vec<Listed>> {
    let listing = SpawnedTask::spawn_blocking(move || files::list(&root));
    let listed = listing.join().await;
    listed.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
}

#[async_trait]
impl TableProvider for AtomicTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.column_defaults.get(column)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.is_of_paths(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filters: Vec<Expr> = filters
            .iter()
            .filter(|it| self.is_of_paths(it))
            .cloned()
            .collect();
        let files = self.files(state, &filters).await?;
        if files.is_empty() {
            let schema = project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let schema = Arc::clone(&self.schema);
        let known = state.config().collect_statistics();
        let (groups, statistics) = compute_all_files_statistics(groups, schema, known, false)?;
        let in_paths = self
            .in_paths
            .iter()
            .map(|it| Arc::clone(&it.field))
            .collect::<Vec<_>>();
        let table_schema = TableSchema::builder(Arc::clone(&self.file_schema))
            .with_table_partition_cols(in_paths)
            .build();
        let format = parquet(state)?;
        let source = format.file_source(table_schema);
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, scan).await
    }

    async fn insert_into(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        insert_op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.schema
            .logically_equivalent_names_and_types(&input.schema())?;
        let mut sink = self.sink(self.mode_of(insert_op)?)?;
        if self.options.keep_partition_columns().is_none() {
            let of_session = &state.config_options().execution;
            sink = sink.keep_partition_columns(of_session.keep_partition_by_columns);
        }
        Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), None)))
    }
}
