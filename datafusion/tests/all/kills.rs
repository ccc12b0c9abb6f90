//! A process that is killed at a system call of its COPY: all of its rows are there, or none.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use atomic_arrow_datafusion::{OnReceipt, register};
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use crate::support::skip;

const ROOT: &str = "ATOMIC_ARROW_DATAFUSION_ROOT";
const CALLS: &[&str] = &[
    "openat",
    "mkdir,mkdirat",
    "fsync,fdatasync,syncfs",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
];

/// Plays the process that is killed, where another test has started it as one.
#[tokio::test]
async fn a_process_that_another_test_starts() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let context = SessionContext::new();
    register(&context, OnReceipt::default()).unwrap();
    let copy = format!(
        "COPY (SELECT value % 5 AS key, value FROM generate_series(1, 500) AS t(value)) \
         TO '{}' STORED AS ATOMIC_PARQUET PARTITIONED BY (key) OPTIONS ('mode' 'overwrite')",
        Path::new(&root).display()
    );
    context.sql(&copy).await.unwrap().collect().await.unwrap();
}

/// Starts the process with itself killed at one of the calls.
fn run(root: &Path, calls: &str, number: usize) -> ExitStatus {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e"]);
    command.arg(format!("inject={calls}:signal=KILL:when={number}"));
    command.arg(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "kills::a_process_that_another_test_starts",
        "--test-threads=1",
    ]);
    command
        .env(ROOT, root)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap()
}

async fn sum(root: &Path) -> usize {
    let context = SessionContext::new();
    let pattern = format!("{}/", root.display());
    let options = ParquetReadOptions::default();
    context
        .read_parquet(pattern, options)
        .await
        .unwrap()
        .count()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_copy_that_is_killed_has_published_all_or_nothing() {
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return skip("there is no strace");
    }
    let all = std::env::var_os("ATOMIC_ARROW_FULL").is_some_and(|value| value == "1");
    let lake = tempfile::tempdir().unwrap();
    let (mut killed, mut old, mut new) = (0, 0, 0);
    for calls in CALLS {
        let mut number = 1;
        loop {
            let root = lake.path().join(format!("{}-{number}", calls.len()));
            // What is overwritten: other rows, so that a mixture shows.
            let context = SessionContext::new();
            register(&context, OnReceipt::default()).unwrap();
            let copy = format!(
                "COPY (SELECT value % 7 AS key, value FROM generate_series(1, 70) AS t(value)) \
                 TO '{}' STORED AS ATOMIC_PARQUET PARTITIONED BY (key)",
                root.display()
            );
            context.sql(&copy).await.unwrap().collect().await.unwrap();

            let status = run(&root, calls, number);
            atomic_arrow::recover(&root).unwrap();
            let rows = sum(&root).await;
            assert!(rows == 70 || rows == 500, "{calls} {number}: {rows} rows");
            old += usize::from(rows == 70);
            new += usize::from(rows == 500);
            let again = atomic_arrow::recover(&root).unwrap();
            assert!(
                again.finished.is_empty() && again.removed.is_empty(),
                "{again:?}"
            );
            let read = std::fs::read_dir(&root).unwrap();
            let names: Vec<_> = read.map(|entry| entry.unwrap().file_name()).collect();
            let expected = if rows == 70 { 7 } else { 5 };
            let keys = names
                .iter()
                .filter(|name| name.to_string_lossy().starts_with("key="));
            assert_eq!(keys.count(), expected, "{names:?}");
            if status.success() {
                assert_eq!(rows, 500);
                break;
            }
            assert_eq!(status.signal(), Some(9), "{calls} {number}: {status}");
            killed += 1;
            // The sample: all of the first ones, and fewer and fewer of those that follow.
            number += if all { 1 } else { 1 + number / 4 };
        }
    }
    assert!(
        killed > 10 && old > 0 && new > CALLS.len(),
        "{killed} {old} {new}"
    );
}
