//! Whole data sets: every mode of a commit, and every way in which its files come about.

use std::io;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use atomic_arrow::{
    AtomicArrowWriter, CommitMode, DatasetWriter, DatasetWriterBuilder, Error, Partition,
    PartitionBy, StagingPlace, SyncPolicy, WriterOptions,
};

use super::{Ground, Scenario};

pub(crate) const LAKE: &str = "lake/weather";

/// The partitions that are there before: 1 and 3, while writes touch 1 and 2.
const OLD: [i32; 2] = [1, 3];
const NEW: [i32; 2] = [1, 2];

pub(super) type Tune = fn(DatasetWriterBuilder) -> DatasetWriterBuilder;

/// Rows made of columns of one length.
pub(super) fn rows<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch, Error> {
    RecordBatch::try_from_iter(columns).map_err(|source| Error::Encode {
        step: atomic_arrow::Step::WriteRows,
        path: "rows of a scenario".into(),
        source: Box::new(source),
    })
}

/// Three rows of each of these years, told from others by where they start.
fn weather(years: [i32; 2], start: f64) -> Result<RecordBatch, Error> {
    let year: Vec<i32> = (0..6).map(|row| years[row % 2]).collect();
    let temp: Vec<f64> = (0..6).map(|row| start + f64::from(row)).collect();
    let (year, temp) = (Int32Array::from(year), Float64Array::from(temp));
    rows([
        ("year", Arc::new(year) as ArrayRef),
        ("temp", Arc::new(temp)),
    ])
}

pub(super) fn same(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder
}

/// A writer of partitioned weather, its rows written.
fn writer(
    ground: &Ground,
    mode: CommitMode,
    rows: &RecordBatch,
    tune: Tune,
) -> Result<DatasetWriter, Error> {
    let builder = DatasetWriter::builder(ground.path(LAKE))
        .partition_by(PartitionBy::column("year"))
        .mode(mode)
        .verify(ground.verify)
        .threads(1)
        .disk(Arc::clone(&ground.disk));
    let mut writer = tune(builder).build(rows.schema())?;
    writer.write(rows)?;
    Ok(writer)
}

/// A writer of [`commit`]'s rows in the mode Append, not committed yet.
pub(super) fn begun(ground: &Ground) -> Result<DatasetWriter, Error> {
    writer(ground, CommitMode::Append, &weather(NEW, 20.0)?, same)
}

pub(super) fn commit(ground: &Ground, mode: CommitMode, tune: Tune) -> Result<(), Error> {
    let rows = weather(NEW, 20.0)?;
    writer(ground, mode, &rows, tune)?.commit().map(drop)
}

/// Makes durable what is left in the staging area, as it is when a commit is long ago: else what may
/// be found of it would multiply all that may be found.
fn long_ago(ground: &Ground) -> Result<(), Error> {
    for path in [
        "lake/.weather.atomic/writes",
        "lake/weather/.atomic/writes",
        "lake/.weather.atomic",
        "lake/weather/.atomic",
    ] {
        let path = ground.path(path);
        let synced = ground
            .scene
            .open_directory(&path)
            .and_then(|area| area.sync());
        match synced {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced.map_err(|source| Error::Read { path, source })?,
        }
    }
    Ok(())
}

/// The scene: what an earlier commit wrote.
pub(crate) fn earlier(ground: &Ground) -> Result<(), Error> {
    let rows = weather(OLD, 10.0)?;
    let writer = writer(ground, CommitMode::Append, &rows, same)?;
    writer.commit()?;
    long_ago(ground)
}

fn nothing(_: &Ground) -> Result<(), Error> {
    Ok(())
}

pub(super) fn named(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.write_id("monday")
}

fn first_of_stream(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.write_id("days").sequence(1)
}

fn second_of_stream(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.write_id("days").sequence(2)
}

fn synced_together(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.sync(SyncPolicy::FileSystem)
}

pub(super) fn marked(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.success_file(true)
}

fn inside(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.staging(StagingPlace::Inside)
}

fn rolled(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder.target_file_rows(2)
}

