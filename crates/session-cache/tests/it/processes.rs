//! Processes that share a database and a bus.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    caller::SessionSnapshot,
    changes::{AssignRoles, EndSessions, OpenSession, RegisterUser},
    invalidation::InvalidationScope,
    ports::{Clock, PortError, Revocations, SessionMemory, SessionSnapshots},
    session::{EndReason, SessionId},
    token::TokenIdentity,
    user::{Epoch, User, UserId},
};
use session_cache::{
    CacheLimits, CachedSessionSnapshots, InvalidationListener, LeaseRenewer, LeasedRevocations,
    SessionCoherence,
};
use session_cache::{
    ports::{InvalidationBus, MonotonicClock},
    protocol::ReplicaId,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::{
    MemoryBus, MemoryLeases, MemoryStorage, Storage, TokioClock,
    fixtures::{a_session, a_user, at, context, identity, role_change, unique_uuid},
};
use tokio::task::{AbortHandle, spawn};

#[derive(Clone, Default)]
pub struct World {
    pub memory: MemoryStorage,
    pub leases: MemoryLeases,
    pub bus: MemoryBus,
    pub clock: TokioClock,
    pub calendar: SteppedClock,
    tokens: Tokens,
}

/// A calendar clock that advances with the monotonic one and that a test steps.
#[derive(Clone, Default)]
pub struct SteppedClock {
    elapsed: TokioClock,
    ahead: Arc<Mutex<TimeDelta>>,
}

impl SteppedClock {
    pub fn step(&self, by: TimeDelta) {
        *self.ahead.lock().expect("no other thread panics") += by;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> DateTime<Utc> {
        at(0) + self.elapsed.now() + *self.ahead.lock().expect("no other thread panics")
    }
}

/// The token of each session.
type Tokens = Arc<Mutex<HashMap<SessionId, TokenIdentity>>>;

/// A process of the service. Dropping it ends its tasks.
pub struct Process {
    pub coherence: Arc<SessionCoherence>,
    pub snapshots: Arc<CachedSessionSnapshots>,
    pub revocations: LeasedRevocations,
    pub reads: Arc<MeteredSnapshots>,
    pub renewer: AbortHandle,
    pub listener: AbortHandle,
    tokens: Tokens,
}

/// Counts reads, each of which takes a millisecond.
pub struct MeteredSnapshots {
    snapshots: Arc<dyn SessionSnapshots>,
    pub count: AtomicUsize,
}

#[async_trait]
impl SessionSnapshots for MeteredSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let snapshot = self.snapshots.snapshot(session).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        snapshot
    }
}

impl World {
    pub fn storage(&self) -> Storage {
        self.memory.storage()
    }

    pub fn process(&self) -> Process {
        self.process_on(Arc::new(self.bus.clone()))
    }

    /// Starts a process that uses `bus`, which must lead to the others.
    pub fn process_on(&self, bus: Arc<dyn InvalidationBus>) -> Process {
        let leases = Arc::new(self.leases.clone());
        let (clock, calendar) = (Arc::new(self.clock), Arc::new(self.calendar.clone()));
        let id = ReplicaId(unique_uuid());
        let coherence = SessionCoherence::new(id, leases, bus, clock, calendar, CacheLimits::default());
        let reads = Arc::new(MeteredSnapshots {
            snapshots: self.storage().snapshots,
            count: AtomicUsize::new(0),
        });
        let snapshots = Arc::new(CachedSessionSnapshots::new(reads.clone(), Arc::clone(&coherence)));
        let (renewer, listener) = (
            LeaseRenewer::new(coherence.clone()),
            InvalidationListener::new(coherence.clone()),
        );
        Process {
            revocations: LeasedRevocations::new(Arc::clone(&coherence)),
            coherence,
            snapshots,
            reads,
            renewer: spawn(async move { renewer.run().await }).abort_handle(),
            listener: spawn(async move { listener.run().await }).abort_handle(),
            tokens: Arc::clone(&self.tokens),
        }
    }

    /// Creates a user with one session.
    pub async fn logged_in(&self, login: &str) -> (User, SessionId) {
        let accounts = self.storage().accounts;
        let register = Arc::new(RegisterUser(a_user(login)));
        let registered = accounts.execute(register, context(at(0))).await;
        let user = registered
            .expect("the login is free")
            .into_user()
            .expect("the change is to a user");
        let session = a_session(user.id, at(1));
        let id = session.id;
        let token = identity(&user, &session);
        self.tokens
            .lock()
            .expect("no other thread panics")
            .insert(id, token);
        let open = Arc::new(OpenSession {
            session,
            epoch: user.epoch,
            known: None,
            max_sessions: 100,
        });
        accounts
            .execute(open, context(at(1)))
            .await
            .expect("the session can be opened");
        (user, id)
    }

    /// Changes the roles of `user` without publishing it, keeps the session, and returns its next
    /// token.
    pub async fn change_epoch(&self, user: &User, session: SessionId) -> TokenIdentity {
        let assign = Arc::new(AssignRoles {
            keep_sessions: true,
            ..role_change(user.id, &[])
        });
        let assigned = self.storage().accounts.execute(assign, context(at(2))).await;
        let user = assigned
            .expect("the rules allow the change")
            .into_user()
            .expect("the change is to a user");
        let mut tokens = self.tokens.lock().expect("no other thread panics");
        let token = tokens.get_mut(&session).expect("the session has a token");
        token.epoch = user.epoch;
        *token
    }

    /// Ends all sessions of `user` without publishing it.
    pub async fn end_all(&self, user: &User) {
        let end = Arc::new(EndSessions {
            user: user.id,
            reason: EndReason::LoggedOut,
        });
        let ended = self.storage().accounts.execute(end, context(at(2))).await;
        ended.expect("storage is available");
    }
}

impl Process {
    /// Returns once `session` is served from memory.
    pub async fn warm_up(&self, session: SessionId) {
        for _ in 0..1000 {
            let holds_lease = self.coherence.holds_lease();
            self.alive(session).await;
            if holds_lease {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("no lease was granted");
    }

    /// Returns once the process may answer from memory.
    pub async fn take_lease(&self) {
        let unknown = TokenIdentity {
            principal: UserId(unique_uuid()).into(),
            session: SessionId(unique_uuid()),
            epoch: Epoch::FIRST,
        };
        while !self.coherence.holds_lease() {
            self.snapshots
                .snapshot_for(unknown, at(0))
                .await
                .expect("storage is available");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Returns whether a request of `session` is accepted.
    pub async fn alive(&self, session: SessionId) -> bool {
        self.ask(session).await.expect("storage is available")
    }

    /// Returns whether a request of `session` is accepted.
    ///
    /// # Errors
    /// Returns the error of storage.
    pub async fn ask(&self, session: SessionId) -> Result<bool, PortError> {
        let token = *self
            .tokens
            .lock()
            .expect("no other thread panics")
            .get(&session)
            .expect("the session has a token");
        let snapshot = self.snapshots.snapshot_for(token, at(3)).await?;
        Ok(snapshot.is_some_and(|snapshot| snapshot.is_valid_for(token, at(3))))
    }

    pub fn reads(&self) -> usize {
        self.reads.count.load(Ordering::Relaxed)
    }

    /// Publishes that `user` has changed.
    pub async fn publish(&self, user: &User) {
        self.revocations
            .publish(vec![InvalidationScope::User(user.id)])
            .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.renewer.abort();
        self.listener.abort();
    }
}
