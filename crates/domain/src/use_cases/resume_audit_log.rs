use crate::{
    audit::{AuditNumber, Broken, ChainEnd, ChainEnds, Evidence},
    ports::{AuditCheckpoints, AuditLog, CheckpointVerifier, KeptCheckpoint, PortError},
    steps::newest_witnesses,
};
use std::sync::Arc;
use thiserror::Error;

/// Checks, before a server extends the audit log, that the log continues the newest checkpoints. It
/// reads few rows, so it finds an older copy of the database and a lost key, but not every edited
/// event.
pub struct ResumeAuditLog {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) kept: Arc<dyn KeptCheckpoint>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
}

/// Why the audit log must not be extended.
#[derive(Debug, Error)]
pub enum ResumeAuditLogError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl ResumeAuditLog {
    /// Compares the log with the newest stored checkpoint and the one in the key folder.
    ///
    /// # Errors
    /// Returns [`Broken`] if the log contradicts one of them, or if one is not signed with this
    /// log's key.
    pub async fn execute(&self) -> Result<(), ResumeAuditLogError> {
        let witnesses = newest_witnesses(&*self.checkpoints, &*self.kept).await?;
        let evidence = Evidence::read(&witnesses, &*self.verifier)?;
        let ends = self.audit_log.ends().await?;
        evidence.check_reach(ends.head)?;
        for position in evidence.positions() {
            if let Some(reached) = self.stored_end(position.number, ends).await? {
                evidence.check_position(reached)?;
            }
        }
        Ok(())
    }

