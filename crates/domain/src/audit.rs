//! Security events: who did what to whom, when and from where.

mod broken;
mod chain;
mod checkpoint;
mod evidence;
#[cfg(test)]
pub(crate) mod fixtures;
mod key_trace;
mod mac;
mod pending;
mod row;
mod sealed_row;
mod unsealed;
mod verifier;

pub use broken::{Broken, Witness};
pub use chain::{ChainEnd, ChainEnds, ChainReader, Seal};
pub use checkpoint::{
    CHECKPOINT_ORIGIN, InvalidCheckpoint, NoteSignature, SignedCheckpoint, StoredCheckpoint,
};
pub use evidence::{Evidence, EvidenceTrimmed, Witnesses};
pub use key_trace::{KeyTrace, OtherAuditKey};
pub use mac::{AuditKeyId, AuditMac, Authenticity};
pub use pending::{Backlog, PendingEvent, SealedBatch, report_missing, seal_pending};
pub use row::{AuditRow, BrokenRow};
pub use sealed_row::{ReadRow, SealedRow};
pub use unsealed::Unsealed;
pub use verifier::{LogVerifier, MacRule, SpanVerifier, reported_as_forged};

pub use crate::origin::Origin;
use crate::{machine::MachineId, principal::PrincipalId, session::SessionId, user::UserId};
use chrono::{DateTime, Utc};
use std::{collections::BTreeMap, fmt};

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A caller who is not logged in: one who registers, or who presents a used refresh token.
    Anonymous,
    User(UserId),
    Machine(MachineId),
    /// The command line.
    Operator,
}

impl From<PrincipalId> for Actor {
    fn from(principal: PrincipalId) -> Self {
        match principal {
            PrincipalId::User(user) => Self::User(user),
            PrincipalId::Machine(machine) => Self::Machine(machine),
        }
    }
}

/// Actor, time and origin of a change. Every storage method that changes something takes one and
/// stores it with the change, in the same transaction.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditAction {
    UserRegistered,
    /// A registration was refused by the throttle, because its login is taken, or because its
    /// password is weak.
    RegistrationRefused,
    /// A user was imported from another system.
    UserImported,
    LoggedIn,
    /// A wrong password or an unknown login was sent, or the throttle rejected the attempt.
    LoginFailed,
    /// A logged-in caller sent their password again, and received a token that proves it.
    Reauthenticated,
    /// A logged-in caller sent a wrong password where it is required again.
    ReauthenticationFailed,
    /// Failed attempts with one cause arrived faster than they are recorded; this event carries the
    /// number of those that were not.
    FailuresOmitted,
    SessionEnded,
    AllSessionsEnded,
    /// A refresh token was presented again within the grace window, and answered.
    RefreshTokenReplayed,
    RefreshTokenReused,
    RolesChanged,
    PasswordChanged,
    /// An administrator set a password that must be changed at the next login.
    PasswordReset,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    RoleCreated,
    RoleChanged,
    RoleRemoved,
    // Events about machines carry the machine's id as the detail `machine`.
    MachineCreated,
    MachineRolesChanged,
    MachineDisabled,
    MachineEnabled,
    MachineDeleted,
    MachineSecretAdded,
    MachineSecretRemoved,
    /// The oldest events were removed under the retention setting.
    AuditLogTrimmed,
    /// The operator continued a log that contradicts a checkpoint, such as that of a restored
    /// backup.
    AuditLogAccepted,
    /// An event was forged, or edited before it was sealed. This event carries its number.
    PendingEventForged,
    /// Committed events were removed before they were sealed. This event carries their number.
    PendingEventMissing,
}

impl AuditAction {
    pub const ALL: [Self; 32] = [
        Self::UserRegistered,
        Self::RegistrationRefused,
        Self::UserImported,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::Reauthenticated,
        Self::ReauthenticationFailed,
        Self::FailuresOmitted,
        Self::SessionEnded,
        Self::AllSessionsEnded,
        Self::RefreshTokenReplayed,
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
        Self::MachineCreated,
        Self::MachineRolesChanged,
        Self::MachineDisabled,
        Self::MachineEnabled,
        Self::MachineDeleted,
        Self::MachineSecretAdded,
        Self::MachineSecretRemoved,
        Self::AuditLogTrimmed,
        Self::AuditLogAccepted,
        Self::PendingEventForged,
        Self::PendingEventMissing,
    ];

