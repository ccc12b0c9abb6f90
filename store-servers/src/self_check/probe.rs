//! The question for each guarantee, and the answer in a few words.

use std::io;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::future::try_join_all;
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, Error, GetOptions, ObjectMeta,
    ObjectStoreExt as _, PutMode, PutOptions, PutPayload, PutResult, UpdateVersion,
};
use tokio::sync::Barrier;

use super::Guarantee;
use crate::client::Client;
use crate::http::{Answer, BLOCK_BLOB, Raw};
use crate::kind::{Kind, Protocol};
use crate::server::Server;

/// Who asks: two clients, and one for requests that those have no call for.
#[derive(Clone)]
pub(super) struct Probe {
    kind: Kind,
    bucket: String,
    client: Client,
    other: Client,
    raw: Raw,
}

/// What stands for "this promise has no request in the protocol".
const NO_REQUEST: &str = "-";
const CLIENTS: usize = 8;
const ROUNDS: usize = 20;

impl Probe {
    pub(super) fn new(server: &Server, bucket: &str) -> io::Result<Self> {
        let kind = server.kind();
        Ok(Self {
            kind,
            bucket: bucket.to_owned(),
            client: Client::new(kind, &server.options(), bucket)?,
            other: Client::new(kind, &server.options(), bucket)?,
            raw: Raw::new(kind, server.port())?,
        })
    }

    pub(super) async fn ask(&self, guarantee: Guarantee) -> io::Result<String> {
        let found = self.find(guarantee).await;
        // What the server does not do at all, such as storing an object, leaves nothing to find.
        match found.as_ref().err().and_then(refused_by_server) {
            Some(refused) => Ok(refused),
            None => found,
        }
    }

    async fn find(&self, guarantee: Guarantee) -> io::Result<String> {
        match guarantee {
            Guarantee::CreateIfAbsent => self.create_if_absent().await,
            Guarantee::CreateRace => self.create_race().await,
            Guarantee::ReplaceIfMatch => self.replace_if_match().await,
            Guarantee::ReplaceStale => self.replace_stale().await,
            Guarantee::ReplaceMissing => self.replace_missing().await,
            Guarantee::ConditionalDelete => self.conditional_delete().await,
            Guarantee::ConditionalCopy => self.conditional_copy().await,
            Guarantee::Metadata => self.metadata().await,
            Guarantee::MetadataCopied => self.metadata_copied().await,
            Guarantee::ListedVersion => self.listed_version().await,
            Guarantee::NewVersion => self.new_version().await,
            Guarantee::CompleteElsewhere => self.complete_elsewhere().await,
            Guarantee::ConditionalComplete => self.conditional_complete().await,
            Guarantee::ListUploads => self.list_uploads().await,
            Guarantee::CompleteAborted => self.complete_aborted().await,
            Guarantee::Sha256 => self.sha256().await,
            Guarantee::Md5 => self.md5().await,
        }
    }

    async fn create_if_absent(&self) -> io::Result<String> {
        self.create("create", "first").await?;
        let second = self.create("create", "second").await;
        self.outcome("create", "first", second.map(drop)).await
    }

    async fn create_race(&self) -> io::Result<String> {
        // All rounds at the same time: SeaweedFS has the losers of each wait for a second.
        let rounds = (0..ROUNDS).map(|round| self.winners(format!("race-{round}")));
        let winners: Vec<usize> = try_join_all(rounds).await?;
        Ok(match (winners.iter().min(), winners.iter().max()) {
            (Some(1), Some(1)) => "yes",
            (Some(0), _) => "none wins",
            _ => "several win",
        }
        .to_owned())
    }

