//! Every variant of [`Error`]: how it comes about, what it says, and what is then on the disk.
//!
//! Promise P5. The [table](cases) has a row for each way; a variant without a row is a failure.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use atomic_arrow::arrow::datatypes::{DataType, Field, Schema, TimeUnit, UnionFields, UnionMode};
use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::disk::Disk;
use atomic_arrow::disk::sim::{FaultTime, Lie, SimDisk};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::errors::ParquetError;
use atomic_arrow::receipt::ReceiptError;
use atomic_arrow::uuid::Uuid;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, CommitMode, DatasetWriter, DatasetWriterBuilder, Error,
    ErrorKind, FileOptions, Outcome, Partition, PartitionBy, PartitionValue, PublishMode, Receipt,
    RecoverOptions, StagedWrites, Step, Verify, WriterOptions, recover, recover_with_options,
};
use tempfile::TempDir;
use twox_hash::XxHash3_128;

use crate::ground::{Mount, begun, directory, staged, station, tree, weather, writer};
use crate::support::skip;

const EIO: i32 = 5;

/// One way to an error, gone to its end.
struct Case {
    way: &'static str,
    error: Error,
    variant: &'static str,
    /// With `{root}` for the directory that the case had, and `{staged}` for a staging file in it.
    message: String,
    /// The messages of the causes, the nearest first; `…` for one that is another project's.
    causes: &'static [&'static str],
    outcome: Outcome,
    step: Option<Step>,
    path: Option<&'static str>,
    root: PathBuf,
    /// All that is there afterwards.
    left: Vec<String>,
    expected_left: &'static [&'static str],
    _guard: Option<TempDir>,
}

/// Where a case happens.
struct Scene {
    guard: TempDir,
    root: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let (guard, root) = directory();
        Scene { guard, root }
    }

    /// A failure before anything was to be published, with nothing left.
    fn case(self, way: &'static str, variant: &'static str, error: Error) -> Case {
        let left = tree(&self.root);
        Case {
            way,
            error,
            variant,
            message: String::new(),
            causes: &[],
            outcome: Outcome::NotPublished,
            step: None,
            path: None,
            root: self.root,
            left,
            expected_left: &[],
            _guard: Some(self.guard),
        }
    }
}

impl Case {
    fn says(mut self, message: &str) -> Self {
        self.message = message.to_owned();
        self
    }

    fn because(mut self, causes: &'static [&'static str]) -> Self {
        self.causes = causes;
        self
    }

    fn in_step(mut self, step: Step) -> Self {
        self.step = Some(step);
        self
    }

    fn about(mut self, path: &'static str) -> Self {
        self.path = Some(path);
        self
    }

    fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    fn leaves(mut self, left: &'static [&'static str]) -> Self {
        self.expected_left = left;
        self
    }

    /// The text as the table has it: without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        let text = text.replace(self.root.to_str().unwrap(), "{root}");
        let text: Vec<String> = text.split('/').map(without_transaction).collect();
        let text = text.join("/");
        let Some(end) = text.find(".staged") else {
            return text;
        };
        let start = text[..end].rfind('/').unwrap() + 1;
        format!(
            "{}{{staged}}{}",
            &text[..start],
            &text[end + ".staged".len()..]
        )
    }

    fn check(&self) {
        let way = self.way;
        assert_eq!(
            variant(&self.error),
            self.variant,
            "{way}: {:?}",
            self.error
        );
        assert_eq!(self.error.kind(), kind(self.variant), "{way}");
        let conflict = kind(self.variant) == ErrorKind::Conflict;
        assert_eq!(self.error.is_conflict(), conflict, "{way}");
        if self.error.is_retryable() {
            // Else a repetition could write rows twice.
            assert_eq!(self.outcome, Outcome::NotPublished, "{way}");
        }
        assert_eq!(self.plain(&self.error.to_string()), self.message, "{way}");
        assert_eq!(self.error.outcome(), self.outcome, "{way}");
        assert_eq!(self.error.step(), self.step, "{way}");
        let path = self
            .error
            .path()
            .map(|path| self.plain(path.to_str().unwrap()));
        assert_eq!(path.as_deref(), self.path, "{way}");
        let left: Vec<_> = self
            .left
            .iter()
            .map(|name| self.plain(&format!("/{name}")))
            .collect();
        assert_eq!(left, self.expected_left, "{way}");

        let mut messages = vec![self.error.to_string()];
        let mut next = self.error.source();
        while let Some(cause) = next {
            messages.push(cause.to_string());
            next = cause.source();
        }
        for pair in messages.windows(2) {
            assert!(
                !pair[0].contains(&pair[1]),
                "{way}: {pair:?} says the same twice"
            );
        }
        assert_eq!(messages.len() - 1, self.causes.len(), "{way}: {messages:?}");
        for (message, expected) in messages[1..].iter().zip(self.causes) {
            assert!(
                *expected == "…" || message == expected,
                "{way}: {message:?}"
            );
        }
    }
}

/// A part of a path without the number of a transaction that it begins with.
fn without_transaction(part: &str) -> String {
    // Nor the hash of a write's name.
    if let Some((_, rest)) = part
        .split_once(".record")
        .filter(|(key, _)| key.len() == 32)
    {
        return format!("KEY.record{rest}");
    }
    let number = part.get(..36).filter(|_| !part.contains(".staged"));
    match number.map(Uuid::try_parse) {
        Some(Ok(_)) => format!("{{transaction}}{}", &part[36..]),
        _ => part.to_owned(),
    }
}

/// The class that a variant is of.
fn kind(variant: &str) -> ErrorKind {
    match variant {
        "Partition" | "InvalidPath" | "InvalidOption" => ErrorKind::InvalidInput,
        "SchemaMismatch" | "StrayRow" | "Encode" | "Source" | "Receipt" => ErrorKind::InvalidData,
        "Poisoned" => ErrorKind::Poisoned,
        "Interrupted" => ErrorKind::Interrupted,
        "Io" | "Read" | "NotRemoved" => ErrorKind::System,
        "Damaged" => ErrorKind::Damaged,
        "AlreadyExists" | "Conflict" | "Incompatible" | "AlreadyCommitted" | "JobClosed" => {
            ErrorKind::Conflict
        }
        "Aborted" | "StagingLost" | "StagedWriteGone" => ErrorKind::Aborted,
        "Blocked" | "OutOfReach" => ErrorKind::Blocked,
        "InvalidDecision" | "Distrusted" | "ControlDistrusted" | "SetAside" => {
            ErrorKind::Distrusted
        }
        "NotDurable" | "Unknown" | "Unfinished" | "FilesLost" => ErrorKind::MaybePublished,
        other => panic!("{other} has no class in this table"),
    }
}

