//! The proxy forwards what it is not told to let fail, says what it saw, and each fault does what it says.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::Future;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use atomic_arrow_store_servers::{Fault, Kind, Moment, Proxy, RequestKind, Rule, Server, or_skip};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, PutResult, RetryConfig,
    UpdateVersion,
};
use tokio::runtime::Runtime;

const BUCKET: &str = "lake";

/// A moto behind a proxy, and a client that sends each request once.
struct Setting {
    runtime: Runtime,
    store: AmazonS3,
    proxy: Proxy,
    _server: Server,
}

fn once() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

impl Setting {
    fn new() -> Option<Self> {
        let server = or_skip(Server::start(Kind::Moto))?;
        server.make_bucket(BUCKET).unwrap();
        let proxy = Proxy::in_front_of(&server).unwrap();
        let options = proxy.options().into_iter();
        let builder = options.fold(AmazonS3Builder::new(), |builder, (key, value)| {
            builder.with_config(key.parse().unwrap(), value)
        });
        let store = builder
            .with_bucket_name(BUCKET)
            .with_retry(once())
            .build()
            .unwrap();
        let runtime = Runtime::new().unwrap();
        Some(Self {
            runtime,
            store,
            proxy,
            _server: server,
        })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn put(&self, key: &str, bytes: &'static str, mode: PutMode) -> Result<PutResult, Error> {
        let payload = PutPayload::from_static(bytes.as_bytes());
        self.wait(self.store.put_opts(&Path::from(key), payload, mode.into()))
    }

    fn get(&self, key: &str) -> Result<String, Error> {
        self.wait(async {
            let bytes = self.store.get(&Path::from(key)).await?.bytes().await?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
    }

    /// What is at a key once nothing fails any more.
    fn there(&self, key: &str) -> Option<String> {
        self.proxy.clear();
        match self.get(key) {
            Err(Error::NotFound { .. }) => None,
            bytes => Some(bytes.unwrap()),
        }
    }

    /// The outcome of creating an object under a fault, and what is there afterwards.
    fn create_under(&self, fault: Fault) -> (Result<PutResult, Error>, Option<String>) {
        let key = format!("created/{fault}");
        self.proxy
            .add(Rule::nth(1, RequestKind::PutCreate, fault).keys("created/*"));
        let created = self.put(&key, "bytes", PutMode::Create);
        (created, self.there(&key))
    }
}

#[test]
fn requests_are_forwarded_and_counted_by_kind() {
    let Some(setting) = Setting::new() else {
        return;
    };
    let created = setting.put("a/b c", "first", PutMode::Create).unwrap();
    assert!(matches!(
        setting.put("a/b c", "x", PutMode::Create),
        Err(Error::AlreadyExists { .. })
    ));
    setting
        .put(
            "a/b c",
            "second",
            PutMode::Update(UpdateVersion::from(created)),
        )
        .unwrap();
    setting.put("other", "third", PutMode::Overwrite).unwrap();
    let (from, to) = (Path::from("a/b c"), Path::from("copy"));
    setting.wait(async {
        let store = &setting.store;
        store.copy(&from, &to).await.unwrap();
        store.head(&to).await.unwrap();
        assert_eq!(
            store.get(&to).await.unwrap().bytes().await.unwrap(),
            "second"
        );
        assert_eq!(store.get_range(&to, 1..3).await.unwrap(), "ec");
        store
            .list_with_delimiter(Some(&Path::from("a")))
            .await
            .unwrap();
        store.delete(&to).await.unwrap();
        let upload = store.create_multipart(&to).await.unwrap();
        let part = store
            .put_part(&to, &upload, 0, "part".into())
            .await
            .unwrap();
        store
            .complete_multipart(&to, &upload, vec![part])
            .await
            .unwrap();
        let upload = store.create_multipart(&to).await.unwrap();
        store.abort_multipart(&to, &upload).await.unwrap();
    });
    assert_eq!(setting.get("copy").unwrap(), "part");

    let counts = setting.proxy.counts();
    let counts: Vec<_> = counts
        .into_iter()
        .map(|(kind, count)| (kind.name(), count))
        .collect();
    let expected = [
        ("put", 1),
        ("put-create", 2),
        ("put-replace", 1),
        ("copy", 1),
        ("head", 1),
        ("get", 2),
        ("get-range", 1),
        ("list", 1),
        ("delete", 1),
        ("create-upload", 2),
        ("upload-part", 1),
        ("complete-upload", 1),
        ("abort-upload", 1),
    ];
    assert_eq!(counts, expected);
    let seen = setting.proxy.seen();
    assert_eq!(seen[0].keys, ["a/b c"]);
    assert_eq!(seen[0].body_length, "first".len());
    let deleted = seen
        .iter()
        .find(|seen| seen.kind == RequestKind::Delete)
        .unwrap();
    assert_eq!(deleted.keys, ["copy"]);
    setting.proxy.forget();
    assert!(setting.proxy.seen().is_empty() && setting.proxy.count(RequestKind::Put) == 0);
}

#[test]
fn a_fault_before_the_server_leaves_nothing_there() {
    let Some(setting) = Setting::new() else {
        return;
    };
    for fault in [
        Fault::DropRequest,
        Fault::RefuseBefore(500),
        Fault::RefuseBefore(503),
        Fault::ErrorBodyBefore,
    ] {
        let (created, there) = setting.create_under(fault);
        assert!(
            matches!(created, Err(Error::Generic { .. })),
            "{fault}: {created:?}"
        );
        assert_eq!(there, None, "{fault}");
    }
    let (created, there) = setting.create_under(Fault::RefuseBefore(409));
    assert!(
        matches!(created, Err(Error::AlreadyExists { .. })),
        "{created:?}"
    );
    assert_eq!(there, None);
}

#[test]
fn a_fault_after_the_server_leaves_the_object_there() {
    let Some(setting) = Setting::new() else {
        return;
    };
    let whole = Some("bytes".to_owned());
    for fault in [
        Fault::DropReply,
        Fault::RefuseAfter(500),
        Fault::ErrorBodyAfter,
        Fault::CutReply,
    ] {
        let (created, there) = setting.create_under(fault);
        assert!(
            matches!(created, Err(Error::Generic { .. })),
            "{fault}: {created:?}"
        );
        assert_eq!(there, whole, "{fault}");
    }
    let (created, there) = setting.create_under(Fault::RefuseAfter(409));
    assert!(
        matches!(created, Err(Error::AlreadyExists { .. })),
        "{created:?}"
    );
    assert_eq!(there, whole);
    let (created, there) = setting.create_under(Fault::Slow(Duration::from_millis(1)));
    assert!(created.is_ok());
    assert_eq!(there, whole);
}

#[test]
fn bodies_are_cut_and_bits_are_flipped() {
    let Some(setting) = Setting::new() else {
        return;
    };
    setting.put("object", "abcd", PutMode::Overwrite).unwrap();
    setting
        .proxy
        .add(Rule::nth(1, RequestKind::Get, Fault::CutReply));
    assert!(setting.get("object").is_err());
    setting
        .proxy
        .add(Rule::nth(1, RequestKind::Get, Fault::FlipReply));
    assert_eq!(setting.get("object").unwrap(), "abbd");
    setting.proxy.clear();
    // moto does not look at checksums.
    setting
        .proxy
        .add(Rule::every(RequestKind::Put, Fault::FlipRequest));
    setting.put("object", "abcd", PutMode::Overwrite).unwrap();
    assert_eq!(setting.there("object").as_deref(), Some("abbd"));
}

/// Waits until something is so.
fn eventually(is_so: impl Fn() -> bool) {
    // So many that a test which waits in vain fails instead of standing still.
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("it never came about");
}

#[test]
fn what_hangs_reaches_the_server_when_it_is_released_also_if_the_client_has_gone() {
    let Some(setting) = Setting::new() else {
        return;
    };
    for (fault, at_once) in [(Fault::Hang, false), (Fault::HangReply, true)] {
        setting.proxy.add(Rule::every(RequestKind::Put, fault));
        let store = setting.store.clone();
        let client = setting
            .runtime
            .spawn(async move { store.put(&Path::from("late"), "bytes".into()).await });
        eventually(|| setting.proxy.hanging() == 1);
        client.abort();
        assert_eq!(setting.there("late").is_some(), at_once, "{fault}");
        setting.proxy.release();
        eventually(|| setting.proxy.hanging() == 0 && setting.there("late").is_some());
        setting
            .wait(setting.store.delete(&Path::from("late")))
            .unwrap();
    }
}

#[test]
fn a_hook_is_called_before_a_request_is_forwarded_and_before_it_is_answered() {
    let Some(setting) = Setting::new() else {
        return;
    };
    let setting = Arc::new(setting);
    let (sender, called) = mpsc::channel();
    setting.proxy.on_request(move |moment, seen| {
        sender
            .send((moment, seen.kind, seen.number_of_kind))
            .unwrap();
    });
    setting.put("object", "bytes", PutMode::Create).unwrap();
    setting
        .proxy
        .add(Rule::every(RequestKind::Get, Fault::DropRequest));
    assert!(setting.get("object").is_err());
    let called: Vec<_> = called.try_iter().collect();
    let expected = [
        (Moment::Arrived, RequestKind::PutCreate, 1),
        (Moment::Answered, RequestKind::PutCreate, 1),
        (Moment::Arrived, RequestKind::Get, 1),
    ];
    assert_eq!(called, expected);
}

/// Creates, replaces, copies, lists and deletes through a proxy, whatever the answers are.
fn everything(kind: Kind, build: impl Fn(&Proxy) -> Arc<dyn ObjectStore>) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let Some(server) = or_skip(Server::start(kind)) else {
        return;
    };
    server.make_bucket(BUCKET).unwrap();
    let proxy = Proxy::in_front_of(&server).unwrap();
    let store = build(&proxy);
    RUNTIME
        .get_or_init(|| Runtime::new().unwrap())
        .block_on(async {
            let (path, copy) = (Path::from("year=2026/a b"), Path::from("copy"));
            let created = store
                .put_opts(&path, "first".into(), PutMode::Create.into())
                .await
                .unwrap();
            let replace = PutMode::Update(UpdateVersion::from(created));
            store
                .put_opts(&path, "second".into(), replace.into())
                .await
                .unwrap();
            store
                .put(&Path::from("third"), "third".into())
                .await
                .unwrap();
            // Whether it may replace an object differs; there is none.
            store.copy(&path, &copy).await.unwrap();
            assert_eq!(
                store.get(&copy).await.unwrap().bytes().await.unwrap(),
                "second"
            );
            assert_eq!(store.get_range(&copy, 1..3).await.unwrap(), "ec");
            store.head(&copy).await.unwrap();
            store.list_with_delimiter(None).await.unwrap();
            store.delete(&path).await.unwrap();
            let mut upload = store.put_multipart(&path).await.unwrap();
            upload.put_part("part".into()).await.unwrap();
            upload.complete().await.unwrap();
        });
    for kind in [
        RequestKind::PutCreate,
        RequestKind::PutReplace,
        RequestKind::Put,
        RequestKind::Copy,
        RequestKind::Get,
        RequestKind::GetRange,
        RequestKind::Head,
        RequestKind::List,
        RequestKind::Delete,
        RequestKind::UploadPart,
        RequestKind::CompleteUpload,
    ] {
        assert_eq!(proxy.count(kind), 1, "{kind}: {:?}", proxy.counts());
    }
    let seen = proxy.seen();
    let deleted = seen
        .iter()
        .find(|seen| seen.kind == RequestKind::Delete)
        .unwrap();
    assert_eq!(deleted.keys, ["year=2026/a b"]);
}

#[test]
fn requests_of_azure_are_told_apart() {
    everything(Kind::Azurite, |proxy| {
        let options = proxy.options().into_iter();
        let builder = options.fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| {
            builder.with_config(key.parse().unwrap(), value)
        });
        Arc::new(
            builder
                .with_container_name(BUCKET)
                .with_retry(once())
                .build()
                .unwrap(),
        )
    });
}

#[test]
fn requests_of_gcs_are_told_apart() {
    everything(Kind::FakeGcs, |proxy| {
        let options = proxy.options().into_iter();
        let builder = options.fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| {
            builder.with_config(key.parse().unwrap(), value)
        });
        Arc::new(
            builder
                .with_bucket_name(BUCKET)
                .with_retry(once())
                .build()
                .unwrap(),
        )
    });
}
