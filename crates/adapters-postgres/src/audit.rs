use crate::{PostgresDatabase, error::StorageError, schema::audit_events};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{Actor, AuditAction, AuditRecord, Stamp},
    ports::{AuditTrail, PortError},
    session::SessionId,
    user::UserId,
};
use std::net::{AddrParseError, IpAddr};
use uuid::Uuid;

/// Writes an event, in the transaction of the change it tells of.
pub async fn write(
    conn: &mut AsyncPgConnection,
    stamp: &Stamp,
    action: AuditAction,
    user: UserId,
    session: Option<SessionId>,
) -> Result<(), StorageError> {
    let (actor_kind, actor_id) = match stamp.actor {
        Actor::Anonymous => ("anonymous", None),
        Actor::User(id) => ("user", Some(id.0)),
        Actor::Operator => ("operator", None),
    };
    let row = AuditRow {
        at: stamp.at,
        action: action.as_str().to_owned(),
        actor_kind: actor_kind.to_owned(),
        actor_id,
        user_id: user.0,
        session_id: session.map(|id| id.0),
        address: stamp.origin.address.map(|address| address.to_string()),
        request_id: stamp.origin.request_id.clone(),
    };
    diesel::insert_into(audit_events::table)
        .values(row)
        .execute(conn)
        .await?;
    Ok(())
}

/// The audit trail in Postgres.
pub struct PostgresAuditTrail {
    database: PostgresDatabase,
}

impl PostgresAuditTrail {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AuditTrail for PostgresAuditTrail {
    async fn of_user(&self, user: UserId) -> Result<Vec<AuditRecord>, PortError> {
        self.database
            .read(user, |conn, user| Box::pin(of_user(conn, *user)))
            .await
    }
}

pub async fn of_user(conn: &mut AsyncPgConnection, user: UserId) -> Result<Vec<AuditRecord>, StorageError> {
    let rows: Vec<AuditRow> = audit_events::table
        .filter(audit_events::user_id.eq(user.0))
        .order((audit_events::at, audit_events::id))
        .select(AuditRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(AuditRecord::try_from).collect()
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = audit_events, check_for_backend(Pg), treat_none_as_default_value = false)]
struct AuditRow {
    at: DateTime<Utc>,
    action: String,
    actor_kind: String,
    actor_id: Option<Uuid>,
    user_id: Uuid,
    session_id: Option<Uuid>,
    address: Option<String>,
    request_id: Option<String>,
}

impl TryFrom<AuditRow> for AuditRecord {
    type Error = StorageError;

    fn try_from(row: AuditRow) -> Result<Self, Self::Error> {
        let corrupt = |told: String| StorageError::row("audit_events", told);
        Ok(Self {
            at: row.at,
            action: AuditAction::from_name(&row.action)
                .ok_or_else(|| corrupt(format!("no action is called `{}`", row.action)))?,
            actor: match (row.actor_kind.as_str(), row.actor_id) {
                ("anonymous", None) => Actor::Anonymous,
                ("user", Some(id)) => Actor::User(UserId(id)),
                ("operator", None) => Actor::Operator,
                (kind, _) => return Err(corrupt(format!("no actor is a `{kind}`"))),
            },
            user: UserId(row.user_id),
            session: row.session_id.map(SessionId),
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
