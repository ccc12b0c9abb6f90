//! Spans and events: what is told of a write, a recovery and a check, and of whose work.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, Once};

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::verify::verify_path;
use atomic_arrow::{
    AtomicFile, CommitMode, DatasetWriter, StagedWrites, SyncPolicy, Verify, recover,
};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::fields::{self, Fields};

/// What was told: the names of the spans around it, from the outermost, and all fields.
#[derive(Debug, Clone)]
struct Told {
    level: Level,
    target: String,
    spans: Vec<String>,
    fields: Fields,
}

impl Told {
    fn says(&self, text: &str) -> bool {
        self.fields["message"].contains(text)
    }
}

static TOLD: LazyLock<Mutex<Vec<Told>>> = LazyLock::new(Mutex::default);
/// The directories of tests that listen; what other tests do is passed over.
static WATCHED: LazyLock<Mutex<Vec<PathBuf>>> = LazyLock::new(Mutex::default);

struct Listening;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listening {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        fields::keep(attributes, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (spans, fields) = fields::around(event, &context);
        let told = Told {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            spans,
            fields,
        };
        let is_watched = |field: &String| {
            let watched = WATCHED.lock().unwrap();
            watched
                .iter()
                .any(|directory| Path::new(field).starts_with(directory))
        };
        if told.fields.values().any(is_watched) {
            TOLD.lock().unwrap().push(told);
        }
    }
}

/// What is told of a directory while `work` runs. The threads of a writer have no subscriber of their own, so that one is there
/// for the whole process.
fn listen(directory: &Path, work: impl FnOnce()) -> Vec<Told> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| Registry::default().with(Listening).init());
    WATCHED.lock().unwrap().push(directory.to_owned());
    work();
    let of_here = |told: &&Told| {
        told.fields
            .values()
            .any(|field| Path::new(field).starts_with(directory))
    };
    TOLD.lock()
        .unwrap()
        .iter()
        .filter(of_here)
        .cloned()
        .collect()
}

#[track_caller]
fn one<'a>(told: &'a [Told], text: &str) -> &'a Told {
    let found: Vec<_> = told.iter().filter(|told| told.says(text)).collect();
    assert_eq!(found.len(), 1, "{text}: {told:#?}");
    found[0]
}

fn batch() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4));
    RecordBatch::try_from_iter([("key", Arc::clone(&numbers)), ("number", numbers)]).unwrap()
}

#[test]
fn each_step_of_a_write_is_told_within_its_spans() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap().join("lake");
    let mut transaction = String::new();
    let told = listen(&root, || {
        let builder = DatasetWriter::builder(&root).partition_by("key");
        let builder = builder
            .sync(SyncPolicy::EachFile)
            .threads(2)
            .write_id("night");
        let mut writer = builder.build(batch().schema()).unwrap();
        transaction = writer.transaction().to_string();
        writer.write(&batch()).unwrap();
        writer.commit().unwrap();
    });
    for (text, count) in [
        ("synced a staging file", 4),
        ("verified a staging file", 4),
        ("staged a file", 4),
        ("published a file", 4),
        ("decided the commit", 1),
        ("committed the write", 1),
    ] {
        let found: Vec<_> = told.iter().filter(|told| told.says(text)).collect();
        assert_eq!(found.len(), count, "{text}: {told:#?}");
        for told in found {
            assert_eq!(told.spans, ["write", "commit"], "also on threads: {told:?}");
            assert_eq!(told.fields["transaction"], transaction);
            assert_eq!(told.fields["write_id"], "night");
        }
    }
    let order = ["staged a file", "decided", "published", "committed"];
    let at = |text: &str| told.iter().position(|told| told.says(text)).unwrap();
    assert!(order.is_sorted_by_key(|text| at(text)));
    assert_eq!(one(&told, "committed").fields["rows"], "4");
    assert_eq!(one(&told, "committed").level, Level::INFO);
}

