use super::{Account, Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    password::PasswordHash,
    session::EndReason,
    user::User,
};
use chrono::{DateTime, Utc};

/// Replaces a user's password by one that they must change at the next login. Ends all of their sessions.
#[derive(Clone, Debug)]
pub struct ResetPassword {
    pub account: Account,
    pub hash: PasswordHash,
}

impl Command for ResetPassword {
    fn reads(&self) -> Reads {
        self.account.reads()
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let before = self.account.admit(facts, at)?;
        let user = User {
            epoch: before.epoch.next(),
            must_change_password: true,
            ..before.clone()
        };
        let event = AuditEvent::on(AuditAction::PasswordReset, user.id);
        let all = EndSessionsOf::User(user.id);
        Ok(Change::update(at, user, Some(self.hash.clone()))
            .ending(all, EndReason::PasswordReset)
            .recording(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.account.user))
    }
}
