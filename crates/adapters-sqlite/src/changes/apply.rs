//! Applies a change to accounts and sessions.

use super::events::EventWriter;
use crate::{
    error::StorageError,
    tables::{roles, sessions, users},
};
use diesel::SqliteConnection;
use domain::changes::{Applied, Change, EndSessionsOf, Facts, UserChange};

/// Writes `change`, which was decided from `facts`, and its audit event.
pub fn apply(
    conn: &mut SqliteConnection,
    change: Change,
    facts: &Facts,
    events: &EventWriter,
) -> Result<Applied, StorageError> {
    write_user(conn, &change, facts)?;
    let sessions_ended = end_sessions(conn, &change)?;
    if let Some(user) = change.forgets_places_of(sessions_ended) {
        users::forget_places(conn, user, change.at)?;
    }
    if let Some(session) = &change.open_session {
        sessions::insert(conn, session)?;
    }
    if let Some((session, generation)) = change.record_replay {
        sessions::record_replay(conn, session, generation)?;
    }
    if let Some(session) = change.reauthenticated {
        sessions::reauthenticate(conn, session, change.at)?;
    }
    if let Some(event) = change.event(sessions_ended) {
        events.write(conn, &[event])?;
    }
    Ok(Applied {
        change,
        sessions_ended,
    })
}

/// Returns what [`apply`] would return for `change`.
pub fn preview(conn: &mut SqliteConnection, change: Change) -> Result<Applied, StorageError> {
    let sessions_ended = match &change.end_sessions {
        None => 0,
        Some((EndSessionsOf::User(user), _)) => sessions::count_live(conn, *user, change.at)?,
        Some((EndSessionsOf::Sessions(ids), _)) => ids.len() as u64,
    };
    Ok(Applied {
        change,
        sessions_ended,
    })
}

fn write_user(conn: &mut SqliteConnection, change: &Change, facts: &Facts) -> Result<(), StorageError> {
    match &change.user {
        UserChange::Nothing | UserChange::Unchanged(_) => Ok(()),
        UserChange::Insert(credentials) => users::insert(conn, credentials),
        UserChange::Update { user, hash } => {
            if !facts.has_loaded_roles_of(user) {
                roles::set_roles_of(conn, user.id, &user.roles)?;
            }
            users::update(conn, user, hash.as_ref())
        }
        UserChange::LoggedIn(user) => users::record_login(conn, *user, change.at),
        UserChange::LoggedInOnce(user) => {
            users::record_password_use(conn, *user, change.at)?;
            users::record_login(conn, *user, change.at)
        }
        UserChange::Delete(user) => users::delete(conn, user.id),
    }
}

fn end_sessions(conn: &mut SqliteConnection, change: &Change) -> Result<u64, StorageError> {
    let Some((sessions, reason)) = &change.end_sessions else {
        return Ok(0);
    };
    match sessions {
        EndSessionsOf::User(user) => sessions::end_live(conn, *user, *reason, change.at),
        EndSessionsOf::Sessions(ids) => ids
            .iter()
            .map(|id| sessions::end(conn, *id, *reason, change.at))
            .sum(),
    }
}
