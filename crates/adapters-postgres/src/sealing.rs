//! Seals pending events: when the caller of a port or a periodic task asks for it.

use crate::{
    PostgresStorage,
    changes::{ChainLock, SealRequest, SealedEvents, seal},
    tables::audit_pending::{self, Look, OldestPending},
};
use domain::ports::PortError;
use std::sync::atomic::{AtomicU32, Ordering};

/// The maximum number of events that one transaction seals.
const MAX_BATCH: u32 = 1_000;

/// The number of events that the next transaction seals. It is halved after a failure, because a
/// slow server may not seal more events in time.
pub struct BatchSize(AtomicU32);

impl Default for BatchSize {
    fn default() -> Self {
        Self(AtomicU32::new(MAX_BATCH))
    }
}

impl BatchSize {
    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes the size after a transaction.
    fn adapt(&self, sealed: &Result<SealedEvents, PortError>) {
        let size = self.get();
        let next = match sealed {
            Ok(sealed) if sealed.count == 0 => size,
            Ok(_) => (size * 2).min(MAX_BATCH),
            Err(_) => (size / 2).max(1),
        };
        self.0.store(next, Ordering::Relaxed);
    }
}

impl PostgresStorage {
    /// Waits until this process has written an event since the last call. The event may not be
    /// committed yet.
    pub async fn event_written(&self) {
        self.written.notify.notified().await;
    }

    /// Returns the pending event with the lowest number, if there is one.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the database fails.
    pub async fn oldest_pending(&self, look: Look) -> Result<Option<OldestPending>, PortError> {
        self.database
            .read(look, |conn, look| Box::pin(audit_pending::oldest(conn, *look)))
            .await
    }

    /// Seals pending events, lowest numbers first, unless another process does at this moment.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the database fails. The events stay pending then, and the next
    /// call seals fewer.
    pub async fn seal_batch(&self, look: Look) -> Result<SealedEvents, PortError> {
        self.seal_with(ChainLock::Skip, look).await
    }

    /// Seals every event that was committed before this call.
    pub(crate) async fn seal_all(&self) -> Result<(), PortError> {
        for look in [Look::New, Look::All] {
            while self.oldest_pending(look).await?.is_some() {
                if !self.seal_with(ChainLock::Wait, look).await?.may_continue {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn seal_with(&self, chain: ChainLock, look: Look) -> Result<SealedEvents, PortError> {
        if !self.seals {
            return Ok(SealedEvents::default());
        }
        let request = SealRequest {
            lock: chain,
            look,
            limit: self.batch_size.get(),
        };
        let input = (self.sealer.clone(), request);
        let sealed = self
            .database
            .write(input, |conn, (sealer, request)| {
                Box::pin(seal(conn, &**sealer, *request))
            })
            .await;
        self.batch_size.adapt(&sealed);
        if let Ok(sealed) = &sealed {
            self.written.forget(sealed.macs.iter().copied());
        }
        for number in sealed.iter().flat_map(|sealed| &sealed.forged) {
            tracing::error!(
                event = number.0,
                "an audit event was forged, or edited before it was sealed; run `authapi audit verify`"
            );
        }
        sealed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_halves_the_batch_and_a_success_doubles_it() {
        let sealed = |count| {
            Ok(SealedEvents {
                count,
                ..SealedEvents::default()
            })
        };
        let size = BatchSize::default();
        let next = |sealed| {
            size.adapt(&sealed);
            size.get()
        };
        assert_eq!(next(Err(PortError::Overloaded)), 500);
        assert_eq!(next(Err(PortError::Overloaded)), 250);
        assert_eq!(next(sealed(0)), 250, "another process held the chain");
        assert_eq!(next(sealed(250)), 500);
        assert_eq!(next(sealed(3)), 1_000);
        assert_eq!(next(sealed(1_000)), 1_000);
        for _ in 0..20 {
            next(Err(PortError::Overloaded));
        }
        assert_eq!(size.get(), 1);
    }
}
