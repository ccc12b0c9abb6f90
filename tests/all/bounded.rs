//! Work over bytes that nobody vouches for, in a process of its own whose memory is limited.
//!
//! A failed allocation and a stack that runs over end a process and cannot be caught: so the work is
//! done by a child, and the case that it died of is what it last had in hand.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::{Child, Part, say};
use crate::ground::directory;
use crate::kills::report;

/// How much more than at its start a child may take of memory: a small multiple of what decoders take
/// at once, and much more than any file that they are given here.
const BOUND: u64 = 256 << 20;
/// The length of what is kept of a case.
const CASE: usize = 200;

/// What a child has in hand, where its parent finds it.
pub(crate) struct Hand {
    now: fs::File,
    directory: PathBuf,
}

impl Hand {
    /// Limits this process from now on.
    pub(crate) fn limited(directory: &Path) -> Result<Self, String> {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kilobytes = size.and_then(|size| size.trim().strip_suffix(" kB"));
        let size: u64 = kilobytes.unwrap().trim().parse().unwrap();
        let limited = Command::new("prlimit")
            .arg(format!("--pid={}", std::process::id()))
            .arg(format!("--as={}", size * 1024 + BOUND))
            .status();
        match limited {
            Ok(status) if status.success() => {}
            other => return Err(format!("prlimit: {other:?}")),
        }
        // Of decoders that panic it is contained, and any other is the end: the last one tells.
        let last = directory.join("panic");
        std::panic::set_hook(Box::new(move |panic| {
            drop(fs::write(&last, panic.to_string()))
        }));
        Ok(Hand {
            now: fs::File::create(directory.join("now")).unwrap(),
            directory: directory.to_owned(),
        })
    }

    /// Keeps the name of a case before it is tried.
    pub(crate) fn takes(&self, case: impl Display) {
        let text = format!("{case:<CASE$.CASE$}");
        self.now.write_all_at(text.as_bytes(), 0).unwrap();
    }

    /// A file in the child's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Puts a file there. It is not cut to nothing first: file systems take that for a file that is replaced,
/// and write it out at once.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let mut options = fs::File::options();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Has a child play a part, and gives what it said; the error is the reason to skip the test.
///
/// # Panics
/// If the child does not come to its end.
pub(crate) fn run(part: Part, told: &str) -> Result<Vec<String>, String> {
    let (guard, root) = directory();
    let mut child = Child::start(part, &root);
    child.tell(told);
    let (said, well) = child.end();
    if let Some(reason) = said.iter().find_map(|line| line.strip_prefix("skip ")) {
        return Err(reason.to_owned());
    }
    if !well || said.last().map(String::as_str) != Some("done") {
        let [case, panic] =
            ["now", "panic"].map(|name| fs::read_to_string(root.join(name)).unwrap_or_default());
        let (case, kept) = (case.trim(), guard.keep());
        let kept = kept.display();
        panic!("died of {case:?}, kept in {kept}, last panic: {panic:?}, said: {said:?}");
    }
    Ok(said)
}

/// Says the lines of a table, for the parent to show.
pub(crate) fn say_row(row: &[String]) {
    say(&format!("row {}", row.join("\t")));
}

/// Shows the table that a child said.
pub(crate) fn show(title: &str, said: &[String]) -> Vec<Vec<String>> {
    let rows = said.iter().filter_map(|line| line.strip_prefix("row "));
    let rows: Vec<Vec<String>> = rows
        .map(|row| row.split('\t').map(str::to_owned).collect())
        .collect();
    report(title);
    for row in &rows {
        let mut line = String::new();
        for (number, cell) in row.iter().enumerate() {
            let width = if number == 0 { 22 } else { 12 };
            line.push_str(&format!("{cell:>width$}"));
        }
        report(line);
    }
    rows
}