/// The variant's name.
fn variant(error: &Error) -> String {
    let text = format!("{error:?}");
    text.chars()
        .take_while(|character| character.is_alphanumeric())
        .collect()
}

/// The variants that the source has: `#[non_exhaustive]` keeps a match here from being complete.
fn all_variants() -> BTreeSet<String> {
    let source = include_str!("../../src/error/mod.rs");
    let (_, body) = source.split_once("pub enum Error {\n").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names
        .map(|line| line.split(['(', ' ', ',']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_variant_says_what_happened_and_where_and_what_is_on_disk() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        case.check();
        seen.insert(case.variant.to_owned());
    }
    assert_eq!(seen, all_variants());
}

fn cases() -> Vec<Case> {
    let groups = [
        before_the_first_step(),
        paths(),
        rows(),
        vec![source_fails()],
        staging(),
        verification(),
        publishing(),
        simulated(),
        data_sets(),
    ];
    groups.into_iter().flatten().collect()
}

/// Whatever repeats or retries a write goes by these.
#[test]
fn what_passes_by_itself_is_to_be_tried_again_and_nothing_else() {
    let io = |kind: std::io::ErrorKind| Error::Io {
        step: Step::WriteRows,
        path: "/lake".into(),
        source: kind.into(),
    };
    assert!(io(std::io::ErrorKind::TimedOut).is_retryable());
    assert!(io(std::io::ErrorKind::StaleNetworkFileHandle).is_retryable());
    assert!(!io(std::io::ErrorKind::StorageFull).is_retryable());
    assert!(!io(std::io::ErrorKind::PermissionDenied).is_retryable());
    let blocked = |source: Error| Error::Blocked {
        path: "/lake".into(),
        transaction: Uuid::nil(),
        source: Box::new(source),
    };
    assert!(blocked(io(std::io::ErrorKind::TimedOut)).is_retryable());
    assert!(!blocked(io(std::io::ErrorKind::PermissionDenied)).is_retryable());
    assert!(aborted().error.is_retryable());
    assert!(!conflict().error.is_retryable());
}

#[test]
fn an_error_is_found_within_those_of_other_crates() {
    let error = || Error::AlreadyExists {
        path: "/lake/a".into(),
    };
    let found = |error: &(dyn std::error::Error + 'static)| {
        Error::find(error).and_then(Error::path).map(Path::to_owned)
    };
    let there = Some(PathBuf::from("/lake/a"));
    assert_eq!(found(&error()), there);
    let io = std::io::Error::from(error());
    assert_eq!(io.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(found(&io), there);
    assert_eq!(found(&ArrowError::from(error())), there);
    assert_eq!(found(&ParquetError::from(error())), there);
    let deep = ParquetError::from(ArrowError::from(std::io::Error::from(error())));
    assert_eq!(found(&deep), there);
    let deep = std::io::Error::other(deep);
    assert_eq!(found(&ArrowError::from(deep)), there);
    assert_eq!(found(&std::io::Error::from_raw_os_error(EIO)), None);
    // `write_all` would call again, and again.
    let interrupted = Error::Io {
        step: Step::WriteRows,
        path: "/lake".into(),
        source: std::io::ErrorKind::Interrupted.into(),
    };
    assert_eq!(
        std::io::Error::from(interrupted).kind(),
        std::io::ErrorKind::Other
    );
}

/// What `create` says of a schema in the partition of KSEA.
fn refused(scene: &Scene, schema: Schema, options: WriterOptions) -> Error {
    let root = scene.root.join("weather");
    let schema = Arc::new(schema);
    let options = options.file_name("part.parquet");
    AtomicArrowWriter::create_with_options(root, &station("KSEA"), schema, options).unwrap_err()
}

fn field(name: &str, data_type: DataType) -> Schema {
    Schema::new(vec![Field::new(name, data_type, true)])
}

fn union() -> DataType {
    let number = Field::new("number", DataType::Float64, true);
    DataType::Union(
        UnionFields::try_new([0], [number]).unwrap(),
        UnionMode::Sparse,
    )
}

fn list_of_runs() -> DataType {
    let ends = Field::new("run_ends", DataType::Int32, false);
    let values = Field::new("values", DataType::Float64, true);
    let runs = DataType::RunEndEncoded(Arc::new(ends), Arc::new(values));
    DataType::new_list(runs, true)
}

fn before_the_first_step() -> Vec<Case> {
    let mut cases = Vec::new();
    let text: ReceiptError = Receipt::from_json("{}").unwrap_err();
    cases.push(
        Scene::new()
            .case("a text is no receipt", "Receipt", text.into())
            .says("there can be no such receipt")
            .because(&["not the JSON of a receipt", "…"]),
    );
    let scene = Scene::new();
    let options = WriterOptions::new().file_name("prices.csv");
    let schema = Arc::new(field("temp", DataType::Float64));
    let root = scene.root.join("weather");
    let error = AtomicArrowWriter::create_with_options(root, &station("KSEA"), schema, options);
    cases.push(
        scene
            .case(
                "a file is named like one of another format",
                "InvalidPath",
                error.unwrap_err(),
            )
            .says("prices.csv: has the suffix of another format than is written")
            .about("prices.csv"),
    );
    let key = Partition::new([("", "KSEA")]).unwrap_err();
    cases.push(
        Scene::new()
            .case("a key is empty", "Partition", key.into())
            .says("a partition key is empty"),
    );
    let value = PartitionValue::Timestamp {
        value: 0,
        unit: TimeUnit::Second,
        time_zone: Some("Mars/Olympus".into()),
    };
    let zone = Partition::new([("at", value)]).unwrap_err();
    cases.push(
        Scene::new()
            .case("a time zone is not known", "Partition", zone.into())
            .says(
                "the time zone \"Mars/Olympus\" of \"at\" is not known: give one of the IANA data base, as \
                 Europe/Berlin, or an offset",
            )
            .because(&["…"]),
    );
    let scene = Scene::new();
    let list = DataType::new_list(DataType::Int32, true);
    let schema = Schema::new(vec![
        Field::new("station_id", list, true),
        Field::new("temp", DataType::Float64, true),
    ]);
    let error = refused(&scene, schema, WriterOptions::new());
    cases.push(
        scene
            .case("a partition column is a list", "Partition", error)
            .says(
                "column \"station_id\" of type List(Int32) cannot be a partition key: cast it to text, a number, \
                 a date or a timestamp",
            ),
    );
    let scene = Scene::new();
    let error = refused(
        &scene,
        field("station_id", DataType::Utf8),
        WriterOptions::new(),
    );
    cases.push(
        scene
            .case("no column is left for the file", "InvalidOption", error)
            .says(
                "schema: no column is left beside the partition's; \
             keep_partition_columns(true) would leave them",
            ),
    );
    let scene = Scene::new();
    let decode = WriterOptions::new().verify(Verify::Decode);
    let error = refused(&scene, field("odd", list_of_runs()), decode);
    cases.push(
        scene.case("values of a column cannot be digested", "InvalidOption", error).says(
            "verify: column \"odd\": values of type List(RunEndEncoded(\"run_ends\": non-null Int32, \
             \"values\": Float64)) cannot be digested",
        ),
    );
    let scene = Scene::new();
    let error = refused(&scene, field("odd", union()), WriterOptions::new());
    cases.push(
        scene
            .case("Parquet has no place for a type", "Encode", error)
            .says("{root}/weather/station_id=KSEA/part.parquet: cannot encode (WriteRows)")
            .because(&["…"])
            .in_step(Step::WriteRows)
            .about("{root}/weather/station_id=KSEA/part.parquet"),
    );
    cases
}

fn paths() -> Vec<Case> {
    type Given = fn(&Path) -> PathBuf;
    let cases: [(&str, Given, &str); 11] = [
        (
            "a path ends in a slash",
            |root| root.join("data/"),
            "{root}/data/: names a directory",
        ),
        (
            "a path ends in ..",
            |root| root.join("data/.."),
            "{root}/data/..: names no file",
        ),
        (
            "a path is a directory",
            |root| root.to_owned(),
            "{root}: is a directory",
        ),
        (
            "a path lies below a file",
            |root| root.join("file/x"),
            "{root}/file: is not a directory, or lies below a file",
        ),
        (
            "a path lies far below a file",
            |root| root.join("file/x/y"),
            "{root}/file/x: lies below a file",
        ),
        (
            "a path has a NUL byte",
            |root| root.join("a\0b/x"),
            "{root}/a\0b: contains a NUL byte",
        ),
        (
            "a name has a NUL byte",
            |root| root.join("a\0b"),
            "{root}/a\0b: contains a NUL byte",
        ),
        (
            "a path is a URL",
            |_| "hdfs://cluster/x".into(),
            "hdfs://cluster/x: this kind of URL is not supported; supported are paths, file:// URLs and, where an object \
             store may be named, s3://, gs://, az:// and abfss://; a local path that looks like a URL can be given with \
             `./` before it",
        ),
        (
            "a path begins with a tilde",
            |_| "~/x".into(),
            "~/x: begins with `~`, which is not expanded here: name the home directory itself, or a \
             directory called `~` as `./~`",
        ),
        (
            "a path leads to nothing",
            |root| root.join("nowhere/x"),
            "{root}/nowhere: is, or lies below, a symbolic link to nothing",
        ),
        (
            "a path leaves what is not there",
            |root| root.join("no/../x"),
            "{root}/no/..: leaves a directory that does not exist by `..`",
        ),
    ];
    cases
        .into_iter()
        .map(|(way, path, message)| {
            let scene = Scene::new();
            fs::write(scene.root.join("file"), "").unwrap();
            std::os::unix::fs::symlink("gone", scene.root.join("nowhere")).unwrap();
            let error = AtomicFile::create(path(&scene.root)).unwrap_err();
            let about = message.split(": ").next().unwrap();
            scene
                .case(way, "InvalidPath", error)
                .says(message)
                .about(about)
                .leaves(&["/file", "/nowhere"])
        })
        .collect()
}

const PART: &str = "{root}/weather/station_id=KSEA/part.parquet";
const DATA: &str = "{root}/data.json";

fn part(options: WriterOptions) -> WriterOptions {
    options.file_name("part.parquet")
}

/// A writer of `{root}/weather/station_id=KSEA/part.parquet` that has taken some rows.
fn half_way(scene: &Scene) -> AtomicArrowWriter {
    let mut writer = writer(scene.root.join("weather"), part(WriterOptions::new())).unwrap();
    writer.write(&weather("KSEA", 7)).unwrap();
    writer
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The error of a batch, the writer being gone when it is looked at what is left.
fn wrong(way: &'static str, variant: &'static str, batch: &RecordBatch) -> Case {
    let scene = Scene::new();
    let error = half_way(&scene).write(batch).unwrap_err();
    scene
        .case(way, variant, error)
        .in_step(Step::WriteRows)
        .about(PART)
}

const COLUMNS: &str =
    "give every batch the columns of the schema, or write with a schema that has all";

fn rows() -> Vec<Case> {
    let stations = || Arc::new(StringArray::from(vec!["KSEA", "KSEA"])) as ArrayRef;
    let temperatures = || Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef;
    let fewer = columns(vec![("station_id", stations())]);
    let renamed = columns(vec![("station_id", stations()), ("t", temperatures())]);
    let retyped = columns(vec![("station_id", stations()), ("temp", stations())]);
    let stray = Arc::new(StringArray::from(vec!["KSEA", "KPDX"])) as ArrayRef;
    let stray = columns(vec![("station_id", stray), ("temp", temperatures())]);
    let poisoned = |way, finish: fn(AtomicArrowWriter) -> Error| {
        let scene = Scene::new();
        let mut writer = half_way(&scene);
        writer.write(&stray).unwrap_err();
        let error = finish(writer);
        scene
            .case(way, "Poisoned", error)
            .says(&format!(
                "{PART}: an earlier write failed, so this writer can only be discarded"
            ))
            .in_step(Step::WriteRows)
            .about(PART)
    };
    vec![
        wrong("a column is missing", "SchemaMismatch", &fewer)
            .says(&format!(
            "{PART}: column \"temp\": expected Float64, found no such column; {COLUMNS}"
        )),
        wrong("a column has another name", "SchemaMismatch", &renamed).says(&format!(
            "{PART}: column \"temp\": expected Float64, found no such column; {COLUMNS}"
        )),
        wrong("a column has another type", "SchemaMismatch", &retyped).says(&format!(
            "{PART}: column \"temp\": expected Float64, found Utf8; cast it, or write with a schema that holds both"
        )),
        wrong("a row belongs elsewhere", "StrayRow", &stray).says(&format!(
            "{PART}: row 8 has station_id=KPDX, but the file belongs to station_id=KSEA"
        )),
        poisoned("more is written after an error", |mut writer| {
            writer.write(&weather("KSEA", 1)).unwrap_err()
        }),
        poisoned("the file is finished after an error", |writer| {
            writer.finish().unwrap_err()
        }),
        poisoned("the file is committed after an error", |writer| {
            writer.commit().unwrap_err()
        }),
    ]
}

/// Rows whose source fails in the middle.
fn source_fails() -> Case {
    let scene = Scene::new();
    let mut writer = half_way(&scene);
    let lost = std::io::Error::other("the connection was lost");
    let error = writer
        .write_all([Ok(weather("KSEA", 3)), Err(lost)])
        .unwrap_err();
    assert_eq!(writer.rows(), 10);
    assert!(matches!(writer.commit(), Err(Error::Poisoned { .. })));
    scene
        .case("the source of rows fails", "Source", error)
        .says(&format!("{PART}: the rows could not be had"))
        .because(&["the connection was lost"])
        .in_step(Step::WriteRows)
        .about(PART)
}

#[test]
fn a_data_set_whose_rows_stop_coming_is_not_written() {
    let (_guard, root) = directory();
    let (builder, batch) = data_set(root.join("weather"));
    let mut writer = builder.build(batch.schema()).unwrap();
    let taken = writer.write_all([Ok::<_, ArrowError>(batch.clone()), Ok(batch.clone())]);
    assert_eq!(taken.unwrap(), 14);
    let lost = ArrowError::ComputeError("the connection was lost".to_owned());
    let error = writer.write_all([Ok(batch), Err(lost)]).unwrap_err();
    assert!(matches!(error, Error::Source { .. }), "{error:?}");
    assert!(matches!(writer.commit(), Err(Error::Poisoned { .. })));
    assert_eq!(tree(&root), Vec::<String>::new());
}

fn staging() -> Vec<Case> {
    let scene = Scene::new();
    fs::write(scene.root.join(".weather.atomic"), "").unwrap();
    let error = writer(scene.root.join("weather"), WriterOptions::new()).unwrap_err();
    let area_is_a_file = scene
        .case("a file stands where the area belongs", "Io", error)
        .says("{root}/.weather.atomic: CreateStaging failed")
        .because(&["not a directory"])
        .in_step(Step::CreateStaging)
        .about("{root}/.weather.atomic")
        .leaves(&["/.weather.atomic"]);

    let lost = |way, step, fail: fn(&Scene) -> Error| {
        let scene = Scene::new();
        let error = fail(&scene);
        let area = "{root}/.weather.atomic/{staged}";
        scene
            .case(way, "StagingLost", error)
            .says(&format!(
                "{area}: the staging file was removed by somebody else ({step})"
            ))
            .in_step(step)
            .about(area)
    };
    vec![
        area_is_a_file,
        lost(
            "the staging file goes before it is verified",
            Step::Verify,
            |scene| {
                let writer = half_way(scene);
                fs::remove_file(&staged(&scene.root)[0]).unwrap();
                writer.finish().unwrap_err()
            },
        ),
        lost("another file takes its name", Step::Verify, |scene| {
            let writer = half_way(scene);
            let path = &staged(&scene.root)[0];
            fs::remove_file(path).unwrap();
            fs::write(path, "").unwrap();
            writer.finish().unwrap_err()
        }),
        lost(
            "the staging file goes before it is published",
            Step::Publish,
            |scene| {
                let staged = half_way(scene).finish().unwrap();
                fs::remove_file(staged.staging_path()).unwrap();
                staged.publish().unwrap_err()
            },
        )
        .leaves(&[]),
        lost("the whole area goes", Step::Publish, |scene| {
            let staged = half_way(scene).finish().unwrap();
            fs::remove_dir_all(staged.staging_path().parent().unwrap()).unwrap();
            staged.publish().unwrap_err()
        }),
    ]
}

fn verification() -> Vec<Case> {
    let scene = Scene::new();
    let writer = half_way(&scene);
    let open = fs::OpenOptions::new()
        .append(true)
        .open(&staged(&scene.root)[0]);
    open.unwrap().write_all(&[0; 1 << 16]).unwrap();
    let error = writer.finish().unwrap_err();
    let longer = error.source().unwrap().to_string();
    assert!(longer.starts_with("65536 bytes long, but "), "{longer}");
    let longer = scene
        .case("somebody writes into the staging file", "Damaged", error)
        .says(&format!("{PART}: the staged file failed verification"))
        .because(&["…"])
        .in_step(Step::Verify)
        .about(PART);

    let scene = Scene::new();
    let options = FileOptions::new().format(Format::Json);
    let mut file = AtomicFile::create_with_options(scene.root.join("data.json"), options).unwrap();
    file.write_all(b"{\"temp\":").unwrap();
    let error = file.commit().unwrap_err();
    let damaged = scene
        .case("a file is not of its format", "Damaged", error)
        .says(&format!("{DATA}: the staged file failed verification"))
        .because(&["line 1, column 8 (byte 7): does not parse", "…"])
        .in_step(Step::Verify)
        .about(DATA);

    let scene = Scene::new();
    let missing = scene.root.join("missing.parquet");
    let error = atomic_arrow::verify::verify_file(&missing, Verify::Footer).unwrap_err();
    let unread = scene
        .case("a file to be verified is missing", "Read", error)
        .says("{root}/missing.parquet: cannot be read")
        .because(&["No such file or directory (os error 2)"])
        .about("{root}/missing.parquet");
    vec![longer, damaged, unread]
}

fn publishing() -> Vec<Case> {
    let taken = |way, fail: fn(&Path) -> Error| {
        let scene = Scene::new();
        let error = fail(&scene.root.join("data.json"));
        assert_eq!(
            fs::read(scene.root.join("data.json")).unwrap(),
            b"old",
            "{way}"
        );
        scene
            .case(way, "AlreadyExists", error)
            .says(&format!("{DATA}: already exists"))
            .in_step(Step::Publish)
            .about(DATA)
            .leaves(&["/data.json"])
    };
    let early = taken("the name is taken from the start", |path| {
        fs::write(path, "old").unwrap();
        AtomicFile::create(path).unwrap_err()
    });
    let late = taken("the name is taken meanwhile", |path| {
        let file = AtomicFile::create(path).unwrap().finish().unwrap();
        fs::write(path, "old").unwrap();
        file.publish().unwrap_err()
    });

    let scene = Scene::new();
    let path = scene.root.join("data.json");
    let options = FileOptions::new().mode(PublishMode::Replace);
    let file = AtomicFile::create_with_options(&path, options).unwrap();
    fs::create_dir(&path).unwrap();
    let error = file.commit().unwrap_err();
    let directory = scene
        .case("a directory comes to stand there", "Io", error)
        .says(&format!("{DATA}: Publish failed"))
        .because(&["Is a directory (os error 21)"])
        .in_step(Step::Publish)
        .about(DATA)
        .leaves(&["/data.json/"]);

    let scene = Scene::new();
    let writer = half_way(&scene);
    fs::create_dir(scene.root.join("weather")).unwrap();
    fs::write(scene.root.join("weather/station_id=KSEA"), "").unwrap();
    let error = writer.commit().unwrap_err();
    let file_above = scene
        .case(
            "a file comes to stand where the partition belongs",
            "Io",
            error,
        )
        .says("{root}/weather/station_id=KSEA: CreateDirectory failed")
        .because(&["Not a directory (os error 20)"])
        .in_step(Step::CreateDirectory)
        .about("{root}/weather/station_id=KSEA")
        .leaves(&["/weather/", "/weather/station_id=KSEA"]);
    vec![early, late, directory, file_above]
}

/// The simulated disk, with a data set at `/lake/weather`.
fn on(disk: &SimDisk) -> Result<(), Error> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = part(WriterOptions::new().disk(disk));
    let mut writer = writer("/lake/weather", options)?;
    writer.write(&weather("KSEA", 7))?;
    writer.commit().map(drop)
}

/// Lets the first call that begins with `name` fail, and the `more` calls right after it.
fn failing(name: &str, more: usize, when: FaultTime) -> (Error, SimDisk) {
    let clean = SimDisk::new();
    on(&clean).unwrap();
    let call = clean
        .calls()
        .iter()
        .position(|call| call.starts_with(name))
        .unwrap();
    let disk = SimDisk::new();
    disk.fail_call(call, EIO, when);
    (1..=more).for_each(|after| disk.fail_call(call + after, EIO, FaultTime::Before));
    (on(&disk).unwrap_err(), disk)
}

fn simulated() -> Vec<Case> {
    let case = |way, variant, (error, disk): (Error, SimDisk)| {
        let root = PathBuf::from("/lake");
        let below = |path: PathBuf| Some(path.strip_prefix("/lake").ok()?.to_str()?.to_owned());
        let directories = disk.directories().into_iter().filter_map(below);
        let mut left: Vec<_> = directories.filter(|path| !path.is_empty()).collect();
        left.iter_mut().for_each(|path| path.push('/'));
        left.extend(disk.files().into_iter().filter_map(below));
        left.sort();
        Case {
            root,
            left,
            _guard: None,
            ..Scene::new().case(way, variant, error)
        }
        .because(&["Input/output error (os error 5)"])
    };
    let area = "{root}/.weather.atomic/{staged}";
    let published = &[
        "/weather/",
        "/weather/.atomic/",
        "/weather/.atomic/lock",
        "/weather/station_id=KSEA/",
        "/weather/station_id=KSEA/part.parquet",
    ];
    vec![
        case(
            "the footer cannot be written",
            "Io",
            failing("write ", 0, FaultTime::Before),
        )
        .says(&format!("{area}: WriteFooter failed"))
        .in_step(Step::WriteFooter)
        .about(area),
        case(
            "the file cannot be synced",
            "Io",
            failing("sync_file", 0, FaultTime::Before),
        )
        .says(&format!("{area}: SyncFile failed"))
        .in_step(Step::SyncFile)
        .about(area),
        case(
            "closing the file would fail",
            "Io",
            failing("check_close", 0, FaultTime::Before),
        )
        .says(&format!("{area}: SyncFile failed"))
        .in_step(Step::SyncFile)
        .about(area),
        case(
            "the file cannot be read back",
            "Io",
            failing("read_at", 0, FaultTime::Before),
        )
        .says(&format!("{area}: Verify failed"))
        .in_step(Step::Verify)
        .about(area),
        case(
            "the directory of the file cannot be synced",
            "NotDurable",
            failing(
                "sync_directory /lake/weather/station_id=KSEA",
                0,
                FaultTime::Before,
            ),
        )
        .says(&format!("{PART}: published, but maybe not durable"))
        .outcome(Outcome::PublishedNotDurable)
        .in_step(Step::SyncDirectory)
        .about(PART)
        .leaves(published),
        case(
            "the rename's answer is lost",
            "Unknown",
            failing("rename", 2, FaultTime::After),
        )
        .says(&format!("{PART}: unknown whether published"))
        .outcome(Outcome::Unknown)
        .in_step(Step::Publish)
        .about(PART)
        .leaves(published),
    ]
}

/// A disk that cannot tell what the root is, of which it had told that it is there.
#[test]
fn a_root_that_the_disk_cannot_look_at_is_an_error_of_the_disk() {
    let begin = |disk: &SimDisk| {
        let options = FileOptions::new().disk(Arc::new(disk.clone()));
        AtomicFile::create_with_options("/lake/data.json", options).map(drop)
    };
    let clean = SimDisk::new();
    begin(&clean).unwrap();
    let calls = clean.calls();
    let call = calls
        .iter()
        .position(|call| call == "status /lake")
        .unwrap();
    let disk = SimDisk::new();
    disk.fail_call(call, EIO, FaultTime::Before);
    let error = begin(&disk).unwrap_err();
    assert!(
        matches!(&error, Error::Io { step: Step::CreateStaging, source, .. } if source.raw_os_error() == Some(EIO)),
        "{error:?}"
    );
}

/// The record that commits a data set is renamed, and nobody tells whether it was.
#[test]
fn a_decision_that_may_have_been_recorded_is_unknown_of_the_step_that_decides() {
    let run = |disk: &SimDisk| {
        let (builder, batch) = data_set("/lake/weather");
        commit(builder.threads(1).disk(Arc::new(disk.clone())), &batch).map(drop)
    };
    let clean = SimDisk::new();
    run(&clean).unwrap();
    let calls = clean.calls();
    let decides = |call: &String| call.starts_with("rename") && call.ends_with("decision.record");
    let call = calls.iter().position(decides).unwrap();
    let disk = SimDisk::new();
    for after in 0..3 {
        disk.fail_call(call + after, EIO, FaultTime::After);
    }
    let error = run(&disk).unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    assert_eq!(error.step(), Some(Step::Decide));
    assert_eq!(error.path(), Some(Path::new("/lake/weather")));
}

/// The builder of a data set at `root`, and a batch for it.
fn data_set(root: impl AsRef<Path>) -> (DatasetWriterBuilder, RecordBatch) {
    let by = PartitionBy::column("station_id");
    (
        DatasetWriter::builder(root).partition_by(by),
        weather("KSEA", 7),
    )
}

fn commit(builder: DatasetWriterBuilder, batch: &RecordBatch) -> Result<Receipt, Error> {
    let mut writer = builder.build(batch.schema())?;
    writer.write(batch)?;
    writer.commit()
}

/// A writer on this disk that has taken its rows, and the disk as it has it.
fn written(disk: &SimDisk) -> (DatasetWriter, Arc<dyn Disk>) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (builder, batch) = data_set("/lake/weather");
    let builder = builder.disk(Arc::clone(&shared));
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    (writer, shared)
}

fn data_sets() -> Vec<Case> {
    vec![
        conflict(),
        invalid_decision(),
        distrusted(),
        set_aside(),
        control_distrusted(),
        not_removed(),
        aborted(),
        staged_write_gone(),
        interrupted(),
        files_lost(),
        blocked(),
        incompatible(),
        out_of_reach(),
        already_committed(),
        job_closed(),
        unfinished(),
    ]
}

fn conflict() -> Case {
    let scene = Scene::new();
    let root = scene.root.join("weather");
    std::fs::create_dir_all(root.join("station_id=KSEA")).unwrap();
    std::fs::write(root.join("station_id=KSEA/old.parquet"), b"old").unwrap();
    let (builder, batch) = data_set(&root);
    let error = commit(builder.mode(CommitMode::ErrorIfExists), &batch).unwrap_err();
    scene
        .case(
            "a partition that should be new has files",
            "Conflict",
            error,
        )
        .says("{root}/weather/station_id=KSEA: has files already")
        .in_step(Step::Decide)
        .about("{root}/weather/station_id=KSEA")
        .leaves(&[
            "/weather/",
            "/weather/station_id=KSEA/",
            "/weather/station_id=KSEA/old.parquet",
        ])
}

fn incompatible() -> Case {
    let scene = Scene::new();
    let root = scene.root.join("weather");
    std::fs::create_dir_all(root.join("station_id=KSEA")).unwrap();
    std::fs::write(root.join("station_id=KSEA/old.csv"), b"temp\n").unwrap();
    let (builder, batch) = data_set(&root);
    let error = commit(builder, &batch).unwrap_err();
    scene
        .case("a file of another format is there", "Incompatible", error)
        .says(
            "{root}/weather: the format is parquet in this write, but csv in \
             {root}/weather/station_id=KSEA/old.csv: readers of the data set would fail, or read other \
             values; write the same, or allow it with `schema_check(false)`",
        )
        .in_step(Step::Decide)
        .about("{root}/weather")
        .leaves(&[
            "/weather/",
            "/weather/station_id=KSEA/",
            "/weather/station_id=KSEA/old.csv",
        ])
}

fn invalid_decision() -> Case {
    let scene = Scene::new();
    let root = scene.root.join("weather");
    let writes = scene.root.join(".weather.atomic/writes");
    let named = || {
        let (builder, batch) = data_set(&root);
        commit(builder.write_id("monday"), &batch)
    };
    named().unwrap();
    let receipt = std::fs::read_dir(&writes).unwrap().next().unwrap();
    std::fs::write(receipt.unwrap().path(), b"{}").unwrap();
    let error = named().unwrap_err();
    std::fs::remove_dir_all(&root).unwrap();
    let record = "{root}/.weather.atomic/writes/KEY.record";
    scene
        .case("a receipt that nobody wrote", "InvalidDecision", error)
        .says(&format!(
            "{record}: missing field `scope` at line 1 column 2"
        ))
        .about(record)
        .leaves(&[
            "/.weather.atomic/",
            "/.weather.atomic/writes/",
            "/.weather.atomic/writes/KEY.record",
        ])
}

fn distrusted() -> Case {
    let scene = Scene::new();
    let path = scene.root.join(".weather.atomic/x/decision.record");
    let target = scene.root.join("weather/k=1");
    let error = Error::Distrusted {
        path,
        user: 7,
        target,
    };
    scene
        .case("a record of a stranger", "Distrusted", error)
        .says(
            "{root}/.weather.atomic/x/decision.record: user 7, to whom it belongs, may not change \
             {root}/weather/k=1, so that it is not acted upon: remove it, or change its owner if you trust it",
        )
        .about("{root}/.weather.atomic/x/decision.record")
}

fn control_distrusted() -> Case {
    let scene = Scene::new();
    let path = scene.root.join("weather/.atomic");
    let error = Error::ControlDistrusted {
        path,
        reason: "it is not replaced",
        source: Some(std::io::ErrorKind::PermissionDenied.into()),
    };
    scene
        .case("a control directory of a stranger", "ControlDistrusted", error)
        .says(
            "{root}/weather/.atomic: users who may not write in the data set can change it or lock what is in it, \
             and it is not replaced",
        )
        .because(&["permission denied"])
        .about("{root}/weather/.atomic")
        .in_step(Step::Decide)
}

fn not_removed() -> Case {
    let scene = Scene::new();
    let path = scene.root.join(".weather.atomic/x.dead");
    let error = Error::NotRemoved {
        path,
        source: std::io::ErrorKind::PermissionDenied.into(),
    };
    scene
        .case("a leftover that stays", "NotRemoved", error)
        .says(
            "{root}/.weather.atomic/x.dead: a leftover cannot be removed; with that out of the way, \
             `recover` removes it",
        )
        .because(&["permission denied"])
        .about("{root}/.weather.atomic/x.dead")
}

fn set_aside() -> Case {
    let scene = Scene::new();
    let place = scene
        .root
        .join(format!(".weather.atomic/{}", Uuid::now_v7()));
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("decision.record"), b"{}").unwrap();
    let mut recovery = recover(scene.root.join("weather")).unwrap();
    let error = recovery.failed.pop().unwrap();
    let aside = "{root}/.weather.atomic/{transaction}.aside";
    scene
        .case("a record that nobody wrote", "SetAside", error)
        .says(&format!(
            "{aside}: was set aside, and may be part of a commit: look at it, and remove it"
        ))
        .because(&["…"])
        .about(aside)
        .leaves(&[
            "/.weather.atomic/",
            "/.weather.atomic/{transaction}.aside/",
            "/.weather.atomic/{transaction}.aside/decision.record",
        ])
}

