//! Who asks for a change and whom it is about, both as of the transaction that makes it.
//!
//! The locks of a change are taken in this order, so that nobody waits in a circle: the users' rows by their ids; the session
//! on whose word it is made; the row of the role `admin`, which stands for the catalogue (`roles/catalogue.rs`); the rows
//! of the roles that are given or removed; the other sessions of the user who is changed; and last of all, when nothing
//! else is left to do, the one row of `audit_chain`, for which everybody queues. Whoever needs fewer of them leaves some
//! out, and nobody takes a lock of one kind twice but to strengthen what no other can hold meanwhile.
//!
//! Who registers or is imported holds the roles that they get, which only the removal of a role waits for, and then waits for
//! nobody but a namesake; an import takes its logins in their order. Rows of `user_roles` are written by whoever holds their
//! user alone, the copies that triggers keep there too. Cleaning up passes over sessions that somebody holds.

use crate::{
    error::StorageError,
    roles::{
        catalogue::{lock_catalogue_exclusive, lock_catalogue_shared},
        parse_permissions, permissions_of_user,
    },
    schema::{sessions, users},
    session_snapshots,
    users::{find, is_active_admin, is_last_admin, lock},
};
use chrono::{DateTime, Utc};
use diesel::QueryDsl;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    authority::{Authority, Denied, Target},
    token::TokenIdentity,
    user::UserId,
};
use uuid::Uuid;

/// Both sides of a change, locked.
pub struct Parties {
    pub subject: Target,
    pub authority: Result<Authority, Denied>,
    /// Whether the subject is the last active admin and is about to be so no longer.
    pub last_admin: bool,
}

/// What is to become of the subject as an admin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Kept,
    Lost,
}

/// Locks everything that the decision hangs on, and reads it then; `None` when there is no such user.
pub async fn parties(
    conn: &mut AsyncPgConnection,
    user: UserId,
    word: Option<TokenIdentity>,
    at: DateTime<Utc>,
    as_admin: Standing,
) -> Result<Option<Parties>, StorageError> {
    let locked = lock(conn, word.map(|word| word.user).into_iter().chain([user])).await?;
    // Who comes to be there after that is not locked, and must not be found.
    if !locked.contains(&user) {
        return Ok(None);
    }
    lock_session(conn, word).await?;
    let Some(user) = find(conn, user).await? else {
        return Ok(None);
    };
    let leaves = as_admin == Standing::Lost && is_active_admin(&user);
    if leaves {
        lock_catalogue_exclusive(conn).await?;
    } else {
        lock_catalogue_shared(conn).await?;
    }
    let last_admin = leaves && is_last_admin(conn, &user).await?;
    let authority = standing(conn, word, at).await?;
    let texts: Option<Vec<String>> = users::table
        .find(user.id.0)
        .select(permissions_of_user())
        .first(conn)
        .await?;
    let permissions = parse_permissions(texts)?;
    Ok(Some(Parties {
        subject: Target { user, permissions },
        authority,
        last_admin,
    }))
}

/// Locks whoever gave their word, and the session that they gave it in.
pub async fn lock_word(
    conn: &mut AsyncPgConnection,
    word: Option<TokenIdentity>,
) -> Result<(), StorageError> {
    if let Some(word) = word {
        lock(conn, [word.user]).await?;
    }
    lock_session(conn, word).await
}

/// Whoever would end the session waits until the transaction ends.
async fn lock_session(conn: &mut AsyncPgConnection, word: Option<TokenIdentity>) -> Result<(), StorageError> {
    if let Some(word) = word {
        let session = sessions::table.find(word.session.0).select(sessions::id);
        let _: Vec<Uuid> = session.for_share().load(conn).await?;
    }
    Ok(())
}

/// Whether `word`, which is locked, still stands.
pub async fn standing(
    conn: &mut AsyncPgConnection,
    word: Option<TokenIdentity>,
    at: DateTime<Utc>,
) -> Result<Result<Authority, Denied>, StorageError> {
    let snapshot = match word {
        Some(word) => session_snapshots::snapshot(conn, word.session).await?,
        None => None,
    };
    Ok(Authority::standing(word, snapshot, at))
}
