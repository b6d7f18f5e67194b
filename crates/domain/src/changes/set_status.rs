use super::{Account, Change, Command, EndSessionsOf, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::EndReason,
    user::{User, UserStatus},
};
use chrono::{DateTime, Utc};

/// Enables or disables a user. Disabling invalidates all of their tokens; enabling restores none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetStatus {
    pub account: Account,
    pub status: UserStatus,
}

impl Command for SetStatus {
    fn reads(&self) -> Reads {
        Reads {
            may_remove_admin: self.status == UserStatus::Disabled,
            ..self.account.reads()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let before = self.account.admit(facts, at)?;
        if before.status == self.status {
            return Ok(unchanged(before, at));
        }
        let user = User {
            status: self.status,
            ..before.clone()
        };
        match self.status {
            UserStatus::Active => {
                let event = AuditEvent::on(AuditAction::UserEnabled, before.id);
                Ok(Change::update(at, user, None).recording(event))
            }
            UserStatus::Disabled => {
                let disabled = User {
                    epoch: before.epoch.next(),
                    ..user
                };
                facts.keep_an_admin(before, Some(&disabled))?;
                let event = AuditEvent::on(AuditAction::UserDisabled, before.id);
                Ok(Change::update(at, disabled, None)
                    .ending(EndSessionsOf::User(before.id), EndReason::UserDisabled)
                    .recording(event))
            }
        }
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.account.user))
    }
}

/// The user has the status: another request has set it, and may still be waiting for replicas.
fn unchanged(user: &User, at: DateTime<Utc>) -> Change {
    Change::new(at, UserChange::Unchanged(user.clone())).invalidating(InvalidationScope::User(user.id))
}