fn aborted() -> Case {
    let disk = SimDisk::new();
    let (writer, shared) = written(&disk);
    // It sleeps for a day, on a disk whose locks others do not see.
    disk.set_trusts_locks(false);
    disk.lie(Lie::Locks);
    disk.advance(std::time::Duration::from_secs(25 * 60 * 60));
    recover_with_options("/lake/weather", &RecoverOptions::new().disk(shared)).unwrap();
    let error = writer.commit().unwrap_err();
    let place = "/lake/.weather.atomic/{transaction}";
    Scene::new()
        .case(
            "a writer that was taken for dead comes back",
            "Aborted",
            error,
        )
        .says(&format!(
            "{place}: the transaction was aborted by somebody else"
        ))
        .in_step(Step::Decide)
        .about(place)
}

fn staged_write_gone() -> Case {
    let disk = SimDisk::new();
    let (writer, shared) = written(&disk);
    let staged = StagedWrites::new([writer.stage().unwrap()]).disk(shared);
    staged.discard().unwrap();
    let place = "/lake/.weather.atomic/{transaction}";
    Scene::new()
        .case(
            "what was staged is committed after it was discarded",
            "StagedWriteGone",
            staged.commit().unwrap_err(),
        )
        .says(&format!(
            "{place}: is no longer staged: committed, discarded, or kept too long"
        ))
        .in_step(Step::Decide)
        .about(place)
}

