//! One request to an object store: how long its answer may take, and what is told of it.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::path::Path as Key;
use object_store::{ClientOptions, Error};

use crate::trace;

/// The most bytes of a request that gives a store little to do.
const LITTLE: usize = 1 << 20;

tokio::task_local! {
    /// The request that a task makes.
    static CURRENT: Arc<Current>;
}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Put,
    Get,
    Head,
    List,
    Copy,
    Delete,
    BeginUpload,
    PutPart,
    CompleteUpload,
    AbortUpload,
}

impl Request {
    fn name(self) -> &'static str {
        match self {
            Request::Put => "put",
            Request::Get => "get",
            Request::Head => "head",
            Request::List => "list",
            Request::Copy => "copy",
            Request::Delete => "delete",
            Request::BeginUpload => "begin_upload",
            Request::PutPart => "put_part",
            Request::CompleteUpload => "complete_upload",
            Request::AbortUpload => "abort_upload",
        }
    }

    /// Whether the answer to a request with so many bytes should not take long: it gives a store little to do.
    fn is_small(self, bytes: usize) -> bool {
        bytes <= LITTLE && !matches!(self, Request::Copy | Request::CompleteUpload)
    }
}

/// A request that is being made.
struct Current {
    request: Request,
    /// Of several the first.
    key: String,
    attempt: AtomicU32,
    /// Why the last attempt failed, if its client may make another.
    failure: Mutex<Option<String>>,
}

impl Current {
    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is told of it.
    fn told(&self) -> (&str, &str, u32) {
        let attempt = self.attempt.load(Ordering::Relaxed);
        (self.request.name(), &self.key, attempt)
    }

    /// Begins an attempt, which is a repetition if the last one failed.
    fn begin_attempt(&self) {
        let failure = self.failure().take();
        if let Some(failure) = failure {
            self.attempt.fetch_add(1, Ordering::Relaxed);
            trace::repeated(self.told(), &failure);
        }
    }
}

/// Makes a request, and tells of it.
pub(super) async fn made<T>(
    request: Request,
    key: &Key,
    answer: impl Future<Output = object_store::Result<T>>,
) -> object_store::Result<T> {
    attempted(request, key, 1, answer).await
}

/// Makes a request that its caller has made before, as the attempt of this number.
pub(super) async fn attempted<T>(
    request: Request,
    key: &Key,
    attempt: u32,
    answer: impl Future<Output = object_store::Result<T>>,
) -> object_store::Result<T> {
    let current = Arc::new(Current {
        request,
        key: key.to_string(),
        attempt: AtomicU32::new(attempt),
        failure: Mutex::default(),
    });
    let begun = Instant::now();
    let answer = CURRENT.scope(Arc::clone(&current), answer).await;
    trace::requested(
        current.told(),
        begun.elapsed(),
        Outcome(answer.as_ref().err()),
    );
    answer
}

/// Tells that a request of doubtful outcome will be made again.
pub(super) fn tell_of_doubt(request: Request, key: &Key, attempt: u32, failure: &io::Error) {
    trace::doubtful((request.name(), key.as_ref(), attempt), failure);
}

/// What came of a request, in a few words where they say all.
struct Outcome<'a>(Option<&'a Error>);

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "done",
            Some(Error::NotFound { .. }) => "not found",
            Some(Error::AlreadyExists { .. }) => "already exists",
            Some(Error::Precondition { .. }) => "another version",
            Some(error) => return write!(f, "{error}"),
        })
    }
}

/// Makes HTTP clients that do not wait long for the answer to a small request, and tell of repetitions.
#[derive(Debug)]
pub(super) struct Connector {
    /// How long it may take until the answer to a small request begins.
    pub(super) answered_within: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Impatient {
            client,
            answered_within: self.answered_within,
        }))
    }
}

#[derive(Debug)]
struct Impatient {
    client: HttpClient,
    answered_within: Duration,
}

#[async_trait]
impl HttpService for Impatient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Ok(current) = CURRENT.try_with(Arc::clone) else {
            return self.client.execute(request).await;
        };
        current.begin_attempt();
        let is_small = current.request.is_small(request.body().content_length());
        let answer = self.client.execute(request);
        let answer = match is_small {
            false => answer.await,
            true => tokio::time::timeout(self.answered_within, answer)
                .await
                .unwrap_or_else(|_| Err(no_answer(self.answered_within))),
        };
        *current.failure() = match &answer {
            Ok(answer) if is_passing(answer.status().as_u16()) => {
                Some(format!("it was answered {}", answer.status()))
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        answer
    }
}

fn no_answer(within: Duration) -> HttpError {
    let text = format!("no answer came within {within:?}");
    let cause = io::Error::new(io::ErrorKind::TimedOut, text);
    HttpError::new(HttpErrorKind::Timeout, cause)
}

/// Whether a status of HTTP says that the server cannot answer now.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}