    /// How many of the clients that create an object at once are told that they did.
    async fn winners(&self, key: String) -> io::Result<usize> {
        let barrier = Arc::new(Barrier::new(CLIENTS));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (this, key, barrier) = (self.clone(), key.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    this.create(&key, &number.to_string()).await.is_ok()
                })
            })
            .collect();
        let mut winners = 0;
        for client in clients {
            winners += usize::from(client.await?);
        }
        Ok(winners)
    }

    async fn replace_if_match(&self) -> io::Result<String> {
        let version = self.create("replace", "first").await?;
        let replaced = self.replace("replace", "second", version).await;
        Ok(match replaced {
            Ok(_) if self.holds("replace", "second").await? => "yes".to_owned(),
            Ok(_) => "done without effect".to_owned(),
            Err(error) => in_words(&error),
        })
    }

    async fn replace_stale(&self) -> io::Result<String> {
        let stale = self.create("stale", "first").await?;
        self.client
            .objects
            .put(&Path::from("stale"), "second".into())
            .await?;
        let replaced = self.replace("stale", "third", stale).await;
        self.outcome("stale", "second", replaced.map(drop)).await
    }

    async fn replace_missing(&self) -> io::Result<String> {
        let gone = self.create("gone", "first").await?;
        self.client.objects.delete(&Path::from("gone")).await?;
        let replaced = self.replace("gone", "second", gone).await;
        let there = self.client.objects.head(&Path::from("gone")).await.is_ok();
        Ok(match replaced {
            Err(error) if !there => in_words(&error),
            _ => "no: stored".to_owned(),
        })
    }

    async fn conditional_delete(&self) -> io::Result<String> {
        let stale = self.create("delete", "first").await?;
        self.client
            .objects
            .put(&Path::from("delete"), "second".into())
            .await?;
        let (name, value) = match self.kind.protocol() {
            Protocol::S3 | Protocol::Azure => ("if-match", stale.e_tag),
            Protocol::Gcs => ("x-goog-if-generation-match", stale.version),
        };
        let headers = [(name, value.as_deref().unwrap_or_default())];
        let answer = self.send("DELETE", "delete", &headers, "").await?;
        self.refusal("delete", "second", &answer).await
    }

    async fn conditional_copy(&self) -> io::Result<String> {
        self.create("copied", "first").await?;
        self.create("target", "second").await?;
        let source = format!("{}/copied", self.bucket);
        let answer = match self.kind.protocol() {
            Protocol::S3 => {
                let headers = [
                    ("x-amz-copy-source", source.as_str()),
                    ("if-none-match", "*"),
                ];
                self.send("PUT", "target", &headers, "").await?
            }
            Protocol::Gcs => {
                let headers = [
                    ("x-goog-copy-source", source.as_str()),
                    ("x-goog-if-generation-match", "0"),
                ];
                self.send("PUT", "target", &headers, "").await?
            }
            Protocol::Azure => {
                let options = CopyOptions::new().with_mode(CopyMode::Create);
                let (from, to) = (Path::from("copied"), Path::from("target"));
                let copied = self.client.objects.copy_opts(&from, &to, options).await;
                return self.outcome("target", "second", copied).await;
            }
        };
        self.refusal("target", "second", &answer).await
    }

    async fn metadata(&self) -> io::Result<String> {
        self.put_with_metadata("metadata").await?;
        self.metadata_of("metadata").await
    }

    async fn metadata_copied(&self) -> io::Result<String> {
        self.put_with_metadata("metadata-source").await?;
        let (from, to) = (Path::from("metadata-source"), Path::from("metadata-copy"));
        self.client.objects.copy(&from, &to).await?;
        self.metadata_of("metadata-copy").await
    }

    async fn listed_version(&self) -> io::Result<String> {
        let stored = self.create("listed/object", "bytes").await?;
        let prefix = Path::from("listed");
        let listed = self
            .client
            .objects
            .list_with_delimiter(Some(&prefix))
            .await?;
        Ok(match listed.objects.as_slice() {
            [ObjectMeta { e_tag, .. }] if *e_tag == stored.e_tag => "yes".to_owned(),
            [ObjectMeta { e_tag, .. }] if unquoted(e_tag) == unquoted(&stored.e_tag) => {
                "without its quotes".to_owned()
            }
            [_] => "another".to_owned(),
            _ => "not listed".to_owned(),
        })
    }

    async fn new_version(&self) -> io::Result<String> {
        let path = Path::from("again");
        let objects = &self.client.objects;
        let first = objects.put(&path, "first".into()).await?;
        objects.put(&path, "second".into()).await?;
        let again = objects.put(&path, "first".into()).await?;
        Ok(if first.e_tag == again.e_tag {
            "no"
        } else {
            "yes"
        }
        .to_owned())
    }

    async fn complete_elsewhere(&self) -> io::Result<String> {
        let path = Path::from("elsewhere");
        let upload = self.client.uploads.create_multipart(&path).await?;
        let part = self
            .client
            .uploads
            .put_part(&path, &upload, 0, "bytes".into())
            .await?;
        let completed = self
            .other
            .uploads
            .complete_multipart(&path, &upload, vec![part])
            .await;
        Ok(match completed {
            Ok(_) if self.holds("elsewhere", "bytes").await? => "yes".to_owned(),
            Ok(_) => "done without effect".to_owned(),
            Err(error) => in_words(&error),
        })
    }

    async fn conditional_complete(&self) -> io::Result<String> {
        let key = "conditional";
        self.create(key, "first").await?;
        let path = Path::from(key);
        let upload = self.client.uploads.create_multipart(&path).await?;
        let part = self
            .client
            .uploads
            .put_part(&path, &upload, 0, "second".into())
            .await?;
        let condition = match self.kind.protocol() {
            Protocol::S3 | Protocol::Azure => ("if-none-match", "*"),
            Protocol::Gcs => ("x-goog-if-generation-match", "0"),
        };
        let answer = match self.kind.protocol() {
            Protocol::S3 | Protocol::Gcs => {
                let body = format!(
                    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
                     </CompleteMultipartUpload>",
                    part.content_id
                );
                let key = format!("{key}?uploadId={upload}");
                self.send("POST", &key, &[condition], &body).await?
            }
            Protocol::Azure => {
                // As `object_store` names blocks: the base 64 of the part's identity.
                let block = BASE64_STANDARD.encode(&part.content_id);
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
                     <BlockList><Uncommitted>{block}</Uncommitted></BlockList>"
                );
                let key = format!("{key}?comp=blocklist");
                self.send("PUT", &key, &[condition], &body).await?
            }
        };
        self.refusal(key, "first", &answer).await
    }

    async fn list_uploads(&self) -> io::Result<String> {
        let path = Path::from("unfinished");
        let upload = self.client.uploads.create_multipart(&path).await?;
        self.client
            .uploads
            .put_part(&path, &upload, 0, "bytes".into())
            .await?;
        let query = match self.kind.protocol() {
            Protocol::S3 | Protocol::Gcs => "uploads",
            Protocol::Azure => "restype=container&comp=list&include=uncommittedblobs",
        };
        let address = format!("{}?{query}", self.bucket);
        let answer = self.raw.send("GET", &address, &[], "").await?;
        Ok(match answer.status {
            200 if answer.body.contains("unfinished") => "yes".to_owned(),
            200 => "not listed".to_owned(),
            status => status.to_string(),
        })
    }

    async fn complete_aborted(&self) -> io::Result<String> {
        if self.kind.protocol() == Protocol::Azure {
            // Blocks that are not in a list of blocks cannot be removed: they expire.
            return Ok(NO_REQUEST.to_owned());
        }
        let path = Path::from("aborted");
        let uploads = &self.client.uploads;
        let upload = uploads.create_multipart(&path).await?;
        let part = uploads.put_part(&path, &upload, 0, "bytes".into()).await?;
        if let Err(error) = uploads.abort_multipart(&path, &upload).await {
            return Ok(format!("abort: {}", in_words(&error)));
        }
        let completed = uploads.complete_multipart(&path, &upload, vec![part]).await;
        let there = self.client.objects.head(&path).await.is_ok();
        Ok(match completed {
            Err(error) if !there => in_words(&error),
            _ => "no: completed".to_owned(),
        })
    }

    async fn sha256(&self) -> io::Result<String> {
        if self.kind.protocol() != Protocol::S3 {
            return Ok(NO_REQUEST.to_owned());
        }
        let wrong = BASE64_STANDARD.encode([0; 32]);
        self.put_with_checksum("x-amz-checksum-sha256", &wrong)
            .await
    }

    async fn md5(&self) -> io::Result<String> {
        if self.kind.protocol() == Protocol::Gcs {
            return Ok(NO_REQUEST.to_owned());
        }
        self.put_with_checksum("content-md5", &BASE64_STANDARD.encode([0; 16]))
            .await
    }

    async fn put_with_checksum(&self, name: &str, wrong: &str) -> io::Result<String> {
        let answer = self
            .send("PUT", name, &[(name, wrong), BLOCK_BLOB], "bytes")
            .await?;
        let there = self.client.objects.head(&Path::from(name)).await.is_ok();
        Ok(match answer.status {
            status if status >= 300 && !there => format!("refused: {status}"),
            _ => "no: stored".to_owned(),
        })
    }

    async fn put_with_metadata(&self, key: &str) -> io::Result<()> {
        let token = [(Attribute::Metadata("token".into()), "value")];
        let options = PutOptions {
            attributes: Attributes::from_iter(token),
            ..PutOptions::default()
        };
        let path = Path::from(key);
        self.client
            .objects
            .put_opts(&path, "bytes".into(), options)
            .await?;
        Ok(())
    }

    async fn metadata_of(&self, key: &str) -> io::Result<String> {
        let options = GetOptions::new().with_head(true);
        let head = self
            .client
            .objects
            .get_opts(&Path::from(key), options)
            .await?;
        let token = head.attributes.get(&Attribute::Metadata("token".into()));
        Ok(if token.is_some_and(|token| token.as_ref() == "value") {
            "yes"
        } else {
            "no"
        }
        .to_owned())
    }

    async fn create(&self, key: &str, bytes: &str) -> object_store::Result<PutResult> {
        self.put(key, bytes, PutMode::Create).await
    }

    async fn replace(
        &self,
        key: &str,
        bytes: &str,
        version: PutResult,
    ) -> object_store::Result<PutResult> {
        let version = UpdateVersion::from(version);
        self.put(key, bytes, PutMode::Update(version)).await
    }

    async fn put(&self, key: &str, bytes: &str, mode: PutMode) -> object_store::Result<PutResult> {
        let payload = PutPayload::from(bytes.to_owned());
        self.client
            .objects
            .put_opts(&Path::from(key), payload, mode.into())
            .await
    }

    async fn send(
        &self,
        method: &str,
        key: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let address = format!("{}/{key}", self.bucket);
        self.raw
            .send(method, &address, headers, body.to_owned())
            .await
    }

    async fn holds(&self, key: &str, bytes: &str) -> io::Result<bool> {
        let object = match self.client.objects.get(&Path::from(key)).await {
            Err(Error::NotFound { .. }) => return Ok(false),
            object => object?,
        };
        Ok(object.bytes().await? == bytes.as_bytes())
    }

    /// The outcome of what must be refused, where `bytes` must still be there.
    async fn outcome(
        &self,
        key: &str,
        bytes: &str,
        outcome: object_store::Result<()>,
    ) -> io::Result<String> {
        Ok(match outcome {
            _ if !self.holds(key, bytes).await? => "no: done".to_owned(),
            Ok(()) => "no: nothing done, and success answered".to_owned(),
            Err(error) => in_words(&error),
        })
    }

    /// As [`Self::outcome`], of a plain request.
    async fn refusal(&self, key: &str, bytes: &str, answer: &Answer) -> io::Result<String> {
        Ok(match answer.status {
            _ if !self.holds(key, bytes).await? => "no: done".to_owned(),
            status @ ..300 => format!("no: nothing done, and {status} answered"),
            status => format!("refused: {status}"),
        })
    }
}

fn unquoted(e_tag: &Option<String>) -> Option<&str> {
    e_tag.as_ref().map(|e_tag| e_tag.trim_matches('"'))
}

/// The error of a request that the server refused; `None` of one that it did not answer.
fn refused_by_server(error: &io::Error) -> Option<String> {
    let error: &Error = error.get_ref()?.downcast_ref()?;
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    let answered = !causes.into_iter().any(|cause| cause.is::<HttpError>());
    answered.then(|| in_words(error))
}

/// An error as the table has it: the variant of `object_store::Error`, which is what the library sees.
fn in_words(error: &Error) -> String {
    match error {
        Error::AlreadyExists { .. } => "refused: AlreadyExists".to_owned(),
        Error::Precondition { .. } => "refused: Precondition".to_owned(),
        Error::NotFound { .. } => "refused: NotFound".to_owned(),
        Error::Generic { .. } => "refused: Generic".to_owned(),
        other => format!("refused: {other}"),
    }
}
