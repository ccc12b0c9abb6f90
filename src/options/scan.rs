//! [`ScanProgress`]: how far those have come who look at what is on disk.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::callback::one_at_a_time;

/// How far [`verify`](crate::verify), [`inspect`](crate::inspect()) or [`recover`](crate::recover) has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ScanProgress {
    /// Files that were looked at; in a recovery the staging files and transactions.
    pub files: u64,
    /// The bytes of these files; in a recovery, which does not ask for sizes, 0.
    pub bytes: u64,
}

/// The callback that is told how far a scan has come, if there is one.
#[derive(Clone, Default)]
pub(crate) struct OnScan(Option<Arc<dyn Fn(ScanProgress) + Send + Sync>>);

impl OnScan {
    pub(crate) fn calling(call: impl FnMut(ScanProgress) + Send + 'static) -> Self {
        let call = Mutex::new(call);
        OnScan(Some(Arc::new(move |counts| one_at_a_time(&call)(counts))))
    }

    /// Begins to count.
    pub(crate) fn begin(&self) -> Scan<'_> {
        Scan {
            on_scan: self,
            progress: ScanProgress::default(),
        }
    }
}

impl fmt::Debug for OnScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnScan").field(&self.0.is_some()).finish()
    }
}

/// A scan that goes on.
pub(crate) struct Scan<'a> {
    on_scan: &'a OnScan,
    progress: ScanProgress,
}

impl Scan<'_> {
    /// Counts one more file.
    pub(crate) fn file(&mut self, bytes: u64) {
        self.progress.files += 1;
        self.progress.bytes += bytes;
        if let Some(call) = &self.on_scan.0 {
            call(self.progress);
        }
    }
}