    /// Returns the name under which the action is stored and reported.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserRegistered => "user_registered",
            Self::RegistrationRefused => "registration_refused",
            Self::UserImported => "user_imported",
            Self::LoggedIn => "logged_in",
            Self::LoginFailed => "login_failed",
            Self::Reauthenticated => "reauthenticated",
            Self::ReauthenticationFailed => "reauthentication_failed",
            Self::FailuresOmitted => "failures_omitted",
            Self::SessionEnded => "session_ended",
            Self::AllSessionsEnded => "all_sessions_ended",
            Self::RefreshTokenReplayed => "refresh_token_replayed",
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
            Self::MachineCreated => "machine_created",
            Self::MachineRolesChanged => "machine_roles_changed",
            Self::MachineDisabled => "machine_disabled",
            Self::MachineEnabled => "machine_enabled",
            Self::MachineDeleted => "machine_deleted",
            Self::MachineSecretAdded => "machine_secret_added",
            Self::MachineSecretRemoved => "machine_secret_removed",
            Self::AuditLogTrimmed => "trail_trimmed",
            Self::AuditLogAccepted => "audit_log_accepted",
            Self::PendingEventForged => "pending_event_forged",
            Self::PendingEventMissing => "pending_event_missing",
        }
    }

    /// Returns how the attempt ended.
    #[must_use]
    pub fn outcome(self) -> AuditOutcome {
        match self {
            Self::RegistrationRefused
            | Self::LoginFailed
            | Self::ReauthenticationFailed
            | Self::FailuresOmitted
            | Self::RefreshTokenReused
            | Self::PendingEventForged
            | Self::PendingEventMissing => AuditOutcome::Failure,
            Self::UserRegistered
            | Self::UserImported
            | Self::LoggedIn
            | Self::Reauthenticated
            | Self::SessionEnded
            | Self::AllSessionsEnded
            | Self::RefreshTokenReplayed
            | Self::RolesChanged
            | Self::PasswordChanged
            | Self::PasswordReset
            | Self::UserDisabled
            | Self::UserEnabled
            | Self::UserDeleted
            | Self::RoleCreated
            | Self::RoleChanged
            | Self::RoleRemoved
            | Self::MachineCreated
            | Self::MachineRolesChanged
            | Self::MachineDisabled
            | Self::MachineEnabled
            | Self::MachineDeleted
            | Self::MachineSecretAdded
            | Self::MachineSecretRemoved
            | Self::AuditLogTrimmed
            | Self::AuditLogAccepted => AuditOutcome::Success,
        }
    }

    /// Returns the action stored under `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// How an attempt ended.
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

/// Details of an event, such as the roles before and after. They never contain a secret or text
/// that an unauthenticated client sent. The key `client_request_id` is reserved: the stored details
/// hold that part of the [`Origin`] under it.
pub type AuditDetails = BTreeMap<String, String>;

/// What happened, and to which user. [`AuditContext`] holds who did it, when and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub action: AuditAction,
    /// The affected user, if there is one.
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub details: AuditDetails,
}

impl AuditEvent {
    /// Creates an event that affects no particular user.
    #[must_use]
    pub fn new(action: AuditAction) -> Self {
        Self {
            action,
            user: None,
            session: None,
            details: AuditDetails::new(),
        }
    }

    /// Creates an event that affects `user`.
    #[must_use]
    pub fn on(action: AuditAction, user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::new(action)
        }
    }

    /// Returns the event with the session in which it happened.
    #[must_use]
    pub fn in_session(self, session: SessionId) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Returns the event with the detail `key`, which replaces an earlier one.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.details.insert(key.to_owned(), value.to_string());
        self
    }
}

/// The position of an event in the audit log: 1 for the first, increasing by one, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditNumber(pub i64);

impl AuditNumber {
    /// Stands for the number of a pending event, which gets its number when it is sealed.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for AuditNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One event of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub number: AuditNumber,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub event: AuditEvent,
    pub origin: Origin,
}

/// Filters for reading the audit log. An event matches if it satisfies every field that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The affected user.
    pub user: Option<UserId>,
    /// The user who caused the event.
    pub actor: Option<UserId>,
    pub action: Option<AuditAction>,
    /// Inclusive lower bound.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive upper bound.
    pub until: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_names_are_unique() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::from_name(action.as_str()), Some(action));
        }
        assert_eq!(AuditAction::from_name("unheard_of"), None);
    }
}
