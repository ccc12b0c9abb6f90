//! What a request asks for, as far as its method, address and headers say.

use std::fmt;
use std::str::FromStr;

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::kind::Protocol;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestKind {
    /// Store an object, whatever is there.
    Put,
    /// Store an object if there is none of its name.
    PutCreate,
    /// Store an object if the one that is there is the one that the request names.
    PutReplace,
    /// Copy an object within the store.
    Copy,
    /// What is known of an object, without its bytes.
    Head,
    /// The bytes of an object.
    Get,
    /// Some of the bytes of an object.
    GetRange,
    /// The names of objects.
    List,
    /// Remove one object or several.
    Delete,
    /// Begin an upload in parts.
    CreateUpload,
    /// Upload a part.
    UploadPart,
    /// Make an object of the parts of an upload.
    CompleteUpload,
    /// Forget an upload.
    AbortUpload,
    /// The uploads that are neither completed nor aborted, or the parts of one.
    ListUploads,
    /// Everything else, such as making a bucket.
    Other,
}

impl RequestKind {
    /// Every kind.
    pub const ALL: [RequestKind; 15] = [
        RequestKind::Put,
        RequestKind::PutCreate,
        RequestKind::PutReplace,
        RequestKind::Copy,
        RequestKind::Head,
        RequestKind::Get,
        RequestKind::GetRange,
        RequestKind::List,
        RequestKind::Delete,
        RequestKind::CreateUpload,
        RequestKind::UploadPart,
        RequestKind::CompleteUpload,
        RequestKind::AbortUpload,
        RequestKind::ListUploads,
        RequestKind::Other,
    ];

    /// The name in the text of a rule: `put-create` and the like.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RequestKind::Put => "put",
            RequestKind::PutCreate => "put-create",
            RequestKind::PutReplace => "put-replace",
            RequestKind::Copy => "copy",
            RequestKind::Head => "head",
            RequestKind::Get => "get",
            RequestKind::GetRange => "get-range",
            RequestKind::List => "list",
            RequestKind::Delete => "delete",
            RequestKind::CreateUpload => "create-upload",
            RequestKind::UploadPart => "upload-part",
            RequestKind::CompleteUpload => "complete-upload",
            RequestKind::AbortUpload => "abort-upload",
            RequestKind::ListUploads => "list-uploads",
            RequestKind::Other => "other",
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RequestKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = RequestKind::ALL.into_iter();
        all.find(|kind| kind.name() == name).ok_or_else(|| {
            let names = RequestKind::ALL.map(RequestKind::name).join(", ");
            format!("no request is called `{name}`; there are {names}")
        })
    }
}

/// A request as the proxy saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number among all requests, from 1.
    pub number: usize,
    /// What it asks for.
    pub kind: RequestKind,
    /// Its number among the requests of this kind, from 1.
    pub number_of_kind: usize,
    /// The keys of the objects that it is about, without the bucket; of a list, the prefix.
    pub keys: Vec<String>,
    /// The length of its body, in bytes.
    pub body_length: usize,
    /// Whether it has the SHA-256 of its body for the store to check, as S3 does.
    pub has_checksum: bool,
}

/// What a request asks for, and the keys that it is about.
pub(super) fn classify(
    protocol: Protocol,
    head: &Parts,
    body: &[u8],
) -> (RequestKind, Vec<String>) {
    let query: Vec<(String, String)> = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let value = |name: &str| {
        query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let asks = |name: &str| value(name).is_some();
    let has = |name: &str| head.headers.contains_key(name);
    // Before the key stand the account, with Azure, and the bucket.
    let before_key = match protocol {
        Protocol::Azure => 2,
        Protocol::S3 | Protocol::Gcs => 1,
    };
    let path = decode(head.uri.path().trim_start_matches('/'));
    let key = path.splitn(before_key + 1, '/').nth(before_key);
    let key = key.filter(|key| !key.is_empty());

    let kind = match (head.method.as_str(), key) {
        ("POST", None) if asks("delete") || value("comp") == Some("batch") => RequestKind::Delete,
        ("GET", None) if asks("uploads") => RequestKind::ListUploads,
        ("GET", None) => RequestKind::List,
        (_, None) => RequestKind::Other,
        ("PUT", Some(_)) if asks("partNumber") || value("comp") == Some("block") => {
            RequestKind::UploadPart
        }
        ("PUT", Some(_)) if value("comp") == Some("blocklist") => RequestKind::CompleteUpload,
        ("PUT", Some(_)) if asks("comp") || asks("tagging") || asks("acl") => RequestKind::Other,
        ("PUT", Some(_)) => match protocol {
            _ if COPY_SOURCES.iter().any(|name| has(name)) => RequestKind::Copy,
            Protocol::S3 | Protocol::Azure if has("if-none-match") => RequestKind::PutCreate,
            Protocol::S3 | Protocol::Azure if has("if-match") => RequestKind::PutReplace,
            Protocol::S3 | Protocol::Azure => RequestKind::Put,
            Protocol::Gcs => match head.headers.get("x-goog-if-generation-match") {
                None => RequestKind::Put,
                Some(generation) if generation == "0" => RequestKind::PutCreate,
                Some(_) => RequestKind::PutReplace,
            },
        },
        ("POST", Some(_)) if asks("uploads") => RequestKind::CreateUpload,
        ("POST", Some(_)) if asks("uploadId") => RequestKind::CompleteUpload,
        ("DELETE", Some(_)) if asks("uploadId") => RequestKind::AbortUpload,
        ("DELETE", Some(_)) => RequestKind::Delete,
        ("HEAD", Some(_)) => RequestKind::Head,
        ("GET", Some(_)) if asks("uploadId") || value("comp") == Some("blocklist") => {
            RequestKind::ListUploads
        }
        ("GET", Some(_)) if has("range") || has("x-ms-range") => RequestKind::GetRange,
        ("GET", Some(_)) => RequestKind::Get,
        (_, Some(_)) => RequestKind::Other,
    };
    let keys = match (kind, key) {
        (_, Some(key)) => vec![key.to_owned()],
        (RequestKind::Delete, None) => deleted_keys(protocol, body),
        (_, None) => value("prefix").map(str::to_owned).into_iter().collect(),
    };
    (kind, keys)
}

const COPY_SOURCES: [&str; 3] = [
    "x-amz-copy-source",
    "x-ms-copy-source",
    "x-goog-copy-source",
];

/// The keys in the body of a request that deletes several objects.
fn deleted_keys(protocol: Protocol, body: &[u8]) -> Vec<String> {
    let body = String::from_utf8_lossy(body);
    match protocol {
        Protocol::S3 | Protocol::Gcs => {
            let elements = body.split("<Key>").skip(1);
            elements
                .filter_map(|rest| rest.split_once("</Key>"))
                .map(|(key, _)| unescape(key))
                .collect()
        }
        // Requests within the request, of which each names its blob.
        Protocol::Azure => {
            let lines = body
                .lines()
                .filter_map(|line| line.strip_prefix("DELETE /"));
            lines
                .filter_map(|rest| rest.split([' ', '?']).next())
                .filter_map(|path| path.splitn(3, '/').nth(2))
                .map(decode)
                .collect()
        }
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The text of an XML element.
fn unescape(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    named
        .iter()
        .fold(text.to_owned(), |text, (name, character)| {
            text.replace(name, character)
        })
}
