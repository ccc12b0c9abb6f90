//! Bars of progress: on a terminal, and only there.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::Place;

/// Runs with a terminal as standard error, and gives all that was drawn there.
fn drawn(place: &Place, args: &[&str]) -> String {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let name = ptsname(&user, Vec::new()).unwrap();
    let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let mut command = place.command(args);
    command.env("TERM", "xterm").stdout(Stdio::piped());
    let child = command.stderr(terminal).spawn().unwrap();
    // Which has the terminal, and lets go of it here.
    drop(command);
    let mut text = Vec::new();
    // The end of a terminal is an error.
    let _ = File::from(user).read_to_end(&mut text);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn long_commands_show_how_far_they_are_unless_they_are_to_be_quiet() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    for (args, bar) in [
        (&["inspect", "lake/weather"][..], "files"),
        (&["verify", "lake/weather"], "files"),
        (&["recover", "lake/weather"], "leftovers looked at"),
    ] {
        let text = drawn(&place, args);
        assert!(text.contains(bar), "{args:?}: {text:?}");
    }
    for args in [
        &["inspect", "lake/weather", "--json"][..],
        &["verify", "lake/weather", "--quiet"],
        &["verify", "lake/weather", "--json"],
        &["recover", "lake/weather", "--quiet"],
        &["recover", "lake/weather", "--json"],
    ] {
        assert_eq!(drawn(&place, args), "", "{args:?}");
    }
}