/// A disk with a commit that is decided, and of which the staged file is gone.
fn disk_with_a_lost_file() -> SimDisk {
    let clean = SimDisk::new();
    let run = |disk: &SimDisk| {
        let (builder, batch) = data_set("/lake/weather");
        commit(builder.threads(1).disk(Arc::new(disk.clone())), &batch).map(drop)
    };
    run(&clean).unwrap();
    let renames = |call: &String| call.starts_with("rename /lake/weather/station_id");
    let disk = SimDisk::new();
    disk.fail_call(
        clean.calls().iter().position(renames).unwrap(),
        EIO,
        FaultTime::Before,
    );
    run(&disk).unwrap_err();
    let mut files = disk.files().into_iter();
    let staged = files.find(|file| file.extension().is_some_and(|end| end == "staged"));
    disk.remove_file(&staged.unwrap()).unwrap();
    disk
}

fn files_lost() -> Case {
    let disk = disk_with_a_lost_file();
    let options = RecoverOptions::new().disk(Arc::new(disk));
    let mut recovery = recover_with_options("/lake/weather", &options).unwrap();
    let error = recovery.failed.pop().unwrap();
    let Error::FilesLost { first, .. } = &error else {
        panic!("{error:?}")
    };
    let first = first.display().to_string();
    Scene::new()
        .case(
            "a staged file was removed after the commit was decided",
            "FilesLost",
            error,
        )
        .says(&format!(
            "/lake/weather: 1 of the 1 files of a commit were removed or replaced before they were published, \
             among them {first}; 0 are published and stay; nobody can finish it, and \
             `RecoverOptions::abort_unfinished(true)` gives up the rest",
        ))
        .outcome(Outcome::Lost)
        .in_step(Step::Publish)
        .about("/lake/weather")
}

