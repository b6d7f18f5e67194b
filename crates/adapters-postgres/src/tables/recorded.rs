//! Changes made by one statement together with their audit event.

use super::{
    session_insert::SessionInsert,
    session_rows::{ended, live_at},
    sessions::live_sessions,
};
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{sessions, users},
};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult,
    dsl::count_star,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment},
    sql_types::{BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::PendingEvent,
    changes::{DirectChange, DirectWrite},
    revision::Revision,
    session::{EndReason, SessionId},
    user::UserId,
};

/// Makes `change` and stores `event` if the expectation of the change holds. Runs one statement in
/// its own transaction. Returns the number of the event, or `None` if nothing was written.
///
/// The statement waits for the lock of the row that it changes, compares the row again after the
/// wait, and draws the event's number only then.
pub async fn write(
    conn: &mut AsyncPgConnection,
    change: &DirectChange,
    event: &PendingEvent,
) -> Result<Option<i64>, StorageError> {
    let at = change.change.at;
    match &change.write {
        DirectWrite::EndSession {
            session,
            user,
            reason,
        } => {
            execute(
                conn,
                Recorded::new(ending(*session, *user, *reason, at), (), event),
            )
            .await
        }
        DirectWrite::OpenSession {
            session,
            revision,
            max_sessions,
        } => {
            let login = logging_in(session.user, *revision, *max_sessions, at);
            let opened = Opened(SessionInsert::new(session));
            execute(conn, Recorded::new(login, opened, event)).await
        }
    }
}

async fn execute<Q: QueryFragment<Pg> + Send, T: QueryFragment<Pg> + Send>(
    conn: &mut AsyncPgConnection,
    statement: Recorded<'_, Q, T>,
) -> Result<Option<i64>, StorageError> {
    let seqs: Vec<i64> = Prepared(statement).load(conn).await?;
    Ok(seqs.into_iter().next())
}

fn ending(
    session: SessionId,
    user: UserId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> impl QueryFragment<Pg> + Send {
    let live = sessions::table
        .find(session.0)
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(at));
    diesel::update(live)
        .set(ended(reason, at))
        .returning(sessions::id)
}

/// The sessions are counted as of the start of the statement. Each change that adds one changes the
/// revision, so none was added since if the revision is as expected after the wait for the lock.
fn logging_in(
    user: UserId,
    revision: Revision,
    max_sessions: u32,
    at: DateTime<Utc>,
) -> impl QueryFragment<Pg> + Send {
    let live = live_sessions(user, at).select(count_star()).single_value();
    let expected = users::table
        .find(user.0)
        .filter(users::revision.eq(revision.0))
        .filter(live.lt(i64::from(max_sessions)));
    diesel::update(expected)
        .set((
            users::last_login_at.eq(at),
            users::revision.eq(users::revision + 1),
        ))
        .returning(users::id)
}

/// The statement `changed`, which returns at most one row; further ones that use its result; and
/// the event to store if it returns a row. Returns the event's number.
struct Recorded<'a, Q, T> {
    changed: Q,
    further: T,
    event: &'a PendingEvent,
    mac: Vec<u8>,
}

impl<'a, Q, T> Recorded<'a, Q, T> {
    fn new(changed: Q, further: T, event: &'a PendingEvent) -> Self {
        Self {
            changed,
            further,
            event,
            mac: event.mac.map(|mac| mac.to_bytes().to_vec()).unwrap_or_default(),
        }
    }
}

impl<Q, T> Query for Recorded<'_, Q, T> {
    type SqlType = BigInt;
}

impl<Q: QueryFragment<Pg>, T: QueryFragment<Pg>> QueryFragment<Pg> for Recorded<'_, Q, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let row = &self.event.row;
        out.push_sql("WITH changed AS (");
        self.changed.walk_ast(out.reborrow())?;
        out.push_sql(")");
        self.further.walk_ast(out.reborrow())?;
        out.push_sql(
            " INSERT INTO audit_pending (at, action, actor_kind, actor_id, user_id, session_id, address, user_agent, \
             request_id, details, mac) SELECT ",
        );
        out.push_bind_param::<Timestamptz, _>(&row.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&row.action)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&row.actor_kind)?;
        for id in [&row.actor_id, &row.user_id, &row.session_id] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<SqlUuid>, _>(id)?;
        }
        for text in [&row.address, &row.user_agent, &row.request_id] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&row.details)?;
        out.push_sql(", ");
        out.push_bind_param::<Binary, _>(&self.mac)?;
        out.push_sql(" FROM changed RETURNING seq");
        Ok(())
    }
}

/// Stores a session if `changed` returns a row.
struct Opened<'a>(SessionInsert<'a>);

impl QueryFragment<Pg> for Opened<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(", opened AS (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" FROM changed)");
        Ok(())
    }
}
