//! Loads what a command reads.

use crate::{
    error::StorageError,
    tables::{roles, sessions, snapshots, users},
};
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use domain::{
    authority::Target,
    changes::{AccountState, Facts, Reads},
};

/// Loads what `reads` names. Sessions are those that are live at `at`.
pub fn load(conn: &mut SqliteConnection, reads: &Reads, at: DateTime<Utc>) -> Result<Facts, StorageError> {
    let target = match reads.account {
        Some(user) if reads.target => users::target(conn, user)?,
        _ => None,
    };
    let (account, live_sessions) = match reads.account {
        Some(user) if reads.live_sessions => sessions::account_with_live(conn, user, at)?,
        Some(_) if reads.target => (
            target.as_ref().map(|target| AccountState::from(&target.user)),
            Vec::new(),
        ),
        Some(user) => (users::account(conn, user)?, Vec::new()),
        None => (None, Vec::new()),
    };
    Ok(Facts {
        login_taken: match &reads.login {
            Some(login) => users::has_login(conn, login)?,
            None => false,
        },
        other_admin_exists: other_admin_exists(conn, reads, target.as_ref())?,
        account,
        target,
        live_sessions,
        session: match reads.session {
            Some(session) => sessions::find(conn, session)?,
            None => None,
        },
        caller: match reads.caller {
            Some(token) => snapshots::find(conn, token.session)?,
            None => None,
        },
        roles: roles::find(conn, &reads.roles)?,
    })
}

fn other_admin_exists(
    conn: &mut SqliteConnection,
    reads: &Reads,
    target: Option<&Target>,
) -> Result<bool, StorageError> {
    match target {
        Some(target) if reads.may_remove_admin && target.user.is_active_admin() => {
            roles::any_admin_but(conn, target.user.id)
        }
        _ => Ok(false),
    }
}