fn blocked() -> Case {
    let disk = disk_with_a_lost_file();
    let (builder, batch) = data_set("/lake/weather");
    let error = commit(builder.disk(Arc::new(disk)), &batch).unwrap_err();
    let Error::Blocked { transaction, .. } = &error else {
        panic!("{error:?}")
    };
    let transaction = *transaction;
    Scene::new()
        .case(
            "another's commit into the same directories cannot be finished",
            "Blocked",
            error,
        )
        .says(&format!(
            "/lake/weather: transaction {transaction} of another writer changes the same directories and is \
             not finished: `recover` finishes it once nothing is in its way, and \
             `RecoverOptions::abort_unfinished(true)` gives it up"
        ))
        .because(&["…"])
        .in_step(Step::Decide)
        .about("/lake/weather")
}

fn out_of_reach() -> Case {
    const MARKER: &str =
        "pending-01890a5d-ac96-774b-bcce-b302099a8057@1@%2Felsewhere%2F%2Eweather%2Eatomic";
    let scene = Scene::new();
    let control = scene.root.join("weather/.atomic");
    fs::create_dir_all(&control).unwrap();
    fs::write(control.join(MARKER), "").unwrap();
    let (builder, batch) = data_set(scene.root.join("weather"));
    let error = commit(builder, &batch).unwrap_err();
    fs::remove_dir_all(control).unwrap();
    scene
        .case(
            "another's commit is unfinished in an area that is not seen from here",
            "OutOfReach",
            error,
        )
        .says(
            "{root}/weather: transaction 01890a5d-ac96-774b-bcce-b302099a8057 of another writer is \
             unfinished, and the staging area /elsewhere/.weather.atomic is not reached from here: \
             recover the data set where it is, or, if that cannot be any more, remove its marker \
             {root}/weather/.atomic/pending-01890a5d-ac96-774b-bcce-b302099a8057@1@%2Felsewhere%2F%2Eweather%2Eatomic \
             by `RecoverOptions::abort_unfinished(true)`",
        )
        .in_step(Step::Decide)
        .about("{root}/weather")
        .leaves(&["/weather/"])
}

