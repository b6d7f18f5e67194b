//! The rotations of several sessions in one statement.

use super::rotation::RotatedRow;
use crate::{error::StorageError, prepared::Prepared};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    QueryableByName, deserialize,
    pg::Pg,
    row::NamedRow,
    sql_query,
    sql_types::{Array, BigInt, Binary, Interval, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{ports::Rotated, session::Rotation};
use std::collections::HashMap;
use uuid::Uuid;

/// What became of a rotation of a batch.
pub type Outcome = Result<Rotated, StorageError>;

/// Rotates each session as [`super::rotation::rotate`] does, except a session that
///
/// - another transaction has locked, so that batches do not wait for each other,
/// - is at another generation, has another digest or a disabled holder, or is not live, or
/// - was opened under a clock that was ahead.
///
/// Of several rotations of one session, at most one is executed and returned: an UPDATE changes a
/// row once, for any of the rows that it is joined to.
///
/// `SKIP LOCKED` returns a row as it was last committed and locks it, so the UPDATE does not wait.
/// `OFFSET 0` makes the server estimate the same number of rotations for any arrays, so that one
/// plan is the best for all values. Because of `known`, whose selectivity it does not know, the
/// server expects a single row, and finds the sessions by index instead of reading the whole table.
const ROTATE_SEVERAL: &str = "
    WITH locked AS MATERIALIZED (
        SELECT each.*, 1 AS known
        FROM (SELECT $1::uuid[] AS ids, $2::bytea[] AS digests, $3::bigint[] AS generations,
                $4::bigint[] AS successors, $5::timestamptz[] AS times, $6::timestamptz[] AS ends,
                $7::bytea[] AS origins, $8::interval[] AS graces OFFSET 0) AS asked,
            unnest(ids, digests, generations, successors, times, ends, origins, graces) WITH ORDINALITY
                AS each (id, digest, generation, successor, at, idle_until, origin, grace, position),
            LATERAL (
                SELECT FROM sessions
                WHERE sessions.id = each.id AND sessions.generation = each.generation
                    AND sessions.secret_digest = each.digest AND sessions.revoked_at IS NULL
                    AND sessions.idle_expires_at > each.at AND sessions.expires_at > each.at
                    AND sessions.created_at <= each.at
                    AND EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND users.status = 'active')
                FOR NO KEY UPDATE OF sessions SKIP LOCKED
            ) AS found
    )
    UPDATE sessions SET
        generation = locked.successor,
        last_used_at = clock_timestamp(),
        rotated_by = locked.origin,
        idle_expires_at = LEAST(sessions.expires_at, locked.idle_until),
        authenticated_at = LEAST(COALESCE(sessions.authenticated_at, sessions.created_at), locked.at),
        burst_from = CASE WHEN sessions.burst_since <= statement_timestamp()
                AND sessions.burst_since > statement_timestamp() - locked.grace
            THEN sessions.burst_from ELSE sessions.generation END,
        burst_since = CASE WHEN sessions.burst_since <= statement_timestamp()
                AND sessions.burst_since > statement_timestamp() - locked.grace
            THEN sessions.burst_since ELSE statement_timestamp() END
    FROM locked WHERE sessions.id = locked.id AND locked.known = 1
    RETURNING locked.position, sessions.id, sessions.secret_digest, sessions.generation, sessions.created_at,
        sessions.idle_expires_at, sessions.expires_at, sessions.revoke_reason, sessions.rotated_by,
        sessions.replayed_generation, sessions.authenticated_at, sessions.burst_from, sessions.burst_since,
        sessions.user_id, statement_timestamp() AS now,
        (SELECT token_epoch FROM users WHERE users.id = sessions.user_id) AS epoch,
        (SELECT must_change_password FROM users WHERE users.id = sessions.user_id) AS must_change_password,
        (SELECT array_agg(role) FROM user_roles WHERE user_roles.user_id = sessions.user_id) AS roles";

/// Rotates sessions; returns what became of each rotation, or `None` if it did not change its
/// session. A row that does not parse fails its rotation alone, since all others were executed.
pub async fn rotate_several(
    conn: &mut AsyncPgConnection,
    rotations: &[Rotation],
) -> Result<Vec<Option<Outcome>>, StorageError> {
    let each = |rotation: fn(&Rotation) -> i64| rotations.iter().map(rotation).collect::<Vec<_>>();
    let time = |rotation: fn(&Rotation) -> DateTime<Utc>| rotations.iter().map(rotation).collect::<Vec<_>>();
    let ids: Vec<Uuid> = rotations.iter().map(|it| it.session.0).collect();
    let digests: Vec<&[u8]> = rotations.iter().map(|it| &it.secret_digest.0[..]).collect();
    let origins: Vec<Vec<u8>> = rotations
        .iter()
        .map(|it| it.origin.stored_for(it.to).to_vec())
        .collect();
    let graces: Vec<Duration> = rotations.iter().map(|it| it.grace).collect();
    let statement = sql_query(ROTATE_SEVERAL)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Binary>, _>(digests)
        .bind::<Array<BigInt>, _>(each(|it| it.from.0.into()))
        .bind::<Array<BigInt>, _>(each(|it| it.to.0.into()))
        .bind::<Array<Timestamptz>, _>(time(|it| it.at))
        .bind::<Array<Timestamptz>, _>(time(|it| it.idle_until))
        .bind::<Array<Binary>, _>(origins)
        .bind::<Array<Interval>, _>(graces);
    let rows: Vec<Numbered> = Prepared(statement).load(conn).await?;
    let mut rotated: HashMap<i64, Outcome> = rows.into_iter().map(Numbered::outcome).collect();
    // The server numbers from 1.
    let positions = (1..).take(rotations.len());
    Ok(positions.map(|position| rotated.remove(&position)).collect())
}

/// A rotated session with the position of its rotation.
struct Numbered {
    position: i64,
    row: deserialize::Result<RotatedRow>,
}

impl QueryableByName<Pg> for Numbered {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        Ok(Self {
            position: NamedRow::get::<BigInt, _>(row, "position")?,
            row: RotatedRow::build(row),
        })
    }
}

impl Numbered {
    fn outcome(self) -> (i64, Outcome) {
        let row = self.row.map_err(|error| StorageError::row("sessions", error));
        let outcome = row.and_then(|row| row.try_into().map(Rotated::Done));
        (self.position, outcome)
    }
}
