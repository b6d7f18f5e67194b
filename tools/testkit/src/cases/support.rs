//! What the cases share: set the scene, look at all of it, and let many do one thing at once.

use crate::{
    Storage,
    fixtures::{a_role, a_session, a_user, at, context, context_of},
};
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditFilter, AuditRecord},
    caller::SessionSnapshot,
    ports::{ChangeRoles, Inserted, Opened, PortError, PutRole, RolePut, RolesChanged},
    role::Role,
    session::{Liveness, NewSession, SessionId, SessionSummary, StoredSession},
    user::{Credentials, NewUser, User, UserFilter, UserPage},
};
use std::sync::Arc;
use tokio::{
    sync::Barrier,
    task::{JoinSet, yield_now},
};

/// More sessions than any case opens that is not about the limit.
pub(super) const PLENTY: u32 = 100;

/// How often a call is made that storage is too busy for. Each time it has waited for half a second and more.
const MOST_ASKED: u32 = 20;

/// Stores `user` at second 0.
pub(super) async fn registered(storage: &Storage, user: NewUser) -> User {
    match storage
        .users
        .insert(user, context(at(0)))
        .await
        .expect("storage answers")
    {
        Inserted::Now(user) => user,
        other => panic!("a new user was not stored: {other:?}"),
    }
}

/// Opens `session`, which is `user`'s, at its own time.
pub(super) async fn opened(storage: &Storage, user: &User, session: NewSession) -> NewSession {
    let context = context_of(user.id, session.created_at);
    let opened = storage
        .sessions
        .open(session.clone(), user.epoch, PLENTY, context)
        .await
        .expect("storage answers");
    assert_eq!(opened, Opened::Now, "a session of an active user");
    session
}

/// A user and a session of theirs, opened at second 1.
pub(super) async fn logged_in(storage: &Storage, login: &str) -> (User, NewSession) {
    logged_in_as(storage, a_user(login)).await
}

/// `user`, stored, and a session of theirs, opened at second 1.
pub(super) async fn logged_in_as(storage: &Storage, user: NewUser) -> (User, NewSession) {
    let user = registered(storage, user).await;
    let session = opened(storage, &user, a_session(user.id, at(1))).await;
    (user, session)
}

pub(super) async fn credentials(storage: &Storage, user: &User) -> Credentials {
    storage
        .users
        .find_by_login(user.login.canonical())
        .await
        .expect("storage answers")
        .expect("a user who was stored")
}

pub(super) async fn user_now(storage: &Storage, user: &User) -> User {
    credentials(storage, user).await.user
}

pub(super) async fn found(storage: &Storage, id: SessionId) -> StoredSession {
    storage
        .sessions
        .find(id)
        .await
        .expect("storage answers")
        .expect("a session that was stored")
}

pub(super) async fn liveness(storage: &Storage, id: SessionId, now: DateTime<Utc>) -> Liveness {
    found(storage, id).await.lifetime.at(now)
}

pub(super) async fn viewed(storage: &Storage, id: SessionId) -> SessionSnapshot {
    storage
        .snapshots
        .snapshot(id)
        .await
        .expect("storage answers")
        .expect("a session that was stored")
}

/// What was done to `user`, oldest first.
pub(super) async fn trail(storage: &Storage, user: &User) -> Vec<AuditRecord> {
    let of_user = AuditFilter {
        user: Some(user.id),
        ..AuditFilter::default()
    };
    let mut events = storage
        .audit
        .page(of_user, None, 1000)
        .await
        .expect("storage answers");
    events.reverse();
    events
}

/// All that can be seen of a user, to tell whether anything changed.
#[derive(Debug)]
pub(super) struct Everything {
    pub(super) credentials: Option<Credentials>,
    pub(super) sessions: Vec<Option<StoredSession>>,
    pub(super) snapshots: Vec<Option<SessionSnapshot>>,
    pub(super) listed: Vec<SessionSummary>,
    pub(super) trail: Vec<AuditRecord>,
}

impl PartialEq for Everything {
    fn eq(&self, other: &Self) -> bool {
        let hash = |of: &Self| of.credentials.as_ref().map(|it| it.hash.clone());
        hash(self) == hash(other) && self.eq_but_for_the_hash(other)
    }
}

impl Everything {
    pub(super) async fn of(storage: &Storage, user: &User, sessions: &[SessionId]) -> Self {
        let mut everything = Self {
            credentials: storage
                .users
                .find_by_login(user.login.canonical())
                .await
                .expect("storage answers"),
            sessions: Vec::new(),
            snapshots: Vec::new(),
            listed: storage
                .sessions
                .list(user.id, at(1))
                .await
                .expect("storage answers"),
            trail: trail(storage, user).await,
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

    pub(super) fn eq_but_for_the_hash(&self, other: &Self) -> bool {
        let user = |of: &Self| of.credentials.as_ref().map(|it| it.user.clone());
        user(self) == user(other)
            && self.sessions == other.sessions
            && self.snapshots == other.snapshots
            && self.listed == other.listed
            && self.trail == other.trail
    }
}

/// Lets all of `calls` go at once; what they answered, in no order.
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
            // Whoever came last wakes the others on its own thread: back into the queue, for idle threads to steal.
            yield_now().await;
            call.await
        });
    }
    running.join_all().await
}

/// What `call` answers. Of many who ask at once storage may send some away, for whom nothing has happened then: they ask again,
/// as clients do, and not for ever.
pub(super) async fn answered<T, Answer>(call: impl Fn() -> Answer) -> T
where
    Answer: Future<Output = Result<T, PortError>>,
{
    for _ in 0..MOST_ASKED {
        match call().await {
            Err(PortError::Overloaded) => yield_now().await,
            answer => return answer.expect("storage answers"),
        }
    }
    panic!("storage sent a call away {MOST_ASKED} times");
}

/// How many of `answers` are `wanted`.
pub(super) fn count<T>(answers: &[T], wanted: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| wanted(answer)).count()
}

/// All users that `filter` holds for, in one page.
pub(super) async fn listed(storage: &Storage, filter: &UserFilter) -> Vec<User> {
    let page = UserPage {
        after: None,
        limit: 1000,
    };
    storage
        .users
        .list(filter.clone(), page)
        .await
        .expect("storage answers")
}

/// Puts a role into the catalogue on the operator's word.
pub(super) async fn put(storage: &Storage, role: PutRole) -> Role {
    match answered(|| storage.roles.put(role.clone(), context(at(0)))).await {
        RolePut::Now { role, .. } => role,
        other => panic!("a role was not put: {other:?}"),
    }
}

/// A user with a role of their own that allows `permissions`, and a session of theirs.
pub(super) async fn somebody_who_may(
    storage: &Storage,
    login: &str,
    permissions: &[&str],
) -> (User, NewSession) {
    let role = put(storage, a_role(&format!("of-{login}"), permissions)).await;
    let user = NewUser {
        roles: [role.name].into(),
        ..a_user(login)
    };
    logged_in_as(storage, user).await
}

pub(super) async fn change_roles(storage: &Storage, change: ChangeRoles) -> RolesChanged {
    answered(|| storage.users.change_roles(change.clone(), context(at(10)))).await
}
