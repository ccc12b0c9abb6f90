//! Full disks, read-only disks, and too many open files.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use crate::run::{KEYS, Place, Ran, testdata};
use crate::support::skip;

/// A file system of its own, in memory, which goes with it.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one on a directory, made first; why it cannot be, as a reason to skip.
    fn mount(directory: &Path, options: &str) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting a tmpfs needs root".to_owned());
        }
        fs::create_dir_all(directory).unwrap();
        let options = std::ffi::CString::new(options).unwrap();
        mount("tmpfs", directory, "tmpfs", MountFlags::empty(), &*options)
            .map_err(|error| format!("a tmpfs cannot be mounted: {error}"))?;
        Ok(Tmpfs(directory.to_owned()))
    }

    fn make_read_only(&self) {
        mount_remount(&self.0, MountFlags::RDONLY, "").unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Also when the test fails; lazily, whatever still stands in it.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_publishes_nothing_and_leaves_no_room_taken() {
    let place = Place::new();
    let disk = match Tmpfs::mount(&place.path("lake"), "size=300k") {
        Ok(disk) => disk,
        Err(reason) => return skip(reason),
    };
    place
        .write_weather(&[])
        .exits(1)
        .says("lake/.weather.atomic/")
        .says("No space left on device")
        .says("hint: make room");
    assert!(place.files("lake").is_empty(), "{:?}", place.files("lake"));
    place
        .run(["put", &testdata("weather.csv"), "lake/x"])
        .exits(1)
        .says("No space left");
    assert!(place.files("lake").is_empty());
    // What is smaller still goes there.
    place
        .run(["put", &testdata("odd/good.csv"), "lake/x"])
        .exits(0);
    drop(disk);
}

#[test]
fn a_full_disk_on_replacing_keeps_the_old_file() {
    let place = Place::new();
    let _disk = match Tmpfs::mount(&place.path("lake"), "size=300k") {
        Ok(disk) => disk,
        Err(reason) => return skip(reason),
    };
    place.file("lake/x", "old");
    place
        .run(["put", &testdata("weather.csv"), "lake/x", "--replace"])
        .exits(1);
    assert_eq!(fs::read(place.path("lake/x")).unwrap(), b"old");
    assert_eq!(place.files("lake"), ["x"]);
}

#[test]
fn a_read_only_directory_is_named() {
    let place = Place::new();
    fs::create_dir_all(place.path("lake")).unwrap();
    // Modes do not bind root, and mounts are not for others.
    let disk = if rustix::process::geteuid().is_root() {
        match Tmpfs::mount(&place.path("lake"), "size=1m") {
            Ok(disk) => {
                disk.make_read_only();
                Some(disk)
            }
            Err(reason) => return skip(reason),
        }
    } else {
        set_mode(&place.path("lake"), 0o555);
        None
    };
    let reason = if disk.is_some() {
        "Read-only file system"
    } else {
        "Permission denied"
    };
    place.write_weather(&[]).exits(1).says("lake").says(reason);
    place
        .run(["put", &testdata("odd/good.csv"), "lake/x"])
        .exits(1)
        .says("lake")
        .says(reason);
    place.write_weather(&["--dry-run"]).exits(0);
    assert!(place.files("lake").is_empty());
    set_mode_if_ours(&place.path("lake"), disk.is_none());
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn set_mode_if_ours(path: &Path, ours: bool) {
    if ours {
        set_mode(path, 0o755);
    }
}

#[test]
fn too_many_open_files_publish_nothing_and_the_way_out_is_told() {
    let place = Place::new();
    let script = format!(
        "ulimit -n 7 && exec '{}' write '{}' --to lake/weather --partition-by '{KEYS}'",
        env!("CARGO_BIN_EXE_atomic-arrow"),
        testdata("weather.csv"),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path(""));
    let ran: Ran = shell.output().unwrap().into();
    ran.exits(1).says("are needed").says("ulimit -n");
    assert!(place.files("lake").is_empty(), "{:?}", place.files("lake"));
}

#[test]
fn far_fewer_files_are_open_than_there_are_partitions() {
    let place = Place::new();
    let script = format!(
        "ulimit -n 40 && exec '{}' write '{}' --to lake/weather --partition-by '{KEYS}' --max-open-files 8",
        env!("CARGO_BIN_EXE_atomic-arrow"),
        testdata("weather.csv"),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path(""));
    let ran: Ran = shell.output().unwrap().into();
    ran.exits(0).prints("36 files");
}

#[test]
fn mounts_below_a_data_set_are_looked_into_only_if_asked_for() {
    let place = Place::new();
    place.write_weather(&[]).exits(0);
    let mounted = place.path("lake/weather/station_id=LGA/year=2014");
    let _disk = match Tmpfs::mount(&mounted, "size=1m") {
        Ok(disk) => disk,
        Err(reason) => return skip(reason),
    };
    place.file(
        "lake/weather/station_id=LGA/year=2014/x.parquet",
        "PAR1 torn",
    );
    let text = "station_id=LGA/year=2014: file: cannot be checked: it is a mount";
    place
        .run(["verify", "lake/weather"])
        .exits(1)
        .prints(text)
        .prints("0 damaged, 1 not checkable");
    place
        .run(["verify", "lake/weather", "--cross-mounts"])
        .exits(3)
        .prints("1 damaged;");
    place
        .run(["inspect", "lake/weather"])
        .exits(0)
        .prints("odd [mount]: ")
        .prints("in 36 files");
    place
        .run(["inspect", "lake/weather", "--cross-mounts"])
        .exits(0)
        .prints("odd [damaged]: ")
        .prints("in 37 files");
}