fn already_committed() -> Case {
    let scene = Scene::new();
    let root = scene.root.join("weather");
    let named = || {
        let (builder, batch) = data_set(&root);
        commit(builder.write_id("monday"), &batch)
    };
    named().unwrap();
    let count = fs::read_dir(root.join("station_id=KSEA")).unwrap().count();
    assert_eq!(count, 1);
    // As it is where another path leads to the root.
    fs::remove_dir_all(scene.root.join(".weather.atomic")).unwrap();
    let error = named().unwrap_err();
    let count = fs::read_dir(root.join("station_id=KSEA")).unwrap().count();
    assert_eq!(count, 1);
    fs::remove_dir_all(&root).unwrap();
    scene
        .case(
            "the name of a write was committed where its receipt is not seen from here",
            "AlreadyCommitted",
            error,
        )
        .says(
            "{root}/weather: the write \"monday\" is committed already, and its receipt in the \
             staging area {root}/.weather.atomic is not reached from here",
        )
        .in_step(Step::Decide)
        .about("{root}/weather")
}

fn job_closed() -> Case {
    let scene = Scene::new();
    let root = scene.root.join("weather");
    let nothing = StagedWrites::new([]).expect_root(&root).job("monday");
    nothing.discard().unwrap();
    let (builder, batch) = data_set(&root);
    let error = builder.job("monday").build(batch.schema()).unwrap_err();
    fs::remove_dir_all(&root).unwrap();
    fs::remove_dir_all(scene.root.join(".weather.atomic")).unwrap();
    scene
        .case("a job was discarded", "JobClosed", error)
        .says("{root}/weather: the job \"monday\" is closed, since it was committed or discarded: repeat its commit for the receipt, and give new work another name")
        .in_step(Step::Decide)
        .about("{root}/weather")
}

