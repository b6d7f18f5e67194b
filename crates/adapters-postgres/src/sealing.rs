//! Seals pending events: before the audit log is read, and when a periodic task asks for it.

use crate::{
    PostgresStorage,
    changes::{ChainLock, SealedEvents, seal},
    tables::audit_pending,
};
use domain::ports::PortError;

impl PostgresStorage {
    /// Waits until this process has written an event since the last call. The event may not be
    /// committed yet.
    pub async fn event_written(&self) {
        self.written.notified().await;
    }

    /// Seals the oldest pending events, unless another process does at this moment.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the database fails. The events stay pending then.
    pub async fn seal(&self) -> Result<SealedEvents, PortError> {
        if self.seals && self.has_pending().await? {
            self.seal_with(ChainLock::Skip).await
        } else {
            Ok(SealedEvents::default())
        }
    }

    /// Seals every event that was committed before this call.
    pub(crate) async fn seal_all(&self) -> Result<(), PortError> {
        while self.seals && self.has_pending().await? {
            if !self.seal_with(ChainLock::Wait).await?.may_continue {
                break;
            }
        }
        Ok(())
    }

    async fn has_pending(&self) -> Result<bool, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(audit_pending::any(conn)))
            .await
    }

    async fn seal_with(&self, lock: ChainLock) -> Result<SealedEvents, PortError> {
        let input = (self.sealer.clone(), lock);
        self.database
            .write(input, |conn, (sealer, lock)| {
                Box::pin(seal(conn, &**sealer, *lock))
            })
            .await
    }
}
