//! Reads a user who logs in, and which places the account knows.

use super::user_rows::CredentialsRow;
use crate::{
    error::StorageError,
    schema::{sessions, users},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    SelectableHelper, declare_sql_function,
    dsl::{auto_type, exists},
    sql_types::{Nullable, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    login::CanonicalLogin,
    ports::{LoginFacts, PlaceQuery},
    session::EndReason,
    user::Credentials,
};
use uuid::Uuid;

/// The sessions whose places the account knows.
#[auto_type]
fn places() -> _ {
    let [one, two, three] = EndReason::THAT_KEEP_PLACES_KNOWN;
    let (one, two, three): (&'static str, &'static str, &'static str) =
        (one.as_str(), two.as_str(), three.as_str());
    let is_kept = sessions::revoke_reason
        .is_null()
        .or(sessions::revoke_reason.eq(one))
        .or(sessions::revoke_reason.eq(two))
        .or(sessions::revoke_reason.eq(three));
    let is_recent = users::places_since
        .is_null()
        .or(users::places_since.le(sessions::created_at.nullable()));
    sessions::table
        .filter(sessions::user_id.eq(users::id))
        .filter(is_kept)
        .filter(is_recent)
}

#[declare_sql_function]
extern "SQL" {
    /// Returns the first that is not NULL.
    fn coalesce(one: Nullable<SqlUuid>, other: Nullable<SqlUuid>) -> Nullable<SqlUuid>;
}

/// Returns the user with this login, their password hash, and which of `query` the account knows.
///
/// For an unknown login this reads and converts a decoy, so that it takes the same time: the user
/// with the next login, or with the first one if none follows.
pub async fn find(
    conn: &mut AsyncPgConnection,
    login: &CanonicalLogin,
    query: PlaceQuery,
) -> Result<Option<LoginFacts>, StorageError> {
    let network = query.network.map(|network| network.to_string());
    let in_network = places()
        .filter(sessions::network.eq(network))
        .filter(sessions::created_at.gt(query.since));
    let device: Option<Uuid> = query.device.map(|session| session.0);
    let on_device = places().filter(sessions::id.nullable().eq(device));
    let others = diesel::alias!(users as others);
    let logins = others.field(users::canonical_login);
    let first_from = |start| {
        let ids = others.select(others.field(users::id)).order(logins);
        ids.filter(logins.ge(start)).single_value()
    };
    let row: Option<LoginFactsRow> = users::table
        .filter(
            users::id
                .nullable()
                .eq(coalesce(first_from(login.as_str()), first_from(""))),
        )
        .select((
            users::canonical_login.eq(login.as_str()),
            CredentialsRow::as_select(),
            exists(in_network),
            exists(on_device),
        ))
        .first(conn)
        .await
        .optional()?;
    row.map_or(Ok(None), facts)
}

/// Whether the row is that of the login, the user and their password hash, and whether the account
/// knows the network and the device.
type LoginFactsRow = (bool, CredentialsRow, bool, bool);

/// Returns the facts of the row, or `None` for a decoy, which is converted all the same.
fn facts(row: LoginFactsRow) -> Result<Option<LoginFacts>, StorageError> {
    let (is_of_login, credentials, is_network_known, is_device_known) = row;
    let credentials = Credentials::try_from(credentials);
    if !is_of_login {
        return Ok(None);
    }
    Ok(Some(LoginFacts {
        credentials: credentials?,
        is_network_known,
        is_device_known,
    }))
}
