//! Compares what is public in the library, with all its features, with the list `docs/public-api.txt`, so that no change of it
//! goes unnoticed; with `--write` it writes the list.
//!
//! rustdoc tells it in JSON, which is unstable and which stable Rust gives to those who insist. So that nothing else is built
//! anew for that, this program stands in for rustdoc, and insists on its behalf alone.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Set where cargo calls this program in the place of rustdoc: the rustdoc to call.
const RUSTDOC: &str = "ATOMIC_ARROW_RUSTDOC";
const LIST: &str = "docs/public-api.txt";
const REGENERATE: &str = "cargo run --package atomic-arrow-public-api -- --write";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if let Some(rustdoc) = env::var_os(RUSTDOC) {
        return stand_in(&rustdoc);
    }
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let writes = match args[..] {
        [] => false,
        ["--write"] => true,
        _ => return Err(format!("no argument, or --write, and not {args:?}").into()),
    };
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let items = items(&top)?;
    let list = top.join(LIST);
    if writes {
        fs::write(list, text(&items))?;
        return Ok(ExitCode::SUCCESS);
    }
    let kept = fs::read_to_string(list)?;
    let differences = differences(&kept, &items);
    if differences.is_empty() {
        say(&format!("{LIST} names all {} public items", items.len()));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "What is public is not what {LIST} says (-). A line that goes or changes breaks those who use it, and takes a new major \
         version; if that is meant: {REGENERATE}\n{}",
        differences.join("\n")
    ));
    Ok(ExitCode::FAILURE)
}

#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

/// Calls rustdoc for cargo, with what is unstable allowed.
fn stand_in(rustdoc: &OsString) -> Result<ExitCode, Box<dyn Error>> {
    let status = Command::new(rustdoc)
        .args(env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1")
        .status()?;
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The public items of the library, one line each.
fn items(top: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let variable = |name: &str, default: &str| env::var_os(name).unwrap_or_else(|| default.into());
    // Of the whole workspace, so that dependencies have the features that they have in its other builds.
    let documented = Command::new(variable("CARGO", "cargo"))
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--all-features",
            "--locked",
            "--quiet",
        ])
        .current_dir(top)
        .env(RUSTDOC, variable("RUSTDOC", "rustdoc"))
        .env("RUSTDOC", env::current_exe()?)
        .env(
            "RUSTDOCFLAGS",
            "-Z unstable-options --output-format json --cap-lints allow",
        )
        .status()?;
    if !documented.success() {
        return Err("rustdoc failed".into());
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), PathBuf::from);
    let json = target.join("doc/atomic_arrow.json");
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .build()?;
    // The one type of the disk that is public without it.
    let spelled = |item: String| {
        item.replace(
            "atomic_arrow::disk::PublishMode",
            "atomic_arrow::PublishMode",
        )
    };
    let items = api.items().map(|item| spelled(item.to_string()));
    Ok(items.filter(|item| is_kept(item)).collect())
}

/// Whether an item is one that versions keep compatible and people mean: the disk as a trait is for tests alone.
fn is_kept(item: &str) -> bool {
    let of_tests = item.contains("atomic_arrow::disk");
    let is_marker = ["core::marker::", "core::panic::unwind_safe::"]
        .iter()
        .any(|place| item.starts_with("impl") && item.contains(place));
    let meant = ["Copy", "Send", "Sync"];
    let is_meant = meant
        .iter()
        .any(|name| item.contains(&format!("core::marker::{name} ")));
    !of_tests && (!is_marker || is_meant)
}

fn text(items: &BTreeSet<String>) -> String {
    let mut text = format!(
        "# Every public item of the library, with all features but `sim`.\n# Made by: {REGENERATE}\n"
    );
    for item in items {
        text.push_str(item);
        text.push('\n');
    }
    text
}

/// The lines that only one of the two has.
fn differences(kept: &str, items: &BTreeSet<String>) -> Vec<String> {
    let kept: BTreeSet<String> = kept
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(str::to_owned)
        .collect();
    let mut lines: Vec<(&String, char)> = kept.difference(items).map(|item| (item, '-')).collect();
    lines.extend(items.difference(&kept).map(|item| (item, '+')));
    lines.sort();
    let line = |(item, sign): (&String, char)| format!("{sign} {item}");
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn what_goes_and_what_comes_is_told() {
        let before = items(&["pub fn a::b(u8)", "pub struct a::C"]);
        let after = items(&["pub fn a::b(u16)", "pub struct a::C"]);
        assert_eq!(differences(&text(&before), &before), Vec::<String>::new());
        assert_eq!(
            differences(&text(&before), &after),
            ["+ pub fn a::b(u16)", "- pub fn a::b(u8)"]
        );
    }

    #[test]
    fn traits_that_nobody_names_and_what_is_for_tests_are_left_out() {
        for left_out in [
            "impl core::marker::Freeze for a::B",
            "impl core::panic::unwind_safe::UnwindSafe for a::B",
            "pub fn a::B::disk(self, alloc::sync::Arc<dyn atomic_arrow::disk::Disk>)",
        ] {
            assert!(!is_kept(left_out), "{left_out}");
        }
        for kept in [
            "impl !core::marker::Sync for a::B",
            "impl core::marker::Copy for a::B",
            "pub fn a::b()",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
    }
}
