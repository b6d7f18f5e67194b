use crate::{
    audit::{Broken, ChainEnd, ChainEnds, ChainReader, ReadRow},
    authority::{AuditRead, Capability},
    ports::{AuditLog, AuditSealer, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// The number of rows per read.
const BATCH: u32 = 5_000;

/// Verifies the chain of the audit log from the first event to the last and finds changed, removed
/// and swapped events.
pub struct VerifyAudit {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
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
    /// The chain is valid, but it does not contain `anchor`: it was rebuilt from that event or an
    /// earlier one.
    #[error("the seal of event {} does not match the anchor", .0.number)]
    AnotherChain(ChainEnd),
    /// The event of `anchor` has since been trimmed, so the chain cannot be compared with it.
    #[error("the event {} of the anchor has been trimmed; use a later anchor", .0.number)]
    AnchorTrimmed(ChainEnd),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl VerifyAudit {
    /// Verifies the whole chain and returns its ends. Events added during the verification are not
    /// included. `anchor` is the number and seal of an event as kept outside the database.
    ///
    /// # Errors
    /// Returns a [`VerifyAuditError`] for the first event that differs from what was written.
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        anchor: Option<ChainEnd>,
        mut on_progress: impl FnMut(Progress) + Send,
    ) -> Result<ChainEnds, VerifyAuditError> {
        loop {
            let ends = self.audit_log.ends().await?;
            match self.follow(ends, anchor, &mut on_progress).await {
                // The oldest events may have been trimmed while they were read.
                Err(VerifyAuditError::Broken(Broken::Missing(number)))
                    if self.audit_log.ends().await?.base.number >= number => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    check_reach(anchor, ends)?;
                    return Ok(ends);
                }
            }
        }
    }

    async fn follow(
        &self,
        ends: ChainEnds,
        anchor: Option<ChainEnd>,
        on_progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), VerifyAuditError> {
        let mut chain = ChainReader::new(ends, &*self.sealer);
        check_anchor(anchor, chain.last())?;
        while chain.last().number < ends.head.number {
            let rows = self.audit_log.rows(chain.last().number, BATCH).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let (row, seal) = row.map_err(|broken| Broken::Changed(broken.0))?;
                if chain.last() == ends.head {
                    break;
                }
                chain.follow(&row, seal)?;
                check_anchor(anchor, chain.last())?;
            }
            let reached = chain.last();
            on_progress(Progress { ends, reached });
        }
        chain.finish()?;
        self.nothing_added(ends).await
    }

    /// Checks that no row follows the head. Every writer moves the head with its rows, so rows
    /// after a head that is read later are forged.
    async fn nothing_added(&self, ends: ChainEnds) -> Result<(), VerifyAuditError> {
        let behind = self.audit_log.rows(ends.head.number, BATCH).await?;
        let head = self.audit_log.ends().await?.head.number;
        let number = |row: &ReadRow| match row {
            Ok((row, _)) => row.number,
            Err(broken) => broken.0,
        };
        match behind.iter().map(number).find(|number| *number > head) {
            Some(added) => Err(Broken::Added(added).into()),
            None => Ok(()),
        }
    }
}

/// Checks that the chain reaches `anchor`. A chain that was cut off after an earlier event is valid
/// in itself; only the anchor shows the cut.
fn check_reach(anchor: Option<ChainEnd>, ends: ChainEnds) -> Result<(), VerifyAuditError> {
    match anchor {
        Some(anchor) if anchor.number > ends.head.number => Err(Broken::Missing(ends.head.next()).into()),
        Some(anchor) if anchor.number < ends.base.number => Err(VerifyAuditError::AnchorTrimmed(anchor)),
        _ => Ok(()),
    }
}

