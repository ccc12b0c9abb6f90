//! The crash laboratory: everything that a writer does, under every kind of misfortune.
//!
//! There is one description of what writers do ([`scenario`]) and one set of rules of what may be
//! found afterwards ([`check`]). Each of the [`sections`] lets another thing go wrong: the power of a
//! simulated disk at every moment ([`sim`]) and of real file systems between any two calls ([`cuts`]),
//! calls of the simulated disk ([`faults`]) and of the kernel ([`strace`]), and other programs
//! ([`races`], a hostile one: [`neighbours`], and many users under random kills: [`soak`]). The [`gate`]
//! takes every sync, check and lock away, also every look for what could keep a commit from being published
//! ([`hindrances`]), and demands that it is noticed.
//!
//! `cargo run --release -p atomic-arrow-lab -- --out docs/laboratory` runs all of it and writes the
//! results; `--quick` looks at some points only, as the tests do. Cutting the power of real file
//! systems takes root, loop devices, and the tools that make ext4, XFS and Btrfs.

pub mod arena;
pub mod check;
pub mod command;
pub mod cuts;
pub mod faults;
pub mod found;
pub mod gate;
pub mod hindrances;
pub mod levels;
pub mod lies;
pub mod mutant;
pub mod neighbours;
pub mod races;
pub mod report;
pub mod scenario;
pub mod sections;
pub mod sim;
pub mod soak;
pub mod strace;
pub mod strangers;

use std::fmt;

/// A fault that the laboratory found, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrong(pub String);

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// The points of many that are looked at: all of them, or some, evenly spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// All.
    All,
    /// About this many of each kind.
    Some(usize),
}

impl Sample {
    /// A sample with `factor` times as many points.
    #[must_use]
    pub fn times(self, factor: usize) -> Self {
        match self {
            Sample::All => Sample::All,
            Sample::Some(count) => Sample::Some(count * factor),
        }
    }

    /// Whether a point is one of those looked at.
    #[must_use]
    pub fn takes(self, point: usize, of: usize) -> bool {
        match self {
            Sample::All => true,
            Sample::Some(count) => count >= of || (point * count) / of != (point + 1) * count / of,
        }
    }
}
