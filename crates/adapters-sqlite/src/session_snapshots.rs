use crate::{
    SqliteDatabase,
    columns::Id,
    error::StorageError,
    roles::{parse_permissions, permissions_of_user},
    schema::{sessions, users},
    sessions::LifetimeRow,
    users::UserRow,
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
    SqliteConnection, sqlite::Sqlite,
};
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
};

/// Views of sessions, each read from SQLite when it is asked for.
pub struct SqliteSessionSnapshots {
    database: SqliteDatabase,
}

impl SqliteSessionSnapshots {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl SessionSnapshots for SqliteSessionSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        self.database.read(move |conn| snapshot(conn, session)).await
    }
}

/// One statement, so that everything in it is of one instant; diesel keeps it prepared.
pub fn snapshot(
    conn: &mut SqliteConnection,
    session: SessionId,
) -> Result<Option<SessionSnapshot>, StorageError> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(Id(session.0)))
        .select(SessionSnapshotRow::as_select())
        .first(conn)
        .optional()?
        .map(SessionSnapshot::try_from)
        .transpose()
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
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions.as_deref())?,
        })
    }
}
