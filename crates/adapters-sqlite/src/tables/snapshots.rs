//! Sessions with their users and permissions.

use super::{
    machines,
    permissions::{parse_permissions, permissions_of_user},
    rows::parse_optional,
    sessions::LifetimeRow,
    users::UserRow,
};
use crate::{
    columns::Id,
    error::StorageError,
    schema::{sessions, users},
};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    sqlite::Sqlite,
};
use domain::{caller::SessionSnapshot, session::SessionId, user::User};

/// Returns the snapshot of `session`, or of the machine's secret with this id. Reads each in one
/// statement, so that it is consistent; diesel caches the prepared statement of the first.
pub fn find(
    conn: &mut SqliteConnection,
    session: SessionId,
) -> Result<Option<SessionSnapshot>, StorageError> {
    let snapshot = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(Id(session.0)))
        .select(SessionSnapshotRow::as_select());
    match parse_optional(snapshot.first(conn))? {
        Some(found) => Ok(Some(found)),
        None => machines::snapshot(conn, session),
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
struct SessionSnapshotRow {
    id: Id,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<String>,
}

impl TryFrom<SessionSnapshotRow> for SessionSnapshot {
    type Error = StorageError;

    fn try_from(row: SessionSnapshotRow) -> Result<Self, Self::Error> {
        Ok(Self {
            session: SessionId(row.id.0),
            lifetime: row.lifetime.try_into()?,
            principal: User::try_from(row.user)?.into(),
            permissions: parse_permissions(row.permissions.as_deref())?,
        })
    }
}
