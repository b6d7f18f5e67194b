use super::PortError;
use crate::{caller::SessionView, session::SessionId};
use async_trait::async_trait;

/// What every authenticated request asks for first.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait SessionViews: Send + Sync {
    /// The session with its user, roles and permissions, all as of one instant; sessions that ended or expired are still
    /// seen, as such. A view MUST show every change whose method had returned when this was called, whichever replica
    /// made it.
    async fn view(&self, session: SessionId) -> Result<Option<SessionView>, PortError>;
}
