//! Users, sessions and roles that are stored, and the commands of the cases.

use crate::contract::prelude::*;

/// More sessions than any case opens, for cases that do not test the limit.
pub(in crate::contract) const PLENTY: u32 = 100;

/// Stores `user` at second 0.
pub(in crate::contract) async fn registered(storage: &CoreStorage, user: NewUser) -> User {
    let command = Arc::new(RegisterUser(user));
    done(execute(storage, command, context(at(0))).await)
}

/// Returns [`a_user`] with exactly `roles`.
pub(in crate::contract) fn with_roles(login: &str, roles: &[&str]) -> NewUser {
    NewUser {
        roles: role_names(roles),
        ..a_user(login)
    }
}

/// Returns an active user with exactly `roles` to import, created at second 0.
pub(in crate::contract) fn imported(login: &str, roles: &[&str]) -> ImportedUser {
    let new = with_roles(login, roles);
    ImportedUser {
        id: new.id,
        login: new.login,
        hash: new.hash,
        roles: new.roles,
        status: UserStatus::Active,
        one_time_password: None,
        created_at: at(0),
    }
}

/// Opens `session` of `user` at the time at which it was created.
pub(in crate::contract) async fn opened(
    storage: &CoreStorage,
    user: &User,
    session: NewSession,
) -> NewSession {
    let context = context_of(user.id, session.created_at);
    let command = opening(session.clone(), user, PLENTY);
    let opened = execute(storage, command, context).await;
    opened.expect("an active user opens a session");
    session
}

/// Returns the command that opens `session` of `user`, who may have `max_sessions`.
pub(in crate::contract) fn opening(session: NewSession, user: &User, max_sessions: u32) -> Arc<OpenSession> {
    Arc::new(OpenSession {
        session,
        epoch: user.epoch,
        known: Some(user.into()),
        max_sessions,
    })
}

/// Returns `session` with an idle timeout that ends at `until`.
pub(in crate::contract) fn idle_until(until: DateTime<Utc>, session: NewSession) -> NewSession {
    NewSession {
        idle_expires_at: until,
        ..session
    }
}

/// Returns `session` with a lifetime that ends at `until`, whether it is used or not.
pub(in crate::contract) fn valid_until(until: DateTime<Utc>, session: NewSession) -> NewSession {
    NewSession {
        expires_at: until,
        ..session
    }
}

/// Stores [`a_user`], and opens a session of theirs at second 1.
pub(in crate::contract) async fn logged_in(storage: &CoreStorage, login: &str) -> (User, NewSession) {
    logged_in_as(storage, a_user(login)).await
}

/// Stores `user`, and opens a session of theirs at second 1.
pub(in crate::contract) async fn logged_in_as(storage: &CoreStorage, user: NewUser) -> (User, NewSession) {
    let user = registered(storage, user).await;
    let session = opened(storage, &user, a_session(user.id, at(1))).await;
    (user, session)
}

/// Ends `session` because its user logs out.
pub(in crate::contract) async fn logged_out(storage: &CoreStorage, session: &NewSession, second: i64) {
    let ended = execute(storage, Arc::new(end_of(session)), context(at(second))).await;
    ended.expect("a live session ends");
}

/// Returns the command that ends `session` because its user logs out.
pub(in crate::contract) fn end_of(session: &NewSession) -> EndSession {
    EndSession {
        session: session.id,
        user: session.user,
        reason: EndReason::LoggedOut,
    }
}

/// Returns the command of the operator that sets the status of `user`.
pub(in crate::contract) fn set_status(user: UserId, status: UserStatus) -> Arc<SetStatus> {
    let account = account(user);
    Arc::new(SetStatus { account, status })
}

/// Returns the command of the operator that assigns exactly `roles` to `user`, whose sessions stay
/// live.
pub(in crate::contract) fn keeping_sessions(user: UserId, roles: &[&str]) -> Arc<AssignRoles> {
    Arc::new(AssignRoles {
        keep_sessions: true,
        ..role_change(user, roles)
    })
}

/// Returns the rotation of `session` from `generation` at `at` by [`origin`], which makes the
/// session valid for 1000 more seconds, and begins a burst whatever clock storage uses, because
/// there is no grace window.
pub(in crate::contract) fn rotation(session: &NewSession, generation: u32, at: DateTime<Utc>) -> Rotation {
    Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(generation),
        to: Generation(generation + 1),
        at,
        idle_until: at + Duration::seconds(1000),
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::zero(),
    }
}

/// Returns the command that records a replay of the rotation of `session` to `generation`.
pub(in crate::contract) fn replay_of(session: &NewSession, generation: u32) -> RecordReplay {
    RecordReplay {
        session: session.id,
        user: session.user,
        generation: Generation(generation),
        origin: OriginLikeness::UNKNOWN,
    }
}

/// Returns a password hash that differs from that of every fixture user.
pub(in crate::contract) fn another_hash() -> PasswordHash {
    PasswordHash::from_phc("plain$0$it's \"another\" — ½ 🦀".to_owned())
}

/// Parses the name of a role.
///
/// # Panics
/// Panics if `name` is not a valid role name.
pub(in crate::contract) fn role_name(name: &str) -> RoleName {
    RoleName::parse(name).expect("the role name is valid")
}

/// Returns the permissions of the built-in role `name`.
pub(in crate::contract) fn allowed(name: &str) -> Permissions {
    let role = built_in().into_iter().find(|role| role.name.as_str() == name);
    role.expect("the role is built in").permissions
}

/// Writes a role into the catalogue, for the operator.
pub(in crate::contract) async fn role_written(storage: &Storage, role: WriteRole) -> Role {
    let command = Arc::new(role);
    let change = decided(|| storage.roles.execute(command.clone(), context(at(0)))).await;
    let written = change.and_then(CatalogueChange::into_written);
    written.expect("the rules allow the role").role
}

/// Stores a user with one role that allows `permissions`, named after the user, and opens a session
/// of theirs.
pub(in crate::contract) async fn logged_in_with(
    storage: &Storage,
    login: &str,
    permissions: &[&str],
) -> (User, NewSession) {
    let role = role_written(storage, a_role(&format!("of-{login}"), permissions)).await;
    let user = with_roles(login, &[role.name.as_str()]);
    logged_in_as(&CoreStorage::of(storage), user).await
}
