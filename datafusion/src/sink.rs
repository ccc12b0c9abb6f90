//! [`AtomicSink`]: the rows of a plan become one commit.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use atomic_arrow::{
    AsyncDatasetWriter, CommitMode, DatasetWriterBuilder, PartitionBy, PartitionKey, Receipt,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::sink::DataSink;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType};
use futures::StreamExt as _;
use futures::future::join;

use crate::error::{Result, external};
use crate::memory;
use crate::options::WriteOptions;
use crate::receipts::OnReceipt;

/// Writes the rows of a plan into a data set, as one commit.
///
/// Rows are taken one batch after another by a thread of the writer's own, and the query is held back while that spills.
/// The commit comes after the last row. If the query fails, or the future of the sink is dropped before the commit has been
/// decided, nothing is published, and what was staged is removed.
#[derive(Debug)]
pub struct AtomicSink {
    root: PathBuf,
    schema: SchemaRef,
    partition_by: PartitionBy,
    mode: CommitMode,
    keep_partition_columns: bool,
    options: WriteOptions,
    on_receipt: OnReceipt,
    metrics: ExecutionPlanMetricsSet,
}

impl AtomicSink {
    /// A sink of rows of this schema, into the data set at `root`. Mode and keys go before those of the options; by default
    /// rows are appended, and by no keys.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](atomic_arrow::Error::InvalidOption) if the options do not go with the schema.
    pub fn new(
        root: impl Into<PathBuf>,
        schema: SchemaRef,
        options: WriteOptions,
        on_receipt: OnReceipt,
    ) -> Result<Self> {
        let root = root.into();
        let _checked = options.builder(&root, Some(&schema))?;
        Ok(AtomicSink {
            root,
            schema,
            partition_by: options.partition_by().unwrap_or_default(),
            mode: options.mode().unwrap_or_default(),
            keep_partition_columns: options.keep_partition_columns().unwrap_or_default(),
            options,
            on_receipt,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// What becomes of the files that are there.
    #[must_use]
    pub fn mode(mut self, mode: CommitMode) -> Self {
        self.mode = mode;
        self
    }

    /// The columns by which rows are divided into directories.
    #[must_use]
    pub fn partition_by(mut self, partition_by: PartitionBy) -> Self {
        self.partition_by = partition_by;
        self
    }

    /// Whether the partition columns stay in the files.
    #[must_use]
    pub fn keep_partition_columns(mut self, keep: bool) -> Self {
        self.keep_partition_columns = keep;
        self
    }

    fn builder(&self) -> Result<DatasetWriterBuilder> {
        let builder = self.options.builder(&self.root, Some(&self.schema))?;
        Ok(builder
            .mode(self.mode)
            .partition_by(self.partition_by.clone())
            .keep_partition_columns(self.keep_partition_columns))
    }

    /// The receipt of a write of the same name that was committed before, without a row of the query.
    async fn committed_before(&self) -> Result<Option<Receipt>> {
        if self.options.get("write_id").is_none() {
            return Ok(None);
        }
        let builder = self.builder()?;
        let looking = SpawnedTask::spawn_blocking(move || builder.already_committed());
        let looked = looking
            .join()
            .await
            .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
        looked.map_err(external)
    }

    async fn write(
        &self,
        rows: SendableRecordBatchStream,
        context: &TaskContext,
    ) -> Result<Receipt> {
        let asked = self.options.memory_limit();
        let (_reserved, limit) = memory::reserve(context.memory_pool(), asked)?;
        let given_up = GiveUpOnDrop::default();
        let mut builder = self.builder()?.interrupt_when(given_up.ask());
        if let Some(bytes) = limit {
            builder = builder.memory_limit(bytes);
        }
        if self.options.get("threads").is_none() {
            builder = builder.threads(context.session_config().target_partitions().max(1));
        }
        let schema = Arc::clone(&self.schema);
        let mut writer = builder.build_async(schema).await.map_err(external)?;
        if let Err(error) = write_rows(&mut writer, rows).await {
            // So that nothing is left when the statement has failed. That fails only where nothing is left already.
            drop(writer.discard().await);
            return Err(error);
        }
        let spilled = writer.progress().await.map_err(external)?.rows_spilled;
        let receipt = writer.commit().await.map_err(external)?;
        given_up.defuse();
        self.measure(&receipt, spilled);
        Ok(receipt)
    }

    fn measure(&self, receipt: &Receipt, rows_spilled: u64) {
        let count = |name, number: u64| {
            let counter = MetricBuilder::new(&self.metrics).global_counter(name);
            counter.add(usize::try_from(number).unwrap_or(usize::MAX));
        };
        count("rows_spilled", rows_spilled);
        count("files_removed", receipt.totals().removed);
        let Some(metrics) = receipt.metrics() else {
            return;
        };
        for (name, time) in [
            ("splitting_time", metrics.splitting),
            ("encoding_time", metrics.encoding),
            ("syncing_time", metrics.syncing),
            ("verifying_time", metrics.verifying),
            ("publishing_time", metrics.publishing),
        ] {
            let measured = MetricBuilder::new(&self.metrics).subset_time(name, 0);
            measured.add_duration(time);
        }
    }
}

/// Hands the rows to the writer. The next batch is computed while one is written, and no more than that.
async fn write_rows(
    writer: &mut AsyncDatasetWriter,
    mut rows: SendableRecordBatchStream,
) -> Result<()> {
    let mut next = rows.next().await;
    while let Some(batch) = next {
        let (written, following) = join(writer.write(batch?), rows.next()).await;
        written.map_err(external)?;
        next = following;
    }
    Ok(())
}

/// Has the writer give up when it is dropped before it was defused: nobody waits for the commit any more.
#[derive(Default)]
struct GiveUpOnDrop(Arc<AtomicBool>, bool);

impl GiveUpOnDrop {
    fn ask<T>(&self) -> impl Fn(T) -> bool + Send + Sync + use<T> {
        let given_up = Arc::clone(&self.0);
        move |_| given_up.load(Ordering::Acquire)
    }

    fn defuse(mut self) {
        self.1 = true;
    }
}

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        if !self.1 {
            self.0.store(true, Ordering::Release);
        }
    }
}

#[async_trait]
impl DataSink for AtomicSink {
    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    async fn write_all(
        &self,
        data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> Result<u64> {
        let receipt = match self.committed_before().await? {
            Some(receipt) => receipt,
            None => self.write(data, context).await?,
        };
        let totals = receipt.totals();
        MetricBuilder::new(&self.metrics)
            .output_rows(0)
            .add(usize::try_from(totals.rows).unwrap_or(usize::MAX));
        MetricBuilder::new(&self.metrics)
            .output_bytes(0)
            .add(usize::try_from(totals.bytes).unwrap_or(usize::MAX));
        MetricBuilder::new(&self.metrics)
            .global_counter("files")
            .add(usize::try_from(totals.files).unwrap_or(usize::MAX));
        self.on_receipt.tell(&receipt);
        Ok(totals.rows)
    }
}

impl DisplayAs for AtomicSink {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self
            .partition_by
            .keys()
            .iter()
            .map(PartitionKey::to_string)
            .collect();
        let (root, mode, keys) = (self.root.display(), self.mode, keys.join(", "));
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(
                f,
                "AtomicSink(root={root}, mode={mode}, partition_by=[{keys}], options=[{}])",
                self.options
            ),
            DisplayFormatType::TreeRender => {
                writeln!(f, "format: atomic_parquet")?;
                writeln!(f, "root: {root}")?;
                writeln!(f, "mode: {mode}")?;
                write!(f, "partition_by: {keys}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_gives_up_when_nobody_waits_for_its_commit_any_more() {
        let given_up = GiveUpOnDrop::default();
        let ask = given_up.ask();
        assert!(!ask(()));
        drop(given_up);
        assert!(ask(()));

        let given_up = GiveUpOnDrop::default();
        let ask = given_up.ask();
        given_up.defuse();
        assert!(!ask(()));
    }
}
