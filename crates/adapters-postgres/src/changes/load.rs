//! Loads and locks what a command reads.
//!
//! # Lock order
//!
//! All transactions take their locks in this order, so that no two wait for each other. A
//! transaction skips the locks that it does not need.
//!
//! 1. The rows of `users`, in the order of their ids: the account and the caller.
//! 2. The row of the caller's session, shared.
//! 3. The rows of `machines`, in the order of their ids: the machine to change and the caller.
//! 4. The row of the role `admin`, which stands for the whole catalogue: shared by transactions
//!    that compare permissions, exclusive for those that change the catalogue, create a machine or
//!    may reduce the number of administrators.
//! 5. The rows of roles that are assigned (`FOR KEY SHARE`, which delays only the removal of the
//!    role) or removed.
//! 6. The rows of other sessions. A transaction that locks several sessions of a user holds the row
//!    of that user, so only one transaction at a time does.
//! 7. The canonical logins of new users. An import inserts them in ascending order.
//!
//! A [direct change](domain::changes::DirectChange) is one statement that takes the lock 1 or 6 of
//! the only row that it changes, and waits for nothing afterwards: the session that it stores
//! belongs to the user whose row it holds. So it cannot be part of a deadlock. If the row is not as
//! expected after the wait for its lock, the statement ends, which frees the lock, and the command
//! is executed in the general way.
//!
//! Only transactions that seal or trim the audit log lock the row of `audit_chain`, and they lock
//! nothing before it. No change waits for it.
//!
//! No lock is taken twice, except to strengthen a lock that the transaction already holds. Only a
//! transaction that holds the user's row writes to `user_roles`, which includes the copies that
//! triggers keep there. The removal of dead sessions skips locked rows.
//!
//! # Locks before reads
//!
//! At READ COMMITTED, a statement that waited for a row lock sees that row's own columns as of the
//! end of the wait, and all other data as of before the wait. Therefore one statement locks the
//! rows and returns at most their own columns, and a later statement reads the data that belongs to
//! them.

use crate::{
    error::StorageError,
    tables::{machines, roles, sessions, snapshots, user_roles, user_rows::LockedUser, users},
};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::{
    changes::{Facts, Reads},
    machine::MachineId,
    principal::PrincipalId,
    token::TokenIdentity,
    user::UserId,
};

/// Returns the data that `reads` names, which cannot change until the transaction ends. If the
/// account does not exist, loads nothing else.
pub async fn load(
    conn: &mut AsyncPgConnection,
    reads: &Reads,
    at: DateTime<Utc>,
) -> Result<Facts, StorageError> {
    let mut facts = Facts::default();
    if let Some(login) = &reads.login {
        facts.login_taken = users::is_login_taken(conn, login).await?;
    }
    let locked = lock_users(conn, reads.account, reads.caller).await?;
    // A user who was stored after this statement is not locked, so later statements must not read
    // them.
    let account = locked.iter().find(|user| Some(user.id) == reads.account);
    facts.account = account.map(|user| user.state);
    if reads.account.is_some() && account.is_none() {
        return Ok(facts);
    }
    let caller = lock_caller_session(conn, reads.caller, None).await?;
    let may_lose_admin = lock_catalogue(conn, reads).await?;
    if !reads.roles.is_empty() {
        facts.roles = roles::lock_to_give(conn, &reads.roles).await?;
    }
    if let Some(session) = reads.session {
        facts.session = sessions::lock(conn, session).await?;
    }
    if let Some(caller) = caller {
        facts.caller = snapshots::find(conn, caller.session).await?;
    }
    read_account(conn, reads, &mut facts, may_lose_admin, at).await?;
    Ok(facts)
}

/// Reads the data that belongs to the account. The caller MUST have locked the account.
async fn read_account(
    conn: &mut AsyncPgConnection,
    reads: &Reads,
    facts: &mut Facts,
    may_lose_admin: bool,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let Some(user) = reads.account else {
        return Ok(());
    };
    if reads.target {
        facts.target = users::find_target(conn, user).await?;
    }
    if may_lose_admin {
        facts.other_admin_exists = user_roles::any_admin_but(conn, user).await?;
    }
    if reads.live_sessions {
        facts.live_sessions = sessions::live_of(conn, user, at).await?;
    }
    Ok(())
}

/// Locks the rows of the account and of the caller.
async fn lock_users(
    conn: &mut AsyncPgConnection,
    account: Option<UserId>,
    caller: Option<TokenIdentity>,
) -> Result<Vec<LockedUser>, StorageError> {
    let caller = caller.and_then(|token| token.principal.user());
    let ids: Vec<UserId> = account.into_iter().chain(caller).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    users::lock(conn, &ids).await
}

/// Locks the session of `caller` and the row of `machine`; returns `caller` if the session may
/// exist. It cannot end until the transaction does. A machine that is the caller is locked with its
/// secrets.
async fn lock_caller_session(
    conn: &mut AsyncPgConnection,
    caller: Option<TokenIdentity>,
    machine: Option<MachineId>,
) -> Result<Option<TokenIdentity>, StorageError> {
    let principal = caller.map(|token| token.principal);
    let is_live = match caller {
        Some(caller) if caller.principal.user().is_some() => {
            sessions::lock_shared(conn, caller.session).await?
        }
        _ => true,
    };
    let calling = principal.and_then(PrincipalId::machine);
    let ids: Vec<MachineId> = machine.into_iter().chain(calling).collect();
    if !ids.is_empty() {
        machines::lock(conn, &ids).await?;
    }
    Ok(caller.filter(|_| is_live))
}

/// Locks the catalogue for a command that compares permissions; returns whether the command may
/// reduce the number of active administrators. In that case the lock is exclusive. With a shared
/// lock, two commands that each remove one administrator could both see the other administrator
/// remain.
async fn lock_catalogue(conn: &mut AsyncPgConnection, reads: &Reads) -> Result<bool, StorageError> {
    let Some(user) = reads.account.filter(|_| reads.target) else {
        return Ok(false);
    };
    let may_lose_admin = reads.may_remove_admin && user_roles::is_active_admin(conn, user).await?;
    if may_lose_admin {
        roles::lock_catalogue_exclusive(conn).await?;
    } else {
        roles::lock_catalogue_shared(conn).await?;
    }
    Ok(may_lose_admin)
}

/// Locks the user or machine and the session of `caller`, and the row of `machine`; returns
/// `caller` if the session may exist.
pub async fn lock_caller(
    conn: &mut AsyncPgConnection,
    caller: Option<TokenIdentity>,
    machine: Option<MachineId>,
) -> Result<Option<TokenIdentity>, StorageError> {
    lock_users(conn, None, caller).await?;
    lock_caller_session(conn, caller, machine).await
}
