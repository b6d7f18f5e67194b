//! Applies a change to accounts and sessions.

use super::events::EventWriter;
use crate::{
    error::StorageError,
    tables::{session_insert, sessions, user_roles, users},
};
use diesel_async::AsyncPgConnection;
use domain::{
    changes::{Applied, Change, EndSessionsOf, Facts, Refusal, UserChange},
    user::Credentials,
};
use std::iter;

/// Writes `change`, which was decided from `facts`, and its audit event.
///
/// A login that another transaction has taken since it was looked up is refused.
pub async fn apply(
    conn: &mut AsyncPgConnection,
    change: Change,
    facts: &Facts,
    events: &EventWriter,
) -> Result<Result<Applied, Refusal>, StorageError> {
    if let Err(refusal) = write_user(conn, &change, facts).await? {
        return Ok(Err(refusal));
    }
    let sessions_ended = write_sessions(conn, &change, events).await?;
    Ok(Ok(Applied {
        change,
        sessions_ended,
    }))
}

/// Returns what [`apply`] would return for `change`, if no other transaction takes its login.
pub async fn preview(conn: &mut AsyncPgConnection, change: Change) -> Result<Applied, StorageError> {
    let sessions_ended = match &change.end_sessions {
        None => 0,
        Some((EndSessionsOf::User(user), _)) => sessions::count_live_of(conn, *user, change.at).await?,
        Some((EndSessionsOf::Sessions(sessions), _)) => sessions.len() as u64,
    };
    Ok(Applied {
        change,
        sessions_ended,
    })
}

/// Ends, opens, marks and reauthenticates sessions and writes the audit event; returns how many
/// sessions ended.
async fn write_sessions(
    conn: &mut AsyncPgConnection,
    change: &Change,
    events: &EventWriter,
) -> Result<u64, StorageError> {
    let ended = match &change.end_sessions {
        None => 0,
        Some((EndSessionsOf::User(user), reason)) => {
            sessions::end_all_of(conn, *user, *reason, change.at).await?
        }
        Some((EndSessionsOf::Sessions(sessions), reason)) => {
            sessions::end(conn, sessions, *reason, change.at).await?
        }
    };
    if let Some(user) = change.forgets_places_of(ended) {
        users::forget_places(conn, user, change.at).await?;
    }
    if let Some(session) = &change.open_session {
        let logged_in = match &change.user {
            UserChange::LoggedIn(user) | UserChange::LoggedInOnce(user) => Some(*user),
            _ => None,
        };
        session_insert::insert(conn, session, logged_in, change.at).await?;
    }
    if let Some((session, generation)) = change.record_replay {
        sessions::record_replay(conn, session, generation).await?;
    }
    if let Some(session) = change.reauthenticated {
        sessions::reauthenticate(conn, session, change.at).await?;
    }
    if let Some(event) = change.event(ended) {
        events.write(conn, &[event]).await?;
    }
    Ok(ended)
}

async fn write_user(
    conn: &mut AsyncPgConnection,
    change: &Change,
    facts: &Facts,
) -> Result<Result<(), Refusal>, StorageError> {
    match &change.user {
        // The statement that opens the session writes a login.
        UserChange::Nothing | UserChange::Unchanged(_) | UserChange::LoggedIn(_) => {}
        UserChange::Insert(credentials) => return insert_user(conn, credentials).await,
        UserChange::Update { user, hash } => {
            if !facts.has_loaded_roles_of(user) {
                user_roles::replace(conn, user).await?;
            }
            users::update(conn, user, hash.as_ref()).await?;
        }
        // The same statement writes the login itself.
        UserChange::LoggedInOnce(user) => users::record_password_use(conn, *user, change.at).await?,
        UserChange::Delete(user) => users::delete(conn, user.id).await?,
    }
    Ok(Ok(()))
}

async fn insert_user(
    conn: &mut AsyncPgConnection,
    credentials: &Credentials,
) -> Result<Result<(), Refusal>, StorageError> {
    if users::insert(conn, &[credentials]).await?.is_empty() {
        return Ok(Err(Refusal::LoginTaken));
    }
    user_roles::grant(conn, iter::once(&credentials.user)).await?;
    Ok(Ok(()))
}
