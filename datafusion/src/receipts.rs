//! [`OnReceipt`]: how the receipts of commits reach the user.

use std::fmt;
use std::sync::Arc;

use atomic_arrow::Receipt;

/// What is called with the receipt of each commit; by default nothing is.
///
/// It is called when the commit is durable and before the statement ends, so that it must not block for long.
#[derive(Clone, Default)]
pub struct OnReceipt(Option<Call>);

type Call = Arc<dyn Fn(&Receipt) + Send + Sync>;

impl OnReceipt {
    /// Calls this with each receipt.
    pub fn new(call: impl Fn(&Receipt) + Send + Sync + 'static) -> Self {
        OnReceipt(Some(Arc::new(call)))
    }

    pub(crate) fn tell(&self, receipt: &Receipt) {
        if let Some(call) = &self.0 {
            call(receipt);
        }
    }
}

impl fmt::Debug for OnReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.is_some() { "set" } else { "none" };
        write!(f, "OnReceipt({state})")
    }
}
