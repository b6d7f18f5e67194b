//! What is kept of every security event: who did it, to whom, when and from where.

use crate::{session::SessionId, user::UserId};
use chrono::{DateTime, Utc};
use std::net::IpAddr;

/// The most characters that are kept of a user agent.
const MAX_USER_AGENT: usize = 256;

/// Where a request came from, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
}

impl Origin {
    /// `user_agent` loses its control characters and everything past 256 characters: it is foreign text that ends up in
    /// lists and logs.
    #[must_use]
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>, request_id: Option<String>) -> Self {
        let tidy = |text: &str| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_USER_AGENT)
                .collect()
        };
        Self {
            address,
            user_agent: user_agent.map(tidy),
            request_id,
        }
    }
}

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
pub struct Stamp {
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub origin: Origin,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    UserRegistered,
    LoggedIn,
    SessionEnded,
    AllSessionsEnded,
    RefreshTokenReused,
    RolesChanged,
    PasswordChanged,
    UserDisabled,
    UserEnabled,
}

impl AuditAction {
    const ALL: [Self; 9] = [
        Self::UserRegistered,
        Self::LoggedIn,
        Self::SessionEnded,
        Self::AllSessionsEnded,
        Self::RefreshTokenReused,
        Self::RolesChanged,
        Self::PasswordChanged,
        Self::UserDisabled,
        Self::UserEnabled,
    ];

    /// The name under which the action is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserRegistered => "user_registered",
            Self::LoggedIn => "logged_in",
            Self::SessionEnded => "session_ended",
            Self::AllSessionsEnded => "all_sessions_ended",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RolesChanged => "roles_changed",
            Self::PasswordChanged => "password_changed",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
        }
    }

    /// The action stored under `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// One event of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub at: DateTime<Utc>,
    pub action: AuditAction,
    pub actor: Actor,
    /// Whom it was done to.
    pub user: UserId,
    pub session: Option<SessionId>,
    pub address: Option<IpAddr>,
    pub request_id: Option<String>,
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

    #[test]
    fn a_hostile_user_agent_cannot_forge_a_line() {
        let origin = Origin::new(
            None,
            Some(&format!("curl\r\nINFO forged\u{1b}[0m{}", "x".repeat(999))),
            None,
        );
        let kept = origin.user_agent.expect("a user agent");
        assert!(kept.starts_with("curlINFO forged[0m"), "{kept}");
        assert_eq!(kept.chars().count(), MAX_USER_AGENT);
    }
}
