//! Whoever asks and whoever is to be changed, as they are within the transaction of the change: nobody writes beside.

use crate::{
    columns::Id,
    error::StorageError,
    roles::{parse_permissions, permissions_of_user},
    schema::users,
    session_snapshots,
    users::UserRow,
};
use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    sqlite::Sqlite,
};
use domain::{
    authority::{Authority, Denied, Target},
    token::TokenIdentity,
    user::UserId,
};

/// What `word` is worth at `at`.
pub fn standing(
    conn: &mut SqliteConnection,
    word: Option<TokenIdentity>,
    at: DateTime<Utc>,
) -> Result<Result<Authority, Denied>, StorageError> {
    let snapshot = match word {
        Some(word) => session_snapshots::snapshot(conn, word.session)?,
        None => None,
    };
    Ok(Authority::standing(word, snapshot, at))
}

/// The user `id`, with what they may do.
pub fn subject(conn: &mut SqliteConnection, id: UserId) -> Result<Option<Target>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(TargetRow::as_select())
        .first(conn)
        .optional()?
        .map(Target::try_from)
        .transpose()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
struct TargetRow {
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<String>,
}

impl TryFrom<TargetRow> for Target {
    type Error = StorageError;

    fn try_from(row: TargetRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions.as_deref())?,
        })
    }
}
