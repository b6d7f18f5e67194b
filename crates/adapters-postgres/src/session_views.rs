use crate::{
    PostgresDatabase,
    error::StorageError,
    roles::{parse_permissions, permissions_of_user},
    schema::{sessions, users},
    sessions::LifetimeRow,
    users::UserRow,
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    caller::SessionView,
    ports::{PortError, SessionViews},
    session::SessionId,
};
use uuid::Uuid;

/// Views of sessions, each read from Postgres when it is asked for.
pub struct PostgresSessionViews {
    database: PostgresDatabase,
}

impl PostgresSessionViews {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl SessionViews for PostgresSessionViews {
    async fn view(&self, session: SessionId) -> Result<Option<SessionView>, PortError> {
        self.database
            .read(session, |conn, session| Box::pin(view(conn, *session)))
            .await
    }
}

/// One statement, so that everything in it is of one instant; diesel keeps it prepared.
pub async fn view(
    conn: &mut AsyncPgConnection,
    session: SessionId,
) -> Result<Option<SessionView>, StorageError> {
    let row: Option<SessionViewRow> = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(session.0))
        .select(SessionViewRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(SessionView::try_from).transpose()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
struct SessionViewRow {
    id: Uuid,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<Vec<String>>,
}

impl TryFrom<SessionViewRow> for SessionView {
    type Error = StorageError;

    fn try_from(row: SessionViewRow) -> Result<Self, Self::Error> {
        Ok(Self {
            session: SessionId(row.id),
            lifetime: row.lifetime.try_into()?,
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions)?,
        })
    }
}
