//! Recording a decision, and finding out which one stands where the store does not tell.

use std::io;

use uuid::Uuid;

use super::RemoteBackend;
use super::own::{Change, Own};
use crate::backend::{Backend as _, Decided};
use crate::error::{Error, IoContext, Result, Step};
use crate::record::Decision;

impl RemoteBackend {
    pub(super) fn decide(&self, transaction: Uuid, decision: &Decision) -> Result<Decided> {
        let Some(own) = self.own(transaction) else {
            return match self.decide_for_dead(transaction, decision)? {
                Change::Done => Ok(Decided::Ours),
                Change::Lost => Ok(match self.decision(transaction)? {
                    Some(decision) => Decided::Another(decision),
                    None => Decided::Gone,
                }),
                Change::Unknown(source) => Err(self.unknown(transaction, source)),
            };
        };
        match own.decide(decision)? {
            Change::Done => Ok(Decided::Ours),
            Change::Lost => self.standing(&own, transaction, decision),
            Change::Unknown(source) => self.abort_doubtful(&own, transaction, decision, source),
        }
    }

    fn unknown(&self, transaction: Uuid, source: io::Error) -> Error {
        Error::Unknown {
            step: Step::Decide,
            path: self.place(transaction),
            source,
        }
    }

    /// The decision that stands about a transaction of ours, where the store says that it did not take what was sent.
    fn standing(&self, own: &Own, transaction: Uuid, sent: &Decision) -> Result<Decided> {
        let Some((state, found)) = self.state(transaction)? else {
            return Ok(Decided::Gone);
        };
        // Nobody else commits or stages it: what the store refused was a repetition of the request.
        if state.has_decision(sent) {
            own.go_on_from(state, found.version);
            return Ok(Decided::Ours);
        }
        Ok(match state.decision(&self.place(transaction))? {
            Some(decision) => Decided::Another(decision),
            None => Decided::Gone,
        })
    }

    /// Aborts a transaction of ours where nobody knows whether the decision that was sent stands.
    ///
    /// # Errors
    /// [`Error::Io`] if it is aborted: what was sent does not stand, and cannot any more, since the version that it replaces is
    /// gone. [`Error::Unknown`] if that cannot be found out either.
    fn abort_doubtful(
        &self,
        own: &Own,
        transaction: Uuid,
        sent: &Decision,
        source: io::Error,
    ) -> Result<Decided> {
        match own.decide(&Decision::aborted(transaction)) {
            Ok(Change::Done) => Err(source).at(Step::Decide, &self.place(transaction)),
            Ok(Change::Lost) => match self.standing(own, transaction, sent) {
                // It may have been carried out by somebody since.
                Ok(Decided::Gone) | Err(_) => Err(self.unknown(transaction, source)),
                standing => standing,
            },
            Ok(Change::Unknown(_)) | Err(_) => Err(self.unknown(transaction, source)),
        }
    }
}
