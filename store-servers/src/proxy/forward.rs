//! Taking a request in, forwarding it, and what a fault does on that way.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::request::{Seen, classify};
use super::rule::Fault;
use super::{Moment, Shared};
use crate::exchange::exchange;

type Reply = Response<BoxBody<Bytes, io::Error>>;

/// Takes connections until the runtime ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                // A task of its own: what a client asked for goes on when the client has gone.
                let answered = tokio::spawn(answer(Arc::clone(&shared), request));
                async move { answered.await.map_err(io::Error::other)? }
            });
            // The connection of a request that got no reply ends with an error, as it is meant to.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The reply to a request; after an error the connection is closed without one.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Reply> {
    let (head, body) = request.into_parts();
    let mut body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (seen, fault) = take_note(&shared, &head, &body);
    call_hook(&shared, Moment::Arrived, &seen).await;
    match fault {
        Some(Fault::DropRequest) => return Err(io::Error::other("dropped before it was applied")),
        Some(Fault::RefuseBefore(status)) => return refusal(status, &head.method),
        Some(Fault::ErrorBodyBefore) => return refusal(200, &head.method),
        Some(Fault::Hang) => hang(&shared).await?,
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::FlipRequest) => body = flipped(&body),
        _ => {}
    }
    let method = head.method.clone();
    let (head, body) = exchange(shared.server, head, body).await?;
    call_hook(&shared, Moment::Answered, &seen).await;
    match fault {
        Some(Fault::DropReply) => return Err(io::Error::other("dropped after it was applied")),
        Some(Fault::RefuseAfter(status)) => return refusal(status, &method),
        Some(Fault::ErrorBodyAfter) => return refusal(200, &method),
        Some(Fault::HangReply) => hang(&shared).await?,
        _ => {}
    }
    let body = match fault {
        Some(Fault::CutReply) if body.is_empty() => {
            return Err(io::Error::other("there is no body to cut"));
        }
        Some(Fault::CutReply) => {
            let half = body.slice(..body.len() / 2);
            let frames = [Ok(Frame::data(half)), Err(io::Error::other("cut"))];
            StreamBody::new(stream::iter(frames)).boxed()
        }
        Some(Fault::FlipReply) => whole(flipped(&body)),
        _ => whole(body),
    };
    Ok(Response::from_parts(head, body))
}

/// Counts a request, and says what happens to it.
fn take_note(shared: &Shared, head: &Parts, body: &[u8]) -> (Seen, Option<Fault>) {
    let (kind, keys) = classify(shared.kind.protocol(), head, body);
    let mut state = shared.state();
    // Every rule counts the requests that it is for, also where another one is followed.
    let faults: Vec<_> = state
        .rules
        .iter_mut()
        .map(|rule| rule.fault_of(kind, &keys))
        .collect();
    let count = state.counts.entry(kind).or_default();
    *count += 1;
    let number_of_kind = *count;
    let seen = Seen {
        number: state.seen.len() + 1,
        kind,
        number_of_kind,
        keys,
        body_length: body.len(),
        has_checksum: head.headers.contains_key("x-amz-checksum-sha256"),
    };
    state.seen.push(seen.clone());
    (seen, faults.into_iter().flatten().next())
}

async fn call_hook(shared: &Shared, moment: Moment, seen: &Seen) {
    let hook = shared.state().hook.clone();
    if let Some(hook) = hook {
        let seen = seen.clone();
        // It may take its time. What it panics with is the test's own failure, which a proxy cannot report.
        let _ = tokio::task::spawn_blocking(move || hook(moment, &seen)).await;
    }
}

/// Waits until what hangs is released.
async fn hang(shared: &Shared) -> io::Result<()> {
    let mut released = shared.released.subscribe();
    shared.state().hanging += 1;
    let changed = released.changed().await;
    shared.state().hanging -= 1;
    changed.map_err(io::Error::other)
}

/// A reply with an error as its body, in the form that S3, Azure and GCS share.
fn refusal(status: u16, method: &Method) -> io::Result<Reply> {
    let code = match status {
        409 => "ConditionalRequestConflict",
        503 => "SlowDown",
        _ => "InternalError",
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>The proxy of a test says so.</Message></Error>"
    );
    let body = if *method == Method::HEAD {
        String::new()
    } else {
        body
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(whole(Bytes::from(body)))
        .map_err(io::Error::other)
}

fn whole(body: Bytes) -> BoxBody<Bytes, io::Error> {
    Full::new(body)
        .map_err(|never: Infallible| match never {})
        .boxed()
}

/// The bytes with one bit flipped, in the middle.
fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Bytes::from(bytes)
}
