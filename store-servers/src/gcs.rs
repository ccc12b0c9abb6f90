//! The requests of GCS's XML API that fake-gcs-server refuses, made of those of the JSON API that it keeps.
//!
//! `object_store` speaks the XML API. Of that the server answers reads, lists and deletes, which pass through. Storing an
//! object becomes an upload of the JSON API, whose conditions the server keeps; a copy becomes reading and storing; an
//! upload in parts is held here until it is completed, which is never conditional, as in GCS. One request that changes
//! something is carried out at a time, so conditions hold under a race too.
//!
//! <https://cloud.google.com/storage/docs/xml-api/reference-methods>

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::http::{request, response};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;

use crate::exchange::exchange;
use crate::port::wait_until_closed;

const GENERATION_MATCH: &str = "x-goog-if-generation-match";
const METADATA: &str = "x-goog-meta-";
/// What divides the two parts of an upload's body. No test stores it.
const BOUNDARY: &str = "atomic-arrow-9f1c6a52";

type Reply = (response::Parts, Bytes);

/// The XML API in front of a fake-gcs-server. It ends, with every connection, when the value is dropped.
#[derive(Debug)]
pub(crate) struct XmlApi {
    pub(crate) port: u16,
    /// `Some` until it is dropped.
    runtime: Option<Runtime>,
}

impl XmlApi {
    pub(crate) fn in_front_of(port: u16) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("gcs-xml-api")
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let own = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let translator = Arc::new(Translator {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            uploads: Mutex::default(),
        });
        runtime.spawn(serve(listener, translator));
        Ok(Self {
            port: own,
            runtime: Some(runtime),
        })
    }
}

impl Drop for XmlApi {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
            // Which closes the port a moment later.
            wait_until_closed(self.port);
        }
    }
}

async fn serve(listener: TcpListener, translator: Arc<Translator>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let translator = Arc::clone(&translator);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let translator = Arc::clone(&translator);
                // A task of its own: what was begun goes on when the client has gone.
                let answered = tokio::spawn(async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                    let (head, body) = translator.answer(head, body).await?;
                    Ok::<_, io::Error>(Response::from_parts(head, Full::new(body)))
                });
                async move { answered.await.map_err(io::Error::other)? }
            });
            // A connection without a reply ends with an error, which the client sees.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An upload in parts that is neither completed nor aborted.
struct Upload {
    bucket: String,
    key: String,
    about: Map<String, Value>,
    parts: BTreeMap<usize, Bytes>,
}

#[derive(Default)]
struct Uploads {
    begun: usize,
    open: BTreeMap<String, Upload>,
}

struct Translator {
    server: SocketAddr,
    /// Also what lets one change happen at a time.
    uploads: Mutex<Uploads>,
}

impl Translator {
    async fn answer(&self, head: request::Parts, body: Bytes) -> io::Result<Reply> {
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let is_json_api = path.starts_with("storage/v1/") || path.starts_with("upload/");
        let (bucket, key) = (decode(bucket), decode(key));
        let query = Query::of(&head);
        match (head.method.as_str(), key.as_str()) {
            _ if is_json_api => self.pass(head, body).await,
            ("GET", "") if query.has("uploads") => self.list_uploads(&bucket).await,
            ("PUT", key) if !key.is_empty() => {
                let mut uploads = self.uploads.lock().await;
                if let Some(id) = query.get("uploadId") {
                    let Some(upload) = uploads.open.get_mut(id) else {
                        return refuse(404, "NoSuchUpload");
                    };
                    let number = query
                        .get("partNumber")
                        .and_then(|number| number.parse().ok());
                    let number: usize = number.unwrap_or(0);
                    let etag = format!("\"{number}-{}\"", body.len());
                    upload.parts.insert(number, body);
                    return reply(200, &[("etag", &etag)], "");
                }
                let generation = header(&head.headers, GENERATION_MATCH);
                match header(&head.headers, "x-goog-copy-source") {
                    Some(source) => self.copy(&decode(source), &bucket, key, generation).await,
                    None => {
                        let about = about(&head.headers);
                        self.store(&bucket, key, &about, &body, generation).await
                    }
                }
            }
            ("POST", key) if !key.is_empty() && query.has("uploads") => {
                let mut uploads = self.uploads.lock().await;
                uploads.begun += 1;
                let id = format!("upload-{}", uploads.begun);
                let upload = Upload {
                    bucket: bucket.clone(),
                    key: key.to_owned(),
                    about: about(&head.headers),
                    parts: BTreeMap::new(),
                };
                uploads.open.insert(id.clone(), upload);
                let body = format!(
                    "<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key>\
                     <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                );
                reply(200, &[("content-type", "application/xml")], &body)
            }
            ("POST", key) if !key.is_empty() => self.complete(&query, key, &body).await,
            ("DELETE", key) if !key.is_empty() => {
                let mut uploads = self.uploads.lock().await;
                if let Some(id) = query.get("uploadId") {
                    return match uploads.open.remove(id) {
                        Some(_) => reply(204, &[], ""),
                        None => refuse(404, "NoSuchUpload"),
                    };
                }
                if let Some(generation) = header(&head.headers, GENERATION_MATCH) {
                    let (there, _) = self.read(Method::HEAD, &bucket, key).await?;
                    if header(&there.headers, "x-goog-generation") != Some(generation) {
                        return refuse(412, "PreconditionFailed");
                    }
                }
                self.pass(head, body).await
            }
            _ => self.pass(head, body).await,
        }
    }

    /// Forwards a request unchanged, but for the address that it is for.
    async fn pass(&self, mut head: request::Parts, body: Bytes) -> io::Result<Reply> {
        let host = self.server.to_string().parse().map_err(io::Error::other)?;
        head.headers.insert(HOST, host);
        exchange(self.server, head, body).await
    }

    async fn read(&self, method: Method, bucket: &str, key: &str) -> io::Result<Reply> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/{bucket}/{}", encode(key)));
        let (head, ()) = request.body(()).map_err(io::Error::other)?.into_parts();
        self.pass(head, Bytes::new()).await
    }

