//! The compare-and-swap of every refresh.

use super::{
    permissions::{parse_roles, roles_of_holder},
    session_rows::{SessionRow, clock_timestamp, live_at, statement_timestamp},
};
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{sessions, users},
};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, NullableExpressionMethods, OptionalExtension,
    QueryDsl, Queryable, QueryableByName, Selectable, SelectableHelper, declare_sql_function,
    dsl::{auto_type, case_when, exists, sql},
    infix_operator,
    pg::Pg,
    sql_types::{Array, BigInt, Bool, Interval, Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    ports::Rotated,
    session::{Holder, Rotation, StoredSession},
    user::{Epoch, UserId, UserStatus},
};
use uuid::Uuid;

#[declare_sql_function]
extern "SQL" {
    /// Returns the earlier of the two.
    fn least(one: Timestamptz, other: Timestamptz) -> Timestamptz;
    /// Returns the first that is not NULL.
    fn coalesce(one: Nullable<Timestamptz>, other: Timestamptz) -> Timestamptz;
    /// Returns the longer of the two.
    fn greatest(one: Interval, other: Interval) -> Interval;
}

infix_operator!(Since, " - ", Interval, backend: Pg);
infix_operator!(Before, " - ", Timestamptz, backend: Pg);
infix_operator!(After, " + ", Timestamptz, backend: Pg);

/// Rotates a session for one refresh. Runs one statement in its own transaction. The caller has not
/// read the session, so the statement reads the end of its lifetime from the row.
///
/// Of two concurrent calls, the second waits for the session's row and finds another generation
/// there. The time of the rotation is the server's, which is the same for all replicas. The burst
/// is decided on as of the start of the statement, because `clock_timestamp` would differ between
/// its two columns. The epoch and the roles are as of the start too, so tokens with these roles are
/// outdated as soon as the roles change.
pub async fn rotate(conn: &mut AsyncPgConnection, rotation: &Rotation) -> Result<Rotated, StorageError> {
    let holder_is_active = exists(
        users::table
            .filter(users::id.eq(sessions::user_id))
            .filter(users::status.eq("active")),
    );
    let current = sessions::table
        .find(rotation.session.0)
        .filter(sessions::generation.eq(i64::from(rotation.from.0)))
        .filter(sessions::secret_digest.eq(&rotation.secret_digest.0[..]))
        .filter(live_at(rotation.at))
        .filter(holder_is_active);
    // A session opened under a clock that was ahead counts as opened now.
    let expires_at = || {
        let at = rotation.at.into_sql::<Timestamptz>();
        let ahead = greatest(
            Since::new(sessions::created_at, at),
            sql::<Interval>("INTERVAL '0'"),
        );
        Before::new(sessions::expires_at, ahead)
    };
    let authenticated_at = coalesce(sessions::authenticated_at, sessions::created_at);
    // The rotation belongs to the stored burst: `Burst::of_rotation`.
    let goes_on = || {
        let began_before = sessions::burst_since.le(statement_timestamp().nullable());
        let ends = After::new(sessions::burst_since, rotation.grace.into_sql::<Interval>());
        began_before.and(ends.gt(statement_timestamp().nullable()))
    };
    let (from, since) = (sessions::generation.nullable(), statement_timestamp().nullable());
    let row: Option<RotatedRow> = Prepared(
        diesel::update(current)
            .set((
                sessions::generation.eq(i64::from(rotation.to.0)),
                sessions::created_at.eq(least(sessions::created_at, rotation.at)),
                sessions::last_used_at.eq(clock_timestamp()),
                sessions::rotated_by.eq(&rotation.origin.stored_for(rotation.to)[..]),
                sessions::idle_expires_at.eq(least(expires_at(), rotation.idle_until)),
                sessions::expires_at.eq(expires_at()),
                sessions::authenticated_at.eq(least(authenticated_at, rotation.at).nullable()),
                sessions::burst_from.eq(case_when(goes_on(), sessions::burst_from).otherwise(from)),
                sessions::burst_since.eq(case_when(goes_on(), sessions::burst_since).otherwise(since)),
            ))
            .returning(RotatedRow::as_returning()),
    )
    .get_result(conn)
    .await
    .optional()?;
    row.map_or(Ok(Rotated::Lost), |row| row.try_into().map(Rotated::Done))
}

/// A session that was just rotated, with its holder, who is active.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct RotatedRow {
    #[diesel(embed)]
    session: SessionRow,
    #[diesel(select_expression = statement_timestamp(), sql_type = Timestamptz)]
    now: DateTime<Utc>,
    user_id: Uuid,
    #[diesel(select_expression = epoch_of_holder(), sql_type = Nullable<BigInt>)]
    epoch: Option<i64>,
    #[diesel(select_expression = must_change_of_holder(), sql_type = Nullable<Bool>)]
    must_change_password: Option<bool>,
    #[diesel(select_expression = roles_of_holder(), sql_type = Nullable<Array<Text>>)]
    roles: Option<Vec<String>>,
}

#[auto_type]
fn epoch_of_holder() -> _ {
    users::table
        .filter(users::id.eq(sessions::user_id))
        .select(users::token_epoch)
        .single_value()
}

#[auto_type]
fn must_change_of_holder() -> _ {
    users::table
        .filter(users::id.eq(sessions::user_id))
        .select(users::must_change_password)
        .single_value()
}

impl TryFrom<RotatedRow> for StoredSession {
    type Error = StorageError;

    fn try_from(row: RotatedRow) -> Result<Self, Self::Error> {
        let (Some(epoch), Some(must_change_password)) = (row.epoch, row.must_change_password) else {
            return Err(StorageError::row("sessions", "a session has a user"));
        };
        let holder = Holder {
            user: UserId(row.user_id),
            status: UserStatus::Active,
            epoch: Epoch(epoch),
            roles: parse_roles(row.roles)?,
            must_change_password,
        };
        row.session.held_by(holder, Duration::zero(), row.now)
    }
}
