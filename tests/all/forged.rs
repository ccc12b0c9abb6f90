//! What a colleague forges of what is staged for others to commit: it acts only as he himself could (promise P12).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use atomic_arrow::{CommitMode, Error, Outcome, StagedWrite, StagedWrites, recover};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground::{builder, directory, published, tree, weather};
use crate::support::skip;

const ALICE: u32 = 61_001;
const STATION: &str = "station_id=KSEA";

/// A data set of root with a file in a partition, and one that Alice has staged for root to commit.
struct Scene {
    _guard: TempDir,
    parent: PathBuf,
    root: PathBuf,
    staged: StagedWrite,
}

/// Gives a directory these permissions.
fn set(path: &Path, bits: u32) {
    fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
}

impl Scene {
    /// The permissions are those of the data set and of its partition.
    fn new(mode: CommitMode, root_bits: u32, partition_bits: u32) -> Result<Self, String> {
        let (guard, parent) = directory();
        let root = parent.join("weather");
        fs::create_dir_all(root.join(STATION)).unwrap();
        set(&root, root_bits);
        set(&root.join(STATION), partition_bits);
        let write = |mode| {
            let batch = weather("KSEA", 3);
            let mut writer = builder(&root, mode).build(batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer
        };
        write(CommitMode::Append).commit().unwrap();
        fs::create_dir(parent.join("elsewhere")).unwrap();
        fs::write(parent.join("elsewhere/precious.staged"), "precious").unwrap();
        let staged = write(mode).stage().unwrap();
        let scene = Scene {
            _guard: guard,
            parent,
            root,
            staged,
        };
        scene.give_to_alice()?;
        Ok(scene)
    }

    /// The transaction in which it is staged.
    fn transaction(&self) -> PathBuf {
        let id = self.staged.transaction().unwrap().to_string();
        self.parent.join(".weather.atomic").join(id)
    }

    fn give_to_alice(&self) -> Result<(), String> {
        let of_alice = format!("{ALICE}:{ALICE}");
        let mut command = Command::new("chown");
        let done = command.args(["-hR", &of_alice]).arg(self.transaction());
        match done.output().unwrap().status.success() {
            true => Ok(()),
            false => Err("another user's files take root".to_owned()),
        }
    }

    /// Lets Alice change what is staged, and its record.
    fn forge(&self, forge: impl FnOnce(&Self, &mut Value)) {
        let path = self.transaction().join("staged.record");
        let mut record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        forge(self, &mut record);
        fs::write(&path, record.to_string()).unwrap();
        self.give_to_alice().unwrap();
    }

    fn commit(&self) -> Result<(), Error> {
        StagedWrites::new([self.staged.clone()]).commit().map(drop)
    }

    /// Nothing that was there is changed, and others go on.
    #[track_caller]
    fn is_as_before(&self, before: &(Vec<PathBuf>, Vec<String>), what: &str) {
        assert_eq!(&self.look(), before, "{what}");
        let batch = weather("KSEA", 2);
        let mut writer = builder(&self.root, CommitMode::Append)
            .build(batch.schema())
            .unwrap();
        writer.write(&batch).unwrap();
        writer
            .commit()
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let recovery = recover(&self.root).unwrap();
        assert!(recovery.finished.is_empty(), "{what}: {recovery:?}");
        assert_eq!(published(&self.root).len(), before.0.len() + 1, "{what}");
    }

    fn look(&self) -> (Vec<PathBuf>, Vec<String>) {
        (published(&self.root), tree(&self.parent.join("elsewhere")))
    }
}

#[test]
fn what_a_colleague_stages_is_committed_only_where_he_could_do_so_himself() {
    use CommitMode::{Append, Overwrite, OverwritePartitions};
    // What is to be done, and the permissions of the data set and of its partition when it is.
    for (mode, root, partition, may) in [
        (Append, 0o777, 0o777, true),
        (OverwritePartitions, 0o777, 0o777, true),
        (Append, 0o777, 0o755, false),
        (Append, 0o755, 0o755, false),
        (OverwritePartitions, 0o777, 0o755, false),
        // He may make files there, and not remove those of others.
        (Append, 0o777, 0o1777, true),
        (OverwritePartitions, 0o777, 0o1777, false),
        (OverwritePartitions, 0o1777, 0o777, false),
        (Overwrite, 0o777, 0o755, false),
    ] {
        let scene = match Scene::new(mode, root, partition) {
            Ok(scene) => scene,
            Err(reason) => return skip(reason),
        };
        let what = format!("{mode:?} {root:o} {partition:o}");
        let before = scene.look();
        match scene.commit() {
            Ok(()) => assert!(may, "{what}"),
            Err(error) => {
                assert!(!may, "{what}: {error:?}");
                let is_it = matches!(&error, Error::Distrusted { user: ALICE, .. });
                assert!(is_it, "{what}: {error:?}");
                scene.is_as_before(&before, &what);
            }
        }
    }
}

#[test]
fn a_forged_record_of_what_is_staged_leads_nowhere_and_publishes_no_link_or_pipe() {
    type Forge = fn(&Scene, &mut Value);
    let file = |scene: &Scene| scene.transaction().join("00000.staged");
    let forges: [(&str, Forge); 9] = [
        ("a path elsewhere", |_, record| {
            record["files"][0]["file"]["path"] = json!("../elsewhere/evil.parquet");
        }),
        ("a scope elsewhere", |_, record| {
            record["scope"] = json!("../elsewhere");
        }),
        ("a staged file elsewhere", |_, record| {
            record["files"][0]["staged"] = json!("../elsewhere/precious.staged");
        }),
        ("a staged file behind a link", |scene, record| {
            let link = scene.transaction().join("new-00000");
            symlink(scene.parent.join("elsewhere"), link).unwrap();
            record["files"][0]["staged"] = json!("new-00000/precious.staged");
            record["files"][0]["file"]["bytes"] = json!(8);
        }),
        ("another mode", |_, record| {
            record["mode"] = json!("overwrite");
        }),
        ("a link", |scene, record| {
            let precious = scene.parent.join("elsewhere/precious.staged");
            let path = scene.transaction().join("00000.staged");
            fs::remove_file(&path).unwrap();
            symlink(precious, &path).unwrap();
            let len = fs::symlink_metadata(&path).unwrap().len();
            record["files"][0]["file"]["bytes"] = json!(len);
        }),
        ("a pipe", |scene, record| {
            let path = scene.transaction().join("00000.staged");
            fs::remove_file(&path).unwrap();
            assert!(
                Command::new("mkfifo")
                    .arg(&path)
                    .status()
                    .unwrap()
                    .success()
            );
            record["files"][0]["file"]["bytes"] = json!(0);
        }),
        ("a directory", |scene, record| {
            let path = scene.transaction().join("00000.staged");
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            let len = fs::metadata(&path).unwrap().len();
            record["files"][0]["file"]["bytes"] = json!(len);
        }),
        ("another data set", |scene, record| {
            record["root"] = json!(scene.parent.join("elsewhere"));
        }),
    ];
    for (what, forge) in forges {
        for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
            let scene = match Scene::new(mode, 0o777, 0o777) {
                Ok(scene) => scene,
                Err(reason) => return skip(reason),
            };
            assert!(file(&scene).exists());
            scene.forge(forge);
            let before = scene.look();
            let error = scene.commit().unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotPublished, "{what}: {error:?}");
            println!("{what}: {error}");
            scene.is_as_before(&before, what);
        }
    }
}
