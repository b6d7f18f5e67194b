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
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
    token::TokenIdentity,
};
use std::sync::Arc;
use tokio::time::timeout_at;
use uuid::Uuid;

/// Views of sessions, each read from Postgres after it was asked for, together with others that were.
///
/// Whoever asks waits on a tokio runtime of their own, whose timers MUST be enabled.
pub struct PostgresSessionSnapshots {
    database: PostgresDatabase,
    batches: Batches,
}

impl PostgresSessionSnapshots {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        let batches = Batches::start(&database);
        Self { database, batches }
    }

    async fn read(&self, session: SessionId) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        let (_wait, limit) = self.database.begin_wait()?;
        match timeout_at(limit.deadline, self.batches.snapshot(session)).await {
            Ok(answer) => answer.map_err(StorageError::told_to_one),
            Err(late) => Err(limit.passed(late).into()),
        }
    }
}

#[async_trait]
impl SessionSnapshots for PostgresSessionSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        Ok(self.read(session).await?.map(Arc::unwrap_or_clone))
    }

    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        _now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        self.read(identity.session).await
    }
}

/// One statement, so that everything in it is of one instant; diesel keeps it prepared.
pub async fn snapshot(
    conn: &mut AsyncPgConnection,
    session: SessionId,
) -> Result<Option<SessionSnapshot>, StorageError> {
    let row: Option<SessionSnapshotRow> = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(session.0))
        .select(SessionSnapshotRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(SessionSnapshot::try_from).transpose()
}

/// The same of several sessions, of each as of the same instant.
pub async fn snapshots(conn: &mut AsyncPgConnection, sessions: &[SessionId]) -> Result<Found, StorageError> {
    let one = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(each_id()))
        .select(SessionSnapshotRow::as_select());
    let several = ForEach {
        ids: sessions.iter().map(|session| session.0).collect(),
        of: FirstRows { of: one, at_most: 1 },
    };
    let rows: Vec<SessionSnapshotRow> = Prepared(several).load(conn).await?;
    let parse = |row: SessionSnapshotRow| {
        let id = SessionId(row.id);
        let snapshot = SessionSnapshot::try_from(row);
        (id, snapshot.map(Arc::new).map_err(Arc::new))
    };
    Ok(rows.into_iter().map(parse).collect())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
struct SessionSnapshotRow {
    id: Uuid,
    #[diesel(embed)]
    lifetime: LifetimeRow,
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<Vec<String>>,
}

impl TryFrom<SessionSnapshotRow> for SessionSnapshot {
    type Error = StorageError;

    fn try_from(row: SessionSnapshotRow) -> Result<Self, Self::Error> {
        Ok(Self {
            session: SessionId(row.id),
            lifetime: row.lifetime.try_into()?,
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions)?,
        })
    }
}
