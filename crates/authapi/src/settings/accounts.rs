//! What users begin with, and what is kept of what happens to them.

use super::format;
use domain::role::{RoleName, RoleNames};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What new users begin with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsersSettings {
    /// The roles of whoever registers, or is made or imported without naming others. The catalogue has to have them.
    pub default_roles: RoleNames,
}

impl Default for UsersSettings {
    fn default() -> Self {
        Self {
            default_roles: RoleNames::from([RoleName::USER]),
        }
    }
}

/// What is kept in the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// How long events are kept; for ever without it.
    #[serde(with = "format::span_if_any")]
    pub retention: Option<Duration>,
    /// How many failed attempts of a minute are kept, by each process; the rest are counted.
    pub failures_per_minute: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            retention: None,
            failures_per_minute: 120,
        }
    }
}
