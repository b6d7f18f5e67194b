//! Steps that many cases share: set up users and sessions, execute commands, observe all of it, and
//! run calls at once.

mod applied;
mod everything;
mod race;

pub(super) use applied::applied;
pub(super) use everything::Everything;
pub(super) use race::{answered, assert_one_happens, count, decided, race};

use crate::{
    CoreStorage, Storage,
    fixtures::{a_role, a_session, a_user, account, at, context, context_of, origin, role_change},
};
use chrono::{DateTime, Utc};
use domain::{
    audit::{Actor, AuditContext, AuditEvent, Origin},
    caller::SessionSnapshot,
    changes::{
        Account, Applied, AssignRoles, CatalogueChange, Command, DeleteUser, EndSession, OpenSession,
        Refusal, RegisterUser, ResetPassword, RevokeSessions, SetStatus, WriteRole,
    },
    password::PasswordHash,
    role::{Permissions, Role, built_in},
    session::{EndReason, Liveness, NewSession, SessionId, StoredSession},
    token::TokenIdentity,
    user::{Credentials, NewUser, User, UserId, UserStatus},
};
use std::sync::Arc;

/// More sessions than any case opens that is not about the limit.
pub(super) const PLENTY: u32 = 100;

/// Stores `user` at second 0.
pub(super) async fn registered(storage: &CoreStorage, user: NewUser) -> User {
    let command = Arc::new(RegisterUser(user));
    done(execute(storage, command, context(at(0))).await)
}

/// Opens `session`, which is `user`'s, at its own time.
pub(super) async fn opened(storage: &CoreStorage, user: &User, session: NewSession) -> NewSession {
    let context = context_of(user.id, session.created_at);
    let command = OpenSession {
        session: session.clone(),
        epoch: user.epoch,
        max_sessions: PLENTY,
    };
    let opened = execute(storage, Arc::new(command), context).await;
    opened.expect("an active user opens a session");
    session
}

/// Returns `session`, which expires for lack of use at `until`.
pub(super) fn idle_until(until: DateTime<Utc>, session: NewSession) -> NewSession {
    NewSession {
        idle_expires_at: until,
        ..session
    }
}

/// Returns `session`, which expires at `until` however much it is used.
pub(super) fn valid_until(until: DateTime<Utc>, session: NewSession) -> NewSession {
    NewSession {
        expires_at: until,
        ..session
    }
}

/// Returns the permissions of the built-in role `name`.
pub(super) fn allowed(name: &str) -> Permissions {
    let role = built_in().into_iter().find(|role| role.name.as_str() == name);
    role.expect("a built-in role").permissions
}

/// Stores a user, and opens a session of theirs at second 1.
pub(super) async fn logged_in(storage: &CoreStorage, login: &str) -> (User, NewSession) {
    logged_in_as(storage, a_user(login)).await
}

/// Stores `user`, and opens a session of theirs at second 1.
pub(super) async fn logged_in_as(storage: &CoreStorage, user: NewUser) -> (User, NewSession) {
    let user = registered(storage, user).await;
    let session = opened(storage, &user, a_session(user.id, at(1))).await;
    (user, session)
}

/// Ends `session`, as when its user logs out.
pub(super) async fn logged_out(storage: &CoreStorage, session: &NewSession, second: i64) {
    let ended = execute(storage, Arc::new(end_of(session)), context(at(second))).await;
    ended.expect("a live session ends");
}

/// The command that ends `session`, as when its user logs out.
pub(super) fn end_of(session: &NewSession) -> EndSession {
    EndSession {
        session: session.id,
        user: session.user,
        reason: EndReason::LoggedOut,
    }
}

/// The command that sets the status of `user`, for the operator.
pub(super) fn set_status(user: UserId, status: UserStatus) -> Arc<SetStatus> {
    let account = account(user);
    Arc::new(SetStatus { account, status })
}

/// A password that an administrator chose.
pub(super) fn another_hash() -> PasswordHash {
    PasswordHash::from_phc("plain$0$it's \"another\" — ½ 🦀".to_owned())
}

