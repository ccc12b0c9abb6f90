//! What SQL of DataFusion does with data sets, by behaviour.
#![allow(clippy::unwrap_used, clippy::panic)]

mod copy;
mod failures;
mod insert;
#[cfg(target_os = "linux")]
mod kills;
mod options;
mod pages;
#[path = "../../../tests/support/mod.rs"]
mod support;
mod values;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use atomic_arrow::Receipt;
use atomic_arrow_datafusion::{OnReceipt, register};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

/// A session that knows ATOMIC_PARQUET, and a directory of its own.
struct Lake {
    directory: tempfile::TempDir,
    context: SessionContext,
    receipts: Arc<Mutex<Vec<Receipt>>>,
}

impl Lake {
    fn new() -> Self {
        Self::with(SessionContext::new_with_config(
            SessionConfig::new().with_target_partitions(2),
        ))
    }

    fn with(context: SessionContext) -> Self {
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&receipts);
        let on_receipt = OnReceipt::new(move |receipt| told.lock().unwrap().push(receipt.clone()));
        register(&context, on_receipt).unwrap();
        Lake {
            directory: tempfile::tempdir().unwrap(),
            context,
            receipts,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a statement; `{lake}` in it is the directory.
    async fn try_run(&self, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
        let lake = self.directory.path().display().to_string();
        self.context
            .sql(&sql.replace("{lake}", &lake))
            .await?
            .collect()
            .await
    }

    async fn run(&self, sql: &str) -> Vec<RecordBatch> {
        match self.try_run(sql).await {
            Ok(batches) => batches,
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// The result as text.
    async fn table(&self, sql: &str) -> String {
        pretty_format_batches(&self.run(sql).await)
            .unwrap()
            .to_string()
    }

    /// The one number that a statement gives.
    async fn number(&self, sql: &str) -> i64 {
        let text = self.table(sql).await;
        let number = text.lines().nth(3).unwrap().trim_matches(['|', ' ']);
        number.parse().unwrap()
    }

    async fn error(&self, sql: &str) -> DataFusionError {
        match self.try_run(sql).await {
            Ok(_) => panic!("{sql}: no error"),
            Err(error) => error,
        }
    }

    /// The rows in the files of a data set, by another reader than the table: plain DataFusion.
    async fn rows(&self, root: &str) -> i64 {
        let plain = SessionContext::new();
        let pattern = format!("{}/", self.path(root).display());
        let files = plain
            .read_parquet(pattern, Default::default())
            .await
            .unwrap();
        i64::try_from(files.count().await.unwrap()).unwrap()
    }

    fn receipts(&self) -> Vec<Receipt> {
        self.receipts.lock().unwrap().clone()
    }

    /// The data files below a root, by their paths.
    fn files(&self, root: &str) -> Vec<String> {
        let root = self.path(root);
        let mut files = Vec::new();
        collect_files(&root, &root, &mut files);
        files.sort();
        files
    }

    /// Asserts that nothing is there but data sets: no staging area with anything in it.
    fn assert_clean(&self, root: &str) {
        let recovery = atomic_arrow::recover(self.path(root)).unwrap();
        assert_eq!(
            (recovery.finished.len(), recovery.removed.len()),
            (0, 0),
            "{recovery:?}"
        );
    }
}

fn collect_files(root: &Path, directory: &Path, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            collect_files(root, &path, files);
        } else {
            let below = path.strip_prefix(root).unwrap();
            files.push(below.display().to_string());
        }
    }
}

/// The cause in the library, as text.
fn cause(error: &DataFusionError) -> String {
    match atomic_arrow_datafusion::error_of(error) {
        Some(cause) => cause.to_string(),
        None => panic!("no error of the library: {error}"),
    }
}
