use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal, account::require_revision};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    revision::Revision,
    role::{RoleName, RoleNames, joined},
    session::EndReason,
    token::TokenIdentity,
    user::{User, UserId},
};
use chrono::{DateTime, Utc};

/// Replaces a user's roles and invalidates all of their access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignRoles {
    pub user: UserId,
    pub roles: RoleNames,
    /// Keep the user's sessions: their next refresh carries the new roles.
    pub keep_sessions: bool,
    /// Change the user only at this revision.
    pub if_revision: Option<Revision>,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl Command for AssignRoles {
    fn reads(&self) -> Reads {
        Reads {
            roles: self.roles.clone(),
            may_remove_admin: !self.roles.contains(&RoleName::ADMIN),
            ..Reads::target(self.user, self.authorized_by)
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let target = facts.target()?;
        let authority = facts.authority(self.authorized_by, at)?;
        facts.require_known(&self.roles)?;
        authority.assign(target, &self.roles, &facts.roles)?;
        let before = &target.user;
        require_revision(self.if_revision, before.revision)?;
        let after = User {
            roles: self.roles.clone(),
            epoch: before.epoch.next(),
            ..before.clone()
        };
        facts.keep_an_admin(before, Some(&after))?;
        let event = AuditEvent::on(AuditAction::RolesChanged, self.user)
            .with("before", joined(&before.roles))
            .with("after", joined(&after.roles));
        let change = Change::update(at, after, None);
        Ok(if self.keep_sessions {
            change.recording(event.with("kept_sessions", true))
        } else {
            let all = EndSessionsOf::User(self.user);
            change.ending(all, EndReason::RolesChanged).recording(event)
        })
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.user))
    }
}
