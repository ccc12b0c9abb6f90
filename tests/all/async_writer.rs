//! The writer for async code: any executor, held back by the writer, and nothing lost when a future is dropped.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::{AsyncDatasetWriter, CommitMode, Error, StagedWrites, Step};

use crate::ground::{builder, directory, stations, tree, weather};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread, which sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Asks a future once, and drops it.
fn poll_once<T>(future: impl Future<Output = T>) {
    let mut context = Context::from_waker(Waker::noop());
    let _ = pin!(future).poll(&mut context);
}

#[test]
fn it_writes_and_commits_with_any_executor() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let batch = stations(&["KSEA", "KPDX", "KSEA"]);
    let receipt = block_on(async {
        let schema = batch.schema();
        let mut writer = builder(&lake, CommitMode::Append)
            .build_async(schema)
            .await?;
        assert_eq!(writer.schema(), &batch.schema());
        writer.write(batch.clone()).await?;
        writer.write(batch.clone()).await?;
        assert_eq!(writer.progress().await?.rows, 6);
        writer.commit().await
    });
    assert_eq!((receipt.unwrap().totals().rows, tree(&lake).len()), (6, 4));
    fn sendable<T: Send>(_: &T) {}
    let future = builder(&lake, CommitMode::Append).build_async(batch.schema());
    sendable(&future);
}

#[test]
fn errors_are_those_of_the_writer_and_poison_it() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    block_on(async {
        let refused = builder(&lake, CommitMode::Append).max_open_files(1);
        let error = refused.build_async(weather("KSEA", 1).schema()).await;
        assert!(
            matches!(error, Err(Error::InvalidOption { .. })),
            "{error:?}"
        );

        let open = || builder(&lake, CommitMode::Append).build_async(weather("KSEA", 1).schema());
        let mut writer = open().await.unwrap();
        let narrow = weather("KSEA", 1).project(&[0]).unwrap();
        let error = writer.write(narrow).await.unwrap_err();
        assert!(matches!(error, Error::SchemaMismatch { .. }), "{error:?}");
        let error = writer.commit().await.unwrap_err();
        assert!(matches!(error, Error::Poisoned { .. }), "{error:?}");

        let mut writer = open().await.unwrap();
        writer.write(weather("KSEA", 1)).await.unwrap();
        let lost = ArrowError::ComputeError("the connection was lost".to_owned());
        let error = writer.fail(lost).await;
        assert!(matches!(error, Error::Source { .. }), "{error:?}");
        assert!(matches!(writer.commit().await, Err(Error::Poisoned { .. })));
    });
    assert_eq!(tree(&root), Vec::<String>::new());
}

#[test]
fn a_future_that_is_dropped_does_not_lose_what_it_asked_for() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let open = || builder(&lake, CommitMode::Append).build_async(weather("KSEA", 1).schema());
    let receipt = block_on(async {
        let mut writer = open().await.unwrap();
        poll_once(writer.write(weather("KSEA", 5)));
        writer.write(weather("KSEA", 2)).await.unwrap();
        writer.commit().await.unwrap()
    });
    assert_eq!(receipt.totals().rows, 7);
    // An error that nobody waited for is not forgotten.
    block_on(async {
        let mut writer = open().await.unwrap();
        poll_once(writer.write(weather("KSEA", 1).project(&[0]).unwrap()));
        let error = writer.write(weather("KSEA", 1)).await.unwrap_err();
        assert!(matches!(error, Error::Poisoned { .. }), "{error:?}");
    });
}

#[test]
fn what_is_not_committed_is_removed_and_what_is_staged_is_kept() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let open = || builder(&lake, CommitMode::Append).build_async(weather("KSEA", 1).schema());
    let staged = block_on(async {
        let mut writer = open().await.unwrap();
        writer.write(weather("KSEA", 5)).await.unwrap();
        assert_ne!(tree(&root), Vec::<String>::new());
        writer.discard().await.unwrap();
        assert_eq!(tree(&root), Vec::<String>::new());
        let mut writer = open().await.unwrap();
        writer.write(weather("KSEA", 5)).await.unwrap();
        writer.stage().await.unwrap()
    });
    assert_eq!(
        StagedWrites::new([staged]).commit().unwrap().totals().rows,
        5
    );
}

#[test]
fn a_panic_of_a_callback_is_an_error_and_the_writer_is_gone() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let panics = |step| match step {
        Step::WriteRows => panic!("a callback panics"),
        _ => false,
    };
    let builder = builder(&lake, CommitMode::Append).interrupt_when(panics);
    block_on(async {
        let mut writer: AsyncDatasetWriter = builder
            .build_async(weather("KSEA", 1).schema())
            .await
            .unwrap();
        let error = writer.write(weather("KSEA", 1)).await.unwrap_err();
        assert!(matches!(error, Error::Poisoned { .. }), "{error:?}");
        assert!(matches!(writer.commit().await, Err(Error::Poisoned { .. })));
    });
    assert_eq!(tree(&root), Vec::<String>::new());
}
