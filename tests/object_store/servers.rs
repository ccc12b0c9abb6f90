//! The same on the servers that speak the protocols of S3 and Azure.

use std::sync::Arc;

use atomic_arrow::object_store::ObjectStore;
use atomic_arrow::object_store::aws::AmazonS3Builder;
use atomic_arrow::object_store::azure::MicrosoftAzureBuilder;
use atomic_arrow::object_store::gcp::GoogleCloudStorageBuilder;
use atomic_arrow::{CommitMode, DatasetWriter, Error, ObjectStoreOptions, PartitionBy};
use atomic_arrow_store_servers::{Kind, Proxy, RequestKind, Server, or_skip};

use crate::lake::{Lake, batch, owned, schema};

pub(crate) type Options = Vec<(&'static str, String)>;

/// A data set on a server that clients reach with these options.
pub(crate) fn lake_at(kind: Kind, url: &str, options: &Options) -> Lake {
    let mut settings = ObjectStoreOptions::new();
    for (name, value) in options {
        settings = settings.set(*name, value);
    }
    let client: Arc<dyn ObjectStore> = match kind {
        Kind::Azurite => {
            let mut builder = MicrosoftAzureBuilder::new().with_url(url);
            for (name, value) in options {
                builder = builder.with_config(name.parse().unwrap(), value);
            }
            Arc::new(builder.build().unwrap())
        }
        Kind::FakeGcs => {
            let mut builder = GoogleCloudStorageBuilder::new().with_url(url);
            for (name, value) in options {
                builder = builder.with_config(name.parse().unwrap(), value);
            }
            Arc::new(builder.build().unwrap())
        }
        _ => {
            let mut builder = AmazonS3Builder::new().with_url(url);
            for (name, value) in options {
                builder = builder.with_config(name.parse().unwrap(), value);
            }
            Arc::new(builder.build().unwrap())
        }
    };
    Lake::new(client, settings, url)
}

fn modes_on(kind: Kind) {
    let Some(server) = or_skip(Server::start(kind)) else {
        return;
    };
    server.make_bucket("lake").unwrap();
    let lake = lake_at(kind, &server.url("lake"), &server.options());

    lake.write(CommitMode::Append, &[("KJFK", 1.0), ("KSEA", 2.0)])
        .unwrap();
    lake.write(CommitMode::Append, &[("KSEA", 3.0)]).unwrap();
    let refused = lake.write(CommitMode::ErrorIfExists, &[("KSEA", 4.0)]);
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(
        lake.rows(),
        owned(&[("KJFK", 1.0), ("KSEA", 2.0), ("KSEA", 3.0)])
    );
    let receipt = lake
        .write(CommitMode::OverwritePartitions, &[("KSEA", 5.0)])
        .unwrap();
    assert_eq!(receipt.totals().removed, 2);
    assert_eq!(receipt.notes(), []);
    assert_eq!(lake.rows(), owned(&[("KJFK", 1.0), ("KSEA", 5.0)]));
    lake.write(CommitMode::Overwrite, &[("K ORD/é=", 6.0)])
        .unwrap();
    assert_eq!(lake.rows().len(), 1);
    assert_eq!(lake.leftovers(), Vec::<String>::new());
    assert!(lake.recover().unwrap().failed.is_empty());

    // Larger than a part: uploaded in parts to its path.
    let mut writer = DatasetWriter::builder(format!("{}/large", server.url("lake")))
        .compression(atomic_arrow::parquet::basic::Compression::UNCOMPRESSED)
        .object_store(lake.options().part_size(5 << 20))
        .build(schema())
        .unwrap();
    let rows: Vec<(&str, f64)> = (0..1_500_000_u64)
        .map(|row| {
            (
                "KSEA",
                f64::from_bits(row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12),
            )
        })
        .collect();
    writer.write(&batch(&rows)).unwrap();
    let receipt = writer.commit().unwrap();
    assert!(receipt.totals().bytes > 10 << 20, "{:?}", receipt.totals());
    let large: Vec<String> = lake
        .keys()
        .into_iter()
        .filter(|key| key.starts_with("large/"))
        .collect();
    assert_eq!(large.len(), 1, "{large:?}");
    let staged = |key: &&String| key.contains("/tx/");
    assert_eq!(lake.keys().iter().find(staged), None);
}

#[test]
fn each_mode_works_on_seaweedfs() {
    modes_on(Kind::SeaweedFs);
}

#[test]
fn each_mode_works_on_moto() {
    modes_on(Kind::Moto);
}

#[test]
fn each_mode_works_on_azurite() {
    modes_on(Kind::Azurite);
}

#[test]
fn each_mode_works_on_the_stand_in_for_google() {
    modes_on(Kind::FakeGcs);
}

/// What a user pays for: see docs/object-stores.md.
#[test]
fn an_append_makes_two_requests_for_each_file_and_few_more() {
    let Some(server) = or_skip(Server::start(Kind::SeaweedFs)) else {
        return;
    };
    server.make_bucket("lake").unwrap();
    let proxy = Proxy::in_front_of(&server).unwrap();
    let lake = lake_at(Kind::SeaweedFs, &proxy.url("lake"), &proxy.options());
    // The first write of a process asks whether the store keeps conditions.
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    proxy.forget();
    let names: Vec<String> = (0..200).map(|number| format!("K{number:03}")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    let mut writer = DatasetWriter::builder(lake.root())
        .partition_by(PartitionBy::column("station_id"))
        .object_store(lake.options())
        .build(schema())
        .unwrap();
    writer.write(&batch(&rows)).unwrap();
    writer.commit().unwrap();
    let counts = proxy.counts();
    let all: usize = counts.values().sum();
    let free = proxy.count(RequestKind::Delete);
    assert!(all - free <= 2 * 200 + 40, "{counts:?}");
}
