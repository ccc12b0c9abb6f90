//! One request to a server of this machine, and its reply, both held in memory whole.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::http::{request, response};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a request on a connection of its own.
pub(crate) async fn exchange(
    server: SocketAddr,
    mut head: request::Parts,
    body: Bytes,
) -> io::Result<(response::Parts, Bytes)> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    head.headers.remove(CONNECTION);
    head.headers.remove(TRANSFER_ENCODING);
    let length = HeaderValue::from(body.len());
    head.headers.insert(CONTENT_LENGTH, length);
    let is_head = head.method == Method::HEAD;
    let request = Request::from_parts(head, Full::new(body));
    let reply = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let (mut head, body) = reply.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    head.headers.remove(CONNECTION);
    head.headers.remove(TRANSFER_ENCODING);
    if !is_head && head.status != 204 && head.status != 304 {
        let length = HeaderValue::from(body.len());
        head.headers.insert(CONTENT_LENGTH, length);
    }
    Ok((head, body))
}
