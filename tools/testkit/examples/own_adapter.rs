//! The core with a storage adapter of one's own: every storage port, each call counted and handed on to a storage behind,
//! so that what a use case costs can be asserted. Behind it is testkit's storage in memory; it could be any.
//!
//! `cargo run -p testkit --example own_adapter` walks from a registration to a refused token, `cargo test` with the same
//! arguments runs the whole contract of storage over the adapter.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{self, AuditContext, AuditEvent, AuditNumber, Origin},
    login::CanonicalLogin,
    password::{Password, PasswordHash, PasswordPolicy},
    ports::{self, PortError},
    role::{Role, RoleName, RoleNames},
    session::{self, EndReason, SessionId, SessionRules},
    use_cases::{
        AcceptPassword, Authenticate, AuthenticateError, CreateUser, IssueTokens, LogIn, LogOut,
        RecogniseRefreshToken, RecordFailedAttempt, Register,
    },
    user::{self, Epoch, User, UserId},
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{error::Error, sync::Arc};
use testkit::{
    CountingRandomness, FixedClock, MemoryStorage, OpenThrottle, PlainHasher, PlainMeter, PlainTokens,
    Storage, ToyMac,
    fixtures::{PASSWORD, at, token_rules},
};

/// A storage that knows how often it was asked.
struct CountedStorage {
    behind: Storage,
    calls: AtomicU32,
}

