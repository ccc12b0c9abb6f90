//! The servers that there are, and how a client is told to reach each.

use std::fmt;
use std::str::FromStr;

/// The key that every server takes, whatever it is.
pub(crate) const S3_KEY: &str = "atomic-arrow";
/// The region that the clients of both S3 servers name.
pub(crate) const S3_REGION: &str = "us-east-1";
/// Azurite's account. Both it and its key are published, and the same in every installation:
/// <https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>.
pub(crate) const AZURE_ACCOUNT: &str = "devstoreaccount1";
/// The published key of [`AZURE_ACCOUNT`].
pub(crate) const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// SeaweedFS: the protocol of S3, on files.
    SeaweedFs,
    /// moto: the protocol of S3, in memory.
    Moto,
    /// Azurite: the protocol of Azure Blob Storage, in memory.
    Azurite,
    /// fake-gcs-server: the protocol of Google Cloud Storage, in memory.
    FakeGcs,
}

impl Kind {
    /// Every server.
    pub const ALL: [Kind; 4] = [Kind::SeaweedFs, Kind::Moto, Kind::Azurite, Kind::FakeGcs];

    /// The name on the command line: `seaweedfs`, `moto`, `azurite` or `fake-gcs`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::SeaweedFs => "seaweedfs",
            Kind::Moto => "moto",
            Kind::Azurite => "azurite",
            Kind::FakeGcs => "fake-gcs",
        }
    }

    /// The protocol that the server speaks.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Kind::SeaweedFs | Kind::Moto => Protocol::S3,
            Kind::Azurite => Protocol::Azure,
            Kind::FakeGcs => Protocol::Gcs,
        }
    }

    /// What a client is configured with, in the words of `object_store`, to reach the server at `port` of the loopback
    /// interface.
    pub(crate) fn options(self, port: u16) -> Vec<(&'static str, String)> {
        let endpoint = self.endpoint(port);
        match self.protocol() {
            Protocol::S3 => vec![
                ("aws_endpoint", endpoint),
                ("aws_access_key_id", S3_KEY.to_owned()),
                ("aws_secret_access_key", S3_KEY.to_owned()),
                ("aws_region", S3_REGION.to_owned()),
                ("aws_allow_http", "true".to_owned()),
            ],
            Protocol::Azure => vec![
                ("azure_storage_endpoint", endpoint),
                ("azure_storage_account_name", AZURE_ACCOUNT.to_owned()),
                ("azure_storage_account_key", AZURE_KEY.to_owned()),
                ("azure_allow_http", "true".to_owned()),
            ],
            Protocol::Gcs => {
                let account = serde_json::json!({
                    "gcs_base_url": endpoint,
                    "disable_oauth": true,
                    "client_email": "",
                    "private_key": "",
                    "private_key_id": "",
                });
                vec![
                    ("google_service_account_key", account.to_string()),
                    ("allow_http", "true".to_owned()),
                ]
            }
        }
    }

    /// The address under which a client reaches the server at `port` of the loopback interface.
    pub(crate) fn endpoint(self, port: u16) -> String {
        let account = match self.protocol() {
            Protocol::Azure => format!("/{AZURE_ACCOUNT}"),
            Protocol::S3 | Protocol::Gcs => String::new(),
        };
        format!("http://127.0.0.1:{port}{account}")
    }

    /// The address of a bucket, or of a container.
    #[must_use]
    pub fn url(self, bucket: &str) -> String {
        match self.protocol() {
            Protocol::S3 => format!("s3://{bucket}"),
            Protocol::Azure => format!("az://{bucket}"),
            Protocol::Gcs => format!("gs://{bucket}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Kind::ALL.into_iter();
        all.find(|kind| kind.name() == name).ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("no server is called `{name}`; there are {names}")
        })
    }
}

/// A protocol of object stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Amazon S3.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// The XML API of Google Cloud Storage.
    Gcs,
}
