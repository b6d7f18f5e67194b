use super::{find, live_at};
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::{sessions, users},
};
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection, declare_sql_function, dsl::exists,
    sql_types::BigInt,
};
use domain::{ports::Rotated, session::Rotation};

#[declare_sql_function]
extern "SQL" {
    /// The earlier of the two. Of one argument alone it would be an aggregate.
    #[sql_name = "min"]
    fn least(one: BigInt, other: BigInt) -> BigInt;
}

/// The update alone decides; the read after it, in the same transaction, only tells what it left.
pub fn rotate(conn: &mut SqliteConnection, rotation: &Rotation) -> Result<Rotated, StorageError> {
    let holder_is_active = exists(
        users::table
            .filter(users::id.eq(sessions::user_id))
            .filter(users::status.eq("active")),
    );
    let current = sessions::table
        .find(Id(rotation.session.0))
        .filter(sessions::generation.eq(i64::from(rotation.from.0)))
        .filter(sessions::secret_digest.eq(&rotation.secret_digest.0[..]))
        .filter(live_at(Micros(rotation.at)))
        .filter(holder_is_active);
    let rotated = diesel::update(current)
        .set((
            sessions::generation.eq(i64::from(rotation.to.0)),
            sessions::last_used_at.eq(Micros(rotation.at)),
            sessions::idle_expires_at.eq(least(sessions::expires_at, Micros(rotation.idle_until))),
        ))
        .execute(conn)?;
    if rotated == 0 {
        return Ok(Rotated::Lost);
    }
    Ok(find(conn, rotation.session)?.map_or(Rotated::Lost, Rotated::Now))
}
