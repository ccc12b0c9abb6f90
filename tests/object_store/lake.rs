//! A data set of weather in an object store, as its writers and readers see it.

use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::object_store::path::Path as Key;
use atomic_arrow::object_store::{self, ObjectStore, ObjectStoreExt as _};
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, ObjectStoreOptions, PartitionBy, Receipt,
    RecoverOptions, Recovery, recover_with_options,
};
use futures::TryStreamExt as _;

use crate::faulty_store::FaultyStore;

/// Rows as tests write them: a station and its temperature.
pub(crate) type Rows = Vec<(String, f64)>;

/// A bucket, and the data set `weather` in it.
pub(crate) struct Lake {
    /// What the test itself looks through.
    pub(crate) client: Arc<dyn ObjectStore>,
    options: ObjectStoreOptions,
    /// The URL of the bucket.
    bucket: String,
    pub(crate) spool: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Lake {
    /// A data set in memory.
    pub(crate) fn in_memory() -> Self {
        Self::given(Arc::new(InMemory::new()))
    }

    /// A data set in memory, whose requests a test lets fail.
    pub(crate) fn faulty() -> (Self, Arc<FaultyStore<InMemory>>) {
        let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new())));
        let options = ObjectStoreOptions::new()
            .store_with_parts(Arc::clone(&store))
            .for_tests();
        let client = Arc::clone(&store) as Arc<dyn ObjectStore>;
        (Self::new(client, options, "memory://lake"), store)
    }

    /// A data set in a store that writers are given.
    pub(crate) fn given(store: Arc<dyn ObjectStore>) -> Self {
        let options = ObjectStoreOptions::new().store(Arc::clone(&store));
        Self::new(store, options, "memory://lake")
    }

    /// A data set in a bucket that writers reach by its URL.
    pub(crate) fn new(
        client: Arc<dyn ObjectStore>,
        options: ObjectStoreOptions,
        bucket: &str,
    ) -> Self {
        let spool = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Lake {
            client,
            options: options.spool(spool.path()),
            bucket: bucket.to_owned(),
            spool,
            runtime: runtime.unwrap(),
        }
    }

    pub(crate) fn root(&self) -> String {
        format!("{}/weather", self.bucket)
    }

    pub(crate) fn options(&self) -> ObjectStoreOptions {
        self.options.clone()
    }

    /// A writer of stations.
    pub(crate) fn builder(&self) -> DatasetWriterBuilder {
        DatasetWriter::builder(self.root())
            .partition_by(PartitionBy::column("station_id"))
            .object_store(self.options())
    }

    /// A writer of stations whose files are uploaded in parts of 4 KiB.
    pub(crate) fn in_parts(&self) -> DatasetWriterBuilder {
        let options = self.options().part_size(4 << 10);
        self.builder()
            .compression(Compression::UNCOMPRESSED)
            .object_store(options)
    }

    pub(crate) fn write(
        &self,
        mode: CommitMode,
        rows: &[(&str, f64)],
    ) -> atomic_arrow::Result<Receipt> {
        write(self.builder().mode(mode), rows)
    }

    pub(crate) fn recover(&self) -> atomic_arrow::Result<Recovery> {
        let options = RecoverOptions::new().object_store(self.options());
        recover_with_options(self.root(), &options)
    }

    /// The keys of all objects, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let listed = self.client.list(None).try_collect::<Vec<_>>();
        let listed = self.runtime.block_on(listed).unwrap();
        let keys = listed.into_iter().map(|object| object.location.to_string());
        let mut keys: Vec<String> = keys.collect();
        keys.sort();
        keys
    }

    /// The keys of the files of the data set.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut keys = self.keys();
        keys.retain(|key| key.starts_with("weather/") && !key.ends_with("/_SUCCESS"));
        keys
    }

    /// What is left beside the data set, but for the clock and the latest lock, which stay.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut keys = self.keys();
        keys.retain(|key| !key.starts_with("weather/") && !key.ends_with("/clock"));
        if let Some(last) = keys.iter().rposition(|key| key.contains("/lock/")) {
            keys.remove(last);
        }
        keys
    }

    /// The bytes of an object, if it is there.
    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        let key = Key::parse(key).unwrap();
        let read = async { self.client.get(&key).await?.bytes().await };
        match self.runtime.block_on(read) {
            Ok(bytes) => Some(bytes.to_vec()),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Changes a byte of each staged object, as somebody else may, and gives their number.
    pub(crate) fn change_staged(&self) -> usize {
        let mut keys = self.keys();
        keys.retain(|key| key.ends_with(".staged"));
        for key in &keys {
            let mut bytes = self.object(key).unwrap();
            alter(&mut bytes);
            let key = Key::parse(key).unwrap();
            let put = self.client.put(&key, bytes.into());
            self.runtime.block_on(put).unwrap();
        }
        keys.len()
    }

    /// The rows that a reader finds, in order.
    pub(crate) fn rows(&self) -> Rows {
        let mut rows = Vec::new();
        let files = self.files();
        for key in &files {
            let below = format!("{key}/");
            if files.iter().any(|file| file.starts_with(&below)) {
                // A marker of a directory.
                continue;
            }
            let station = key.split("station_id=").nth(1).unwrap();
            let station = station.split('/').next().unwrap().to_owned();
            let bytes = bytes::Bytes::from(self.object(key).unwrap());
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                let temp = batch.column_by_name("temp").unwrap();
                let temp = temp.as_any().downcast_ref::<Float64Array>().unwrap();
                rows.extend(temp.iter().map(|temp| (station.clone(), temp.unwrap())));
            }
        }
        rows.sort_by(|one, other| one.partial_cmp(other).unwrap());
        rows
    }
}

/// Changes a byte in the middle.
pub(crate) fn alter(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] = bytes[middle].wrapping_add(1);
}

pub(crate) fn write(
    builder: DatasetWriterBuilder,
    rows: &[(&str, f64)],
) -> atomic_arrow::Result<Receipt> {
    let mut writer = builder.build(schema())?;
    writer.write(&batch(rows))?;
    writer.commit()
}

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("station_id", DataType::Utf8, false),
        Field::new("temp", DataType::Float64, true),
    ]))
}

pub(crate) fn batch(rows: &[(&str, f64)]) -> RecordBatch {
    let stations = StringArray::from_iter_values(rows.iter().map(|(station, _)| station));
    let temps = Float64Array::from_iter_values(rows.iter().map(|(_, temp)| *temp));
    RecordBatch::try_new(schema(), vec![Arc::new(stations), Arc::new(temps)]).unwrap()
}

pub(crate) fn owned(rows: &[(&str, f64)]) -> Rows {
    let rows = rows.iter();
    rows.map(|(station, temp)| ((*station).to_owned(), *temp))
        .collect()
}
