//! Reads a user who logs in, and which places the account knows.

use super::user_rows::CredentialsRow;
use crate::{
    error::StorageError,
    schema::{sessions, users},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    SelectableHelper,
    dsl::{auto_type, exists},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    login::CanonicalLogin,
    ports::{LoginFacts, PlaceQuery},
    session::EndReason,
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

/// Returns the user with this login, their password hash, and which of `query` the account knows.
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
    let row: Option<(CredentialsRow, bool, bool)> = users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select((CredentialsRow::as_select(), exists(in_network), exists(on_device)))
        .first(conn)
        .await
        .optional()?;
    let facts = |(credentials, is_network_known, is_device_known): (CredentialsRow, bool, bool)| {
        Ok(LoginFacts {
            credentials: credentials.try_into()?,
            is_network_known,
            is_device_known,
        })
    };
    row.map(facts).transpose()
}