fn interrupted() -> Case {
    let scene = Scene::new();
    let (builder, batch) = data_set(scene.root.join("weather"));
    let error = commit(builder.interrupt_when(|step| step == Step::Decide), &batch).unwrap_err();
    scene
        .case("the caller asks to give up", "Interrupted", error)
        .says("{root}/weather: interrupted before Decide")
        .in_step(Step::Decide)
        .about("{root}/weather")
        .leaves(&[])
}

fn unfinished() -> Case {
    let run = |disk: &SimDisk| {
        let (builder, batch) = data_set("/lake/weather");
        commit(builder.threads(1).disk(Arc::new(disk.clone())), &batch).map(drop)
    };
    let clean = SimDisk::new();
    run(&clean).unwrap();
    let calls = clean.calls();
    let renames = |call: &String| call.starts_with("rename /lake/weather");
    let disk = SimDisk::new();
    disk.fail_call(
        calls.iter().position(renames).unwrap(),
        EIO,
        FaultTime::Before,
    );
    Scene::new()
        .case(
            "a committed file cannot be renamed",
            "Unfinished",
            run(&disk).unwrap_err(),
        )
        .says("/lake/weather: committed, but not all files are published yet")
        .because(&["…", "Input/output error (os error 5)"])
        .outcome(Outcome::PublishedInPart)
        .in_step(Step::Publish)
        .about("/lake/weather")
}

