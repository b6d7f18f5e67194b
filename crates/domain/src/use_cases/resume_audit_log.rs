use crate::{
    audit::{Broken, Evidence, SignedCheckpoint, Witnesses},
    ports::{AuditCheckpoints, AuditLog, AuditSealer, CheckpointVerifier, KeptCheckpoint, PortError},
    steps::{AcceptancePorts, newest_witnesses, stored_end},
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
    pub(crate) sealer: Arc<dyn AuditSealer>,
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
    /// Compares the log with the newest stored checkpoint and the one in the key folder. If only
    /// the latter contradicts the log, and the operator has accepted the log since it was kept,
    /// such as on another machine, it is replaced.
    ///
    /// # Errors
    /// Returns [`Broken`] if the log contradicts one of them, or if one is not signed with this
    /// log's key.
    pub async fn execute(&self) -> Result<(), ResumeAuditLogError> {
        let witnesses = newest_witnesses(&*self.checkpoints, &*self.kept).await?;
        let Err(error) = self.compare(&witnesses).await else {
            return Ok(());
        };
        match self.accepted_since_kept().await? {
            Some(checkpoint) => {
                let stored = witnesses.stored;
                self.compare(&Witnesses {
                    stored,
                    ..Witnesses::default()
                })
                .await?;
                Ok(self.kept.keep(checkpoint.note()).await?)
            }
            None => Err(error),
        }
    }

    async fn compare(&self, witnesses: &Witnesses) -> Result<(), ResumeAuditLogError> {
        let evidence = Evidence::read(witnesses, &*self.verifier)?;
        let ends = self.audit_log.ends().await?;
        evidence.check_reach(ends.head)?;
        for position in evidence.positions() {
            let reached = stored_end::<ResumeAuditLogError>(&*self.audit_log, position.number, ends).await?;
            if let Some(reached) = reached {
                evidence.check_position(reached)?;
            }
        }
        Ok(())
    }

    /// Returns the newest stored checkpoint if it proves that the log was accepted after the one in
    /// the key folder was kept.
    async fn accepted_since_kept(&self) -> Result<Option<SignedCheckpoint>, ResumeAuditLogError> {
        let Some(kept_at) = self.kept.kept_at().await? else {
            return Ok(None);
        };
        let acceptance = AcceptancePorts {
            audit_log: &*self.audit_log,
            checkpoints: &*self.checkpoints,
            sealer: &*self.sealer,
            verifier: &*self.verifier,
        };
        acceptance.since(kept_at, self.audit_log.ends().await?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{
            Actor, AuditAction, AuditContext, AuditEvent, AuditNumber, AuditRow, ChainEnd, ChainEnds, Origin,
            Seal, SealedRow, StoredCheckpoint, Witness,
            fixtures::{ToyNotes, ToySeals},
        },
        fixtures::now,
        ports::{MockAuditCheckpoints, MockAuditLog, MockKeptCheckpoint},
    };
    use chrono::TimeDelta;
    use std::sync::Mutex;

    fn rows(length: i64, details: &str) -> Vec<SealedRow> {
        let mut log = Vec::new();
        for _ in 0..length {
            append(
                &mut log,
                &AuditEvent::new(AuditAction::LoggedIn).with("is", details),
            );
        }
        log
    }

    /// Appends `event` to a log.
    fn append(log: &mut Vec<SealedRow>, event: &AuditEvent) {
        let last = log.last().map_or(ChainEnd::START, SealedRow::end);
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        let row = AuditRow::new(last.next(), event, &context);
        log.push(SealedRow::after(last, row, &ToySeals(1)));
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
        let replaced = Arc::default();
        resume_since(TimeDelta::zero(), base, rows, stored, kept, &replaced).await
    }

    /// Resumes with a checkpoint in the key folder that was kept `age` before every event, and
    /// notes the one that replaces it.
    async fn resume_since(
        age: TimeDelta,
        base: ChainEnd,
        rows: Vec<SealedRow>,
        stored: Option<(AuditNumber, String)>,
        kept: Option<String>,
        replaced: &Arc<Mutex<Option<String>>>,
    ) -> Result<(), Broken> {
        let head = rows.last().map_or(base, SealedRow::end);
        let is_acceptance = |row: &&SealedRow| row.row.action == AuditAction::AuditLogAccepted.as_str();
        let accepted = rows.iter().rev().find(is_acceptance).cloned();
        let mut audit_log = MockAuditLog::new();
        audit_log
            .expect_ends()
            .returning(move || Ok(ChainEnds { base, head }));
        audit_log.expect_rows().returning(move |after, limit| {
            let later = rows.iter().filter(|row| row.row.number > after);
            Ok(later.take(limit as usize).cloned().map(Ok).collect())
        });
        audit_log
            .expect_page()
            .returning(move |_, _, _| Ok(accepted.clone().map(Ok).into_iter().collect()));
        let mut checkpoints = MockAuditCheckpoints::new();
        checkpoints.expect_newest().returning(move || {
            Ok(stored.clone().map(|(number, note)| StoredCheckpoint {
                number,
                at: now(),
                note,
            }))
        });
        let mut kept_checkpoint = MockKeptCheckpoint::new();
        let kept_at = kept.as_ref().map(|_| now() - age);
        kept_checkpoint.expect_load().return_once(move || Ok(kept));
        kept_checkpoint.expect_kept_at().returning(move || Ok(kept_at));
        let replaced = Arc::clone(replaced);
        kept_checkpoint.expect_keep().returning(move |note| {
            *replaced.lock().expect("no other thread panics") = Some(note.to_owned());
            Ok(())
        });
        let resume = ResumeAuditLog {
            audit_log: Arc::new(audit_log),
            checkpoints: Arc::new(checkpoints),
            kept: Arc::new(kept_checkpoint),
            sealer: Arc::new(ToySeals(1)),
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

    /// Returns five events after which the operator accepted the log, and the checkpoint of the
    /// acceptance.
    fn accepted_log() -> (Vec<SealedRow>, (AuditNumber, String)) {
        let mut all = rows(5, "b");
        append(&mut all, &AuditEvent::new(AuditAction::AuditLogAccepted));
        let checkpoint = stored(&all, 5);
        (all, checkpoint)
    }

    #[tokio::test]
    async fn a_kept_checkpoint_from_before_an_acceptance_is_replaced() {
        for kept in [note(rows(9, "a")[8].end(), 1), note(rows(9, "a")[2].end(), 2)] {
            let (all, checkpoint) = accepted_log();
            let replaced = Arc::default();
            let resumed = resume_since(
                TimeDelta::seconds(1),
                ChainEnd::START,
                all,
                Some(checkpoint.clone()),
                Some(kept),
                &replaced,
            );
            assert_eq!(resumed.await, Ok(()));
            let replaced = replaced.lock().expect("no other thread panics").clone();
            assert_eq!(replaced, Some(checkpoint.1));
        }
    }

    /// Events 7 to 9 are missing, which the checkpoint in the key folder covers.
    const CUT_OFF: Broken = Broken::CutOff {
        first: AuditNumber(7),
        covered: AuditNumber(9),
        witness: Witness::Kept,
    };

    #[tokio::test]
    async fn an_acceptance_from_before_the_kept_checkpoint_excuses_nothing() {
        let (all, checkpoint) = accepted_log();
        let kept = Some(note(rows(9, "a")[8].end(), 1));
        let (later, replaced) = (TimeDelta::seconds(-1), Arc::default());
        let refused = resume_since(
            later,
            ChainEnd::START,
            all.clone(),
            Some(checkpoint.clone()),
            kept.clone(),
            &replaced,
        );
        assert_eq!(refused.await, Err(CUT_OFF));

        // Another program moved the time of the acceptance, which its seal covers.
        let mut moved = all;
        moved[5].row.at += TimeDelta::days(1);
        let refused = resume_since(later, ChainEnd::START, moved, Some(checkpoint), kept, &replaced);
        assert_eq!(refused.await, Err(CUT_OFF));
    }

    #[tokio::test]
    async fn an_acceptance_that_cannot_be_read_excuses_nothing() {
        let (mut all, checkpoint) = accepted_log();
        "{".clone_into(&mut all[5].row.details);
        let kept = Some(note(rows(9, "a")[8].end(), 1));
        let (earlier, replaced) = (TimeDelta::seconds(1), Arc::default());
        let refused = resume_since(earlier, ChainEnd::START, all, Some(checkpoint), kept, &replaced);
        assert_eq!(refused.await, Err(CUT_OFF));
    }

    /// A program may store an acceptance among the pending events. It is sealed with a valid MAC,
    /// after an event that reports it.
    #[tokio::test]
    async fn an_acceptance_that_was_forged_while_it_was_pending_excuses_nothing() {
        let mut all = rows(4, "b");
        append(
            &mut all,
            &AuditEvent::new(AuditAction::PendingEventForged).with("number", "6"),
        );
        append(&mut all, &AuditEvent::new(AuditAction::AuditLogAccepted));
        let (checkpoint, kept) = (stored(&all, 5), note(rows(9, "a")[8].end(), 1));
        let (earlier, replaced) = (TimeDelta::seconds(1), Arc::default());
        let refused = resume_since(
            earlier,
            ChainEnd::START,
            all,
            Some(checkpoint),
            Some(kept),
            &replaced,
        );
        assert_eq!(refused.await, Err(CUT_OFF));
        assert_eq!(*replaced.lock().expect("no other thread panics"), None);
    }
}