/// Implements a port: each method counts its call and hands it on.
macro_rules! count {
    ($port:ident as $field:ident: $($method:ident($($name:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl ports::$port for CountedStorage {
            $(async fn $method(&self, $($name: $kind),*) -> Result<$answer, PortError> {
                self.calls.fetch_add(1, Ordering::Relaxed);
                self.behind.$field.$method($($name),*).await
            })*
        }
    };
}

count!(Users as users: find(id: UserId) -> Option<User>; any_admin() -> bool;
    insert(user: user::NewUser, context: AuditContext) -> ports::Inserted;
    import(users: Vec<user::ImportedUser>, context: AuditContext) -> Vec<ports::Inserted>;
    find_by_login(login: &CanonicalLogin) -> Option<user::Credentials>;
    change_roles(change: ports::ChangeRoles, context: AuditContext) -> ports::RolesChanged;
    change_password(change: ports::ChangePassword, context: AuditContext) -> ports::PasswordChanged;
    reset_password(whom: ports::Administer, hash: PasswordHash, context: AuditContext) -> ports::Administered;
    replace_hash(user: UserId, old: &PasswordHash, new: &PasswordHash) -> bool;
    set_status(whom: ports::Administer, status: user::UserStatus, context: AuditContext) -> ports::Administered;
    delete(whom: ports::Administer, context: AuditContext) -> ports::Administered;
    list(filter: user::UserFilter, page: user::UserPage) -> Vec<User>;
    export(page: user::UserPage) -> Vec<user::Credentials>;);
count!(Sessions as sessions: find(id: SessionId) -> Option<session::StoredSession>;
    open(session: session::NewSession, epoch: Epoch, max: u32, context: AuditContext) -> ports::Opened;
    rotate(step: session::Rotation) -> ports::Rotated;
    end(id: SessionId, user: UserId, reason: EndReason, context: AuditContext) -> ports::Ended;
    end_all(user: UserId, reason: EndReason, context: AuditContext) -> u64;
    revoke_sessions(force: ports::RevokeSessions, context: AuditContext) -> ports::SessionsRevoked;
    list(user: UserId, now: DateTime<Utc>) -> Vec<session::SessionSummary>;
    remove_dead(before: DateTime<Utc>, limit: u32) -> u64;);
count!(SessionSnapshots as snapshots: snapshot(session: SessionId) -> Option<domain::caller::SessionSnapshot>;);
count!(Roles as roles: find(names: &RoleNames) -> Vec<Role>; list() -> Vec<Role>;
    put(put: ports::PutRole, context: AuditContext) -> ports::RolePut;
    remove(remove: ports::RemoveRole, context: AuditContext) -> ports::RoleRemoved;);
count!(AuditLog as audit: note(event: AuditEvent, context: AuditContext) -> (); ends() -> audit::ChainEnds;
    page(filter: audit::AuditFilter, before: Option<AuditNumber>, limit: u32) -> Vec<audit::AuditRecord>;
    rows(after: AuditNumber, limit: u32) -> Vec<Result<(audit::AuditRow, audit::Seal), audit::BrokenRow>>;
    trim(before: DateTime<Utc>, limit: u32, context: AuditContext) -> u64;);
count!(StorageHealth as health: check() -> (););

/// Every port over `behind`, counted, and the counter.
fn counted(behind: Storage) -> (Storage, Arc<CountedStorage>) {
    let calls = AtomicU32::new(0);
    let counted = Arc::new(CountedStorage { behind, calls });
    let storage = Storage {
        users: counted.clone(),
        sessions: counted.clone(),
        snapshots: counted.clone(),
        roles: counted.clone(),
        audit: counted.clone(),
        health: counted.clone(),
    };
    (storage, counted)
}

/// Four use cases over `storage`; whatever is not storage is a fake of testkit's.
fn wire(storage: Storage) -> (Register, LogIn, Arc<Authenticate>, LogOut) {
    let (users, sessions) = (storage.users, storage.sessions);
    let (throttle, keys) = (Arc::new(OpenThrottle), PlainTokens::default().tokens());
    let (hasher, mac) = (Arc::new(PlainHasher::default()), Arc::new(ToyMac::default()));
    let (clock, rules) = (Arc::new(FixedClock::new(at(0))), SessionRules::default());
    let (rng, policy) = (Arc::<CountingRandomness>::default(), PasswordPolicy::default());
    let accept = Arc::new(AcceptPassword::new(Arc::new(PlainMeter::default()), policy));
    let create_user = CreateUser::new(users.clone(), accept, hasher.clone(), clock.clone(), rng.clone());
    let register = Register::new(throttle.clone(), Arc::new(create_user), [RoleName::USER].into());
    let issue = IssueTokens::new(keys.signer, mac.clone(), rng.clone(), token_rules());
    let (issue, note) = (issue.into(), RecordFailedAttempt::new(storage.audit, 60).into());
    let access = Authenticate::new(keys.verifier, storage.snapshots, clock.clone(), token_rules());
    let access = Arc::new(access);
    let recognise = Arc::new(RecogniseRefreshToken::new(mac));
    let log_out = LogOut::new(access.clone(), recognise, sessions.clone(), clock.clone(), rules);
    let log_in = LogIn::new(throttle, users, hasher, sessions, issue, note, clock, rng, rules);
    (register, log_in, access, log_out)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (storage, counter) = counted(MemoryStorage::default().storage());
    let (register, log_in, authenticate, log_out) = wire(storage);
    let (password, here) = (Password::new(PASSWORD.to_owned()), Origin::default());
    let step = |what: &str, expected: u32| {
        let calls = counter.calls.swap(0, Ordering::Relaxed);
        assert_eq!(calls, expected, "{what}");
        println!("{what}; calls of the storage: {calls}");
    };
    let registering = register.execute("alice".to_owned(), password.clone(), here.clone());
    let alice = registering.await?;
    step("registered", 2);
    let pair = log_in.execute("alice", password, here.clone()).await?;
    step("logged in", 2);
    let token = pair.access_token.expose();
    assert_eq!(authenticate.execute(token).await?.user().id, alice.id);
    step("authenticated", 1);
    log_out.execute(token, false, here).await?;
    step("logged out", 2);
    let refused = authenticate.execute(token).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
    step("refused the token from before the logout", 1);
    Ok(())
}

#[cfg(test)]
mod contract {
    use super::{MemoryStorage, Storage, counted};

    async fn fresh() -> (Storage, ()) {
        std::future::ready((counted(MemoryStorage::default().storage()).0, ())).await
    }

    testkit::storage_contract!(fresh);
}
