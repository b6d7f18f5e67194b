use crate::{
    audit::{
        AuditNumber, Backlog, Broken, ChainEnd, ChainEnds, Evidence, EvidenceTrimmed, LogVerifier, MacRule,
        Witnesses, row_number,
    },
    authority::{AuditRead, Capability},
    ports::{AuditCheckpoints, AuditLog, AuditSealer, CheckpointVerifier, KeptCheckpoint, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// The number of rows per read.
const BATCH: u32 = 5_000;

/// Verifies the audit log from the first event to the last, and compares it with its checkpoints.
pub struct VerifyAudit {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) kept: Arc<dyn KeptCheckpoint>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
}

/// What the log is compared with, besides its stored checkpoints and the one in the key folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyAuditRequest {
    /// The number and seal of an event, as noted outside the database.
    pub anchor: Option<ChainEnd>,
    /// A checkpoint, as kept outside the database.
    pub checkpoint: Option<String>,
    /// Whether to skip the MACs, because the process does not have the audit key.
    pub skips_macs: bool,
}

/// A log that is intact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedLog {
    pub ends: ChainEnds,
    /// The last event that a signed checkpoint covers; 0 if there is none.
    pub covered: AuditNumber,
    /// The events that are not sealed yet, and so were not verified.
    pub backlog: Backlog,
}

/// The progress of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub ends: ChainEnds,
    pub reached: ChainEnd,
}

