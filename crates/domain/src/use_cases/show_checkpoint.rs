use crate::{
    audit::SignedCheckpoint,
    ports::{AuditCheckpoints, CheckpointVerifier, Clock, PortError},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a checkpoint that was read is returned: as long as the server takes to sign the next.
const FRESH: TimeDelta = TimeDelta::seconds(1);

/// Returns the newest checkpoint of the audit log, and the key that verifies it, to any witness. A
/// checkpoint reveals the number of events and a digest.
pub struct ShowCheckpoint {
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) last: Mutex<Option<LastRead>>,
}

/// The checkpoint that was read last, so that callers without an account cannot keep the database
/// busy.
#[derive(Clone)]
pub(crate) struct LastRead {
    at: DateTime<Utc>,
    checkpoint: Option<Arc<SignedCheckpoint>>,
}

impl ShowCheckpoint {
    /// Returns the newest checkpoint, or `None` if there is none yet.
    ///
    /// # Errors
    /// Returns a [`PortError`] if it cannot be read, or [`PortError::Corrupt`] if its signature is
    /// not valid.
    pub async fn execute(&self) -> Result<Option<Arc<SignedCheckpoint>>, PortError> {
        let now = self.clock.now();
        let last = self.last().clone();
        if let Some(last) = last.filter(|last| (last.at..last.at + FRESH).contains(&now)) {
            return Ok(last.checkpoint);
        }
        let checkpoint = self.read().await?.map(Arc::new);
        *self.last() = Some(LastRead {
            at: now,
            checkpoint: checkpoint.clone(),
        });
        Ok(checkpoint)
    }

    /// Returns the public key in the form of a C2SP `signed-note` verifier key.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.verifier.public_key()
    }

    async fn read(&self) -> Result<Option<SignedCheckpoint>, PortError> {
        let Some(stored) = self.checkpoints.newest().await? else {
            return Ok(None);
        };
        SignedCheckpoint::parse(&stored.note, &*self.verifier)
            .map(Some)
            .map_err(|invalid| PortError::Corrupt(invalid.into()))
    }

    fn last(&self) -> MutexGuard<'_, Option<LastRead>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{AuditNumber, ChainEnd, Seal, StoredCheckpoint, fixtures::ToyNotes},
        fixtures::now,
        ports::{MockAuditCheckpoints, MockClock},
    };

    fn stored(number: i64, key: u8) -> StoredCheckpoint {
        let end = ChainEnd {
            number: AuditNumber(number),
            seal: Seal([7; 32]),
        };
        StoredCheckpoint {
            number: end.number,
            at: now(),
            note: SignedCheckpoint::sign(end, &ToyNotes(key)).note().to_owned(),
        }
    }

    /// The use case over a store whose reads return `reads`, called at these milliseconds.
    fn show(reads: Vec<Option<StoredCheckpoint>>, calls: Vec<i64>) -> ShowCheckpoint {
        let mut checkpoints = MockAuditCheckpoints::new();
        let mut clock = MockClock::new();
        let times = reads.len();
        let mut reads = reads.into_iter();
        let read = move || Ok(reads.next().expect("no more reads are expected"));
        checkpoints.expect_newest().times(times).returning(read);
        let mut calls = calls.into_iter();
        clock.expect_now().returning(move || {
            let millisecond = calls.next().expect("no more calls are expected");
            now() + TimeDelta::milliseconds(millisecond)
        });
        ShowCheckpoint {
            checkpoints: Arc::new(checkpoints),
            verifier: Arc::new(ToyNotes(1)),
            clock: Arc::new(clock),
            last: Mutex::default(),
        }
    }

    async fn shown(show: &ShowCheckpoint) -> Option<String> {
        let shown = show.execute().await.expect("the checkpoint is valid");
        shown.map(|checkpoint| checkpoint.note().to_owned())
    }

    #[tokio::test]
    async fn the_newest_checkpoint_is_read_once_a_second() {
        let (first, second) = (stored(3, 1), stored(4, 1));
        let show = show(
            vec![None, Some(first.clone()), Some(second.clone())],
            vec![0, 999, 1_000, 1_999, 1_500, 900],
        );
        assert_eq!(shown(&show).await, None);
        assert_eq!(shown(&show).await, None);
        for _ in 0..3 {
            assert_eq!(shown(&show).await, Some(first.note.clone()));
        }
        assert_eq!(shown(&show).await, Some(second.note), "the clock was set back");
    }

    #[tokio::test]
    async fn a_note_without_a_valid_signature_is_not_returned() {
        let show = show(vec![Some(stored(3, 2))], vec![0]);
        let refused = show.execute().await;
        assert!(matches!(refused, Err(PortError::Corrupt(_))), "{refused:?}");
    }
}
