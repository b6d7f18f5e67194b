use crate::{
    audit::SignedCheckpoint,
    ports::{AuditCheckpoints, CheckpointVerifier, Clock, PortError},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;

/// How long the outcome of a read is returned: as long as the server takes to sign the next
/// checkpoint.
const FRESH: TimeDelta = TimeDelta::seconds(1);

/// Returns the newest checkpoint of the audit log, and the key that verifies it, to any witness. A
/// checkpoint reveals the number of events and a digest.
///
/// Callers need no account. So that they cannot keep the database busy, one call reads at a time,
/// and its outcome is kept for a second, also if it is an error.
pub struct ShowCheckpoint {
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reads: Mutex<Reads>,
}

/// Why no checkpoint was returned.
#[derive(Clone, Debug, Error)]
pub enum ShowCheckpointError {
    /// The checkpoint could not be read. The error is [`PortError::Corrupt`] if its signature is
    /// not valid.
    #[error("{0}")]
    Failed(Arc<PortError>),
    /// Another call returned this error within the last second.
    #[error("{0}")]
    FailedBefore(Arc<PortError>),
    /// Another call is reading the checkpoint, and none is known yet.
    #[error("the checkpoint is being read")]
    Busy,
}

type Found<E> = Result<Option<Arc<SignedCheckpoint>>, E>;

/// The reads of the checkpoint.
#[derive(Default)]
pub(crate) struct Reads {
    last: Option<LastRead>,
    is_reading: bool,
}

/// The read that ended last.
struct LastRead {
    at: DateTime<Utc>,
    found: Found<Arc<PortError>>,
}

/// A read, which ends when this is dropped, also if its caller goes away.
struct Reading<'a>(&'a ShowCheckpoint);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.reads().is_reading = false;
    }
}

impl ShowCheckpoint {
    /// Returns the newest checkpoint, or `None` if there is none yet. While another call reads it,
    /// returns the one that was known before.
    ///
    /// # Errors
    /// Returns a [`ShowCheckpointError`].
    pub async fn execute(&self) -> Found<ShowCheckpointError> {
        let _reading = match self.begin() {
            ControlFlow::Break(known) => return known,
            ControlFlow::Continue(reading) => reading,
        };
        let found = match self.read().await {
            Ok(checkpoint) => Ok(checkpoint.map(Arc::new)),
            Err(error) => Err(Arc::new(error)),
        };
        let at = self.clock.now();
        self.reads().last = Some(LastRead {
            at,
            found: found.clone(),
        });
        found.map_err(ShowCheckpointError::Failed)
    }

    /// Begins to read the checkpoint, unless the answer is known or another call is reading.
    fn begin(&self) -> ControlFlow<Found<ShowCheckpointError>, Reading<'_>> {
        let now = self.clock.now();
        let mut reads = self.reads();
        if let Some(known) = reads.known(now) {
            return ControlFlow::Break(known);
        }
        reads.is_reading = true;
        ControlFlow::Continue(Reading(self))
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

    fn reads(&self) -> MutexGuard<'_, Reads> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reads {
    /// Returns the answer to a call at `now` that need not read.
    fn known(&self, now: DateTime<Utc>) -> Option<Found<ShowCheckpointError>> {
        let last = self.last.as_ref();
        if let Some(last) = last.filter(|last| (last.at..last.at + FRESH).contains(&now)) {
            return Some(last.found.clone().map_err(ShowCheckpointError::FailedBefore));
        }
        if !self.is_reading {
            return None;
        }
        // Neither a missing checkpoint nor an error need hold any longer.
        let before = last.and_then(|last| last.found.as_ref().ok()?.clone());
        Some(before.map(Some).ok_or(ShowCheckpointError::Busy))
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
    use async_trait::async_trait;
    use std::{
        future::pending,
        pin::Pin,
        task::{Context, Waker},
    };

    /// A store that never answers.
    struct SlowCheckpoints;

    #[async_trait]
    impl AuditCheckpoints for SlowCheckpoints {
        async fn newest(&self) -> Result<Option<StoredCheckpoint>, PortError> {
            pending().await
        }

        async fn list(&self) -> Result<Vec<StoredCheckpoint>, PortError> {
            pending().await
        }

        async fn store(&self, _: StoredCheckpoint, _: DateTime<Utc>) -> Result<(), PortError> {
            pending().await
        }

        async fn replace_all(&self, _: StoredCheckpoint) -> Result<(), PortError> {
            pending().await
        }
    }

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
            reads: Mutex::default(),
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
            vec![0, 0, 999, 1_000, 1_000, 1_999, 1_500, 900, 900],
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
        let show = show(vec![Some(stored(3, 2))], vec![0, 0]);
        let refused = show.execute().await;
        let is_corrupt = match &refused {
            Err(ShowCheckpointError::Failed(error)) => matches!(**error, PortError::Corrupt(_)),
            _ => false,
        };
        assert!(is_corrupt, "{refused:?}");
    }

    #[tokio::test]
    async fn an_error_is_kept_for_a_second() {
        let show = show(
            vec![Some(stored(3, 2)), Some(stored(4, 1))],
            vec![0, 5_000, 5_999, 6_000, 6_000],
        );
        let first = show.execute().await;
        assert!(matches!(first, Err(ShowCheckpointError::Failed(_))), "{first:?}");
        let second = show.execute().await;
        assert!(
            matches!(second, Err(ShowCheckpointError::FailedBefore(_))),
            "{second:?}"
        );
        assert_eq!(shown(&show).await, Some(stored(4, 1).note));
    }

    /// Begins a read that does not end, and returns it.
    fn reading(show: &ShowCheckpoint) -> Pin<Box<dyn Future<Output = Found<ShowCheckpointError>> + '_>> {
        let mut reading = Box::pin(show.execute());
        let polled = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the call reads");
        reading
    }

    #[tokio::test]
    async fn only_one_call_reads_at_a_time() {
        let mut show = show(vec![], vec![0; 9]);
        show.checkpoints = Arc::new(SlowCheckpoints);
        let first = reading(&show);
        for _ in 0..2 {
            let busy = show.execute().await;
            assert!(matches!(busy, Err(ShowCheckpointError::Busy)), "{busy:?}");
        }
        drop(first);
        drop(reading(&show));
    }

    #[tokio::test]
    async fn the_checkpoint_before_is_returned_while_another_call_reads() {
        let mut show = show(vec![Some(stored(3, 1))], vec![0, 0, 5_000, 5_000]);
        assert_eq!(shown(&show).await, Some(stored(3, 1).note));
        show.checkpoints = Arc::new(SlowCheckpoints);
        let _reading = reading(&show);
        assert_eq!(shown(&show).await, Some(stored(3, 1).note));
    }
}
