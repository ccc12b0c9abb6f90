//! What the user can name: paths, URLs, a home that the shell has not put in, and what is no file.

use std::fs;

use crate::run::{Place, testdata};
use crate::support::skip;

#[test]
fn a_file_url_is_its_path_wherever_a_path_can_be() {
    let place = Place::new();
    let input = place.file("in put.csv", "a,k\n1,x\n2,y\n");
    let url = |path: &str| format!("file://{}", place.path(path).display()).replace(' ', "%20");
    place
        .run(["write", &url("in put.csv"), "--to", &url("lake/rows")])
        .exits(0);
    place
        .run(["verify", &url("lake/rows")])
        .exits(0)
        .prints("1 sound");
    place
        .run(["inspect", &url("lake/rows")])
        .exits(0)
        .prints("2 rows");
    place.run(["recover", &url("lake/rows")]).exits(0);
    place
        .run(["put", &url("in put.csv"), &url("lake/x")])
        .exits(0);
    assert_eq!(
        fs::read(place.path("lake/x")).unwrap(),
        fs::read(input).unwrap()
    );
    assert!(!place.path("file:").exists());
}

#[test]
fn other_urls_are_wrong_usage_and_make_nothing() {
    let place = Place::new();
    place.file("in.csv", "a\n1\n");
    let text = "supported are paths, file:// URLs and, where an object store may be named, s3://";
    for args in [
        &["write", "in.csv", "--to", "hdfs://bucket/x"][..],
        &["write", "ftp://bucket/in.csv", "--to", "lake"],
        &["put", "in.csv", "s4://bucket/a.csv"],
        &["put", "https://host/in.csv", "a.csv"],
        &["verify", "hdfs://bucket/x"],
        &["inspect", "memory+x://bucket/x"],
        &["recover", "http://bucket/x"],
        &["put", "in.csv", "x", "--staging", "hdfs://bucket"],
    ] {
        place.run(args).exits(2).says(text);
    }
    // What is in an object store is written and looked at, and neither read as input nor anything local.
    for args in [
        &["write", "gs://bucket/in.csv", "--to", "lake"][..],
        &["put", "s3://bucket/in.csv", "a.csv"],
        &["commit", "s3://bucket/staged.json"],
    ] {
        place
            .run(args)
            .exits(2)
            .says("inputs are not read from object stores");
    }
    for args in [
        &["put", "in.csv", "x", "--staging", "s3://bucket"][..],
        &["write", "in.csv", "--to", "x", "--spool", "s3://bucket"],
    ] {
        place
            .run(args)
            .exits(2)
            .says("where only a path on a disk is taken");
    }
    for args in [
        &["write", "in.csv", "--to", "s3:/bucket/x"][..],
        &["put", "in.csv", "GS:/bucket/x"],
        &["verify", "s3:/bucket/x"],
    ] {
        place
            .run(args)
            .exits(2)
            .says("has one slash after the scheme");
    }
    assert_eq!(place.files(""), ["in.csv"]);
    // The name itself can be had.
    place.run(["put", "in.csv", "./s3://bucket/a.csv"]).exits(0);
    assert_eq!(place.files("s3:"), ["bucket/a.csv"]);
}

#[test]
fn a_tilde_is_the_home_that_the_shell_has_not_put_in() {
    let place = Place::new();
    place.file("in.csv", "a\n1\n");
    let run = |args: &[&str]| place.command(args).env("HOME", place.path("home")).output();
    for args in [
        &["put", "in.csv", "~/a.csv"][..],
        &["write", "~/a.csv", "--to", "~/rows"],
        &["verify", "~"],
    ] {
        let output = run(args).unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    assert!(place.path("home/a.csv").exists() && place.path("home/rows").exists());
    assert!(!place.path("~").exists());
    let output = run(&["put", "in.csv", "./~/a.csv"]).unwrap();
    assert!(output.status.success() && place.path("~/a.csv").exists());
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_replaced() {
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    let place = Place::new();
    place.file("in", "new");
    place.file("target", "old");
    mknodat(CWD, place.path("pipe"), FileType::Fifo, 0o600.into(), 0).unwrap();
    symlink("target", place.path("link")).unwrap();
    symlink("nowhere", place.path("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
    for name in ["pipe", "socket"] {
        place
            .run(["put", "in", name, "--replace"])
            .exits(1)
            .says("is a pipe, device or socket, which is not replaced");
    }
    for name in ["link", "dangling"] {
        place
            .run(["put", "in", name, "--replace"])
            .exits(1)
            .says("is a symbolic link, which is not replaced");
    }
    for name in ["pipe", "socket", "link", "dangling"] {
        place
            .run(["put", "in", name])
            .exits(5)
            .says("already exists");
    }
    assert_eq!(fs::read(place.path("target")).unwrap(), b"old");
    assert!(
        fs::symlink_metadata(place.path("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    assert!(
        fs::symlink_metadata(place.path("link"))
            .unwrap()
            .is_symlink()
    );
    assert!(!place.path(".atomic").exists() && !place.path("nowhere").exists());
}

#[cfg(unix)]
#[test]
fn a_device_is_not_replaced() {
    use rustix::fs::{CWD, FileType, makedev, mknodat};

    let place = Place::new();
    place.file("in", "new");
    let null = place.path("null");
    if mknodat(
        CWD,
        null,
        FileType::CharacterDevice,
        0o600.into(),
        makedev(1, 3),
    )
    .is_err()
    {
        return skip("making a device needs root");
    }
    place
        .run(["put", "in", "null", "--replace"])
        .exits(1)
        .says("is a pipe, device or socket");
}

#[cfg(unix)]
#[test]
fn a_closed_standard_input_is_an_error_and_not_an_empty_file() {
    let place = Place::new();
    let shell = |script: &str| {
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(crate::run::binary().get_program());
        crate::run::Ran::from(command.current_dir(place.path("")).output().unwrap())
    };
    shell("exec \"$1\" put - out <&-")
        .exits(1)
        .says("standard input: cannot be read")
        .says("it is closed");
    shell("exec \"$1\" write - --input-format csv --to lake <&-")
        .exits(1)
        .says("it is closed");
    assert!(place.files("").is_empty());
    shell("exec \"$1\" put - out </dev/null").exits(0);
    assert_eq!(fs::read(place.path("out")).unwrap(), b"");
}

#[cfg(unix)]
#[test]
fn a_limit_of_the_size_of_files_is_a_failure_that_leaves_nothing() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    for command in ["put \"$2\" out", "write \"$2\" --to lake"] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -f 8; exec \"$1\" {command}"), "sh"]);
        shell.arg(crate::run::binary().get_program()).arg(&weather);
        let output = shell.current_dir(place.path("")).output().unwrap();
        crate::run::Ran::from(output)
            .exits(1)
            .says("File too large")
            .says("ulimit -f");
        assert!(place.files("").is_empty(), "{:?}", place.files(""));
    }
}
