//! When sessions live, as columns of their rows.

use crate::{error::StorageError, schema::sessions};
use chrono::{DateTime, Utc};
use diesel::{BoolExpressionMethods, ExpressionMethods, Queryable, Selectable, dsl::auto_type, pg::Pg};
use domain::session::{EndReason, Lifetime};

/// Whether a session is live at `at`, as far as its own row shows.
#[auto_type]
pub fn live_at(at: DateTime<Utc>) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::idle_expires_at.gt(at))
        .and(sessions::expires_at.gt(at))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct LifetimeRow {
    created_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoke_reason: Option<String>,
}

impl TryFrom<LifetimeRow> for Lifetime {
    type Error = StorageError;

    fn try_from(row: LifetimeRow) -> Result<Self, Self::Error> {
        let parse = |name: String| {
            EndReason::from_name(&name)
                .ok_or_else(|| StorageError::row("sessions", format!("there is no reason `{name}`")))
        };
        Ok(Self {
            created_at: row.created_at,
            idle_expires_at: row.idle_expires_at,
            expires_at: row.expires_at,
            ended: row.revoke_reason.map(parse).transpose()?,
        })
    }
}
