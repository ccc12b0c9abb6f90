//! What writers do, described once for every kind of test that lets it go wrong.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use atomic_arrow::disk::Disk;
use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, Error, FileOptions, Partition, PublishMode, Verify,
    WriterOptions,
};

/// One thing that a program does to a disk, and what may be found there afterwards.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The data set's root, or the directory of the lone file.
    pub(crate) root: &'static str,
    /// The only file below the root that a reader may find.
    pub(crate) path: &'static str,
    /// What is there before.
    pub(crate) old: Option<Vec<u8>>,
    /// What is there afterwards; nothing new, if the writer is discarded.
    pub(crate) new: Option<Vec<u8>>,
    /// What else a dead writer left.
    pub(crate) orphan: Option<&'static str>,
    pub(crate) act: fn(&SimDisk, Verify) -> Result<(), Error>,
}

pub(crate) const OLD: &[u8] = b"[\"what was there before\", 1]";
pub(crate) const NEW: &[u8] = b"{\"what comes instead\": [2, 3, 5, 7, 11]}";

const LONE: &str = "/home/data.json";
const JSON: &str = "/lake/raw/station_id=123/year=2024/data.json";
pub(crate) const PARQUET: &str = "/lake/weather/station_id=KSEA/year=2026/part.parquet";

impl Scenario {
    /// The disk before the scenario.
    pub(crate) fn disk(&self) -> SimDisk {
        let disk = SimDisk::new();
        if let Some(old) = &self.old {
            disk.put(self.path, old).unwrap();
        }
        if let Some(orphan) = self.orphan {
            disk.put(orphan, b"half a fi").unwrap();
        }
        disk
    }

    /// Whether `content` at the final path is a state that the scenario may leave.
    pub(crate) fn allows(&self, content: Option<&[u8]>, committed: bool) -> bool {
        let is_new = content == self.new.as_deref().or(self.old.as_deref());
        is_new || (!committed && content == self.old.as_deref())
    }
}

fn put(disk: &SimDisk, path: &str, mode: PublishMode, verify: Verify) -> Result<(), Error> {
    let options = FileOptions::new()
        .disk(shared(disk))
        .publish_mode(mode)
        .verify(verify);
    let mut file = AtomicFile::create_with_options(path, options)?;
    let (first, second) = NEW.split_at(20);
    for part in [first, second] {
        if let Err(error) = file.write_all(part) {
            return Err(error.downcast::<Error>().unwrap());
        }
    }
    file.commit().map(drop)
}

fn shared(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub(crate) fn batch() -> RecordBatch {
    let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA"; 4]));
    let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(11.5),
        None,
        Some(-3.25),
        Some(0.0),
    ]));
    RecordBatch::try_from_iter([("station_id", stations), ("temp", temperatures)]).unwrap()
}

pub(crate) fn weather_writer(
    disk: &Arc<dyn Disk>,
    mode: PublishMode,
    verify: Verify,
) -> Result<AtomicArrowWriter, Error> {
    let options = WriterOptions::new()
        .disk(Arc::clone(disk))
        .publish_mode(mode)
        .verify(verify)
        .file_name("part.parquet");
    let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")]).unwrap();
    let root = Path::new("/lake/weather");
    AtomicArrowWriter::create_with_options(root, &partition, batch().schema(), options)
}

fn write_weather(disk: &SimDisk, mode: PublishMode, verify: Verify) -> Result<(), Error> {
    let mut writer = weather_writer(&shared(disk), mode, verify)?;
    writer.write(&batch())?;
    writer.commit().map(drop)
}

/// The bytes of the file that [`write_weather`] writes.
fn parquet() -> Vec<u8> {
    let disk = SimDisk::new();
    write_weather(&disk, PublishMode::CreateNew, Verify::Skip).unwrap();
    disk.read(PARQUET).unwrap()
}

/// Everything that a writer of one file does.
pub(crate) fn all() -> Vec<Scenario> {
    let lone = Scenario {
        name: "a new lone file",
        root: "/home",
        path: LONE,
        old: None,
        new: Some(NEW.to_vec()),
        orphan: None,
        act: |disk, verify| put(disk, LONE, PublishMode::CreateNew, verify),
    };
    let weather = Scenario {
        name: "a new Parquet file in a new data set",
        root: "/lake/weather",
        path: PARQUET,
        new: Some(parquet()),
        act: |disk, verify| write_weather(disk, PublishMode::CreateNew, verify),
        ..lone.clone()
    };
    vec![
        Scenario {
            name: "a lone file replaced",
            old: Some(OLD.to_vec()),
            act: |disk, verify| put(disk, LONE, PublishMode::Replace, verify),
            ..lone.clone()
        },
        Scenario {
            name: "a new JSON file in a new partition",
            root: "/lake/raw",
            path: JSON,
            act: |disk, verify| put(disk, JSON, PublishMode::CreateNew, verify),
            ..lone.clone()
        },
        Scenario {
            name: "a Parquet file replaced",
            old: Some(OLD.to_vec()),
            act: |disk, verify| write_weather(disk, PublishMode::Replace, verify),
            ..weather.clone()
        },
        Scenario {
            name: "a Parquet file discarded",
            new: None,
            act: |disk, verify| {
                let mut writer = weather_writer(&shared(disk), PublishMode::CreateNew, verify)?;
                writer.write(&batch())?;
                writer.finish()?.discard();
                Ok(())
            },
            ..weather.clone()
        },
        Scenario {
            name: "a Parquet file where a dead writer left one",
            orphan: Some("/lake/.weather.atomic/01890a5d-ac96-774b-bcce-b302099a8057.staged"),
            ..weather.clone()
        },
        weather,
        lone,
    ]
}
