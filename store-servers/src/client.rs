//! `object_store`'s client of a server, as the library would make it.

use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::{BackoffConfig, ObjectStore, Result, RetryConfig};

use crate::kind::{Kind, Protocol};

/// Both faces of a client, of which `object_store` has no common trait.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) uploads: Arc<dyn MultipartStore>,
}

impl Client {
    /// A client that sends each request once.
    pub(crate) fn new(
        kind: Kind,
        options: &[(&'static str, String)],
        bucket: &str,
    ) -> Result<Self> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 0,
            retry_timeout: std::time::Duration::ZERO,
        };
        Ok(match kind.protocol() {
            Protocol::S3 => {
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(bucket)
                    .with_retry(retry);
                for (key, value) in options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Self::of(builder.build()?)
            }
            Protocol::Azure => {
                let mut builder = MicrosoftAzureBuilder::new()
                    .with_container_name(bucket)
                    .with_retry(retry);
                for (key, value) in options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Self::of(builder.build()?)
            }
            Protocol::Gcs => {
                let mut builder = GoogleCloudStorageBuilder::new()
                    .with_bucket_name(bucket)
                    .with_retry(retry);
                for (key, value) in options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Self::of(builder.build()?)
            }
        })
    }

    fn of(store: impl ObjectStore + MultipartStore) -> Self {
        let store = Arc::new(store);
        Self {
            objects: Arc::clone(&store) as Arc<dyn ObjectStore>,
            uploads: store,
        }
    }
}