    /// Returns the stored position of event `number`; `None` if retention has removed it.
    async fn stored_end(
        &self,
        number: AuditNumber,
        ends: ChainEnds,
    ) -> Result<Option<ChainEnd>, ResumeAuditLogError> {
        if let Some(end) = [ends.base, ends.head]
            .into_iter()
            .find(|end| end.number == number)
        {
            return Ok(Some(end));
        }
        if number < ends.base.number {
            return Ok(None);
        }
        let rows = self.audit_log.rows(AuditNumber(number.0 - 1), 1).await?;
        match rows.into_iter().next() {
            Some(Ok(row)) if row.row.number == number => Ok(Some(row.end())),
            Some(Err(broken)) if broken.0 == number => Err(Broken::Changed(number).into()),
            _ => Err(Broken::Missing(number).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{
            Actor, AuditAction, AuditContext, AuditEvent, AuditRow, Origin, Seal, SealedRow,
            SignedCheckpoint, StoredCheckpoint, Witness,
            fixtures::{ToyNotes, ToySeals},
        },
        fixtures::now,
        ports::{MockAuditCheckpoints, MockAuditLog, MockKeptCheckpoint},
    };

    fn rows(length: i64, details: &str) -> Vec<SealedRow> {
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        let mut last = ChainEnd::START;
        (0..length)
            .map(|_| {
                let event = AuditEvent::new(AuditAction::LoggedIn).with("is", details);
                let row = SealedRow::after(last, AuditRow::new(last.next(), &event, &context), &ToySeals(1));
                last = row.end();
                row
            })
            .collect()
    }

    fn note(end: ChainEnd, key: u8) -> String {
        SignedCheckpoint::sign(end, &ToyNotes(key)).note().to_owned()
    }

    async fn resume(
        base: ChainEnd,
        rows: Vec<SealedRow>,
        stored: Option<(AuditNumber, String)>,
        kept: Option<String>,
    ) -> Result<(), Broken> {
        let head = rows.last().map_or(base, SealedRow::end);
        let mut audit_log = MockAuditLog::new();
        audit_log
            .expect_ends()
            .returning(move || Ok(ChainEnds { base, head }));
        audit_log.expect_rows().returning(move |after, limit| {
            let later = rows.iter().filter(|row| row.row.number > after);
            Ok(later.take(limit as usize).cloned().map(Ok).collect())
        });
        let mut checkpoints = MockAuditCheckpoints::new();
        checkpoints.expect_newest().return_once(move || {
            Ok(stored.map(|(number, note)| StoredCheckpoint {
                number,
                at: now(),
                note,
            }))
        });
        let mut kept_checkpoint = MockKeptCheckpoint::new();
        kept_checkpoint.expect_load().return_once(move || Ok(kept));
        let resume = ResumeAuditLog {
            audit_log: Arc::new(audit_log),
            checkpoints: Arc::new(checkpoints),
            kept: Arc::new(kept_checkpoint),
            verifier: Arc::new(ToyNotes(1)),
        };
        match resume.execute().await {
            Ok(()) => Ok(()),
            Err(ResumeAuditLogError::Broken(broken)) => Err(broken),
            Err(ResumeAuditLogError::Port(error)) => panic!("{error:?}"),
        }
    }

    /// Returns the stored form of a checkpoint of the event at `index`.
    fn stored(rows: &[SealedRow], index: usize) -> (AuditNumber, String) {
        let end = rows[index].end();
        (end.number, note(end, 1))
    }

    #[tokio::test]
    async fn a_log_that_continues_its_checkpoints_is_resumed() {
        let all = rows(9, "a");
        assert_eq!(resume(ChainEnd::START, all.clone(), None, None).await, Ok(()));
        for index in [0, 4, 8] {
            let kept = Some(stored(&all, 0).1);
            let resumed = resume(ChainEnd::START, all.clone(), Some(stored(&all, index)), kept).await;
            assert_eq!(resumed, Ok(()), "{index}");
        }
    }

    #[tokio::test]
    async fn checkpoints_of_trimmed_events_are_ignored() {
        let all = rows(9, "a");
        for index in [1, 3] {
            let resumed = resume(all[3].end(), all[4..].to_vec(), Some(stored(&all, index)), None).await;
            assert_eq!(resumed, Ok(()), "{index}");
        }
    }

    #[tokio::test]
    async fn an_older_copy_of_the_database_is_refused() {
        let all = rows(9, "a");
        let kept = Some(stored(&all, 8).1);
        let refused = resume(ChainEnd::START, rows(5, "a"), Some(stored(&all, 4)), kept.clone()).await;
        let expected = Broken::CutOff {
            first: AuditNumber(6),
            covered: AuditNumber(9),
            witness: Witness::Kept,
        };
        assert_eq!(refused, Err(expected));

        let continued = rows(12, "b");
        let refused = resume(
            ChainEnd::START,
            continued.clone(),
            Some(stored(&continued, 10)),
            kept,
        )
        .await;
        assert_eq!(refused, Err(Broken::OtherChain(AuditNumber(9), Witness::Kept)));
    }

    #[tokio::test]
    async fn a_lost_key_and_removed_checkpoints_are_named() {
        let all = rows(9, "a");
        let end = all[6].end();
        let refused = resume(
            ChainEnd::START,
            all.clone(),
            Some((end.number, note(end, 2))),
            None,
        )
        .await;
        let named = matches!(
            refused,
            Err(Broken::ForgedCheckpoint {
                witness: Witness::Stored,
                ..
            })
        );
        assert!(named, "{refused:?}");
        let refused = resume(ChainEnd::START, all, None, Some(note(end, 1))).await;
        assert_eq!(refused, Err(Broken::CheckpointsRemoved(AuditNumber(7))));
    }

    #[tokio::test]
    async fn a_checkpointed_event_that_is_missing_or_has_another_seal_is_refused() {
        let all = rows(9, "a");
        let mut edited = all.clone();
        edited[4].seal = Seal([9; 32]);
        let refused = resume(ChainEnd::START, edited, Some(stored(&all, 4)), None).await;
        assert_eq!(refused, Err(Broken::OtherChain(AuditNumber(5), Witness::Stored)));
        let mut without = all.clone();
        without.remove(4);
        let refused = resume(ChainEnd::START, without, Some(stored(&all, 4)), None).await;
        assert_eq!(refused, Err(Broken::Missing(AuditNumber(5))));
    }
}
