use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::EndReason,
    token::TokenIdentity,
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Ends all live sessions of a user, on the authority of an administrator. Recorded even when no session was live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokeSessions {
    pub user: UserId,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl Command for RevokeSessions {
    fn reads(&self) -> Reads {
        Reads::target(self.user, self.authorized_by)
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let target = facts.target()?;
        facts.authority(self.authorized_by, at)?.revoke(target)?;
        let event = AuditEvent::on(AuditAction::AllSessionsEnded, self.user).with("forced", true);
        Ok(Change::nothing(at)
            .ending(EndSessionsOf::User(self.user), EndReason::SessionsRevoked)
            .invalidating(InvalidationScope::User(self.user))
            .recording_count(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.user))
    }
}
