use crate::{
    audit::{
        AuditNumber, Broken, ChainEnd, ChainEnds, Evidence, MacRule, SignedCheckpoint, StoredCheckpoint,
        Witness,
    },
    ports::{
        AuditCheckpoints, AuditLog, AuditSealer, CheckpointSigner, CheckpointVerifier, Clock, KeptCheckpoint,
        PortError,
    },
    steps::{AcceptancePorts, newest_witnesses, stored_end, verify_span},
};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// Signs the end of the audit log, after it has verified the rows since the last checkpoint. If
/// another replica has signed since, it adopts the checkpoint of that replica instead.
pub struct SignCheckpoint {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) kept: Arc<dyn KeptCheckpoint>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
    pub(crate) signer: Arc<dyn CheckpointSigner>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) last: Mutex<Option<LastCheckpoint>>,
}

/// The last checkpoint that this process signed or adopted, or that it found when it started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastCheckpoint {
    end: ChainEnd,
    /// The last time at which the log contained it.
    at: DateTime<Utc>,
}

/// Which events the first checkpoint of a log may cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstCheckpoint {
    /// None: it must not be signed yet.
    NotYet,
    /// All, if only those up to this one lack a MAC; 0 if every event needs a valid one.
    VouchesUpTo(AuditNumber),
}

/// A checkpoint that was signed and stored.
#[derive(Debug)]
pub struct NewCheckpoint {
    pub checkpoint: SignedCheckpoint,
    /// Why it was not kept outside the database, if so.
    pub not_kept: Option<PortError>,
}

/// The outcome of signing the end of the log.
#[derive(Debug)]
pub enum Signing {
    /// The last checkpoint covers every event, or retention removed events meanwhile.
    Unchanged,
    /// The log has no checkpoint yet, and this one must not be the first.
    NotBegun,
    /// The log has no checkpoint yet, and this event has no MAC, so that the operator must accept
    /// the log.
    NeedsAcceptance(AuditNumber),
    /// A newer checkpoint of another process was adopted.
    Adopted(NewCheckpoint),
    Signed(NewCheckpoint),
}

/// Why the end of the log was not signed.
#[derive(Debug, Error)]
pub enum SignCheckpointError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl SignCheckpoint {
    /// Signs the end of the log, unless the last checkpoint covers it, or there is a newer one.
    /// `first` applies if the log has no checkpoint.
    ///
    /// # Errors
    /// Returns [`Broken`] if the log contradicts the last checkpoint, and the operator has not
    /// accepted it since, or if a later event was not written with the audit key.
    pub async fn execute(&self, first: FirstCheckpoint) -> Result<Signing, SignCheckpointError> {
        let last = self.last().await?;
        let ends = self.audit_log.ends().await?;
        let Some(last) = last else {
            return self.sign_first(first, ends).await;
        };
        if last.end == ends.head {
            self.set_last(last.end);
            return Ok(Signing::Unchanged);
        }
        if let Err(error) = self.check_contains(last.end, ends).await {
            return match self.accepted_since(last.at, ends).await {
                Ok(Some(checkpoint)) => Ok(Signing::Adopted(self.adopt(checkpoint).await)),
                Ok(None) | Err(_) => Err(error),
            };
        }
        match self.newer(last.end, ends).await? {
            Some(checkpoint) => Ok(Signing::Adopted(self.adopt(checkpoint).await)),
            None => self.sign(last.end, ends).await,
        }
    }

    /// Signs the first checkpoint of the log.
    async fn sign_first(
        &self,
        first: FirstCheckpoint,
        ends: ChainEnds,
    ) -> Result<Signing, SignCheckpointError> {
        if ends.head.number == ChainEnd::START.number {
            return Ok(Signing::Unchanged);
        }
        let FirstCheckpoint::VouchesUpTo(vouched) = first else {
            return Ok(Signing::NotBegun);
        };
        match self.verify(ends, MacRule::MissingUpTo(vouched)).await {
            Ok(()) => self.signed(ends.head).await,
            Err(SignCheckpointError::Broken(Broken::NoMac(number))) => Ok(Signing::NeedsAcceptance(number)),
            Err(error) => self.unless_trimmed(error).await,
        }
    }

    /// Signs the head of `ends`, after `last`.
    async fn sign(&self, last: ChainEnd, ends: ChainEnds) -> Result<Signing, SignCheckpointError> {
        let base = if last.number >= ends.base.number {
            last
        } else {
            ends.base
        };
        let since = ChainEnds { base, ..ends };
        match self.verify(since, MacRule::RequiredAfter(last.number)).await {
            Ok(()) => self.signed(ends.head).await,
            Err(error) => self.unless_trimmed(error).await,
        }
    }

