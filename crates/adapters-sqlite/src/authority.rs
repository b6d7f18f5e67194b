//! Whoever asks and whoever is to be changed, as they are within the transaction of the change: nobody writes beside.

use crate::{
    columns::Id,
    error::StorageError,
    roles::{parse_permissions, permissions_of_user},
    schema::users,
    session_views,
    users::UserRow,
};
use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    sqlite::Sqlite,
};
use domain::{
    authority::{Authority, Denied, Subject},
    token::Vouched,
    user::UserId,
};

/// What `word` is worth at `at`.
pub fn standing(
    conn: &mut SqliteConnection,
    word: Option<Vouched>,
    at: DateTime<Utc>,
) -> Result<Result<Authority, Denied>, StorageError> {
    let view = match word {
        Some(word) => session_views::view(conn, word.session)?,
        None => None,
    };
    Ok(Authority::standing(word, view, at))
}

/// The user `id`, with what they may do.
pub fn subject(conn: &mut SqliteConnection, id: UserId) -> Result<Option<Subject>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(SubjectRow::as_select())
        .first(conn)
        .optional()?
        .map(Subject::try_from)
        .transpose()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
struct SubjectRow {
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<String>,
}

impl TryFrom<SubjectRow> for Subject {
    type Error = StorageError;

    fn try_from(row: SubjectRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions.as_deref())?,
        })
    }
}
