//! What is kept of every security event: who did it, to whom, when and from where.

mod chain;
mod row;

pub use chain::{Broken, ChainEnd, ChainEnds, ChainReader, Seal};
pub use row::{AuditRow, BrokenRow, ReadRow};

pub use crate::origin::Origin;
use crate::{session::SessionId, user::UserId};
use chrono::{DateTime, Utc};
use std::{collections::BTreeMap, fmt};

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody not logged in: who registers, or who presents a refresh token that was used before.
    Anonymous,
    User(UserId),
    /// Whoever holds the command line.
    Operator,
}

/// Handed to every port method that changes something: kept with the change, in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditContext {
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub origin: Origin,
}

impl AuditContext {
    #[must_use]
    pub fn new(at: DateTime<Utc>, actor: Actor, origin: Origin) -> Self {
        Self { at, actor, origin }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    UserRegistered,
    /// Brought along from another system.
    UserImported,
    LoggedIn,
    /// Somebody gave a wrong password, or a login that nobody has; also attempts that a throttle refused.
    LoginFailed,
    /// Somebody with an access token gave a wrong password where it is asked for again.
    ReauthenticationFailed,
    /// So many failures came at once that some were counted and not kept.
    FailuresOmitted,
    SessionEnded,
    AllSessionsEnded,
    RefreshTokenReused,
    RolesChanged,
    PasswordChanged,
    /// An administrator chose a password, to be changed at the next login.
    PasswordReset,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    RoleCreated,
    RoleChanged,
    RoleRemoved,
    /// The oldest events were removed, as the settings say.
    AuditLogTrimmed,
}

impl AuditAction {
    pub const ALL: [Self; 19] = [
        Self::UserRegistered,
        Self::UserImported,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::ReauthenticationFailed,
        Self::FailuresOmitted,
        Self::SessionEnded,
        Self::AllSessionsEnded,
        Self::RefreshTokenReused,
        Self::RolesChanged,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::UserDeleted,
        Self::RoleCreated,
        Self::RoleChanged,
        Self::RoleRemoved,
        Self::AuditLogTrimmed,
    ];

    /// The name under which the action is stored and told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserRegistered => "user_registered",
            Self::UserImported => "user_imported",
            Self::LoggedIn => "logged_in",
            Self::LoginFailed => "login_failed",
            Self::ReauthenticationFailed => "reauthentication_failed",
            Self::FailuresOmitted => "failures_omitted",
            Self::SessionEnded => "session_ended",
            Self::AllSessionsEnded => "all_sessions_ended",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RolesChanged => "roles_changed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::UserDeleted => "user_deleted",
            Self::RoleCreated => "role_created",
            Self::RoleChanged => "role_changed",
            Self::RoleRemoved => "role_removed",
            Self::AuditLogTrimmed => "trail_trimmed",
        }
    }

    /// Whether what was tried came about.
    #[must_use]
    pub fn outcome(self) -> AuditOutcome {
        match self {
            Self::LoginFailed
            | Self::ReauthenticationFailed
            | Self::FailuresOmitted
            | Self::RefreshTokenReused => AuditOutcome::Failure,
            Self::UserRegistered
            | Self::UserImported
            | Self::LoggedIn
            | Self::SessionEnded
            | Self::AllSessionsEnded
            | Self::RolesChanged
            | Self::PasswordChanged
            | Self::PasswordReset
            | Self::UserDisabled
            | Self::UserEnabled
            | Self::UserDeleted
            | Self::RoleCreated
            | Self::RoleChanged
            | Self::RoleRemoved
            | Self::AuditLogTrimmed => AuditOutcome::Success,
        }
    }

    /// The action stored under `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// How something ended that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    Success,
    Failure,
}

impl AuditOutcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// What else is worth knowing of an event, such as the roles before and after. Never a secret, never what a stranger typed.
pub type AuditDetails = BTreeMap<String, String>;

/// What happened to whom. Who did it, when and from where is the [`AuditContext`]'s to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub action: AuditAction,
    /// Whom it was done to, as far as it was done to somebody.
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub details: AuditDetails,
}

impl AuditEvent {
    /// Something that happened to nobody in particular.
    #[must_use]
    pub fn new(action: AuditAction) -> Self {
        Self {
            action,
            user: None,
            session: None,
            details: AuditDetails::new(),
        }
    }

    /// Something that was done to `user`.
    #[must_use]
    pub fn on(action: AuditAction, user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::new(action)
        }
    }

    #[must_use]
    pub fn in_session(self, session: SessionId) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.details.insert(key.to_owned(), value.to_string());
        self
    }
}

/// The place of an event in the trail: 1 for the first, one more for each, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditNumber(pub i64);

impl fmt::Display for AuditNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One event of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub number: AuditNumber,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub event: AuditEvent,
    pub origin: Origin,
}

/// Which events are asked for: those that every part that is set holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whom it was done to.
    pub user: Option<UserId>,
    /// Who did it.
    pub actor: Option<UserId>,
    pub action: Option<AuditAction>,
    /// At this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::from_name(action.as_str()), Some(action));
        }
        assert_eq!(AuditAction::from_name("unheard_of"), None);
    }
}
