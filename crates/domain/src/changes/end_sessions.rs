use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::EndReason,
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Ends all live sessions of a user, at the user's own request. Without such a user there is nothing to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSessions {
    pub user: UserId,
    pub reason: EndReason,
}

impl Command for EndSessions {
    fn reads(&self) -> Reads {
        Reads {
            account: Some(self.user),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let change = Change::nothing(at).invalidating(InvalidationScope::User(self.user));
        if facts.account.is_none() {
            return Ok(change);
        }
        Ok(change
            .ending(EndSessionsOf::User(self.user), self.reason)
            .recording_count(AuditEvent::on(AuditAction::AllSessionsEnded, self.user)))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.user))
    }
}
