mod batches;

use crate::{
    PostgresDatabase,
    error::StorageError,
    prepared::{FirstRows, ForEach, Prepared, each_id},
    roles::{parse_permissions, permissions_of_user},
    schema::{sessions, users},
    sessions::LifetimeRow,
    users::UserRow,
};
use async_trait::async_trait;
use batches::{Batches, Found};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    caller::SessionView,
    ports::{PortError, SessionViews},
    session::SessionId,
    token::Vouched,
};
use std::sync::Arc;
use tokio::time::timeout_at;
use uuid::Uuid;

/// Views of sessions, each read from Postgres after it was asked for, together with others that were.
///
/// Whoever asks waits on a tokio runtime of their own, whose timers MUST be enabled.
pub struct PostgresSessionViews {
    database: PostgresDatabase,
    batches: Batches,
}

impl PostgresSessionViews {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        let batches = Batches::start(&database);
        Self { database, batches }
    }

    async fn read(&self, session: SessionId) -> Result<Option<Arc<SessionView>>, PortError> {
        let (_wait, limit) = self.database.begin_wait()?;
        match timeout_at(limit.deadline, self.batches.view(session)).await {
            Ok(answer) => answer.map_err(StorageError::told_to_one),
            Err(late) => Err(limit.passed(late).into()),
        }
    }
}

#[async_trait]
impl SessionViews for PostgresSessionViews {
    async fn view(&self, session: SessionId) -> Result<Option<SessionView>, PortError> {
        Ok(self.read(session).await?.map(Arc::unwrap_or_clone))
    }

    async fn view_for(
        &self,
        vouched: Vouched,
        _now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionView>>, PortError> {
        self.read(vouched.session).await
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

/// The same of several sessions, of each as of the same instant.
pub async fn views(conn: &mut AsyncPgConnection, sessions: &[SessionId]) -> Result<Found, StorageError> {
    let one = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(each_id()))
        .select(SessionViewRow::as_select());
    let several = ForEach {
        ids: sessions.iter().map(|session| session.0).collect(),
        of: FirstRows { of: one, at_most: 1 },
    };
    let rows: Vec<SessionViewRow> = Prepared(several).load(conn).await?;
    let parse = |row: SessionViewRow| {
        let id = SessionId(row.id);
        let view = SessionView::try_from(row);
        (id, view.map(Arc::new).map_err(Arc::new))
    };
    Ok(rows.into_iter().map(parse).collect())
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
