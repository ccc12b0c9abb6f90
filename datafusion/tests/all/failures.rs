//! Queries that fail, are cancelled, have little memory, or race with others.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_arrow_datafusion::{AtomicSink, OnReceipt, WriteOptions};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::sink::DataSink as _;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{FairSpillPool, GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{Stream, StreamExt as _};

use crate::{Lake, cause};

/// Batches of numbers, made one by one as they are asked for.
struct Numbers {
    made: Arc<AtomicUsize>,
    batches: usize,
    rows: i64,
    /// What comes after the last batch.
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Done,
    Failure,
    Never,
}

impl Numbers {
    fn stream(
        batches: usize,
        rows: i64,
        end: End,
    ) -> (SendableRecordBatchStream, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let numbers = Numbers {
            made: Arc::clone(&made),
            batches,
            rows,
            end,
        };
        (Box::pin(numbers), made)
    }

    fn batch(rows: i64) -> RecordBatch {
        let column = |step: i64| {
            Arc::new(Int64Array::from_iter_values((0..rows).map(|n| n * step))) as ArrayRef
        };
        let keys = Int64Array::from_iter_values((0..rows).map(|n| n % 5));
        RecordBatch::try_from_iter([
            ("key", Arc::new(keys) as ArrayRef),
            ("a", column(1)),
            ("b", column(3)),
        ])
        .unwrap()
    }
}

impl Stream for Numbers {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let made = self.made.fetch_add(1, Ordering::SeqCst);
        if made < self.batches {
            return Poll::Ready(Some(Ok(Self::batch(self.rows))));
        }
        match self.end {
            End::Done => Poll::Ready(None),
            End::Failure => Poll::Ready(Some(Err(DataFusionError::Execution(
                "the query broke".to_owned(),
            )))),
            End::Never => Poll::Pending,
        }
    }
}

impl RecordBatchStream for Numbers {
    fn schema(&self) -> SchemaRef {
        Self::batch(0).schema()
    }
}

fn sink(lake: &Lake, options: &[(&str, &str)]) -> AtomicSink {
    let options = WriteOptions::parse(options.iter().copied()).unwrap();
    let schema = Numbers::batch(0).schema();
    AtomicSink::new(lake.path("t"), schema, options, OnReceipt::default()).unwrap()
}

/// The transactions in the staging area of the data set.
fn transactions(lake: &Lake) -> usize {
    let staged = std::fs::read_dir(lake.path(".t.atomic"));
    let staged = staged.into_iter().flatten();
    staged
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count()
}

