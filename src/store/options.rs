//! How object stores are reached and used, as callers say it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::multipart::MultipartStore;
use object_store::{ClientConfigKey, RetryConfig};
use url::Url;

use super::checked::Client;
use super::request::Connector;
use super::url::{Address, Scheme};
use crate::error::{Error, Result};

/// The size of a part by default, and the least of which a file is uploaded in parts, in bytes.
const PART_SIZE: u64 = 8 << 20;
/// The least size of a part that S3 takes.
const LEAST_PART_SIZE: u64 = 5 << 20;
const PARALLEL_REQUESTS: usize = 16;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LEAST_DEAD_AFTER: Duration = Duration::from_secs(60);
const DEAD_AFTER: Duration = Duration::from_secs(15 * 60);

/// How long what commits is asked for again, of a store that does not answer.
const PATIENCE: Duration = Duration::from_secs(2 * 60);

/// How long it may take until the answer to a request begins that gives a store little to do.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// How long a request may take by default: a part has to go through a slow line.
const TIMEOUT: &str = "180 seconds";

/// What is wrong with an address that is none.
const NO_ADDRESS: &str = "is no address of a store: it begins with http:// or https://, and has a host, as http://127.0.0.1:8333 \
                          does; leave it out for that of the provider";

/// How the names of variables begin that clients read.
const VARIABLES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// The variables that clients read, with their values.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let is_read = VARIABLES.iter().any(|prefix| name.starts_with(prefix));
        is_read.then_some((name, value))
    })
}

/// The clients of one store.
pub(super) struct Clients {
    /// Repeats requests that fail.
    pub(super) repeating: Arc<dyn ObjectStore>,
    /// Makes each request once, if that can be told to it.
    pub(super) once: Option<Arc<dyn ObjectStore>>,
    /// For uploads in parts that others can end.
    pub(super) uploads: Option<Arc<dyn MultipartStore>>,
}

impl Clients {
    fn of<S: ObjectStore + MultipartStore>(repeating: S, once: S) -> Self {
        let repeating = Arc::new(repeating);
        Clients {
            repeating: Arc::clone(&repeating) as _,
            once: Some(Arc::new(once)),
            uploads: Some(repeating),
        }
    }
}

/// How an object store is reached, and how it is used.
///
/// By default it is reached as the environment says: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`,
/// `AZURE_STORAGE_ACCOUNT_NAME` and the others that the crate [`object_store`](crate::object_store) reads.
///
/// ```
/// use atomic_arrow::{DatasetWriter, ObjectStoreOptions, PartitionBy};
///
/// let options = ObjectStoreOptions::new()
///     .set("aws_endpoint", "http://127.0.0.1:8333")
///     .set("aws_allow_http", "true");
/// let builder = DatasetWriter::builder("s3://lake/weather")
///     .partition_by(PartitionBy::column("station_id"))
///     .object_store(options);
/// # drop(builder);
/// ```
#[derive(Clone)]
pub struct ObjectStoreOptions {
    given: Option<Arc<dyn ObjectStore>>,
    given_uploads: Option<Arc<dyn MultipartStore>>,
    /// The time before a doubtful request is made again; it doubles.
    pub(super) first_pause: Duration,
    pub(super) patience: Duration,
    /// How long it may take until the answer to a small request begins.
    answered_within: Duration,
    least_part_size: u64,
    least_dead_after: Duration,
    /// In the order in which they were given.
    settings: Vec<(String, String)>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) part_size: u64,
    pub(crate) parallel_requests: usize,
    pub(crate) read_back: bool,
    pub(crate) dead_after: Duration,
}

impl Default for ObjectStoreOptions {
    fn default() -> Self {
        ObjectStoreOptions {
            given: None,
            given_uploads: None,
            first_pause: FIRST_PAUSE,
            patience: PATIENCE,
            answered_within: ANSWERED_WITHIN,
            least_part_size: LEAST_PART_SIZE,
            least_dead_after: LEAST_DEAD_AFTER,
            settings: Vec::new(),
            spool: None,
            part_size: PART_SIZE,
            parallel_requests: PARALLEL_REQUESTS,
            read_back: false,
            dead_after: DEAD_AFTER,
        }
    }
}

/// Without the values of the settings, some of which are secret.
impl fmt::Debug for ObjectStoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.settings.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("ObjectStoreOptions")
            .field("store", &self.given.as_ref().map(ToString::to_string))
            .field("settings", &keys)
            .field("spool", &self.spool)
            .field("part_size", &self.part_size)
            .field("parallel_requests", &self.parallel_requests)
            .field("dead_after", &self.dead_after)
            .finish()
    }
}

