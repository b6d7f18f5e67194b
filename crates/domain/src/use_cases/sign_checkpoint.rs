use crate::{
    audit::{
        AuditNumber, Broken, ChainEnd, ChainEnds, Evidence, MacRule, SignedCheckpoint, SpanVerifier,
        StoredCheckpoint, Witness,
    },
    ports::{
        AuditCheckpoints, AuditLog, AuditSealer, CheckpointSigner, CheckpointVerifier, Clock, KeptCheckpoint,
        PortError,
    },
    steps::newest_witnesses,
};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// The number of rows per read.
const BATCH: u32 = 5_000;
/// Every row may lack a MAC before the first checkpoint.
const ANY: AuditNumber = AuditNumber(i64::MAX);

/// Signs the end of the audit log, after it has verified the rows since the last checkpoint.
pub struct SignCheckpoint {
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) checkpoints: Arc<dyn AuditCheckpoints>,
    pub(crate) kept: Arc<dyn KeptCheckpoint>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
    pub(crate) signer: Arc<dyn CheckpointSigner>,
    pub(crate) verifier: Arc<dyn CheckpointVerifier>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The position of the last checkpoint that this process signed or found.
    pub(crate) last: Mutex<Option<ChainEnd>>,
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
    /// The last checkpoint covers every event.
    Unchanged,
    /// The log has no checkpoint yet, and this one must not be the first.
    NotBegun,
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
    /// Signs the end of the log, unless the last checkpoint covers it. The first checkpoint of a
    /// log vouches for events without a MAC; without `may_begin`, it is not signed.
    ///
    /// # Errors
    /// Returns [`Broken`] if the log contradicts the last checkpoint, or if a later event was not
    /// written with the audit key.
    pub async fn execute(&self, may_begin: bool) -> Result<Signing, SignCheckpointError> {
        let last = self.last().await?;
        let ends = self.audit_log.ends().await?;
        if last == Some(ends.head) || ends.head.number == ChainEnd::START.number {
            return Ok(Signing::Unchanged);
        }
        if last.is_none() && !may_begin {
            return Ok(Signing::NotBegun);
        }
        if let Err(error) = self.verify_since(last, ends).await {
            return self.unless_trimmed(error).await;
        }
        let checkpoint = SignedCheckpoint::sign(ends.head, &*self.signer);
        self.store(&checkpoint).await?;
        *self.own() = Some(ends.head);
        let not_kept = self.kept.keep(checkpoint.note()).await.err();
        Ok(Signing::Signed(NewCheckpoint { checkpoint, not_kept }))
    }

    /// Returns the position of the last checkpoint of this process, or else of the newest one that
    /// it finds.
    async fn last(&self) -> Result<Option<ChainEnd>, SignCheckpointError> {
        let own = *self.own();
        if own.is_some() {
            return Ok(own);
        }
        let witnesses = newest_witnesses(&*self.checkpoints, &*self.kept).await?;
        let evidence = Evidence::read(&witnesses, &*self.verifier)?;
        evidence.check_reach(self.audit_log.ends().await?.head)?;
        let found = evidence.newest_signed();
        *self.own() = found;
        Ok(found)
    }

    fn own(&self) -> MutexGuard<'_, Option<ChainEnd>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn verify_since(&self, last: Option<ChainEnd>, ends: ChainEnds) -> Result<(), SignCheckpointError> {
        check_reach(last, ends.head)?;
        let base = last
            .filter(|last| last.number >= ends.base.number)
            .unwrap_or(ends.base);
        let covered = last.map_or(ANY, |last| last.number);
        let span = ChainEnds { base, ..ends };
        let mut rows = SpanVerifier::new(span, &*self.sealer, MacRule::RequiredAfter(covered));
        while rows.last().number < ends.head.number {
            let read = self.audit_log.rows(rows.last().number, BATCH).await?;
            if read.is_empty() {
                break;
            }
            for row in read {
                if rows.last().number == ends.head.number {
                    break;
                }
                rows.follow(&row.map_err(|broken| Broken::Changed(broken.0))?)?;
            }
        }
        rows.finish()?;
        Ok(())
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

fn check_reach(last: Option<ChainEnd>, head: ChainEnd) -> Result<(), Broken> {
    match last {
        Some(last) if last.number > head.number => Err(Broken::CutOff {
            first: head.next(),
            covered: last.number,
            witness: Witness::Own,
        }),
        Some(last) if last.number == head.number && last.seal != head.seal => {
            Err(Broken::OtherChain(last.number, Witness::Own))
        }
        _ => Ok(()),
    }
}

/// Returns the start of the hour of `at`.
fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests;
