//! Plain requests to a server, signed where its protocol asks for that: what `object_store` has no call for.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpClient, HttpConnector as _, HttpRequestBody, ReqwestConnector};
use tokio::runtime::{Builder, Runtime};

use crate::gcs::encode;
use crate::kind::{AZURE_ACCOUNT, AZURE_KEY, Kind, Protocol, S3_KEY, S3_REGION};

/// The header by which Azure takes what is put for a blob of blocks, as `object_store` puts it; others pass it over.
pub(crate) const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

/// Runs a future to its end on a thread of this crate, and waits: also where the caller is a task of another runtime.
pub(crate) fn wait_for<T, F>(future: F) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let start = || {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    };
    let runtime = RUNTIME.get_or_init(|| start().map_err(|e| e.to_string()));
    let runtime = runtime.as_ref().map_err(|e| io::Error::other(e.clone()))?;
    let (sender, receiver) = mpsc::channel();
    runtime.spawn(async move {
        // The receiver waits below.
        let _ = sender.send(future.await);
    });
    receiver
        .recv()
        .map_err(|_| io::Error::other("the task panicked"))
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    kind: Kind,
    port: u16,
    client: HttpClient,
}

impl Raw {
    pub(crate) fn new(kind: Kind, port: u16) -> io::Result<Self> {
        let options = ClientOptions::new().with_allow_http(true);
        let client = ReqwestConnector::default().connect(&options)?;
        Ok(Self { kind, port, client })
    }

    /// Sends a request to `path`, which begins with the bucket and may end with a query.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> io::Result<Answer> {
        let body = body.into();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.kind.endpoint(self.port)));
        if method != "GET" && method != "HEAD" {
            request = request.header("content-length", body.len());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request
            .body(HttpRequestBody::from(body))
            .map_err(io::Error::other)?;
        match self.kind.protocol() {
            Protocol::S3 => {
                let credential = AwsCredential {
                    key_id: S3_KEY.to_owned(),
                    secret_key: S3_KEY.to_owned(),
                    token: None,
                };
                AwsAuthorizer::new(&credential, "s3", S3_REGION).authorize(&mut request, None);
            }
            Protocol::Azure => {
                let key = AzureAccessKey::try_new(AZURE_KEY).map_err(io::Error::other)?;
                let credential = AzureCredential::AccessKey(key);
                AzureAuthorizer::new(&credential, AZURE_ACCOUNT).authorize(&mut request);
            }
            Protocol::Gcs => {}
        }
        let response = self
            .client
            .execute(request)
            .await
            .map_err(io::Error::other)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// Sends a request and waits for the answer, on a thread of this crate.
    pub(crate) fn send_and_wait(
        &self,
        method: &'static str,
        path: String,
        headers: &'static [(&str, &str)],
        body: String,
    ) -> io::Result<Answer> {
        let this = self.clone();
        wait_for(async move { this.send(method, &path, headers, body).await })?
    }

    /// Puts an object of the very key that is given: also one that ends in a slash or has two in a row.
    pub(crate) fn put(&self, bucket: &str, key: &str, body: &str) -> io::Result<()> {
        let path = format!("{bucket}/{key}");
        let body = body.to_owned();
        let answer = match self.kind.protocol() {
            Protocol::S3 => self.send_and_wait("PUT", path, &[], body),
            Protocol::Azure => self.send_and_wait("PUT", path, &[BLOCK_BLOB], body),
            Protocol::Gcs => {
                let key = encode(key);
                let path = format!("upload/storage/v1/b/{bucket}/o?uploadType=media&name={key}");
                self.send_and_wait("POST", path, &[], body)
            }
        }?;
        self.done(answer, &format!("put {key}"))
    }

    /// Removes an object of the very key that is given.
    pub(crate) fn delete(&self, bucket: &str, key: &str) -> io::Result<()> {
        let path = match self.kind.protocol() {
            Protocol::S3 | Protocol::Azure => format!("{bucket}/{key}"),
            Protocol::Gcs => format!("storage/v1/b/{bucket}/o/{}", encode(key)),
        };
        let answer = self.send_and_wait("DELETE", path, &[], String::new())?;
        self.done(answer, &format!("remove {key}"))
    }

    /// Whether the server does what is asked.
    pub(crate) fn is_ready(&self) -> bool {
        let ask = |method, path: &str| {
            let answer = self.send_and_wait(method, path.to_owned(), &[], String::new());
            answer.is_ok_and(|answer| answer.status < 300)
        };
        match self.kind {
            // It lists buckets before it can store an object.
            Kind::SeaweedFs => {
                let bucket = "atomic-arrow-is-it-ready";
                let object = format!("{bucket}/object");
                let stored = ask("PUT", bucket) && ask("PUT", &object);
                // Also after a failure, so that the next look can make it again.
                let object_removed = ask("DELETE", &object);
                let removed = ask("DELETE", bucket);
                stored && object_removed && removed
            }
            Kind::Moto => ask("GET", ""),
            Kind::Azurite => ask("GET", "?comp=list"),
            Kind::FakeGcs => ask("GET", "storage/v1/b?project=test"),
        }
    }

    pub(crate) fn make_bucket(&self, name: &str) -> io::Result<()> {
        let answer = match self.kind.protocol() {
            Protocol::S3 => self.send_and_wait("PUT", name.to_owned(), &[], String::new()),
            Protocol::Azure => {
                let path = format!("{name}?restype=container");
                self.send_and_wait("PUT", path, &[], String::new())
            }
            Protocol::Gcs => {
                let body = serde_json::json!({ "name": name }).to_string();
                self.send_and_wait("POST", "storage/v1/b?project=test".to_owned(), &[], body)
            }
        }?;
        self.done(answer, &format!("make the bucket {name}"))
    }

    fn done(&self, answer: Answer, what: &str) -> io::Result<()> {
        let Answer { status, body } = answer;
        if status < 300 {
            return Ok(());
        }
        let kind = self.kind;
        Err(io::Error::other(format!(
            "{kind} did not {what}: {status} {body}"
        )))
    }
}
