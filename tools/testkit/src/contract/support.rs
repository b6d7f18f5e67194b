//! Steps that many cases share: set up users and sessions, execute commands, read back what was
//! stored, and run calls at once.

mod applied;
mod everything;
mod race;
mod setup;

pub(super) use applied::{applied, changed};
pub(super) use everything::Everything;
pub(super) use race::{answered, assert_one_happens, count, decided, race, race_commands};
pub(super) use setup::*;

use super::prelude::*;
use domain::{audit::Origin, machine::MachineId};

/// Returns one command of each kind that administers a user. The last one deletes the user.
pub(super) fn commands(account: Account) -> [Arc<dyn Command>; 5] {
    let Account {
        user,
        if_revision,
        authorized_by,
    } = account;
    let (hash, status) = (another_hash(), UserStatus::Disabled);
    [
        Arc::new(AssignRoles {
            if_revision,
            authorized_by,
            ..role_change(user, &["user"])
        }),
        Arc::new(RevokeSessions { user, authorized_by }),
        Arc::new(a_reset(account, hash)),
        Arc::new(SetStatus { account, status }),
        Arc::new(DeleteUser(account)),
    ]
}

/// Executes `command`, and repeats it while storage is overloaded.
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
    user.expect("the rules allow the change")
}

/// Executes `command`, and asserts that it was refused and that no event was written.
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

pub(super) async fn find_login(storage: &CoreStorage, login: &str) -> Option<Credentials> {
    let found = storage.accounts.find_by_login(&canonical(login)).await;
    found.expect("storage is available")
}

pub(super) async fn find_user(storage: &CoreStorage, id: UserId) -> Option<User> {
    storage.accounts.find(id).await.expect("storage is available")
}

/// Returns `session` with a last rotation and a burst of age zero. The ages differ for each read,
/// because storage may measure them by a clock of its own.
pub(super) fn without_ages(session: StoredSession) -> StoredSession {
    let age = Duration::zero();
    StoredSession {
        last_rotation: LastRotation {
            age,
            ..session.last_rotation
        },
        burst: session.burst.map(|burst| Burst { age, ..burst }),
        ..session
    }
}

/// Returns a session as [`without_ages`] does.
pub(super) async fn find_session(storage: &CoreStorage, id: SessionId) -> Option<StoredSession> {
    let found = storage.sessions.find(id, at(0)).await;
    found.expect("storage is available").map(without_ages)
}

pub(super) async fn find_snapshot(storage: &CoreStorage, id: SessionId) -> Option<SessionSnapshot> {
    storage
        .snapshots
        .snapshot(id)
        .await
        .expect("storage is available")
}

pub(super) async fn credentials(storage: &CoreStorage, user: &User) -> Credentials {
    let found = find_login(storage, user.login.as_typed()).await;
    found.expect("the user was stored")
}

pub(super) async fn user_now(storage: &CoreStorage, user: &User) -> User {
    credentials(storage, user).await.user
}

pub(super) async fn found(storage: &CoreStorage, id: SessionId) -> StoredSession {
    let found = find_session(storage, id).await;
    found.expect("the session was stored")
}

pub(super) async fn liveness(storage: &CoreStorage, id: SessionId, now: DateTime<Utc>) -> Liveness {
    found(storage, id).await.lifetime.at(now)
}

pub(super) async fn snapshot(storage: &CoreStorage, id: SessionId) -> SessionSnapshot {
    let found = find_snapshot(storage, id).await;
    found.expect("the session was stored")
}

/// Returns the user of `snapshot`, which is not one of a machine.
pub(super) fn user_of(snapshot: &SessionSnapshot) -> &User {
    snapshot.principal.user().expect("the session is that of a user")
}

/// Returns the events about `user` with their contexts, oldest first.
pub(super) async fn events_of(storage: &CoreStorage, user: &User) -> Vec<(AuditEvent, AuditContext)> {
    let mut events = storage.recorded.recorded().await;
    events.retain(|(event, _)| event.user == Some(user.id));
    events
}

/// Returns contexts at `at` of every kind of actor, from origins that have all parts, some or none.
pub(super) fn contexts(user: UserId, at: DateTime<Utc>) -> Vec<AuditContext> {
    let parts = Origin {
        address: Some("2001:db8::7".parse().expect("the address is valid")),
        user_agent: Some(String::new()),
        request_id: None,
        client_request_id: Some("chosen-by.the_client".to_owned()),
    };
    let mut contexts = Vec::new();
    for origin in [Origin::default(), parts, origin()] {
        let machine = Actor::Machine(MachineId(unique_uuid()));
        for actor in [Actor::Anonymous, Actor::User(user), machine, Actor::Operator] {
            let origin = origin.clone();
            contexts.push(AuditContext { at, actor, origin });
        }
    }
    contexts
}
