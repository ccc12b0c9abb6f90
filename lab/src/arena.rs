//! An arena: a simulated disk, or a directory of this machine, in which one scenario is played.

use std::fs;
use std::sync::Arc;

use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::disk::{Disk, OsDisk};
use tempfile::TempDir;

use crate::Wrong;
use crate::found::Found;
use crate::mutant::Mutation;
use crate::scenario::{Ground, simulated};

/// The kind of disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A simulated one.
    Simulated,
    /// The operating system's.
    Real,
}

impl Kind {
    /// The words for it in reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Kind::Simulated => "",
            Kind::Real => ", on a real kernel",
        }
    }
}

/// A ground with its disk.
#[derive(Debug)]
pub struct Arena {
    /// The ground.
    pub ground: Ground,
    /// The disk, if it is simulated.
    pub sim: Option<SimDisk>,
    _directory: Option<TempDir>,
}

impl Arena {
    /// A new one.
    ///
    /// # Errors
    /// If there is no room for it on this machine.
    pub fn new(kind: Kind) -> Result<Self, Wrong> {
        if kind == Kind::Simulated {
            let (sim, ground) = simulated();
            return Ok(Arena {
                ground,
                sim: Some(sim),
                _directory: None,
            });
        }
        let made = tempfile::tempdir().and_then(|directory| {
            let top = directory.path().canonicalize()?.join("scene");
            fs::create_dir(&top)?;
            Ok((directory, top))
        });
        let (directory, top) = made.map_err(|error| Wrong(format!("an arena: {error}")))?;
        Ok(Arena {
            ground: Ground::new(Arc::new(OsDisk), top),
            sim: None,
            _directory: Some(directory),
        })
    }

    /// Everything that is on the disk.
    #[must_use]
    pub fn look(&self) -> Found {
        match &self.sim {
            Some(sim) => Found::on_sim(sim, &self.ground.top),
            None => Found::on_system(&self.ground.top).unwrap_or_default(),
        }
    }

    /// The disk of the arena, changed by a mutation.
    #[must_use]
    pub fn disk(&self, mutation: &Mutation) -> Arc<dyn Disk> {
        let disk = Arc::clone(&self.ground.disk);
        mutation.wrap(disk, self.sim.as_ref(), &self.ground.top)
    }
}