    /// Stores an object, if the generation that is there is the one that is named; 0 stands for none.
    async fn store(
        &self,
        bucket: &str,
        key: &str,
        about: &Map<String, Value>,
        bytes: &[u8],
        generation: Option<&str>,
    ) -> io::Result<Reply> {
        let mut address = format!(
            "/upload/storage/v1/b/{bucket}/o?uploadType=multipart&name={}",
            encode(key)
        );
        if let Some(generation) = generation {
            address += &format!("&ifGenerationMatch={generation}");
        }
        let mut about = about.clone();
        about.insert("name".to_owned(), key.into());
        let kind = about.get("contentType").and_then(Value::as_str);
        let kind = kind.unwrap_or("application/octet-stream");
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{}\r\n\
             --{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n",
            Value::from(about.clone())
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let request = Request::builder().method(Method::POST).uri(address).header(
            CONTENT_TYPE,
            format!("multipart/related; boundary={BOUNDARY}"),
        );
        let (head, ()) = request.body(()).map_err(io::Error::other)?.into_parts();
        let (head, body) = self.pass(head, Bytes::from(body)).await?;
        if !head.status.is_success() {
            return Ok((head, body));
        }
        let stored: Value = serde_json::from_slice(&body)?;
        let text = |name: &str| stored[name].as_str().unwrap_or_default().to_owned();
        let etag = format!("\"{}\"", text("etag"));
        reply(
            200,
            &[("etag", &etag), ("x-goog-generation", &text("generation"))],
            "",
        )
    }

    /// Stores what another object holds, with its metadata.
    async fn copy(
        &self,
        source: &str,
        bucket: &str,
        key: &str,
        generation: Option<&str>,
    ) -> io::Result<Reply> {
        let (from, source) = source
            .trim_start_matches('/')
            .split_once('/')
            .unwrap_or_default();
        let (head, bytes) = self.read(Method::GET, from, source).await?;
        if !head.status.is_success() {
            return Ok((head, bytes));
        }
        let about = about(&head.headers);
        let stored = self.store(bucket, key, &about, &bytes, generation).await;
        let (mut head, body) = stored?;
        if !head.status.is_success() {
            return Ok((head, body));
        }
        let etag = header(&head.headers, "etag").unwrap_or_default();
        let body = format!("<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>");
        head.headers.insert("content-length", body.len().into());
        Ok((head, Bytes::from(body)))
    }

    async fn complete(&self, query: &Query, key: &str, body: &[u8]) -> io::Result<Reply> {
        let mut uploads = self.uploads.lock().await;
        let id = query.get("uploadId").unwrap_or_default();
        let Some(upload) = uploads.open.get(id) else {
            return refuse(404, "NoSuchUpload");
        };
        let mut bytes = Vec::new();
        let body = String::from_utf8_lossy(body);
        for rest in body.split("<PartNumber>").skip(1) {
            let number = rest
                .split_once('<')
                .and_then(|(number, _)| number.parse().ok());
            let Some(part) = number.and_then(|number: usize| upload.parts.get(&number)) else {
                return refuse(400, "InvalidPart");
            };
            bytes.extend_from_slice(part);
        }
        let stored = self.store(&upload.bucket, key, &upload.about, &bytes, None);
        let (mut head, body) = stored.await?;
        if !head.status.is_success() {
            return Ok((head, body));
        }
        uploads.open.remove(id);
        let etag = header(&head.headers, "etag").unwrap_or_default();
        let body = format!(
            "<CompleteMultipartUploadResult><Key>{key}</Key><ETag>{etag}</ETag>\
             </CompleteMultipartUploadResult>"
        );
        head.headers.insert("content-length", body.len().into());
        Ok((head, Bytes::from(body)))
    }

    async fn list_uploads(&self, bucket: &str) -> io::Result<Reply> {
        let uploads = self.uploads.lock().await;
        let of_bucket = uploads
            .open
            .iter()
            .filter(|(_, upload)| upload.bucket == bucket);
        let list: String = of_bucket
            .map(|(id, Upload { key, .. })| {
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
            })
            .collect();
        let body = format!("<ListMultipartUploadsResult>{list}</ListMultipartUploadsResult>");
        reply(200, &[("content-type", "application/xml")], &body)
    }
}

/// What the JSON API is told of an object beside its bytes.
fn about(headers: &HeaderMap) -> Map<String, Value> {
    let mut about = Map::new();
    if let Some(kind) = header(headers, "content-type") {
        about.insert("contentType".to_owned(), kind.into());
    }
    let metadata: Map<_, _> = headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(METADATA)?;
            Some((name.to_owned(), Value::from(value.to_str().ok()?)))
        })
        .collect();
    about.insert("metadata".to_owned(), json!(metadata));
    about
}

struct Query(Vec<(String, String)>);

impl Query {
    fn of(head: &request::Parts) -> Self {
        let pairs = head.uri.query().unwrap_or_default().split('&');
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(
            pairs
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refuse(status: u16, code: &str) -> io::Result<Reply> {
    let body = format!("<Error><Code>{code}</Code></Error>");
    reply(status, &[("content-type", "application/xml")], &body)
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> io::Result<Reply> {
    let mut reply = Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, *value);
    }
    let reply = reply.body(Bytes::from(body.to_owned()));
    reply.map(Response::into_parts).map_err(io::Error::other)
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A key as one segment of a URL.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
