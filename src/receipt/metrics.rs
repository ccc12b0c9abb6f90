//! [`Metrics`]: what the time of a commit was spent on.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ReceiptError;
use crate::meter::{Meter, Work};

/// What the time of a commit to a data set was spent on.
///
/// Each part but [`wall`](Metrics::wall) is the sum over all threads that worked on it at once, so that together they may be
/// more than the wall-clock time, or less: what is not named here, such as waiting for batches and looking at existing
/// files, is in none of them. A thread that the system does not let run counts all the same. All are in whole
/// microseconds; in JSON they are seconds.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use atomic_arrow::DatasetWriter;
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("counts");
///
/// let counts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// let batch = RecordBatch::try_from_iter([("count", counts)])?;
/// let mut writer = DatasetWriter::builder(&root).build(batch.schema())?;
/// writer.write(&batch)?;
/// let receipt = writer.commit()?;
///
/// let metrics = receipt.metrics().expect("this write committed it");
/// assert!(metrics.encoding > Duration::ZERO);
/// println!("{} rows: {metrics}", receipt.totals().rows);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
#[non_exhaustive]
pub struct Metrics {
    /// Taking batches: bringing rows to the schema and to the types that are stored, splitting them by partition, holding
    /// them in memory, and spilling what is beyond the memory limit.
    pub splitting: Duration,
    /// Gathering and sorting the rows of each file, encoding and compressing them, and writing them to staging files.
    pub encoding: Duration,
    /// Waiting for the medium before the commit is decided: syncs of files, of the file system, and of the directories in
    /// which files are staged.
    pub syncing: Duration,
    /// Re-opening staged files and comparing them with what was written.
    pub verifying: Duration,
    /// From the locks of the commit to its last sync of a directory: checking for conflicts, deciding, renaming, and
    /// removing what is replaced. It includes waiting for the locks of others.
    pub publishing: Duration,
    /// The wall-clock time from when the writer was built, or the commit of staged writes began, until the commit was done.
    pub wall: Duration,
}

impl Metrics {
    pub(crate) fn of(meter: &Meter) -> Self {
        let spent = |work| whole(meter.spent(work));
        Metrics {
            splitting: spent(Work::Split),
            encoding: spent(Work::Encode),
            syncing: spent(Work::Sync),
            verifying: spent(Work::Verify),
            publishing: spent(Work::Publish),
            wall: whole(meter.wall()),
        }
    }

    /// Adds the work of others, and leaves the wall-clock time as it is.
    pub(crate) fn with_work_of(self, others: impl Iterator<Item = Metrics>) -> Self {
        others.fold(self, |sum, other| Metrics {
            splitting: sum.splitting.saturating_add(other.splitting),
            encoding: sum.encoding.saturating_add(other.encoding),
            syncing: sum.syncing.saturating_add(other.syncing),
            verifying: sum.verifying.saturating_add(other.verifying),
            publishing: sum.publishing.saturating_add(other.publishing),
            wall: sum.wall,
        })
    }
}

/// As in `0.8 s: splitting 0.1 s, encoding 1.2 s, syncing 0.3 s, verifying 0.1 s, publishing 0.0 s`.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [splitting, encoding, syncing, verifying, publishing, wall] = self.seconds();
        write!(
            f,
            "{wall:.3} s: splitting {splitting:.3} s, encoding {encoding:.3} s, syncing {syncing:.3} s, \
             verifying {verifying:.3} s, publishing {publishing:.3} s"
        )
    }
}

impl Metrics {
    fn seconds(&self) -> [f64; 6] {
        let Metrics {
            splitting,
            encoding,
            syncing,
            verifying,
            publishing,
            wall,
        } = *self;
        [splitting, encoding, syncing, verifying, publishing, wall].map(|time| time.as_secs_f64())
    }
}

/// A time in whole microseconds, which seconds in JSON have room for.
fn whole(time: Duration) -> Duration {
    Duration::new(time.as_secs(), time.subsec_micros() * 1_000)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    splitting_seconds: f64,
    encoding_seconds: f64,
    syncing_seconds: f64,
    verifying_seconds: f64,
    publishing_seconds: f64,
    wall_seconds: f64,
}

impl From<Metrics> for Wire {
    fn from(metrics: Metrics) -> Self {
        let [splitting, encoding, syncing, verifying, publishing, wall] = metrics.seconds();
        Wire {
            splitting_seconds: splitting,
            encoding_seconds: encoding,
            syncing_seconds: syncing,
            verifying_seconds: verifying,
            publishing_seconds: publishing,
            wall_seconds: wall,
        }
    }
}

impl TryFrom<Wire> for Metrics {
    type Error = ReceiptError;

    fn try_from(wire: Wire) -> Result<Self, ReceiptError> {
        let time = |seconds: f64| {
            // To the nearest microsecond: seconds are no exact fractions.
            let micros = (seconds * 1e6).round();
            match (0.0..9e15).contains(&micros) {
                true => Ok(Duration::from_micros(micros as u64)),
                false => Err(ReceiptError::invalid(
                    "metrics",
                    &seconds.to_string(),
                    "is no time in seconds",
                )),
            }
        };
        Ok(Metrics {
            splitting: time(wire.splitting_seconds)?,
            encoding: time(wire.encoding_seconds)?,
            syncing: time(wire.syncing_seconds)?,
            verifying: time(wire.verifying_seconds)?,
            publishing: time(wire.publishing_seconds)?,
            wall: time(wire.wall_seconds)?,
        })
    }
}