fn check_anchor(anchor: Option<ChainEnd>, reached: ChainEnd) -> Result<(), VerifyAuditError> {
    match anchor {
        Some(anchor) if anchor.number == reached.number && anchor.seal != reached.seal => {
            Err(VerifyAuditError::AnotherChain(anchor))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Actor, AuditAction, AuditContext, AuditEvent, AuditNumber, AuditRow, Origin, Seal},
        fixtures::now,
        ports::{MockAuditLog, MockAuditSealer},
    };
    use std::sync::Mutex;

    /// A checksum in place of a digest: the sum of all bytes.
    fn sealer() -> Arc<MockAuditSealer> {
        let mut sealer = MockAuditSealer::new();
        sealer.expect_seal().returning(|previous, row| {
            let sum: u32 = previous.0.iter().chain(row).map(|&byte| u32::from(byte)).sum();
            let mut seal = [0; 32];
            seal[..4].copy_from_slice(&sum.to_be_bytes());
            Seal(seal)
        });
        Arc::new(sealer)
    }

    type Rows = Vec<(AuditRow, Seal)>;

    fn chain(length: i64) -> (ChainEnds, Rows) {
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        let mut head = ChainEnd::START;
        let rows = (0..length)
            .map(|_| {
                let row = AuditRow::new(
                    head.next(),
                    &AuditEvent::new(AuditAction::AuditLogTrimmed),
                    &context,
                );
                head = head.seal_next(&row, &*sealer());
                (row, head.seal)
            })
            .collect();
        let base = ChainEnd::START;
        (ChainEnds { base, head }, rows)
    }

    /// An audit log that returns each of `ends` in turn, repeating the last, and returns `rows`
    /// three at a time.
    fn audit_log(ends: Vec<ChainEnds>, rows: Rows) -> Arc<MockAuditLog> {
        let mut log = MockAuditLog::new();
        let ends = Mutex::new(ends);
        log.expect_ends().returning(move || {
            let mut ends = ends.lock().expect("no other thread panics");
            Ok(if ends.len() > 1 { ends.remove(0) } else { ends[0] })
        });
        log.expect_rows().returning(move |after, _| {
            let page = rows.iter().filter(|(row, _)| row.number > after).take(3);
            Ok(page.cloned().map(Ok).collect())
        });
        Arc::new(log)
    }

    async fn verify(log: Arc<MockAuditLog>, anchor: Option<ChainEnd>) -> Result<ChainEnds, String> {
        let verify = VerifyAudit {
            audit_log: log,
            sealer: sealer(),
        };
        verify
            .execute(Capability::of_operator(), anchor, |_| {})
            .await
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_valid_log_is_verified_to_its_head() {
        for length in [0, 1, 3, 10] {
            let (ends, rows) = chain(length);
            assert_eq!(
                verify(audit_log(vec![ends], rows), None).await,
                Ok(ends),
                "{length}"
            );
        }
    }

    #[tokio::test]
    async fn an_anchor_reveals_a_truncated_log_and_a_trimmed_anchor_is_reported() {
        let (ends, rows) = chain(10);
        let beyond = ChainEnd {
            number: AuditNumber(12),
            ..ends.head
        };
        let expected = "event 11 is missing".to_owned();
        assert_eq!(
            verify(audit_log(vec![ends], rows.clone()), Some(beyond)).await,
            Err(expected)
        );

        let base = ChainEnd {
            number: AuditNumber(4),
            seal: rows[3].1,
        };
        let trimmed = ChainEnds { base, ..ends };
        let early = ChainEnd {
            number: AuditNumber(2),
            seal: rows[1].1,
        };
        let expected = "the event 2 of the anchor has been trimmed; use a later anchor".to_owned();
        let log = audit_log(vec![trimmed], rows[4..].to_vec());
        assert_eq!(verify(log, Some(early)).await, Err(expected));
    }

    #[tokio::test]
    async fn the_first_modified_event_is_reported() {
        let (ends, mut rows) = chain(10);
        rows.remove(6);
        let expected = "event 7 is missing";
        assert_eq!(
            verify(audit_log(vec![ends], rows), None).await,
            Err(expected.to_owned())
        );
        let (ends, mut rows) = chain(10);
        rows[4].0.details.push(' ');
        let expected = "event 5 has been changed";
        assert_eq!(
            verify(audit_log(vec![ends], rows), None).await,
            Err(expected.to_owned())
        );
    }

    #[tokio::test]
    async fn a_log_trimmed_during_verification_is_verified_again() {
        let (ends, rows) = chain(10);
        let base = ChainEnd {
            number: AuditNumber(4),
            seal: rows[3].1,
        };
        let trimmed = ChainEnds { base, ..ends };
        let verified = verify(audit_log(vec![ends, trimmed], rows[4..].to_vec()), None).await;
        assert_eq!(verified, Ok(trimmed));
    }

    #[tokio::test]
    async fn events_added_during_verification_are_ignored_and_forged_ones_are_found() {
        let (ends, _) = chain(5);
        let (later, rows) = chain(6);
        let verified = verify(audit_log(vec![ends, later], rows.clone()), None).await;
        assert_eq!(verified, Ok(ends));
        let expected = "event 6 was added after the end of the chain";
        assert_eq!(
            verify(audit_log(vec![ends], rows), None).await,
            Err(expected.to_owned())
        );
    }

    #[tokio::test]
    async fn a_rebuilt_chain_does_not_match_the_anchor() {
        let (ends, rows) = chain(5);
        let anchor = ChainEnd {
            number: AuditNumber(3),
            seal: rows[2].1,
        };
        assert!(
            verify(audit_log(vec![ends], rows.clone()), Some(anchor))
                .await
                .is_ok()
        );
        let another = ChainEnd {
            seal: Seal([9; 32]),
            ..anchor
        };
        let expected = "the seal of event 3 does not match the anchor";
        assert_eq!(
            verify(audit_log(vec![ends], rows), Some(another)).await,
            Err(expected.to_owned())
        );
    }
}