/// Why the audit log was not verified.
#[derive(Debug, Error)]
pub enum VerifyAuditError {
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The chain is intact, but without a checkpoint nothing vouches for this event and others
    /// that have no MAC.
    #[error(
        "event {0} has no MAC, and there is no checkpoint yet; the seals of all events are right. After an upgrade from \
         a version before MACs, start the service, or accept the log with `authapi audit accept` once no replica of \
         that version runs; otherwise the event was forged"
    )]
    NoCheckpointYet(AuditNumber),
    /// The log is intact, and cannot be compared with what the caller presents.
    #[error(transparent)]
    Trimmed(#[from] EvidenceTrimmed),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl VerifyAudit {
    /// Verifies the whole log. Events added during the verification, and events that cannot be
    /// sealed, are not included.
    ///
    /// # Errors
    /// Returns a [`VerifyAuditError`] for the first event that differs from what was written.
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        request: &VerifyAuditRequest,
        mut on_progress: impl FnMut(Progress) + Send,
    ) -> Result<VerifiedLog, VerifyAuditError> {
        self.audit_log.seal().await;
        loop {
            // The end is read last: a checkpoint never covers events after it.
            let evidence = self.evidence(request).await?;
            let ends = self.audit_log.ends().await?;
            let macs = if request.skips_macs {
                MacRule::Unchecked
            } else {
                MacRule::RequiredAfter(evidence.covered())
            };
            match self.follow(ends, &evidence, macs, &mut on_progress).await {
                // The oldest events may have been trimmed while they were read.
                Err(VerifyAuditError::Broken(Broken::Missing(number)))
                    if self.audit_log.ends().await?.base.number >= number => {}
                Err(VerifyAuditError::Broken(Broken::NoMac(number)))
                    if evidence.covered() == ChainEnd::START.number =>
                {
                    let old = MacRule::MissingUpTo(ends.head.number);
                    self.follow(ends, &evidence, old, &mut on_progress).await?;
                    return Err(VerifyAuditError::NoCheckpointYet(number));
                }
                Err(error) => return Err(error),
                Ok(()) => {
                    evidence.check_kept(ends)?;
                    return Ok(VerifiedLog {
                        ends,
                        covered: evidence.covered(),
                        backlog: self.audit_log.backlog().await?,
                    });
                }
            }
        }
    }

    async fn evidence(&self, request: &VerifyAuditRequest) -> Result<Evidence, VerifyAuditError> {
        // The stored ones are read last: a server stores a checkpoint before it keeps it.
        let kept = self.kept.load().await?;
        let found = Witnesses {
            stored: self.checkpoints.list().await?,
            kept,
            presented: request.checkpoint.clone(),
            anchor: request.anchor,
        };
        Ok(Evidence::read(&found, &*self.verifier)?)
    }

    async fn follow(
        &self,
        ends: ChainEnds,
        evidence: &Evidence,
        macs: MacRule,
        on_progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), VerifyAuditError> {
        let mut log = LogVerifier::new(ends, evidence, &*self.sealer, macs)?;
        while log.last().number < ends.head.number {
            let rows = self.audit_log.rows(log.last().number, BATCH).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if log.last().number == ends.head.number {
                    break;
                }
                log.follow(&row.map_err(|broken| Broken::Changed(broken.0))?)?;
            }
            let reached = log.last();
            on_progress(Progress { ends, reached });
        }
        log.finish()?;
        self.nothing_added(ends).await
    }

    /// Checks that no row follows the head. Every writer moves the head with its rows, so rows
    /// after a head that is read later are forged.
    async fn nothing_added(&self, ends: ChainEnds) -> Result<(), VerifyAuditError> {
        let behind = self.audit_log.rows(ends.head.number, BATCH).await?;
        let head = self.audit_log.ends().await?.head.number;
        match behind.iter().map(row_number).find(|number| *number > head) {
            Some(added) => Err(Broken::Added(added).into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{
            Actor, AuditAction, AuditContext, AuditEvent, AuditRow, Origin, SealedRow, SignedCheckpoint,
            StoredCheckpoint,
            fixtures::{ToyNotes, ToySeals},
        },
        fixtures::now,
        ports::{MockAuditCheckpoints, MockAuditLog, MockKeptCheckpoint},
    };
    use std::sync::Mutex;

    type Rows = Vec<SealedRow>;

    const BACKLOG: Backlog = Backlog {
        count: 2,
        oldest: None,
    };

    /// Returns a chain of `length` events, each of which could justify the removal of the first 4.
    fn chain(length: i64) -> (ChainEnds, Rows) {
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        let mut head = ChainEnd::START;
        let rows = (0..length)
            .map(|_| {
                let event = AuditEvent::new(AuditAction::AuditLogTrimmed).with("through", 4);
                let row = AuditRow::new(head.next(), &event, &context);
                let row = SealedRow::after(head, row, &ToySeals(1));
                head = row.end();
                row
            })
            .collect();
        let base = ChainEnd::START;
        (ChainEnds { base, head }, rows)
    }

    /// An audit log that returns each of `ends` in turn, repeating the last, and returns `rows`
    /// three at a time.
    fn audit_log(ends: Vec<ChainEnds>, rows: Rows) -> MockAuditLog {
        let mut log = MockAuditLog::new();
        log.expect_seal().returning(|| ());
        log.expect_backlog().returning(|| Ok(BACKLOG));
        let ends = Mutex::new(ends);
        log.expect_ends().returning(move || {
            let mut ends = ends.lock().expect("no other thread panics");
            Ok(if ends.len() > 1 { ends.remove(0) } else { ends[0] })
        });
        log.expect_rows().returning(move |after, _| {
            let page = rows.iter().filter(|row| row.row.number > after).take(3);
            Ok(page.cloned().map(Ok).collect())
        });
        log
    }

    fn checkpoint(row: &SealedRow) -> String {
        SignedCheckpoint::sign(row.end(), &ToyNotes(1)).note().to_owned()
    }

    /// Verifies `log`, whose database has a checkpoint of `stored`.
    async fn verify_with(
        log: MockAuditLog,
        stored: Option<&SealedRow>,
        request: VerifyAuditRequest,
    ) -> Result<VerifiedLog, String> {
        let stored: Vec<StoredCheckpoint> = stored
            .map(|row| StoredCheckpoint {
                number: row.row.number,
                at: now(),
                note: checkpoint(row),
            })
            .into_iter()
            .collect();
        let mut checkpoints = MockAuditCheckpoints::new();
        checkpoints.expect_list().returning(move || Ok(stored.clone()));
        let mut kept = MockKeptCheckpoint::new();
        kept.expect_load().returning(|| Ok(None));
        let verify = VerifyAudit {
            audit_log: Arc::new(log),
            checkpoints: Arc::new(checkpoints),
            kept: Arc::new(kept),
            sealer: Arc::new(ToySeals(1)),
            verifier: Arc::new(ToyNotes(1)),
        };
        verify
            .execute(Capability::of_operator(), &request, |_| {})
            .await
            .map_err(|error| error.to_string())
    }

    async fn verify(log: MockAuditLog) -> Result<ChainEnds, String> {
        let verified = verify_with(log, None, VerifyAuditRequest::default()).await;
        verified.map(|verified| verified.ends)
    }

    #[tokio::test]
    async fn a_valid_log_is_verified_to_its_head() {
        for length in [0, 1, 3, 10] {
            let (ends, rows) = chain(length);
            assert_eq!(verify(audit_log(vec![ends], rows)).await, Ok(ends), "{length}");
        }
    }

    #[tokio::test]
    async fn the_report_names_the_last_event_that_a_checkpoint_covers_and_the_backlog() {
        let (ends, rows) = chain(10);
        let log = audit_log(vec![ends], rows.clone());
        let verified = verify_with(log, Some(&rows[6]), VerifyAuditRequest::default()).await;
        let covered = AuditNumber(7);
        let backlog = BACKLOG;
        let expected = VerifiedLog {
            ends,
            covered,
            backlog,
        };
        assert_eq!(verified, Ok(expected));
    }

    #[tokio::test]
    async fn a_presented_checkpoint_is_compared_with_the_log() {
        let (ends, rows) = chain(10);
        let present = |checkpoint: String| VerifyAuditRequest {
            checkpoint: Some(checkpoint),
            ..VerifyAuditRequest::default()
        };
        let log = || audit_log(vec![ends], rows.clone());
        let verified = verify_with(log(), Some(&rows[9]), present(checkpoint(&rows[4]))).await;
        assert!(verified.is_ok(), "{verified:?}");
        let mut other = rows[4].clone();
        other.seal.0[0] ^= 1;
        let refused = verify_with(log(), Some(&rows[9]), present(checkpoint(&other))).await;
        let refused = refused.expect_err("the checkpoint has another seal");
        assert!(
            refused.starts_with("the seal of event 5 does not match the presented checkpoint"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn macs_are_skipped_on_request() {
        let (ends, mut rows) = chain(5);
        rows[3].mac = None;
        let log = audit_log(vec![ends], rows.clone());
        let refused = verify(log).await.expect_err("a row has no MAC");
        assert!(
            refused.starts_with("event 4 has no MAC, and there is no checkpoint yet"),
            "{refused}"
        );
        let request = VerifyAuditRequest {
            skips_macs: true,
            ..VerifyAuditRequest::default()
        };
        let verified = verify_with(audit_log(vec![ends], rows), None, request).await;
        assert!(verified.is_ok(), "{verified:?}");
    }

    #[tokio::test]
    async fn an_anchor_that_was_trimmed_is_reported() {
        let (ends, rows) = chain(10);
        let trimmed = ChainEnds {
            base: rows[3].end(),
            ..ends
        };
        let request = VerifyAuditRequest {
            anchor: Some(rows[1].end()),
            ..VerifyAuditRequest::default()
        };
        let log = audit_log(vec![trimmed], rows[4..].to_vec());
        let expected = "event 2 of the anchor has been trimmed; use a later one";
        assert_eq!(verify_with(log, None, request).await, Err(expected.to_owned()));
    }

    #[tokio::test]
    async fn the_first_modified_event_is_reported() {
        let (ends, mut rows) = chain(10);
        rows.remove(6);
        let expected = "event 7 is missing";
        assert_eq!(
            verify(audit_log(vec![ends], rows)).await,
            Err(expected.to_owned())
        );
        let (ends, mut rows) = chain(10);
        rows[4].row.details.push(' ');
        let expected = "event 5 has been changed";
        assert_eq!(
            verify(audit_log(vec![ends], rows)).await,
            Err(expected.to_owned())
        );
    }

    #[tokio::test]
    async fn a_log_trimmed_during_verification_is_verified_again() {
        let (ends, rows) = chain(10);
        let trimmed = ChainEnds {
            base: rows[3].end(),
            ..ends
        };
        let verified = verify(audit_log(vec![ends, trimmed], rows[4..].to_vec())).await;
        assert_eq!(verified, Ok(trimmed));
    }

    #[tokio::test]
    async fn an_event_without_a_mac_is_reported_as_such_only_in_an_unbroken_chain_without_checkpoints() {
        let (ends, mut rows) = chain(5);
        rows[1].mac = None;
        let refused = verify(audit_log(vec![ends], rows.clone())).await;
        let refused = refused.expect_err("nothing vouches for the event");
        let says = "event 2 has no MAC, and there is no checkpoint yet; the seals of all events are right";
        assert!(refused.starts_with(says), "{refused}");
        rows[3].row.details.push(' ');
        let refused = verify(audit_log(vec![ends], rows)).await;
        assert_eq!(refused, Err("event 4 has been changed".to_owned()));
    }

    #[tokio::test]
    async fn events_added_during_verification_are_ignored_and_forged_ones_are_found() {
        let (ends, _) = chain(5);
        let (later, rows) = chain(6);
        let verified = verify(audit_log(vec![ends, later], rows.clone())).await;
        assert_eq!(verified, Ok(ends));
        let expected = "event 6 was added after the end of the chain, or the stored end was moved back";
        assert_eq!(
            verify(audit_log(vec![ends], rows)).await,
            Err(expected.to_owned())
        );
    }
}
