use super::{Account, Change, Command, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
};
use chrono::{DateTime, Utc};

/// Removes a user for good, with their roles and sessions. The audit log keeps what was done to them, and the login is
/// free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteUser(pub Account);

impl Command for DeleteUser {
    fn reads(&self) -> Reads {
        Reads {
            may_remove_admin: true,
            ..self.0.reads()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let user = self.0.admit(facts, at)?;
        facts.keep_an_admin(user, None)?;
        Ok(Change::new(at, UserChange::Delete(user.clone()))
            .invalidating(InvalidationScope::User(user.id))
            .recording(AuditEvent::on(AuditAction::UserDeleted, user.id)))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.0.user))
    }
}
