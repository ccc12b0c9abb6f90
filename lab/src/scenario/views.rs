//! Users who see a data set otherwise than by its own path: by another, which is a mount there, as in a container; and
//! with a mount below it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::Place;
use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::{CommitMode, Error};

use super::dataset::{LAKE, commit, earlier, same};
use super::dead::{Dead, died};
use super::{Ground, Scenario, make_directories};

/// The directory above the other path.
const CONTAINER: &str = "container";
/// A partition that is a mount of its own.
const BELOW: &str = "lake/weather/year=1";
const EXDEV: i32 = 18;

/// A disk on which a directory is mounted at another path too.
#[derive(Debug)]
struct SecondPath {
    directory: PathBuf,
    mounted: PathBuf,
}

impl Watch for SecondPath {
    fn leads(&self, _verb: Verb, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.mounted) {
            Ok(below) => self.directory.join(below).components().collect(),
            Err(_) => path.to_owned(),
        }
    }

    fn placed(&self, path: &Path, place: Place) -> Place {
        Place {
            mount_root: path == self.mounted,
            mount: Some(u64::from(path.starts_with(&self.mounted))),
            ..place
        }
    }
}

/// The same ground, in which the data set is seen by the other path.
fn container(ground: &Ground) -> Ground {
    let top = ground.path(CONTAINER);
    let watch = SecondPath {
        directory: ground.path(LAKE),
        mounted: top.join(LAKE),
    };
    Ground {
        top,
        ..ground.on(Tap::on(Arc::clone(&ground.disk), Arc::new(watch)))
    }
}

/// The scene: what an earlier commit wrote, and what is above the other path.
fn two_paths(ground: &Ground) -> Result<(), Error> {
    let path = ground.path(CONTAINER).join(LAKE);
    let disk = ground.scene.as_ref();
    let made = make_directories(disk, &ground.top, &path).and_then(|()| {
        let above = path.ancestors().skip(1);
        let mut made = above.take_while(|above| above.starts_with(&ground.top));
        made.try_for_each(|directory| disk.open_directory(directory)?.sync())
    });
    made.map_err(|source| Error::Read { path, source })?;
    earlier(ground)
}

/// A disk on which a partition is a mount of its own.
#[derive(Debug)]
struct MountBelow(PathBuf);

impl Watch for MountBelow {
    fn before(&self, call: &Call) -> Verdict {
        let is_below = |path: &Path| path.starts_with(&self.0);
        let crosses = call
            .from
            .as_deref()
            .is_some_and(|from| is_below(from) != is_below(&call.path));
        match call.verb == Verb::Rename && crosses {
            true => Verdict::Fail(EXDEV),
            false => Verdict::Pass,
        }
    }

    fn placed(&self, path: &Path, place: Place) -> Place {
        Place {
            mount_root: path == self.0 || place.mount_root,
            mount: Some(u64::from(path.starts_with(&self.0))),
            ..place
        }
    }
}

pub(super) fn all() -> Vec<Scenario> {
    use CommitMode::{Append, OverwritePartitions};
    let by_another = |name: &str, mode| {
        let act = move |ground: &Ground| commit(&container(ground), mode, same);
        Scenario::new(name, LAKE, two_paths, act)
            .many()
            .staged_inside()
    };
    let dies = |ground: &Ground| {
        two_paths(ground)?;
        let dead = Dead::after(1, Verb::Rename, "decision.record");
        died(&container(ground), Append, same, dead)
    };
    let followed = |ground: &Ground| commit(ground, Append, same);
    let with_mount = |ground: &Ground| {
        let watch = MountBelow(ground.path(BELOW));
        let disk = Tap::on(Arc::clone(&ground.disk), Arc::new(watch));
        commit(&ground.on(disk), Append, same)
    };
    vec![
        by_another("an append by another path", Append),
        by_another(
            "partitions overwritten by another path",
            OverwritePartitions,
        ),
        Scenario::new(
            "an append after one by another path whose writer died before its record was durable",
            LAKE,
            dies,
            followed,
        )
        .came_from(two_paths, true)
        .many()
        .staged_inside(),
        Scenario::new(
            "an append where a partition is a mount",
            LAKE,
            earlier,
            with_mount,
        )
        .many()
        .refused(),
    ]
}