/// Waits until the thread of a writer that nobody waits for has removed what it staged.
async fn until_gone(lake: &Lake) {
    while transactions(lake) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_query_that_fails_midway_publishes_nothing_and_leaves_nothing() {
    let lake = Lake::new();
    let (rows, _) = Numbers::stream(40, 8192, End::Failure);
    let sink = sink(&lake, &[("partition_by", "key"), ("memory_limit", "16MiB")]);
    let error = sink
        .write_all(rows, &lake.context.task_ctx())
        .await
        .unwrap_err();
    // At once, with nobody to wait for.
    assert_eq!(transactions(&lake), 0);
    assert!(error.to_string().contains("the query broke"), "{error}");
    assert!(lake.files("t").is_empty());
    lake.assert_clean("t");
    let statement = "COPY (SELECT CAST(CASE WHEN value = 90000 THEN 'x' ELSE '1' END AS INT) AS x \
                     FROM generate_series(1, 100000) AS t(value)) TO '{lake}/t' STORED AS ATOMIC_PARQUET";
    lake.error(statement).await;
    assert!(lake.files("t").is_empty());
    lake.assert_clean("t");
}

#[tokio::test]
async fn a_value_that_cannot_be_kept_is_an_error_of_the_library_with_its_outcome() {
    let lake = Lake::new();
    let error = lake
        .error("COPY (SELECT '' AS station_id, 1 AS x) TO '{lake}/t' STORED AS ATOMIC_PARQUET PARTITIONED BY (station_id)")
        .await;
    let cause = atomic_arrow_datafusion::error_of(&error).unwrap();
    assert!(
        matches!(cause, atomic_arrow::Error::Partition(_)),
        "{cause}"
    );
    assert_eq!(cause.outcome(), atomic_arrow::Outcome::NotPublished);
    lake.assert_clean("t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_is_cancelled_publishes_nothing_and_leaves_nothing() {
    let lake = Lake::new();
    let sink = Arc::new(sink(
        &lake,
        &[("partition_by", "key"), ("memory_limit", "16MiB")],
    ));
    let (rows, made) = Numbers::stream(30, 8192, End::Never);
    let context = lake.context.task_ctx();
    let writing = tokio::spawn(async move { sink.write_all(rows, &context).await });
    while made.load(Ordering::SeqCst) <= 30 {
        tokio::task::yield_now().await;
    }
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    until_gone(&lake).await;
    assert!(lake.files("t").is_empty());
    lake.assert_clean("t");
}

/// Dropped in the middle of the commit, the sink has published nothing or all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cancelled_is_all_or_nothing() {
    // Longer and longer, until the commit is done before.
    let mut patience = Duration::from_micros(200);
    loop {
        let lake = Lake::new();
        let sink = sink(&lake, &[("partition_by", "key")]);
        let (rows, made) = Numbers::stream(3, 1000, End::Done);
        let context = lake.context.task_ctx();
        let mut writing = Box::pin(async move { sink.write_all(rows, &context).await });
        // Until all rows are taken.
        while made.load(Ordering::SeqCst) <= 3 {
            assert!(futures::poll!(&mut writing).is_pending());
            tokio::task::yield_now().await;
        }
        let ended = tokio::time::timeout(patience, &mut writing).await.is_ok();
        drop(writing);
        until_gone(&lake).await;
        let rows = match lake.files("t").is_empty() {
            true => 0,
            false => lake.rows("t").await,
        };
        assert!(rows == 0 || rows == 3000, "{rows}");
        if ended {
            assert_eq!(rows, 3000);
            break;
        }
        patience = patience * 5 / 4;
    }
}

#[tokio::test]
async fn a_writer_that_is_behind_holds_the_query_back() {
    let lake = Lake::new();
    let sink = sink(&lake, &[("partition_by", "key")]);
    let (rows, made) = Numbers::stream(usize::MAX, 1000, End::Never);
    let taken = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counted = {
        let (taken, most, made) = (Arc::clone(&taken), Arc::clone(&most), Arc::clone(&made));
        // Each batch that is made and not written yet.
        rows.take(200).inspect(move |_| {
            let ahead = made.load(Ordering::SeqCst) - taken.fetch_add(1, Ordering::SeqCst);
            most.fetch_max(ahead, Ordering::SeqCst);
        })
    };
    let schema = Numbers::batch(0).schema();
    let rows = datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, counted);
    sink.write_all(Box::pin(rows), &lake.context.task_ctx())
        .await
        .unwrap();
    assert_eq!(taken.load(Ordering::SeqCst), 200);
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?}");
}

fn with_pool(pool: Arc<dyn MemoryPool>) -> Lake {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .build_arc()
        .unwrap();
    let config = SessionConfig::new().with_target_partitions(2);
    Lake::with(SessionContext::new_with_config_rt(config, runtime))
}

const COPY: &str = "COPY (SELECT value % 50 AS key, value, value * 7 AS more FROM generate_series(1, 1000000) AS t(value)) \
                    TO '{lake}/t' STORED AS ATOMIC_PARQUET PARTITIONED BY (key)";