/// The scene: what an earlier commit wrote, with a success file.
pub(super) fn earlier_marked(ground: &Ground) -> Result<(), Error> {
    let rows = weather(OLD, 10.0)?;
    writer(ground, CommitMode::Append, &rows, marked)?.commit()?;
    long_ago(ground)
}

/// A writer that has to spill, and takes its rows one by one.
fn spilled(ground: &Ground) -> Result<(), Error> {
    let rows = weather(NEW, 20.0)?;
    let builder = DatasetWriter::builder(ground.path(LAKE))
        .partition_by(PartitionBy::column("year"))
        .memory_limit(1)
        .verify(ground.verify)
        .threads(1)
        .disk(Arc::clone(&ground.disk));
    let mut writer = builder.build(rows.schema())?;
    for row in 0..rows.num_rows() {
        writer.write(&rows.slice(row, 1))?;
    }
    writer.commit().map(drop)
}

/// One file of a partition, by itself: its rename is its commit.
pub(super) fn single(ground: &Ground, name: Option<&str>) -> Result<(), Error> {
    let rows = weather(NEW, 20.0)?;
    let partition = Partition::new([("year", "1")])?;
    let mut options = WriterOptions::new()
        .disk(Arc::clone(&ground.disk))
        .verify(ground.verify);
    if let Some(name) = name {
        options = options.file_name(name);
    }
    let rows = rows.project(&[1]).map_err(|source| Error::Encode {
        step: atomic_arrow::Step::WriteRows,
        path: "rows of a scenario".into(),
        source: Box::new(source),
    })?;
    let root = ground.path(LAKE);
    let schema = rows.schema();
    let mut writer = AtomicArrowWriter::create_with_options(root, &partition, schema, options)?;
    writer.write(&rows)?;
    writer.commit().map(drop)
}

/// Removes what is in a partition, durably, with none of the library.
fn remove_by_hand(ground: &Ground) -> Result<(), Error> {
    let path = ground.path("lake/weather/year=1");
    let disk = &ground.scene;
    let removed = disk.list(&path).and_then(|entries| {
        entries
            .iter()
            .try_for_each(|entry| disk.remove_file(&entry.path))?;
        disk.open_directory(&path)?.sync()
    });
    removed.map_err(|source| Error::Read { path, source })
}

/// Commits a file to a partition of which there is none.
pub(super) fn into_empty(ground: &Ground) -> Result<(), Error> {
    let rows = weather([2, 2], 50.0)?;
    let writer = writer(ground, CommitMode::ErrorIfExists, &rows, same)?;
    writer.commit().map(drop)
}

/// Commits files to a data set that begins within the data set.
pub(super) fn within(ground: &Ground, mode: CommitMode) -> Result<(), Error> {
    let rows = weather(NEW, 60.0)?;
    let builder = DatasetWriter::builder(ground.path(LAKE).join("area=within"))
        .partition_by(PartitionBy::column("year"))
        .mode(mode)
        .verify(ground.verify)
        .threads(1)
        .disk(Arc::clone(&ground.disk));
    let mut writer = builder.build(rows.schema())?;
    writer.write(&rows)?;
    writer.commit().map(drop)
}

/// Overwrites a data set of one partition.
fn overwrite(ground: &Ground, start: f64) -> Result<(), Error> {
    let rows = weather([1, 1], start)?;
    let writer = writer(ground, CommitMode::Overwrite, &rows, same)?;
    writer.commit().map(drop)
}

fn scenario(name: &str, mode: CommitMode, tune: Tune) -> Scenario {
    let act = move |ground: &Ground| commit(ground, mode, tune);
    Scenario::new(name, LAKE, earlier, act).many()
}