#[test]
fn notes_of_a_receipt_are_warnings() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap().join("lake");
    let told = listen(&root, || {
        let writer = DatasetWriter::builder(&root)
            .build(batch().schema())
            .unwrap();
        assert_eq!(writer.commit().unwrap().notes().len(), 1);
    });
    let note = one(&told, "there were no rows");
    assert_eq!(
        (note.level, &*note.fields["kind"]),
        (Level::WARN, "schema-only")
    );
}

#[test]
fn what_is_staged_is_told_and_then_committed_by_others() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap().join("lake");
    let told = listen(&root, || {
        let mut writer = DatasetWriter::builder(&root)
            .build(batch().schema())
            .unwrap();
        writer.write(&batch()).unwrap();
        let staged = writer.stage().unwrap();
        StagedWrites::new([staged]).commit().unwrap();
    });
    assert_eq!(one(&told, "staged a write").spans, ["write", "stage"]);
    assert_eq!(one(&told, "committed the write").spans, ["commit"]);
}

#[test]
fn a_write_that_is_discarded_or_repeated_is_told() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap().join("lake");
    let write = || {
        let builder = DatasetWriter::builder(&root).write_id("night");
        let mut writer = builder.build(batch().schema()).unwrap();
        writer.write(&batch()).unwrap();
        writer
    };
    let told = listen(&root, || {
        write().commit().unwrap();
        write().commit().unwrap();
        write().discard();
    });
    assert_eq!(one(&told, "committed before").level, Level::INFO);
    let discarded = told
        .iter()
        .filter(|told| told.says("discarded a transaction"));
    assert_eq!(discarded.count(), 2, "{told:#?}");
}

#[test]
fn a_file_by_itself_is_told() {
    let lake = tempfile::tempdir().unwrap();
    let path = lake.path().canonicalize().unwrap().join("data.json");
    let told = listen(&path, || {
        AtomicFile::create(&path).unwrap().commit().unwrap();
    });
    assert_eq!(one(&told, "published the file").spans, ["write_file"]);
    assert_eq!(one(&told, "synced a staging file").spans, ["write_file"]);
}

#[test]
fn recovery_tells_what_it_removes_and_cannot() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap().join("lake");
    let writer = DatasetWriter::builder(&root)
        .build(batch().schema())
        .unwrap();
    let id = writer.transaction().to_string();
    // As a dead writer would leave them.
    let area = root.with_file_name(".lake.atomic");
    drop(writer);
    fs::create_dir_all(area.join(&id)).unwrap();
    fs::write(area.join(&id).join("lease"), b"").unwrap();
    fs::write(area.join(format!("{id}.staged")), b"rows").unwrap();
    let told = listen(&root, || assert!(recover(&root).unwrap().failed.is_empty()));
    assert_eq!(one(&told, "dead writer's transaction").spans, ["recover"]);
    assert_eq!(one(&told, "dead writer's staging file").level, Level::INFO);
}

#[test]
fn checks_tell_of_sound_and_of_damaged_files() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap().join("lake");
    let builder = DatasetWriter::builder(&root).mode(CommitMode::Append);
    let mut writer = builder.build(batch().schema()).unwrap();
    writer.write(&batch()).unwrap();
    writer.commit().unwrap();
    fs::write(root.join("torn.parquet"), b"PAR1").unwrap();
    let told = listen(&root, || {
        verify_path(&root, Verify::Footer, |_| {}).unwrap();
    });
    let checked: Vec<_> = told.iter().filter(|told| told.says("checked")).collect();
    assert_eq!(checked.len(), 2, "{told:#?}");
    assert!(checked.iter().all(|told| told.spans == ["verify"]));
    assert!(
        checked
            .iter()
            .all(|told| told.target == "atomic_arrow::verify")
    );
    assert_eq!(
        one(
            &checked.iter().copied().cloned().collect::<Vec<_>>(),
            "damaged"
        )
        .level,
        Level::WARN
    );
}
