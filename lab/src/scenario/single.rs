//! One file: lone, in a data set, new, replaced, discarded.

use std::io::Write as _;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, Error, FileOptions, FileUpdate, Partition, PublishMode,
    WriterOptions,
};

use super::{Ground, Scenario, make_directories, put};

const OLD: &[u8] = b"[\"what was there before\", 1]";
const NEW: &[u8] = b"{\"what comes instead\": [2, 3, 5, 7, 11]}";

const LONE: &str = "home/data.json";
const JSON: &str = "lake/raw/station_id=123/year=2024/data.json";
const WEATHER: &str = "lake/weather";
const PARQUET: &str = "lake/weather/station_id=KSEA/year=2026/part.parquet";
const HISTORY: &str = "home/history.parquet";
const ORPHAN: &str = "lake/.weather.atomic/01890a5d-ac96-774b-bcce-b302099a8057.staged";

fn write(ground: &Ground, path: &str, mode: PublishMode) -> Result<(), Error> {
    let options = FileOptions::new()
        .disk(Arc::clone(&ground.disk))
        .mode(mode)
        .verify(ground.verify);
    let mut file = AtomicFile::create_with_options(ground.path(path), options)?;
    let (first, second) = NEW.split_at(20);
    for part in [first, second] {
        file.write_all(part).map_err(library_error)?;
    }
    file.commit().map(drop)
}

/// The library's error inside the standard one that had to carry it.
fn library_error(error: std::io::Error) -> Error {
    error
        .downcast::<Error>()
        .unwrap_or_else(|source| Error::Io {
            step: atomic_arrow::Step::WriteRows,
            path: "not an error of the library".into(),
            source,
        })
}

fn batch() -> Result<RecordBatch, Error> {
    let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA"; 4]));
    let temperatures = vec![Some(11.5), None, Some(-3.25), Some(0.0)];
    let temperatures: ArrayRef = Arc::new(Float64Array::from(temperatures));
    let columns = [("station_id", stations), ("temp", temperatures)];
    super::dataset::rows(columns)
}

fn weather(ground: &Ground, mode: PublishMode) -> Result<AtomicArrowWriter, Error> {
    let options = WriterOptions::new()
        .disk(Arc::clone(&ground.disk))
        .mode(mode)
        .verify(ground.verify)
        .file_name("part.parquet");
    let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")])?;
    let root = ground.path(WEATHER);
    let batch = batch()?;
    let mut writer =
        AtomicArrowWriter::create_with_options(root, &partition, batch.schema(), options)?;
    writer.write(&batch)?;
    Ok(writer)
}

fn commit(ground: &Ground, mode: PublishMode) -> Result<(), Error> {
    weather(ground, mode)?.commit().map(drop)
}

/// Reads the rows of a file, and writes them back with one more.
pub(super) fn update(ground: &Ground, path: &str) -> Result<(), Error> {
    let options = WriterOptions::new()
        .disk(Arc::clone(&ground.disk))
        .verify(ground.verify);
    let path = ground.path(path);
    let update = FileUpdate::begin_with_options(&path, options)?;
    let row = batch()?.slice(0, 1);
    let mut rows = vec![row];
    for batch in update.read()?.into_iter().flatten() {
        rows.push(batch.map_err(|source| Error::Read {
            path: path.clone(),
            source: std::io::Error::other(source),
        })?);
    }
    let mut writer = update.write(batch()?.schema())?;
    for batch in &rows {
        writer.write(batch)?;
    }
    writer.commit().map(drop)
}

fn nothing(_: &Ground) -> Result<(), Error> {
    Ok(())
}

/// Creates the directories of a process that died before it could sync any of them.
fn unsynced_directories(ground: &Ground) -> Result<(), Error> {
    let path = ground.path(PARQUET);
    let made = make_directories(ground.scene.as_ref(), &ground.top, &path);
    made.map_err(|source| Error::Read { path, source })
}

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("a new lone file", "home", nothing, |ground| {
            write(ground, LONE, PublishMode::CreateNew)
        }),
        Scenario::new(
            "a lone file replaced",
            "home",
            |ground| put(ground, LONE, OLD),
            |ground| write(ground, LONE, PublishMode::Replace),
        ),
        Scenario::new(
            "a lone file that is there already",
            "home",
            |ground| put(ground, LONE, OLD),
            |ground| write(ground, LONE, PublishMode::CreateNew),
        )
        .refused(),
        Scenario::new(
            "a new JSON file in a new partition",
            "lake/raw",
            nothing,
            |ground| write(ground, JSON, PublishMode::CreateNew),
        ),
        Scenario::new(
            "a new Parquet file in a new data set",
            WEATHER,
            nothing,
            |ground| commit(ground, PublishMode::CreateNew),
        ),
        Scenario::new(
            "a Parquet file in directories that somebody made and did not sync",
            WEATHER,
            unsynced_directories,
            |ground| commit(ground, PublishMode::CreateNew),
        ),
        Scenario::new(
            "a Parquet file replaced",
            WEATHER,
            |ground| put(ground, PARQUET, OLD),
            |ground| commit(ground, PublishMode::Replace),
        ),
        Scenario::new("a Parquet file discarded", WEATHER, nothing, |ground| {
            weather(ground, PublishMode::CreateNew)?.finish()?.discard();
            Ok(())
        }),
        Scenario::new("a new file by an update", "home", nothing, |ground| {
            update(ground, HISTORY)
        }),
        Scenario::new(
            "a file updated",
            "home",
            |ground| update(ground, HISTORY),
            |ground| update(ground, HISTORY),
        ),
        Scenario::new(
            "a Parquet file where a dead writer left one",
            WEATHER,
            |ground| put(ground, ORPHAN, b"half a fi"),
            |ground| commit(ground, PublishMode::CreateNew),
        ),
    ]
}