/// A disk that is full: an error of the disk, whichever encoder meets it, and nothing is left.
#[test]
fn a_full_disk_is_an_io_error_with_the_systems_cause() {
    let mount = match Mount::tmpfs(256) {
        Ok(mount) => mount,
        Err(reason) => return skip(reason),
    };
    let check = |error: Error, step| {
        assert!(
            matches!(&error, Error::Io { step: found, source, .. }
                if *found == step && source.raw_os_error() == Some(28)),
            "{error:?}"
        );
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert_eq!(
            error.source().unwrap().to_string(),
            "No space left on device (os error 28)"
        );
    };
    let clean = || assert_eq!(tree(mount.path()), Vec::<String>::new());

    let mut file = AtomicFile::create(mount.path().join("data.json")).unwrap();
    let error = file.write_all(&vec![0; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    check(error.downcast::<Error>().unwrap(), Step::WriteRows);
    assert!(matches!(file.commit(), Err(Error::Poisoned { .. })));
    clean();

    // Hashed, since an encoding might find a pattern in anything less.
    let noise = (0..100_000_u64)
        .map(|row| f64::from_bits(XxHash3_128::oneshot(&row.to_le_bytes()) as u64 >> 2));
    let noise: ArrayRef = Arc::new(Float64Array::from_iter_values(noise));
    let batch = columns(vec![("noise", noise)]);
    let create = || {
        let root = mount.path().join("weather");
        AtomicArrowWriter::create(root, &Partition::none(), batch.schema()).unwrap()
    };
    // Small enough to be held back until the footer is written.
    let mut writer = create();
    writer.write(&batch).unwrap();
    check(writer.commit().unwrap_err(), Step::WriteFooter);
    clean();
    // The encoder writes row groups out as they are full.
    let mut writer = create();
    let error = (0..100).find_map(|_| writer.write(&batch).err()).unwrap();
    check(error, Step::WriteRows);
    assert!(matches!(writer.write(&batch), Err(Error::Poisoned { .. })));
    drop(writer);
    clean();
}

/// Through arrow's own trait, the error is found within arrow's.
#[test]
fn generic_code_finds_the_error_within_arrows() {
    use atomic_arrow::arrow::array::RecordBatchWriter;
    fn write(writer: &mut impl RecordBatchWriter, batch: &RecordBatch) -> Result<(), ArrowError> {
        writer.write(batch)
    }
    let (_guard, root) = directory();
    let mut writer = begun(root.join("weather"));
    match write(&mut writer, &weather("KPDX", 1)).unwrap_err() {
        ArrowError::ExternalError(error) => {
            let error = error.downcast::<Error>().unwrap();
            assert!(
                matches!(*error, Error::StrayRow { row: 7, .. }),
                "{error:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(RecordBatchWriter::close(writer).is_err());
    assert_eq!(tree(&root), Vec::<String>::new());
}