#[tokio::test]
async fn a_write_takes_its_memory_from_the_pool_and_gives_it_back() {
    for pool in [
        Arc::new(GreedyMemoryPool::new(48 << 20)) as Arc<dyn MemoryPool>,
        Arc::new(FairSpillPool::new(48 << 20)),
    ] {
        let lake = with_pool(Arc::clone(&pool));
        let text = lake.table(&format!("EXPLAIN ANALYZE {COPY}")).await;
        assert!(!text.contains("rows_spilled=0"), "{text}");
        assert_eq!(lake.rows("t").await, 1_000_000);
        assert_eq!(pool.reserved(), 0);
    }
    let lake = Lake::new();
    let text = lake.table(&format!("EXPLAIN ANALYZE {COPY}")).await;
    assert!(text.contains("rows_spilled=0"), "{text}");
}

#[tokio::test]
async fn where_the_pool_has_too_little_the_write_is_refused() {
    let lake = with_pool(Arc::new(GreedyMemoryPool::new(4 << 20)));
    let error = lake.error(COPY).await;
    assert!(
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
        "{error}"
    );
    let lake = with_pool(Arc::new(GreedyMemoryPool::new(48 << 20)));
    let error = lake
        .error(&format!("{COPY} OPTIONS ('memory_limit' '64MiB')"))
        .await;
    assert!(
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
        "{error}"
    );
    assert!(error.to_string().contains("AtomicSink"), "{error}");
    assert!(lake.files("t").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_overwrites_at_once_one_is_there_as_a_whole_and_readers_go_on() {
    let lake = Arc::new(Lake::new());
    lake.run("CREATE EXTERNAL TABLE t (x BIGINT, k BIGINT) STORED AS ATOMIC_PARQUET PARTITIONED BY (k) LOCATION '{lake}/t'")
        .await;
    lake.run("INSERT INTO t SELECT 0, value FROM generate_series(1, 20) AS g(value)")
        .await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (lake, done) = (Arc::clone(&lake), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen = 0;
            while !done.load(Ordering::SeqCst) {
                // A file that was listed may be gone with the directory that was exchanged meanwhile.
                let read = lake
                    .try_run("SELECT count(*), min(x), max(x) FROM t WHERE x >= 0")
                    .await;
                seen += usize::from(read.is_ok());
            }
            seen
        })
    };
    let writers = (1..=2).map(|writer| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move {
            let mut won = 0;
            for _ in 0..10 {
                let insert = format!("INSERT OVERWRITE t SELECT {writer}, value FROM generate_series(1, 20) AS g(value)");
                match lake.try_run(&insert).await {
                    Ok(_) => won += 1,
                    Err(error) => assert!(cause(&error).contains("changed by another commit"), "{error}"),
                }
            }
            won
        })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        won += writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert!(reader.await.unwrap() > 0 && won > 0);
    assert_eq!(lake.number("SELECT count(*) FROM t").await, 20);
    assert_eq!(lake.number("SELECT count(DISTINCT x) FROM t").await, 1);
    lake.assert_clean("t");
}

/// Whoever reads while others append sees whole commits, and never fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_table_that_is_appended_to_never_fail() {
    let lake = Arc::new(Lake::new());
    lake.run("CREATE EXTERNAL TABLE t (x BIGINT, k BIGINT) STORED AS ATOMIC_PARQUET PARTITIONED BY (k) LOCATION '{lake}/t'")
        .await;
    let done = Arc::new(AtomicBool::new(false));
    let readers = (0..2).map(|_| {
        let (lake, done) = (Arc::clone(&lake), Arc::clone(&done));
        tokio::spawn(async move {
            let mut before = 0;
            while !done.load(Ordering::SeqCst) {
                let rows = lake.number("SELECT count(*) FROM t").await;
                let read = lake.number("SELECT count(*) FROM t WHERE x >= 0").await;
                assert!(before <= rows && rows <= read, "{before} {rows} {read}");
                before = rows;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for _ in 0..15 {
        lake.run("INSERT INTO t SELECT value, value % 7 FROM generate_series(1, 100) AS g(value)")
            .await;
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(lake.number("SELECT count(*) FROM t").await, 1500);
}
