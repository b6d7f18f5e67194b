//! Steps that many cases share: set up users and sessions, execute commands, observe all of it, and run calls at once.

use crate::{
    CoreStorage, Storage,
    fixtures::{a_role, a_session, a_user, account, at, context, context_of, role_change},
};
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditContext, AuditEvent},
    caller::SessionSnapshot,
    changes::{
        Account, Applied, AssignRoles, CatalogueChange, ChangeError, Command, DeleteUser, EndSession,
        EndSessionsOf, OpenSession, Refusal, RegisterUser, ResetPassword, RevokeSessions, SetStatus,
        UserChange, WriteRole,
    },
    password::PasswordHash,
    ports::PortError,
    role::Role,
    session::{EndReason, Liveness, NewSession, SessionId, StoredSession},
    token::TokenIdentity,
    user::{Credentials, NewUser, User, UserId, UserStatus},
};
use std::sync::Arc;
use tokio::{
    sync::Barrier,
    task::{JoinSet, yield_now},
};

/// More sessions than any case opens that is not about the limit.
pub(super) const PLENTY: u32 = 100;

/// How often a call is repeated for which storage is too busy. Each has waited for half a second and more.
const MAX_ATTEMPTS: u32 = 20;

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

/// Executes `command`, and asserts that every part of the change that it decided was written, and one event at most.
pub(super) async fn applied(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    context: AuditContext,
) -> Applied {
    let events = storage.recorded.recorded().await.len();
    let applied = execute(storage, command, context.clone()).await;
    let applied = applied.expect("a change that no rule refuses");
    assert_user_written(storage, &applied).await;
    assert_sessions_written(storage, &applied).await;
    let event = applied.change.event(applied.sessions_ended);
    let expected: Vec<_> = event.into_iter().map(|event| (event, context.clone())).collect();
    let recorded = storage.recorded.recorded().await;
    assert_eq!(recorded.get(events..), Some(expected.as_slice()));
    applied
}

async fn assert_user_written(storage: &CoreStorage, applied: &Applied) {
    let change = &applied.change;
    match &change.user {
        UserChange::Nothing => {}
        UserChange::Unchanged(user) => assert_eq!(user_now(storage, user).await, *user),
        UserChange::Insert(new) => assert_credentials(storage, &new.user, Some(&new.hash)).await,
        UserChange::Update { user, hash } => assert_credentials(storage, user, hash.as_ref()).await,
        UserChange::LoggedIn(id) => {
            let user = storage.accounts.find(*id).await.expect("storage answers");
            let last_login_at = user.and_then(|user| user.last_login_at);
            assert_eq!(last_login_at, Some(change.at));
        }
        UserChange::Delete(user) => {
            let login = user.login.canonical();
            let by_login = storage.accounts.find_by_login(login).await;
            assert!(by_login.expect("storage answers").is_none());
            let by_id = storage.accounts.find(user.id).await;
            assert_eq!(by_id.expect("storage answers"), None);
        }
    }
}

async fn assert_credentials(storage: &CoreStorage, user: &User, hash: Option<&PasswordHash>) {
    let stored = credentials(storage, user).await;
    assert_eq!(stored.user, *user);
    if let Some(hash) = hash {
        assert_eq!(stored.hash, *hash);
    }
    let by_id = storage.accounts.find(user.id).await;
    assert_eq!(by_id.expect("storage answers").as_ref(), Some(user));
}

async fn assert_sessions_written(storage: &CoreStorage, applied: &Applied) {
    let change = &applied.change;
    if let Some((EndSessionsOf::Sessions(ids), reason)) = &change.end_sessions {
        assert_eq!(applied.sessions_ended, ids.len() as u64);
        for id in ids {
            assert_eq!(found(storage, *id).await.lifetime.ended, Some(*reason));
        }
    }
    if let Some(session) = &change.open_session {
        let user = storage.accounts.find(session.user).await;
        let user = user.expect("storage answers").expect("the session's user");
        assert_eq!(found(storage, session.id).await, session.stored(&user));
    }
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

/// All that can be observed of a user, to assert that nothing changed.
#[derive(Debug)]
pub(super) struct Everything {
    pub(super) credentials: Option<Credentials>,
    pub(super) sessions: Vec<Option<StoredSession>>,
    pub(super) snapshots: Vec<Option<SessionSnapshot>>,
    pub(super) events: Vec<(AuditEvent, AuditContext)>,
}

impl PartialEq for Everything {
    fn eq(&self, other: &Self) -> bool {
        let hash = |of: &Self| of.credentials.as_ref().map(|it| it.hash.clone());
        hash(self) == hash(other) && self.eq_except_for_the_hash(other)
    }
}

impl Everything {
    pub(super) async fn of(storage: &CoreStorage, user: &User, sessions: &[SessionId]) -> Self {
        let mut everything = Self {
            credentials: storage
                .accounts
                .find_by_login(user.login.canonical())
                .await
                .expect("storage answers"),
            sessions: Vec::new(),
            snapshots: Vec::new(),
            events: events_of(storage, user).await,
        };
        for id in sessions {
            everything
                .sessions
                .push(storage.sessions.find(*id).await.expect("storage answers"));
            everything
                .snapshots
                .push(storage.snapshots.snapshot(*id).await.expect("storage answers"));
        }
        everything
    }

    pub(super) fn eq_except_for_the_hash(&self, other: &Self) -> bool {
        let user = |of: &Self| of.credentials.as_ref().map(|it| it.user.clone());
        user(self) == user(other)
            && self.sessions == other.sessions
            && self.snapshots == other.snapshots
            && self.events == other.events
    }
}

/// Starts all of `calls` at once, and returns their results in no order.
pub(super) async fn race<T, Call>(calls: impl IntoIterator<Item = Call>) -> Vec<T>
where
    T: Send + 'static,
    Call: Future<Output = T> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for call in calls {
        let start = Arc::clone(&start);
        running.spawn(async move {
            start.wait().await;
            // The last task to arrive wakes the others on its own thread: queue them again, for idle threads to steal.
            yield_now().await;
            call.await
        });
    }
    running.join_all().await
}

/// Returns the result of `call`. Storage may turn away some of many concurrent calls, for which nothing has happened then:
/// they are repeated, as clients do, up to a limit.
pub(super) async fn answered<T, Answer>(call: impl Fn() -> Answer) -> T
where
    Answer: Future<Output = Result<T, PortError>>,
{
    for _ in 0..MAX_ATTEMPTS {
        match call().await {
            Err(PortError::Overloaded) => yield_now().await,
            answer => return answer.expect("storage answers"),
        }
    }
    panic!("storage turned a call away {MAX_ATTEMPTS} times");
}

/// Returns what `call` made of a command, repeated as in [`answered`].
pub(super) async fn decided<T, Answer>(call: impl Fn() -> Answer) -> Result<T, Refusal>
where
    Answer: Future<Output = Result<T, ChangeError>>,
{
    answered(async || match call().await {
        Ok(done) => Ok(Ok(done)),
        Err(ChangeError::Refused(refusal)) => Ok(Err(refusal)),
        Err(ChangeError::Port(error)) => Err(error),
    })
    .await
}

/// How many of `results` are `wanted`.
pub(super) fn count<T>(results: &[T], wanted: impl Fn(&T) -> bool) -> usize {
    results.iter().filter(|result| wanted(result)).count()
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
    logged_in_as(&storage.core(), user).await
}
