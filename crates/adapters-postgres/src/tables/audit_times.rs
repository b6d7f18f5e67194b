//! Times of the audit log. Whatever was done to a row, its time must not hide the others.

use chrono::{DateTime, Utc};
use diesel::data_types::PgTimestamp;

/// 2000-01-01T00:00:00Z, from which Postgres counts, in microseconds since 1970.
const EPOCH_OF_POSTGRES: i64 = 946_684_800_000_000;

/// Returns the time as chrono has it; `None` if it is out of range.
pub fn instant(at: PgTimestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at.0.checked_add(EPOCH_OF_POSTGRES)?)
}

/// Returns the time, or the nearest one in range.
pub fn saturating_instant(at: PgTimestamp) -> DateTime<Utc> {
    let nearest = if at.0 < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    instant(at).unwrap_or(nearest)
}
