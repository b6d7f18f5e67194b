use crate::{
    SqliteDatabase,
    columns::{Id, Micros},
    error::StorageError,
    schema::audit_events,
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, Insertable, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
    SqliteConnection, sqlite::Sqlite,
};
use domain::{
    audit::{Actor, AuditAction, AuditRecord, Stamp},
    ports::{AuditTrail, PortError},
    session::SessionId,
    user::UserId,
};
use std::net::{AddrParseError, IpAddr};

/// Writes an event, in the transaction of the change it tells of.
pub fn write(
    conn: &mut SqliteConnection,
    stamp: &Stamp,
    action: AuditAction,
    user: UserId,
    session: Option<SessionId>,
) -> Result<(), StorageError> {
    let (actor_kind, actor_id) = match stamp.actor {
        Actor::Anonymous => ("anonymous", None),
        Actor::User(id) => ("user", Some(Id(id.0))),
        Actor::Operator => ("operator", None),
    };
    let row = AuditRow {
        at: Micros(stamp.at),
        action: action.as_str().to_owned(),
        actor_kind: actor_kind.to_owned(),
        actor_id,
        user_id: Id(user.0),
        session_id: session.map(|id| Id(id.0)),
        address: stamp.origin.address.map(|address| address.to_string()),
        request_id: stamp.origin.request_id.clone(),
    };
    diesel::insert_into(audit_events::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// The audit trail in SQLite.
pub struct SqliteAuditTrail {
    database: SqliteDatabase,
}

impl SqliteAuditTrail {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AuditTrail for SqliteAuditTrail {
    async fn of_user(&self, user: UserId) -> Result<Vec<AuditRecord>, PortError> {
        self.database.read(move |conn| of_user(conn, user)).await
    }
}

pub fn of_user(conn: &mut SqliteConnection, user: UserId) -> Result<Vec<AuditRecord>, StorageError> {
    audit_events::table
        .filter(audit_events::user_id.eq(Id(user.0)))
        .order((audit_events::at, audit_events::id))
        .select(AuditRow::as_select())
        .load(conn)?
        .into_iter()
        .map(AuditRecord::try_from)
        .collect()
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = audit_events, check_for_backend(Sqlite))]
struct AuditRow {
    at: Micros,
    action: String,
    actor_kind: String,
    actor_id: Option<Id>,
    user_id: Id,
    session_id: Option<Id>,
    address: Option<String>,
    request_id: Option<String>,
}

impl TryFrom<AuditRow> for AuditRecord {
    type Error = StorageError;

    fn try_from(row: AuditRow) -> Result<Self, Self::Error> {
        let corrupt = |told: String| StorageError::row("audit_events", told);
        Ok(Self {
            at: row.at.0,
            action: AuditAction::from_name(&row.action)
                .ok_or_else(|| corrupt(format!("no action is called `{}`", row.action)))?,
            actor: match (row.actor_kind.as_str(), row.actor_id) {
                ("anonymous", None) => Actor::Anonymous,
                ("user", Some(id)) => Actor::User(UserId(id.0)),
                ("operator", None) => Actor::Operator,
                (kind, _) => return Err(corrupt(format!("no actor is a `{kind}`"))),
            },
            user: UserId(row.user_id.0),
            session: row.session_id.map(|id| SessionId(id.0)),
            address: parse_address(row.address.as_deref())
                .map_err(|error| StorageError::row("audit_events", error))?,
            request_id: row.request_id,
        })
    }
}

/// An address as kept here and with sessions.
pub fn parse_address(text: Option<&str>) -> Result<Option<IpAddr>, AddrParseError> {
    text.map(str::parse).transpose()
}
