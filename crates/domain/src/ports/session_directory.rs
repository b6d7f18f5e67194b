use super::PortError;
use crate::{session::SessionSummary, user::UserId};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Lists and removes sessions.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait SessionDirectory: Send + Sync {
    /// Returns the sessions of `user` that are live at `now`, those opened last first. MUST NOT
    /// depend on the clocks under which they were opened.
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError>;

    /// Removes at most `limit` sessions that ended or expired before `before`, and returns their
    /// number. It MUST NOT remove a live session.
    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError>;
}
