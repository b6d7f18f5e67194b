use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    authority::{Authority, Denied},
    invalidation::InvalidationScope,
    password::PasswordHash,
    session::{EndReason, NewSession},
    token::TokenIdentity,
    user::User,
};
use chrono::{DateTime, Utc};

/// Replaces the caller's password by one of their own choice. Ends all of their sessions and opens a new one.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The caller's token, validated again in the transaction.
    pub authorized_by: TokenIdentity,
    pub hash: PasswordHash,
    pub session: NewSession,
}

impl Command for ChangePassword {
    fn reads(&self) -> Reads {
        Reads {
            caller: Some(self.authorized_by),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let Authority::Caller(caller) = facts.authority(Some(self.authorized_by), at)? else {
            return Err(Denied::Stale.into());
        };
        let user = User {
            epoch: caller.user().epoch.next(),
            must_change_password: false,
            ..caller.user().clone()
        };
        let event = AuditEvent::on(AuditAction::PasswordChanged, user.id).in_session(self.session.id);
        let all = EndSessionsOf::User(user.id);
        Ok(Change::update(at, user, Some(self.hash.clone()))
            .ending(all, EndReason::PasswordChanged)
            .opening(self.session.clone())
            .recording(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.authorized_by.user))
    }
}