/// One command of each kind that administers `user`, the one that deletes them last.
pub(super) fn commands(user: UserId, authorized_by: Option<TokenIdentity>) -> Vec<Arc<dyn Command>> {
    let account = Account {
        authorized_by,
        ..account(user)
    };
    vec![
        Arc::new(AssignRoles {
            authorized_by,
            ..role_change(user, &[])
        }),
        Arc::new(RevokeSessions { user, authorized_by }),
        Arc::new(ResetPassword {
            account,
            hash: another_hash(),
        }),
        Arc::new(SetStatus {
            account,
            status: UserStatus::Disabled,
        }),
        Arc::new(DeleteUser(account)),
    ]
}

/// Executes `command`, again as long as storage is too busy.
pub(super) async fn execute(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    context: AuditContext,
) -> Result<Applied, Refusal> {
    decided(|| storage.accounts.execute(command.clone(), context.clone())).await
}

/// Returns what executing `command` would return.
pub(super) async fn dry_run(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    context: AuditContext,
) -> Result<Applied, Refusal> {
    decided(|| storage.accounts.dry_run(command.clone(), context.clone())).await
}

/// Returns the user that a change was made to.
pub(super) fn done(applied: Result<Applied, Refusal>) -> User {
    let user = applied.and_then(Applied::into_user);
    user.expect("a change that no rule refuses")
}

/// Executes `command`, and asserts that it was refused and that nothing was written.
pub(super) async fn assert_refused(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    context: AuditContext,
    refusal: &Refusal,
) {
    let name = format!("{command:?}");
    let recorded = storage.recorded.recorded().await;
    let refused = execute(storage, command, context).await;
    assert_eq!(refused.err().as_ref(), Some(refusal), "{name}");
    assert_eq!(storage.recorded.recorded().await, recorded, "{name}");
}

pub(super) async fn credentials(storage: &CoreStorage, user: &User) -> Credentials {
    storage
        .accounts
        .find_by_login(user.login.canonical())
        .await
        .expect("storage answers")
        .expect("a user who was stored")
}

pub(super) async fn user_now(storage: &CoreStorage, user: &User) -> User {
    credentials(storage, user).await.user
}

pub(super) async fn found(storage: &CoreStorage, id: SessionId) -> StoredSession {
    storage
        .sessions
        .find(id)
        .await
        .expect("storage answers")
        .expect("a session that was stored")
}

pub(super) async fn liveness(storage: &CoreStorage, id: SessionId, now: DateTime<Utc>) -> Liveness {
    found(storage, id).await.lifetime.at(now)
}

pub(super) async fn snapshot(storage: &CoreStorage, id: SessionId) -> SessionSnapshot {
    storage
        .snapshots
        .snapshot(id)
        .await
        .expect("storage answers")
        .expect("a session that was stored")
}

/// The events about `user` with their contexts, oldest first.
pub(super) async fn events_of(storage: &CoreStorage, user: &User) -> Vec<(AuditEvent, AuditContext)> {
    let mut events = storage.recorded.recorded().await;
    events.retain(|(event, _)| event.user == Some(user.id));
    events
}

/// Writes a role into the catalogue, for the operator.
pub(super) async fn role_written(storage: &Storage, role: WriteRole) -> Role {
    let command = Arc::new(role);
    let change = decided(|| storage.roles.execute(command.clone(), context(at(0)))).await;
    let written = change.and_then(CatalogueChange::into_written);
    written.expect("a role that no rule refuses").role
}

/// Stores a user with a role of their own that allows `permissions`, and opens a session of theirs.
pub(super) async fn logged_in_with(
    storage: &Storage,
    login: &str,
    permissions: &[&str],
) -> (User, NewSession) {
    let role = role_written(storage, a_role(&format!("of-{login}"), permissions)).await;
    let user = NewUser {
        roles: [role.name].into(),
        ..a_user(login)
    };
    logged_in_as(&CoreStorage::of(storage), user).await
}

/// Contexts at `at` of every kind of actor, from origins that have all parts, some or none.
pub(super) fn contexts(user: UserId, at: DateTime<Utc>) -> Vec<AuditContext> {
    let parts = Origin {
        address: Some("2001:db8::7".parse().expect("an address")),
        user_agent: Some(String::new()),
        request_id: None,
    };
    let mut contexts = Vec::new();
    for origin in [Origin::default(), parts, origin()] {
        for actor in [Actor::Anonymous, Actor::User(user), Actor::Operator] {
            let origin = origin.clone();
            contexts.push(AuditContext { at, actor, origin });
        }
    }
    contexts
}
