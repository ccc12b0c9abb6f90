//! Each level of verification is taken away, and a disk that changes what is written to it must be
//! noticed by a reader then: P3.
//!
//! With the level nothing is published and the error says so; with the level below it the changed file
//! is. What decoding alone finds, an encoder that errs, is no matter of a disk.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::disk::tap::{Tap, Watch};
use atomic_arrow::{Error, Verify};

use crate::Wrong;
use crate::arena::{Arena, Kind};
use crate::check::{Rules, Told};
use crate::found::Found;

/// The harm that is done to a file on its way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// What comes from this byte on is lost.
    Lost(u64),
    /// A bit of this byte is the other one.
    Flipped(u64),
}

impl Watch for Harm {
    fn written<'a>(&self, path: &Path, offset: u64, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if path.extension().is_none_or(|suffix| suffix != "staged") {
            return Cow::Borrowed(bytes);
        }
        let within = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        match *self {
            Harm::Lost(from) => Cow::Borrowed(&bytes[..within(from).min(bytes.len())]),
            Harm::Flipped(at) if at >= offset && within(at) < bytes.len() => {
                let mut changed = bytes.to_vec();
                changed[within(at)] ^= 0x10;
                Cow::Owned(changed)
            }
            Harm::Flipped(_) => Cow::Borrowed(bytes),
        }
    }
}

/// One level: what it adds, and what only it finds.
struct Level {
    name: &'static str,
    with: Verify,
    without: Verify,
    scenarios: &'static [&'static str],
    harms: fn(&[u8]) -> Vec<Harm>,
}

const PARQUET: &[&str] = &["a new Parquet file in a new data set", "a new data set"];
const ALL: &[&str] = &[
    "a new lone file",
    "a lone file replaced",
    "a new Parquet file in a new data set",
    "a new data set",
];

const LEVELS: [Level; 3] = [
    Level {
        name: "the comparison of the length",
        with: Verify::Footer,
        without: Verify::Skip,
        scenarios: ALL,
        harms: |file| {
            [1, 8, 20]
                .map(|less| Harm::Lost(file.len() as u64 - less))
                .into()
        },
    },
    Level {
        name: "the check of the footer",
        with: Verify::Footer,
        without: Verify::Skip,
        scenarios: PARQUET,
        harms: |file| {
            let len = file.len() as u64;
            let footer = file.last_chunk::<8>().map_or(0, |[a, b, c, d, ..]| {
                u64::from(u32::from_le_bytes([*a, *b, *c, *d]))
            });
            (len - 8 - footer..len).map(Harm::Flipped).collect()
        },
    },
    Level {
        name: "the hash of the content",
        with: Verify::Checksum,
        without: Verify::Footer,
        scenarios: ALL,
        harms: |_| [4, 5, 9, 17].map(Harm::Flipped).into(),
    },
];

/// Takes each level away; returns for each what noticed it.
///
/// # Errors
/// If something harmed is published although the level is there, or is refused in another way.
pub fn all(rules: &[Rules], kind: Kind) -> Result<Vec<(String, Option<Wrong>)>, Wrong> {
    let mut found = Vec::new();
    for level in LEVELS {
        let mine = |rules: &&Rules| level.scenarios.contains(&rules.scenario.name.as_str());
        for rules in rules.iter().filter(mine) {
            let name = format!("{} of {}{}", level.name, rules.scenario.name, kind.words());
            found.push((name, noticed(rules, &level, kind)?));
        }
    }
    Ok(found)
}

fn noticed(rules: &Rules, level: &Level, kind: Kind) -> Result<Option<Wrong>, Wrong> {
    let name = &rules.scenario.name;
    let (_, whole) = play(rules, level.without, None, kind)?;
    let published = whole.files.iter().find(|(path, _)| {
        path.starts_with(&rules.scenario.root)
            && !path
                .components()
                .any(|part| part.as_os_str().as_encoded_bytes().first() == Some(&b'.'))
    });
    let (_, file) = published.ok_or_else(|| Wrong(format!("{name}: nothing is published")))?;
    let mut noticed = None;
    // A real disk takes its time to sync.
    let step = match kind {
        Kind::Simulated => 1,
        Kind::Real => 23,
    };
    for harm in (level.harms)(file).into_iter().step_by(step) {
        let place = |what: String| Wrong(format!("{name}, {:?}, {harm:?}: {what}", level.with));
        let (told, found) = play(rules, level.with, Some(harm), kind)?;
        match &told {
            Err(Error::Damaged { .. }) => {}
            other => return Err(place(format!("told {other:?}"))),
        }
        let refused = rules.truthful(&found, Told::of(&told));
        refused.map_err(|Wrong(what)| place(what))?;
        if let Some(path) = rules.left(&found).first() {
            return Err(place(format!("{} is left", path.display())));
        }
        if noticed.is_none() {
            let (told, found) = play(rules, level.without, Some(harm), kind)?;
            let seen = rules.visible(&found, Told::of(&told)).err();
            noticed = seen.map(|Wrong(what)| Wrong(format!("{name}, {harm:?}: {what}")));
        }
    }
    Ok(noticed)
}

type Played = (Result<(), Error>, Found);

fn play(rules: &Rules, verify: Verify, harm: Option<Harm>, kind: Kind) -> Result<Played, Wrong> {
    let mut arena = Arena::new(kind)?;
    arena.ground.verify = verify;
    let scenario = &rules.scenario;
    let prepared = scenario.prepare(&arena.ground);
    prepared.map_err(|error| Wrong(format!("{}, prepared: {error:?}", scenario.name)))?;
    let disk = Arc::clone(&arena.ground.disk);
    let disk = match harm {
        Some(harm) => Tap::on(disk, Arc::new(harm)),
        None => disk,
    };
    let told = scenario.act(&arena.ground.on(disk));
    Ok((told, arena.look()))
}
