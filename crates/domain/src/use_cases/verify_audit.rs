use crate::{
    audit::{AuditRow, Broken, BrokenRow, ChainEnd, ChainEnds, ChainReader, Seal},
    authority::{AuditRead, Capability},
    ports::{AuditSealer, AuditTrail, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// How many rows are read at once.
const BATCH: u32 = 5_000;

/// Follows the audit trail from its first event to its last and finds what was changed, removed or swapped.
pub struct VerifyAudit {
    trail: Arc<dyn AuditTrail>,
    sealer: Arc<dyn AuditSealer>,
}

/// How far the trail was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub ends: ChainEnds,
    pub reached: ChainEnd,
}

#[derive(Debug, Error)]
pub enum VerifyAuditError {
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The chain holds, but it is not the one of which `anchor` was a part: it was made anew from there or before.
    #[error("event {} does not have the seal that was noted", .0.number)]
    AnotherChain(ChainEnd),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl VerifyAudit {
    pub fn new(trail: Arc<dyn AuditTrail>, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { trail, sealer }
    }

    /// The ends of the chain, when all of it holds. Events that come meanwhile are left out. `anchor` is an event's number
    /// and seal that somebody noted elsewhere.
    ///
    /// # Errors
    /// [`VerifyAuditError`], at the first event that is not as it was written.
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        anchor: Option<ChainEnd>,
        mut on_progress: impl FnMut(Progress) + Send,
    ) -> Result<ChainEnds, VerifyAuditError> {
        loop {
            let ends = self.trail.ends().await?;
            match self.follow(ends, anchor, &mut on_progress).await {
                // The oldest events may have been removed on purpose while they were read.
                Err(VerifyAuditError::Broken(Broken::Missing(number)))
                    if self.trail.ends().await?.base.number >= number => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(ends),
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
            let rows = self.trail.rows(chain.last().number, BATCH).await?;
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

    /// Nobody writes behind the head without moving it, so whatever stands behind the one that is read afterwards is forged.
    async fn nothing_added(&self, ends: ChainEnds) -> Result<(), VerifyAuditError> {
        let behind = self.trail.rows(ends.head.number, BATCH).await?;
        let head = self.trail.ends().await?.head.number;
        let number = |row: &Result<(AuditRow, Seal), BrokenRow>| match row {
            Ok((row, _)) => row.number,
            Err(broken) => broken.0,
        };
        match behind.iter().map(number).find(|number| *number > head) {
            Some(added) => Err(Broken::Added(added).into()),
            None => Ok(()),
        }
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
