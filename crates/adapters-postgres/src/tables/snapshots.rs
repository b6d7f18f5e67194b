//! Snapshots of sessions: all that a request needs, read at one instant.

use super::{
    machines,
    permissions::{parse_permissions, permissions_of_user},
    rows::parse_optional,
    session_rows::LifetimeRow,
    user_rows::UserRow,
};
use crate::{
    error::StorageError,
    prepared::{FirstRows, ForEach, Prepared, each_id},
    schema::{sessions, users},
};
use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{caller::SessionSnapshot, session::SessionId, user::User};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// The sessions that were found. A row that does not parse fails that session alone.
pub type Found = HashMap<SessionId, Result<Arc<SessionSnapshot>, Arc<StorageError>>>;

/// Returns the snapshot of one session, or of the machine's secret with this id.
pub async fn find(
    conn: &mut AsyncPgConnection,
    session: SessionId,
) -> Result<Option<SessionSnapshot>, StorageError> {
    let snapshot = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(session.0))
        .select(SessionSnapshotRow::as_select());
    match parse_optional(snapshot.first(conn).await)? {
        Some(found) => Ok(Some(found)),
        None => Ok(machines::snapshots(conn, &[session]).await?.pop()),
    }
}

/// Returns the snapshots of several sessions, all as of the same instant, and then those of the
/// machines' secrets among `sessions`, as of a later one.
pub async fn find_several(
    conn: &mut AsyncPgConnection,
    sessions: &[SessionId],
) -> Result<Found, StorageError> {
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
    let mut found: Found = rows.into_iter().map(parse).collect();
    let missing = sessions.iter().filter(|session| !found.contains_key(session));
    let missing: Vec<SessionId> = missing.copied().collect();
    if !missing.is_empty() {
        let of_machines = machines::snapshots(conn, &missing).await?;
        found.extend(of_machines.into_iter().map(|it| (it.session, Ok(Arc::new(it)))));
    }
    Ok(found)
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
            principal: User::try_from(row.user)?.into(),
            permissions: parse_permissions(row.permissions)?,
        })
    }
}
