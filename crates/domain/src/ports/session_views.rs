use super::PortError;
use crate::{caller::SessionView, session::SessionId, token::Vouched};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// What every authenticated request asks for first.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait SessionViews: Send + Sync {
    /// The session with its user, roles and permissions, all as of one instant; sessions that ended or expired are still
    /// seen, as such. A view MUST show every change whose method had returned when this was called, whichever replica
    /// made it.
    async fn view(&self, session: SessionId) -> Result<Option<SessionView>, PortError>;

    /// The view by which a token that vouches for `vouched` is accepted or refused at `now`.
    ///
    /// One that was read before this was called MUST stand behind the token, and MUST show every change that was
    /// [announced](super::Revocations): memory may let in, and need not know what a refresh has changed. Without such a
    /// one the answer MUST be [`view`](Self::view)'s, for a refusal is settled by what is so now.
    async fn view_for(
        &self,
        vouched: Vouched,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionView>>, PortError> {
        let _ = now;
        Ok(self.view(vouched.session).await?.map(Arc::new))
    }
}
