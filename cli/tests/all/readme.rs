//! What README.md and cli/README.md show of the command, beside what it prints.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::run::{Place, Ran, binary, testdata};

/// Stands for what differs from run to run, and for what is left out.
const ANYTHING: char = '…';
/// A line between the outputs of two commands.
const NEXT: &str = "-- the next command --";

/// The blocks of commands of a document, each command with what it is said to print.
fn shown(document: &str) -> Vec<Vec<(String, String)>> {
    let blocks = document.split("```console\n").skip(1);
    let blocks = blocks.map(|block| {
        let block = block.split("```").next().unwrap();
        let commands = block.split("$ ").skip(1);
        let commands = commands.map(|shown| shown.split_once('\n').unwrap());
        let commands = commands.filter(|(command, _)| !command.starts_with("cargo install"));
        commands
            .map(|(command, printed)| (command.to_owned(), printed.trim_end().to_owned()))
            .collect()
    });
    blocks.collect()
}

/// Whether a text is what a pattern shows.
fn is_shown(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split(ANYTHING);
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut ends = !pattern.contains(ANYTHING);
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        ends = part.is_empty();
    }
    ends || rest.is_empty()
}

#[test]
fn a_pattern_shows_what_it_leaves_out() {
    for (pattern, text) in [("a", "a"), ("a…c", "abc"), ("…c", "c"), ("a\n…", "a\nb\nc")] {
        assert!(is_shown(pattern, text), "{pattern}");
    }
    for (pattern, text) in [("a", "b"), ("a…c", "ab"), ("…c", "cd"), ("a…b…c", "acb")] {
        assert!(!is_shown(pattern, text), "{pattern}");
    }
}

#[test]
fn the_command_prints_what_the_documents_show() {
    let binary = binary();
    let directory = Path::new(binary.get_program()).parent().unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let mut compared = 0;
    for document in ["../README.md", "README.md"] {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let place = Place::new();
        let data = testdata("weather.csv");
        symlink(Path::new(&data).parent().unwrap(), place.path("testdata")).unwrap();
        for block in shown(&std::fs::read_to_string(&document).unwrap()) {
            // Their input is not there, or not the same everywhere.
            if block
                .iter()
                .any(|(command, _)| command.contains("awk") || command.contains("xargs"))
            {
                continue;
            }
            let commands = block.iter().map(|(command, _)| format!("{command}\n"));
            let script = commands
                .collect::<Vec<_>>()
                .join(&format!("code=$?; echo '{NEXT}'; (exit $code)\n"));
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec 2>&1\n{script}")]);
            shell.env("PATH", &path).current_dir(place.path(""));
            let ran = Ran::from(shell.output().unwrap());
            let printed: Vec<&str> = ran.stdout.split(&format!("{NEXT}\n")).collect();
            assert_eq!(printed.len(), block.len(), "{}", ran.stdout);
            for ((command, shown), printed) in block.iter().zip(printed) {
                let printed = printed.trim_end();
                assert!(
                    is_shown(shown, printed),
                    "{command}\nis shown to print\n{shown}\nand prints\n{printed}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "{compared}");
}
