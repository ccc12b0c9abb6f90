//! [`AsyncDatasetWriter`]: a [`DatasetWriter`] on a thread of its own, for code that must not block.
//!
//! The futures belong to no runtime: a thread answers each request and wakes whoever waits for it.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tracing::Span;

use super::builder::DatasetWriterBuilder;
use super::options::Progress;
use super::writer::DatasetWriter;
use crate::error::{Error, IoContext as _, Result, Step};
use crate::receipt::{Receipt, StagedWrite};

type Request = Box<dyn FnOnce(&mut Option<DatasetWriter>) + Send>;

/// Writes batches into a data set from async code: a [`DatasetWriter`] on a thread of its own. Made by
/// [`DatasetWriterBuilder::build_async`], with any runtime, or none.
///
/// Each method ends when the writer has done it, so that whoever awaits it is held back as rows are spilled: no batch
/// waits in a queue. A future that is dropped before its end does not take back what it asked for: the rows of a
/// `write` are in the write, and a `commit` goes on. If a `write` that nobody waited for has failed, the writer is poisoned, and
/// the next call says so. Dropping the writer discards everything, after what it is doing now; the disk is touched
/// on its thread, not on the runtime's.
///
/// ```
/// # fn block_on<T>(future: impl Future<Output = T>) -> T {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop {
/// #         if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) { return done; }
/// #         std::thread::yield_now();
/// #     }
/// # }
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use atomic_arrow::DatasetWriter;
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// # block_on(async {
/// let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA", "KJFK"]));
/// let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![11.5, 3.0]));
/// let batch = RecordBatch::try_from_iter([("station_id", stations), ("temp", temperatures)])?;
///
/// let builder = DatasetWriter::builder(&root).partition_by("station_id");
/// let mut writer = builder.build_async(batch.schema()).await?;
/// writer.write(batch).await?;
/// let receipt = writer.commit().await?;
/// assert_eq!(receipt.totals().files, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a writer that is not committed is discarded"]
pub struct AsyncDatasetWriter {
    requests: Sender<Request>,
    schema: SchemaRef,
    root: PathBuf,
}

impl fmt::Debug for AsyncDatasetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncDatasetWriter")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl AsyncDatasetWriter {
    async fn open(builder: DatasetWriterBuilder, schema: SchemaRef) -> Result<Self> {
        let root = builder.root.clone();
        let (requests, receiver) = channel::<Request>();
        let span = Span::current();
        let run = move || {
            let _inside = span.enter();
            let mut writer = None;
            // Ends when nobody can ask any more; the writer is dropped here.
            while let Ok(request) = receiver.recv() {
                request(&mut writer);
            }
        };
        let thread = std::thread::Builder::new().name("atomic-arrow-async".to_owned());
        thread.spawn(run).at(Step::CreateStaging, &root)?;
        let opened = Self {
            requests,
            schema: Arc::clone(&schema),
            root,
        };
        opened
            .ask(move |writer| {
                *writer = Some(builder.build(schema)?);
                Ok(())
            })
            .await?;
        Ok(opened)
    }

    /// Lets the thread do something. It goes on although nobody waits for the answer.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Option<DatasetWriter>) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let answer = Answer::new();
        let shared = Arc::clone(&answer.shared);
        let root = self.root.clone();
        let request: Request = Box::new(move |writer| {
            let done = catch_unwind(AssertUnwindSafe(|| work(writer)));
            let done = done.unwrap_or_else(|_| {
                // What it was doing is not known to be whole.
                *writer = None;
                Err(Error::Poisoned { path: root })
            });
            tell(&shared, done);
        });
        if self.requests.send(request).is_err() {
            let path = self.root.clone();
            tell(&answer.shared, Err(Error::Poisoned { path }));
        }
        answer
    }

    /// Lets the thread do something with the writer.
    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DatasetWriter) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let root = self.root.clone();
        self.ask(move |writer| match writer {
            Some(writer) => work(writer),
            None => Err(Error::Poisoned { path: root }),
        })
    }

    /// Lets the thread do something that uses the writer up.
    fn end<T: Send + 'static>(
        self,
        work: impl FnOnce(DatasetWriter) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let root = self.root.clone();
        self.ask(move |writer| match writer.take() {
            Some(writer) => work(writer),
            None => Err(Error::Poisoned { path: root }),
        })
    }

    /// The schema of the batches.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The root of the data set, as it was given.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How far the write has come.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if a call before panicked.
    pub async fn progress(&self) -> Result<Progress> {
        self.with(|writer| Ok(writer.progress())).await
    }

    /// Takes the rows of a batch.
    ///
    /// # Errors
    /// Those of [`DatasetWriter::write`]. Nothing is published.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.with(move |writer| writer.write(&batch)).await
    }

    /// Notes that the source of the rows has failed: rows are missing, so the writer is poisoned. Gives the error for it.
    pub async fn fail(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let failed = Err::<RecordBatch, _>(error.into());
        let failed = self.with(move |writer| writer.write_all([failed]).map(drop));
        match failed.await {
            Err(error) => error,
            Ok(()) => Error::Poisoned {
                path: self.root.clone(),
            },
        }
    }

    /// Encodes, syncs and verifies all files, and commits them as one.
    ///
    /// # Errors
    /// Those of [`DatasetWriter::commit`].
    pub async fn commit(self) -> Result<Receipt> {
        self.end(DatasetWriter::commit).await
    }

    /// Encodes, syncs and verifies all files, and leaves them for another process to commit.
    ///
    /// # Errors
    /// Those of [`DatasetWriter::stage`].
    pub async fn stage(self) -> Result<StagedWrite> {
        self.end(DatasetWriter::stage).await
    }

    /// Removes everything that was written, and ends when it is gone; dropping the writer does not wait for that.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if a call before panicked: everything is gone then as well.
    pub async fn discard(self) -> Result<()> {
        self.end(|writer| {
            writer.discard();
            Ok(())
        })
        .await
    }
}

impl DatasetWriterBuilder {
    /// Opens the data set for batches that have `schema`, on a thread of its own: see [`AsyncDatasetWriter`].
    ///
    /// # Errors
    /// Those of [`build`](DatasetWriterBuilder::build), and [`Error::Io`] if there can be no thread. Nothing is published.
    pub async fn build_async(self, schema: SchemaRef) -> Result<AsyncDatasetWriter> {
        AsyncDatasetWriter::open(self, schema).await
    }
}

/// The answer of the thread to one request.
struct Answer<T> {
    shared: Arc<Mutex<Shared<T>>>,
}

struct Shared<T> {
    done: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T> Answer<T> {
    fn new() -> Self {
        let shared = Shared {
            done: None,
            waker: None,
        };
        Answer {
            shared: Arc::new(Mutex::new(shared)),
        }
    }
}

fn lock<T>(shared: &Mutex<Shared<T>>) -> MutexGuard<'_, Shared<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell<T>(shared: &Mutex<Shared<T>>, done: Result<T>) {
    let mut shared = lock(shared);
    shared.done = Some(done);
    let waker = shared.waker.take();
    drop(shared);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut shared = lock(&self.shared);
        match shared.done.take() {
            Some(done) => Poll::Ready(done),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