pub(super) fn all() -> Vec<Scenario> {
    use CommitMode::{
        Append, ErrorIfAnyExists, ErrorIfExists, Ignore, Overwrite, OverwritePartitions,
    };
    let new = |name: &str, mode, tune: Tune| {
        let act = move |ground: &Ground| commit(ground, mode, tune);
        Scenario::new(name, LAKE, nothing, act).many()
    };
    let with_success_file = |name: &str, mode| {
        let act = move |ground: &Ground| commit(ground, mode, marked);
        Scenario::new(name, LAKE, earlier_marked, act).many()
    };
    vec![
        new("a new data set", Append, same),
        new("a new data set that must not be there", ErrorIfExists, same),
        scenario(
            "a data set that is there and must not be",
            ErrorIfExists,
            same,
        )
        .refused(),
        new(
            "a new data set of which no file may be there",
            ErrorIfAnyExists,
            same,
        ),
        scenario(
            "a data set of which no file may be there",
            ErrorIfAnyExists,
            same,
        )
        .refused(),
        new("a new data set, unless there is one", Ignore, same),
        scenario("a write that is ignored", Ignore, same),
        scenario("an append", Append, same),
        scenario("an append, synced together", Append, synced_together),
        scenario("an append of rolled files", Append, rolled),
        Scenario::new("an append of spilled rows", LAKE, earlier, spilled).many(),
        scenario("a named append", Append, named).remembers(),
        Scenario::new(
            "a named append, repeated",
            LAKE,
            |ground| {
                earlier(ground)?;
                commit(ground, Append, named)?;
                long_ago(ground)
            },
            |ground| commit(ground, Append, named),
        )
        .many()
        .remembers(),
        Scenario::new(
            "the next of a stream",
            LAKE,
            |ground| {
                commit(ground, Append, first_of_stream)?;
                long_ago(ground)
            },
            |ground| commit(ground, Append, second_of_stream),
        )
        .many()
        .remembers(),
        with_success_file("an append with a success file", Append),
        with_success_file(
            "partitions overwritten with a success file",
            OverwritePartitions,
        ),
        with_success_file("all overwritten with a success file", Overwrite),
        with_success_file(
            "all overwritten without exchange, with a success file",
            Overwrite,
        )
        .without_exchange(),
        new("a new data set with a success file", Append, marked),
        Scenario::new("one more file for a data set", LAKE, earlier, |ground| {
            single(ground, None)
        }),
        scenario("partitions overwritten", OverwritePartitions, same),
        scenario(
            "partitions overwritten without exchange",
            OverwritePartitions,
            same,
        )
        .without_exchange(),
        scenario(
            "partitions overwritten, synced together",
            OverwritePartitions,
            synced_together,
        ),
        scenario(
            "partitions overwritten without exchange, synced together",
            OverwritePartitions,
            synced_together,
        )
        .without_exchange(),
        scenario("all overwritten", Overwrite, same),
        scenario("all overwritten without exchange", Overwrite, same).without_exchange(),
        scenario(
            "partitions overwritten, staged inside",
            OverwritePartitions,
            inside,
        )
        .staged_inside(),
        scenario("all overwritten, staged inside", Overwrite, inside).staged_inside(),
        Scenario::new("all overwritten by nothing", LAKE, earlier, |ground| {
            let nothing = weather(NEW, 20.0)?.slice(0, 0);
            let writer = writer(ground, Overwrite, &nothing, same)?;
            writer.commit().map(drop)
        })
        .many(),
        new("all overwritten where nothing was", Overwrite, same),
        Scenario::new(
            "one partition overwritten after another overwrite of it",
            LAKE,
            |ground| overwrite(ground, 30.0),
            |ground| overwrite(ground, 40.0),
        )
        .many(),
        Scenario::new(
            "one more file after an overwrite",
            LAKE,
            |ground| overwrite(ground, 30.0),
            |ground| single(ground, None),
        ),
        Scenario::new(
            "a file removed by hand after an overwrite",
            LAKE,
            |ground| {
                overwrite(ground, 30.0)?;
                overwrite(ground, 40.0)
            },
            remove_by_hand,
        )
        .by_hand(),
        Scenario::new("a data set discarded", LAKE, earlier, |ground| {
            let rows = weather(NEW, 20.0)?;
            writer(ground, Append, &rows, rolled)?.discard();
            Ok(())
        })
        .many(),
    ]
}
