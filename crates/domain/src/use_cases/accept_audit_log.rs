use crate::{
    audit::{AuditContext, ChainEnd, SignedCheckpoint, StoredCheckpoint, Witnesses},
    changes,
    ports::{AuditCheckpoints, AuditLog, CheckpointSigner, CheckpointVerifier, KeptCheckpoint, PortError},
    steps::newest_witnesses,
};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Continues a log that contradicts its checkpoints: after a backup was restored, or the audit key
/// was lost. Also begins the checkpoints of a log with events of a version before MACs. Servers may
/// run; they adopt the new checkpoint.
pub struct AcceptAuditLog {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) kept: Arc<dyn KeptCheckpoint>,
    pub(crate) signer: Arc<dyn CheckpointSigner>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
}

impl AcceptAuditLog {
    /// Records that the operator accepts the log as it is, with the position at which it ends and
    /// the one that it contradicts. Then signs its new end, and replaces all checkpoints with this
    /// one, which vouches for every event of the log.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the log or the checkpoints cannot be written, or if the key
    /// folder has a checkpoint that cannot be replaced.
    pub async fn execute(&self, context: AuditContext) -> Result<SignedCheckpoint, PortError> {
        let witnesses = newest_witnesses(&*self.checkpoints, &*self.kept).await?;
        self.audit_log.seal().await;
        let command = changes::AcceptAuditLog {
            known: self.newest_valid(&witnesses),
        };
        let at = context.at;
        let head = self.audit_log.accept(command, context).await?;
        let checkpoint = SignedCheckpoint::sign(head, &*self.signer);
        // The key folder first: a crash in between leaves a contradiction, which is reported.
        let kept = self.kept.keep(checkpoint.note()).await;
        if witnesses.kept.is_some() {
            kept?;
        }
        let stored = StoredCheckpoint {
            number: head.number,
            at,
            note: checkpoint.note().to_owned(),
        };
        self.checkpoints.replace_all(stored).await?;
        self.cover_later(checkpoint, at).await
    }

    /// Signs the end of the log again if it has moved: a running server may have signed it and kept
    /// its checkpoint in the key folder, and the stored one was replaced.
    async fn cover_later(
        &self,
        accepted: SignedCheckpoint,
        at: DateTime<Utc>,
    ) -> Result<SignedCheckpoint, PortError> {
        let head = self.audit_log.ends().await?.head;
        if head == accepted.end() {
            return Ok(accepted);
        }
        let checkpoint = SignedCheckpoint::sign(head, &*self.signer);
        let stored = StoredCheckpoint {
            number: head.number,
            at,
            note: checkpoint.note().to_owned(),
        };
        self.checkpoints.replace_all(stored).await?;
        Ok(checkpoint)
    }

    /// Returns the position of the newest checkpoint with a valid signature.
    fn newest_valid(&self, witnesses: &Witnesses) -> Option<ChainEnd> {
        let stored = witnesses.stored.iter().map(|stored| &stored.note);
        stored
            .chain(&witnesses.kept)
            .filter_map(|note| SignedCheckpoint::parse(note, &*self.verifier).ok())
            .map(|checkpoint| checkpoint.end())
            .max_by_key(|end| end.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{
            Actor, AuditNumber, ChainEnds, Origin, Seal,
            fixtures::{ToyNotes, ToySeals},
        },
        fixtures::now,
        ports::{AuditSealer, MockAuditCheckpoints, MockAuditLog, MockKeptCheckpoint},
    };

    fn end(number: i64) -> ChainEnd {
        ChainEnd {
            number: AuditNumber(number),
            seal: ToySeals(1).seal(&Seal::NONE, &number.to_be_bytes()),
        }
    }

    fn note(number: i64, key: u8) -> String {
        let checkpoint = SignedCheckpoint::sign(end(number), &ToyNotes(key));
        checkpoint.note().to_owned()
    }

    /// A log whose acceptance is event 6. Another event follows it.
    fn log(known: Option<ChainEnd>) -> MockAuditLog {
        let mut audit_log = MockAuditLog::new();
        audit_log.expect_seal().once().returning(|| ());
        audit_log
            .expect_accept()
            .once()
            .withf(move |command, _| command.known == known)
            .returning(|_, _| Ok(end(6)));
        let ends = ChainEnds {
            base: ChainEnd::START,
            head: end(7),
        };
        audit_log.expect_ends().returning(move || Ok(ends));
        audit_log
    }

    /// Accepts a log whose key folder has `kept`. The folder accepts a new note if `is_writable`.
    async fn accept(
        kept: Option<String>,
        is_writable: bool,
        known: Option<ChainEnd>,
    ) -> Result<(), PortError> {
        let is_accepted = is_writable || kept.is_none();
        let mut kept_checkpoint = MockKeptCheckpoint::new();
        kept_checkpoint.expect_load().return_once(move || Ok(kept));
        kept_checkpoint.expect_keep().returning(move |new| {
            assert_eq!(new, note(6, 1));
            if is_writable {
                Ok(())
            } else {
                Err(PortError::Overloaded)
            }
        });
        let mut checkpoints = MockAuditCheckpoints::new();
        checkpoints.expect_newest().returning(|| Ok(None));
        checkpoints
            .expect_replace_all()
            .times(if is_accepted { 2 } else { 0 })
            .withf(|stored| {
                let number = stored.number.0;
                (6..=7).contains(&number) && stored.note == note(number, 1)
            })
            .returning(|_| Ok(()));
        let accept = AcceptAuditLog {
            audit_log: Arc::new(log(known)),
            checkpoints: Arc::new(checkpoints),
            kept: Arc::new(kept_checkpoint),
            signer: Arc::new(ToyNotes(1)),
            verifier: Arc::new(ToyNotes(1)),
        };
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        let accepted = accept.execute(context).await?;
        assert_eq!(accepted.end(), end(7), "an event was written meanwhile");
        Ok(())
    }

    #[tokio::test]
    async fn the_newest_valid_checkpoint_is_named() {
        let accepted = accept(Some(note(9, 1)), true, Some(end(9))).await;
        assert!(accepted.is_ok(), "{accepted:?}");
        let accepted = accept(Some(note(9, 2)), true, None).await;
        assert!(accepted.is_ok(), "a lost key: {accepted:?}");
    }

    #[tokio::test]
    async fn a_key_folder_that_cannot_be_written_matters_only_if_it_has_a_checkpoint() {
        let accepted = accept(None, false, None).await;
        assert!(accepted.is_ok(), "{accepted:?}");
        let refused = accept(Some(note(9, 2)), false, None).await;
        assert!(matches!(refused, Err(PortError::Overloaded)), "{refused:?}");
    }
}
