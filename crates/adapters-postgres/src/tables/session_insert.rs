//! Stores new sessions.

use crate::{error::StorageError, prepared::Prepared};
use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    sql_types::{BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    session::{Generation, NewSession},
    user::UserId,
};
use uuid::Uuid;

/// Stores a session, which the database numbers, and records a login of `logged_in`, whose row is
/// locked: its time `at`, and the next revision.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    session: &NewSession,
    logged_in: Option<UserId>,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let statement = InsertAfterLogin {
        logged_in: logged_in.map(|user| user.0),
        at,
        insert: SessionInsert::new(session),
    };
    Prepared(statement).execute(conn).await?;
    Ok(())
}

/// The beginning `INSERT .. SELECT ..` of a statement that stores a session.
pub struct SessionInsert<'a> {
    session: &'a NewSession,
    generation: i64,
    user_agent: Option<&'a str>,
    address: Option<String>,
    network: Option<String>,
}

impl<'a> SessionInsert<'a> {
    /// Creates the part of a statement that stores `session`.
    pub fn new(session: &'a NewSession) -> Self {
        Self {
            session,
            generation: i64::from(Generation::FIRST.0),
            user_agent: session.user_agent.as_deref(),
            address: session.address.map(|address| address.to_string()),
            network: session.network().map(|network| network.to_string()),
        }
    }
}

impl QueryFragment<Pg> for SessionInsert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let session = self.session;
        out.push_sql(
            "INSERT INTO sessions (id, user_id, generation, secret_digest, created_at, last_used_at, \
             authenticated_at, idle_expires_at, expires_at, user_agent, ip, network) SELECT ",
        );
        out.push_bind_param::<SqlUuid, _>(&session.id.0)?;
        out.push_sql(", ");
        out.push_bind_param::<SqlUuid, _>(&session.user.0)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.generation)?;
        out.push_sql(", ");
        out.push_bind_param::<Binary, _>(&session.secret_digest.0[..])?;
        let opened = &session.created_at;
        for time in [
            opened,
            opened,
            opened,
            &session.idle_expires_at,
            &session.expires_at,
        ] {
            out.push_sql(", ");
            out.push_bind_param::<Timestamptz, _>(time)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.user_agent)?;
        for text in [&self.address, &self.network] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        Ok(())
    }
}

struct InsertAfterLogin<'a> {
    logged_in: Option<Uuid>,
    at: DateTime<Utc>,
    insert: SessionInsert<'a>,
}

impl QueryFragment<Pg> for InsertAfterLogin<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH logged_in AS (UPDATE users SET last_login_at = ");
        out.push_bind_param::<Timestamptz, _>(&self.at)?;
        out.push_sql(", revision = revision + 1 WHERE id = ");
        out.push_bind_param::<Nullable<SqlUuid>, _>(&self.logged_in)?;
        out.push_sql(") ");
        self.insert.walk_ast(out.reborrow())
    }
}