    async fn signed(&self, head: ChainEnd) -> Result<Signing, SignCheckpointError> {
        let checkpoint = SignedCheckpoint::sign(head, &*self.signer);
        self.store(&checkpoint).await?;
        Ok(Signing::Signed(self.adopt(checkpoint).await))
    }

    /// Makes `checkpoint` the last one of this process, and keeps it outside the database.
    async fn adopt(&self, checkpoint: SignedCheckpoint) -> NewCheckpoint {
        self.set_last(checkpoint.end());
        let not_kept = self.kept.keep(checkpoint.note()).await.err();
        NewCheckpoint { checkpoint, not_kept }
    }

    /// Returns the last checkpoint of this process, or else the newest one that it finds.
    async fn last(&self) -> Result<Option<LastCheckpoint>, SignCheckpointError> {
        let last = *self.lock_last();
        if last.is_some() {
            return Ok(last);
        }
        let witnesses = newest_witnesses(&*self.checkpoints, &*self.kept).await?;
        let evidence = Evidence::read(&witnesses, &*self.verifier)?;
        evidence.check_reach(self.audit_log.ends().await?.head)?;
        if let Some(found) = evidence.newest_signed() {
            self.set_last(found);
        }
        Ok(*self.lock_last())
    }

    fn set_last(&self, end: ChainEnd) {
        let at = self.clock.now();
        *self.lock_last() = Some(LastCheckpoint { end, at });
    }

    fn lock_last(&self) -> MutexGuard<'_, Option<LastCheckpoint>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the newest stored checkpoint if it proves that the log was accepted after `since`.
    async fn accepted_since(
        &self,
        since: DateTime<Utc>,
        ends: ChainEnds,
    ) -> Result<Option<SignedCheckpoint>, SignCheckpointError> {
        let acceptance = AcceptancePorts {
            audit_log: &*self.audit_log,
            checkpoints: &*self.checkpoints,
            sealer: &*self.sealer,
            verifier: &*self.verifier,
        };
        acceptance.since(since, ends).await
    }

    /// Checks that the log contains `last`, unless retention removed its event.
    async fn check_contains(&self, last: ChainEnd, ends: ChainEnds) -> Result<(), SignCheckpointError> {
        if last.number > ends.head.number {
            return Err(SignCheckpointError::Broken(Broken::CutOff {
                first: ends.head.next(),
                covered: last.number,
                witness: Witness::Own,
            }));
        }
        match stored_end::<SignCheckpointError>(&*self.audit_log, last.number, ends).await? {
            Some(found) if found != last => Err(Broken::OtherChain(last.number, Witness::Own).into()),
            _ => Ok(()),
        }
    }

    /// Returns the newest stored checkpoint if it is a valid one of this log, after `last`. The
    /// process that signed it has verified the rows up to it.
    async fn newer(
        &self,
        last: ChainEnd,
        ends: ChainEnds,
    ) -> Result<Option<SignedCheckpoint>, SignCheckpointError> {
        let stored = self.checkpoints.newest().await?;
        let parsed = stored.map(|stored| SignedCheckpoint::parse(&stored.note, &*self.verifier));
        let Some(Ok(checkpoint)) = parsed else {
            return Ok(None);
        };
        let end = checkpoint.end();
        if end.number <= last.number || end.number > ends.head.number {
            return Ok(None);
        }
        let found = stored_end::<SignCheckpointError>(&*self.audit_log, end.number, ends).await?;
        Ok((found == Some(end)).then_some(checkpoint))
    }

    async fn verify(&self, span: ChainEnds, macs: MacRule) -> Result<(), SignCheckpointError> {
        verify_span(&*self.audit_log, &*self.sealer, span, macs).await
    }

    /// Returns `error`, unless retention removed the missing event while the rows were read.
    async fn unless_trimmed(&self, error: SignCheckpointError) -> Result<Signing, SignCheckpointError> {
        match error {
            SignCheckpointError::Broken(Broken::Missing(number))
                if self.audit_log.ends().await?.base.number >= number =>
            {
                Ok(Signing::Unchanged)
            }
            error => Err(error),
        }
    }

    async fn store(&self, checkpoint: &SignedCheckpoint) -> Result<(), PortError> {
        let at = self.clock.now();
        let stored = StoredCheckpoint {
            number: checkpoint.end().number,
            at,
            note: checkpoint.note().to_owned(),
        };
        self.checkpoints.store(stored, hour_of(at)).await
    }
}

/// Returns the start of the hour of `at`.
fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests;
