use super::PortError;
use crate::{caller::SessionSnapshot, session::SessionId, token::TokenIdentity};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// What every authenticated request asks for first.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait SessionSnapshots: Send + Sync {
    /// The session with its user, roles and permissions, all as of one instant; sessions that ended or expired are still
    /// seen, as such. A view MUST show every change whose method had returned when this was called, whichever replica
    /// made it.
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError>;

    /// The view by which a token that vouches for `identity` is accepted or refused at `now`.
    ///
    /// One that was read before this was called MUST stand behind the token, and MUST show every change that was
    /// [announced](super::Revocations): memory may let in, and need not know what a refresh has changed. Without such a
    /// one the answer MUST be [`snapshot`](Self::snapshot)'s, for a refusal is settled by what is so now.
    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        let _ = now;
        Ok(self.snapshot(identity.session).await?.map(Arc::new))
    }
}
