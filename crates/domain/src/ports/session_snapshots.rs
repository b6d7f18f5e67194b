use super::PortError;
use crate::{caller::SessionSnapshot, session::SessionId, token::TokenIdentity};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Reads session snapshots. Every authenticated request begins with one.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait SessionSnapshots: Send + Sync {
    /// Returns the session with its user, roles and permissions, all read at the same instant.
    /// Ended and expired sessions are returned too, marked as such. The snapshot MUST include every
    /// change whose method had returned before this was called, on any replica.
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError>;

    /// Returns the snapshot that decides whether a token with `identity` is accepted at `now`.
    ///
    /// A snapshot read before this call MUST only be returned if it validates the token and
    /// includes every change that was [published](super::Revocations): a cache may accept a token,
    /// and need not reflect refreshes. In all other cases the result MUST be that of
    /// [`snapshot`](Self::snapshot), because a rejection has to be based on the current state.
    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        let _ = now;
        Ok(self.snapshot(identity.session).await?.map(Arc::new))
    }
}
