use crate::{
    audit::{
        AuditContext, Broken, ChainEnd, ChainEnds, MacRule, SignedCheckpoint, StoredCheckpoint, Witnesses,
    },
    changes,
    ports::{
        AuditCheckpoints, AuditLog, AuditSealer, CheckpointSigner, CheckpointVerifier, KeptCheckpoint,
        PortError,
    },
    steps::{newest_witnesses, verify_span},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// Continues a log that contradicts its checkpoints: after a backup was restored, or the audit key
/// was lost. Also begins the checkpoints of a log with events of a version before MACs. Servers may
/// run; they adopt the new checkpoint.
pub struct AcceptAuditLog {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) kept: Arc<dyn KeptCheckpoint>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
    pub(crate) signer: Arc<dyn CheckpointSigner>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
}

/// Why the log was not accepted, or not up to its end.
#[derive(Debug, Error)]
pub enum AcceptAuditLogError {
    /// The log was accepted and signed up to the acceptance. No server wrote a later event like
    /// this.
    #[error("an event after the acceptance failed verification")]
    Broken(#[from] Broken),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl AcceptAuditLog {
    /// Records that the operator accepts the log as it is, with the position at which it ends and
    /// the one that it contradicts. Then signs its new end, and replaces all checkpoints with this
    /// one, which vouches for every event of the log. Events that servers write after the
    /// acceptance are verified before they are signed.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the log or the checkpoints cannot be written, or if the key
    /// folder has a checkpoint that cannot be replaced, and [`Broken`] if a later event is not as a
    /// server wrote it.
    pub async fn execute(&self, context: AuditContext) -> Result<SignedCheckpoint, AcceptAuditLogError> {
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
    ) -> Result<SignedCheckpoint, AcceptAuditLogError> {
        let head = self.audit_log.ends().await?.head;
        let base = accepted.end();
        if head == base {
            return Ok(accepted);
        }
        let (since, macs) = (ChainEnds { base, head }, MacRule::RequiredAfter(base.number));
        verify_span::<AcceptAuditLogError>(&*self.audit_log, &*self.sealer, since, macs).await?;
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
            Actor, AuditAction, AuditEvent, AuditNumber, AuditRow, Origin, Seal, SealedRow,
            fixtures::{ToyNotes, ToySeals},
        },
        fixtures::now,
        ports::{MockAuditCheckpoints, MockAuditLog, MockKeptCheckpoint},
    };

    fn end(number: i64) -> ChainEnd {
        ChainEnd {
            number: AuditNumber(number),
            seal: ToySeals(1).seal(&Seal::NONE, &number.to_be_bytes()),
        }
    }

    fn note(number: i64, key: u8) -> String {
        note_of(end(number), key)
    }

    fn note_of(end: ChainEnd, key: u8) -> String {
        let checkpoint = SignedCheckpoint::sign(end, &ToyNotes(key));
        checkpoint.note().to_owned()
    }

    /// Event 7, which a program with this audit key wrote after the acceptance.
    fn later(key: u8) -> SealedRow {
        let context = AuditContext::new(now(), Actor::Anonymous, Origin::default());
        let event = AuditEvent::new(AuditAction::LoginFailed);
        let row = AuditRow::new(AuditNumber(7), &event, &context);
        SealedRow::after(end(6), row, &ToySeals(key))
    }

    /// A log whose acceptance is event 6. The event `later` follows it.
    fn log(known: Option<ChainEnd>, later: SealedRow) -> MockAuditLog {
        let mut audit_log = MockAuditLog::new();
        audit_log.expect_seal().once().returning(|| ());
        audit_log
            .expect_accept()
            .once()
            .withf(move |command, _| command.known == known)
            .returning(|_, _| Ok(end(6)));
        let ends = ChainEnds {
            base: ChainEnd::START,
            head: later.end(),
        };
        audit_log.expect_ends().returning(move || Ok(ends));
        audit_log
            .expect_rows()
            .withf(|after, _| after.0 == 6)
            .returning(move |_, _| Ok(vec![Ok(later.clone())]));
        audit_log
    }

    /// Accepts a log whose key folder has `kept`. The folder accepts a new note if `is_writable`.
    async fn accept(
        kept: Option<String>,
        is_writable: bool,
        known: Option<ChainEnd>,
    ) -> Result<(), AcceptAuditLogError> {
        let signed: &[ChainEnd] = if is_writable || kept.is_none() {
            &[end(6), later(1).end()]
        } else {
            &[]
        };
        let accepted = accept_before(later(1), kept, is_writable, known, signed).await?;
        assert_eq!(accepted.end(), later(1).end(), "an event was written meanwhile");
        Ok(())
    }

    /// Accepts a log in which `later` follows the acceptance, which signs the ends `signed`.
    async fn accept_before(
        later: SealedRow,
        kept: Option<String>,
        is_writable: bool,
        known: Option<ChainEnd>,
        signed: &[ChainEnd],
    ) -> Result<SignedCheckpoint, AcceptAuditLogError> {
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
        let notes: Vec<_> = signed.iter().map(|end| note_of(*end, 1)).collect();
        checkpoints
            .expect_replace_all()
            .times(notes.len())
            .withf(move |stored| notes.contains(&stored.note))
            .returning(|_| Ok(()));
        let accept = AcceptAuditLog {
            audit_log: Arc::new(log(known, later)),
            checkpoints: Arc::new(checkpoints),
            kept: Arc::new(kept_checkpoint),
            sealer: Arc::new(ToySeals(1)),
            signer: Arc::new(ToyNotes(1)),
            verifier: Arc::new(ToyNotes(1)),
        };
        let context = AuditContext::new(now(), Actor::Operator, Origin::default());
        accept.execute(context).await
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
        assert!(
            matches!(refused, Err(AcceptAuditLogError::Port(PortError::Overloaded))),
            "{refused:?}"
        );
    }

    /// The checkpoint would vouch for an event that a program without the audit key added.
    #[tokio::test]
    async fn an_event_after_the_acceptance_is_not_signed_unless_a_server_wrote_it() {
        let seven = AuditNumber(7);
        let without_mac = SealedRow {
            mac: None,
            ..later(1)
        };
        let other_key = Broken::UnknownKey(seven, later(2).mac.expect("it has a MAC").key);
        for (later, expected) in [(without_mac, Broken::NoMac(seven)), (later(2), other_key)] {
            let refused = accept_before(later, None, true, None, &[end(6)]).await;
            let Err(AcceptAuditLogError::Broken(broken)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(broken, expected);
        }
    }
}