/// The clients that a builder makes with these options; the builders of the kinds of stores have no trait in common.
macro_rules! clients {
    ($options:expr, $builder:expr, $key:ident, $variable:literal, $addresses:expr) => {{
        let mut builder = $builder;
        // The client has a default of its own, so that its value does not tell whether the environment has one.
        if std::env::var_os($variable).is_none() {
            builder = builder.with_config($key::Client(ClientConfigKey::Timeout), TIMEOUT);
        }
        for (name, value) in &$options.settings {
            builder = builder.with_config($options.parsed::<$key>(name)?, value);
        }
        for key in $addresses {
            if let Some(address) = builder.get_config_value(&key) {
                $options.check_address(key, &address)?;
            }
        }
        let answered_within = $options.answered_within;
        builder = builder.with_http_connector(Connector { answered_within });
        let once = builder.clone().with_retry(no_retry());
        let unusable = |error| $options.unusable(&error);
        let repeating = builder.build().map_err(unusable)?;
        Ok(Clients::of(repeating, once.build().map_err(unusable)?))
    }};
}

impl ObjectStoreOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A setting of the client, by its name: `aws_region`, `google_service_account`, `azure_storage_account_key`,
    /// `timeout` and the like, as [`object_store`](crate::object_store) and the `storage_options` of Polars and delta-rs name
    /// them, whatever the case. It goes before what the environment says. A name that the store does not know is an error
    /// when it is opened.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The store itself, whose root is that of the URL: the bucket. By default one is made of the URL, the settings and the
    /// environment. The URL may have the scheme `memory` then.
    ///
    /// The store must put an object only if none is there, and only if a certain version is
    /// ([`PutMode::Create`](crate::object_store::PutMode), `PutMode::Update`). It uploads a file of any size as one object,
    /// of which nothing can be left to others; see [`store_with_parts`](Self::store_with_parts).
    #[must_use]
    pub fn store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.given = Some(store);
        self.given_uploads = None;
        self
    }

    /// The store itself, as [`store`](Self::store), of a type that tells others how to end its uploads in parts: files that
    /// are longer than a part are uploaded to where they are published, as by a store that is made of the URL.
    #[must_use]
    pub fn store_with_parts<S: ObjectStore + MultipartStore>(mut self, store: Arc<S>) -> Self {
        self.given = Some(Arc::clone(&store) as _);
        self.given_uploads = Some(store);
        self
    }

    /// For tests: a request of doubtful outcome is repeated at once and a few times, small ones are answered within a second, parts
    /// may have any size, and a writer may be dead at once.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    #[must_use]
    pub fn for_tests(mut self) -> Self {
        self.first_pause = Duration::ZERO;
        self.patience = Duration::ZERO;
        self.answered_within = Duration::from_secs(1);
        self.least_part_size = 1;
        self.least_dead_after = Duration::ZERO;
        self
    }

    /// The local directory in which files are encoded and verified before they are uploaded; by default the system's
    /// directory for temporary files. It holds what a write has encoded and not uploaded yet, and rows beyond the memory
    /// limit.
    #[must_use]
    pub fn spool(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool = Some(directory.into());
        self
    }

    /// The size of a part, in bytes, by default 8 MiB, and 5 MiB at least. Files that are longer are uploaded in parts to
    /// where they are published; others are staged as objects, and published by a copy within the store.
    #[must_use]
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.part_size = bytes;
        self
    }

    /// Whether what was uploaded is read back and compared before anybody can see it; by default it is not, and the checksums
    /// count that the store compares.
    ///
    /// Every file of a data set is then staged as an object, also a large one, and downloaded once. Of a file by itself,
    /// which is uploaded to its path, nothing can be read before it is visible: there this is refused.
    #[must_use]
    pub fn read_back(mut self, read: bool) -> Self {
        self.read_back = read;
        self
    }

    /// The number of requests at a time; by default 16. Uploads take as much memory as that number of parts.
    #[must_use]
    pub fn parallel_requests(mut self, number: usize) -> Self {
        self.parallel_requests = number;
        self
    }

    /// How long a writer may be silent until others take it for dead, by the clock of the store; by default 15 minutes, and
    /// a minute at least. A writer says that it lives every minute, or each fifteenth of that time if it is shorter. Who judges a
    /// writer that was told a longer time waits as long. To a store that hangs it says so again
    /// after 30 seconds, which should be a small part of this.
    #[must_use]
    pub fn dead_after(mut self, time: Duration) -> Self {
        self.dead_after = time;
        self
    }

    /// Refuses what cannot be.
    fn check(&self) -> Result<()> {
        let invalid = |option, reason: &str| {
            Err(Error::InvalidOption {
                option,
                reason: reason.to_owned(),
            })
        };
        if self.part_size < self.least_part_size {
            return invalid("part_size", "is 5 MiB at least");
        }
        if self.parallel_requests == 0 {
            return invalid("parallel_requests", "is 1 at least");
        }
        if self.dead_after < self.least_dead_after {
            return invalid("dead_after", "is a minute at least");
        }
        Ok(())
    }

    /// The client of the store at an address.
    pub(super) fn clients(&self, address: &Address) -> Result<Clients> {
        self.check()?;
        if let Some(given) = &self.given {
            if let Some((name, _)) = self.settings.first() {
                return Err(unknown(
                    name,
                    "is a setting of a client, and the client itself is given",
                ));
            }
            return Ok(Clients {
                repeating: Arc::clone(given),
                once: None,
                uploads: self.given_uploads.clone(),
            });
        }
        let url = address.base.as_str();
        match address.scheme {
            Scheme::S3 => {
                let mut builder = AmazonS3Builder::from_env().with_url(url);
                let checksum = builder.get_config_value(&AmazonS3ConfigKey::Checksum);
                if checksum.is_none() {
                    builder = builder.with_checksum_algorithm(Checksum::SHA256);
                }
                let addresses = [
                    AmazonS3ConfigKey::Endpoint,
                    AmazonS3ConfigKey::S3Endpoint,
                    AmazonS3ConfigKey::StsEndpoint,
                    AmazonS3ConfigKey::MetadataEndpoint,
                ];
                clients!(self, builder, AmazonS3ConfigKey, "AWS_TIMEOUT", addresses)
            }
            Scheme::Gcs => {
                let builder = GoogleCloudStorageBuilder::from_env().with_url(url);
                if let Some(address) = base_url_of_account(&builder) {
                    self.check_address(GoogleConfigKey::BaseUrl, &address)?;
                }
                let addresses = [GoogleConfigKey::BaseUrl];
                clients!(self, builder, GoogleConfigKey, "GOOGLE_TIMEOUT", addresses)
            }
            Scheme::Azure => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(url);
                let addresses = [AzureConfigKey::Endpoint, AzureConfigKey::MsiEndpoint];
                clients!(self, builder, AzureConfigKey, "AZURE_TIMEOUT", addresses)
            }
            Scheme::Given => Err(Error::InvalidPath {
                path: Path::new(url).to_owned(),
                reason: "is the URL of a store that is given as an object, and none is",
            }),
        }
    }

    /// The client of these options for a bucket or container.
    pub(super) fn client(&self, base: &Path) -> Client {
        match &self.given {
            Some(given) => Client::Given(Arc::clone(given)),
            None => {
                let variables: Vec<_> = variables().collect();
                Client::Made(format!("{base:?} {:?} {variables:?}", self.settings))
            }
        }
    }

    /// Refuses the address of a server that is none, on which clients panic.
    fn check_address<K: FromStr + PartialEq>(&self, key: K, address: &str) -> Result<()> {
        if is_address(address) {
            return Ok(());
        }
        let names_it = |(name, value): &(String, String)| {
            let named = name.to_ascii_lowercase().parse();
            value == address && named.is_ok_and(|named: K| named == key)
        };
        let given = self.settings.iter().rev().cloned().chain(variables());
        let name = given.into_iter().find(names_it).map(|(name, _)| name);
        Err(Error::InvalidOption {
            option: "object store",
            reason: format!(
                "{} {NO_ADDRESS}",
                name.as_deref()
                    .unwrap_or("gcs_base_url of the service account")
            ),
        })
    }

    /// The error for settings of which no client can be made. It names those of which the client tells a value, and has no
    /// secret value.
    fn unusable(&self, error: &object_store::Error) -> Error {
        let told = error.to_string();
        let mut text = told.clone();
        let mut names = Vec::new();
        for (name, value) in self.settings.iter().cloned().chain(variables()) {
            let quoted = format!("{value:?}");
            let is_told = told.contains(&quoted) || value.len() > 3 && told.contains(&value);
            if is_told && !value.is_empty() {
                if !is_public(&name) {
                    text = text.replace(&quoted, "…").replace(&value, "…");
                }
                names.push(name);
            }
        }
        if names
            .iter()
            .any(|name| name.to_ascii_lowercase().ends_with("timeout"))
        {
            text.push_str("; a time has its unit, as 30s does");
        }
        let names = names.join(", ");
        Error::InvalidOption {
            option: "object store",
            reason: match names.is_empty() {
                true => text,
                false => format!("{names}: {text}"),
            },
        }
    }

    fn parsed<K: FromStr>(&self, name: &str) -> Result<K> {
        let parsed = name.to_ascii_lowercase().parse();
        parsed.map_err(|_| unknown(name, "is no setting of this kind of object store"))
    }
}

/// Whether this is the address of a server: `http://` or `https://` with a host.
fn is_address(text: &str) -> bool {
    // Where there are three slashes, browsers take the path for the host.
    let has_host = text
        .split_once("://")
        .is_some_and(|(_, host)| !host.starts_with(['/', '\\']));
    has_host && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// The address of Google's store that the file of a service account names, as those for emulators do. What cannot be read is for
/// the client to tell.
fn base_url_of_account(builder: &GoogleCloudStorageBuilder) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Account {
        gcs_base_url: Option<String>,
    }
    let key = builder.get_config_value(&GoogleConfigKey::ServiceAccountKey);
    let file = || builder.get_config_value(&GoogleConfigKey::ServiceAccount);
    let key = key.or_else(|| std::fs::read_to_string(file()?).ok())?;
    let account: Account = serde_json::from_str(&key).ok()?;
    account.gcs_base_url
}

/// Whether the value of a setting may be told: it is no secret.
fn is_public(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = [
        "timeout",
        "region",
        "service_account",
        "service_account_path",
        "application_credentials",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

fn no_retry() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

fn unknown(name: &str, what: &str) -> Error {
    Error::InvalidOption {
        option: "object store",
        reason: format!("{name:?} {what}"),
    }
}
