//! Settings of user accounts and the audit log.

use super::format;
use domain::role::{RoleName, RoleNames};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of new users.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsersSettings {
    /// Roles of users who are registered, created or imported without roles; they must exist in the
    /// catalogue.
    pub default_roles: RoleNames,
}

impl Default for UsersSettings {
    fn default() -> Self {
        Self {
            default_roles: RoleNames::from([RoleName::USER]),
        }
    }
}

/// Settings of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// How long events are kept; `None` keeps them forever.
    #[serde(with = "format::span_or_forever")]
    pub retention: Option<Duration>,
    /// The number of events above which a warning is logged.
    pub warn_events: u64,
    /// Maximum number of failed attempts with one cause, at one user and from one network, that
    /// each process records individually per minute; further ones are only counted.
    pub failures_per_minute: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            retention: Some(Duration::from_hours(365 * 24)),
            warn_events: 10_000_000,
            failures_per_minute: 10,
        }
    }
}
