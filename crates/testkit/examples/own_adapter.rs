//! The core with a storage adapter of one's own: every storage port, each call counted and handed on to a storage behind,
//! so that what a use case costs can be asserted. Behind it is testkit's storage in memory; it could be any.
//!
//! `cargo run -p testkit --example own_adapter` walks from a registration to a refused token, `cargo test` with the same
//! arguments runs the whole contract of storage over the adapter.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditRecord, Origin, Stamp},
    caller::SessionView,
    login::CanonicalLogin,
    password::{Password, PasswordHash, PasswordPolicy},
    ports::{
        AuditTrail, ChangePassword, ChangeRoles, Ended, Inserted, Opened, PasswordChanged, PortError, Roles,
        RolesChanged, Rotated, SessionViews, Sessions, StatusChanged, StorageHealth, Users,
    },
    role::{Role, RoleNames},
    session::{EndReason, NewSession, Rotation, SessionId, SessionRules, SessionSummary, StoredSession},
    use_cases::{
        AcceptPassword, Authenticate, AuthenticateError, CreateUser, IssueTokens, LogIn, LogOut,
        RecogniseRefreshToken, Register,
    },
    user::{Credentials, Epoch, NewUser, User, UserId, UserStatus},
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
        impl $port for CountedStorage {
            $(async fn $method(&self, $($name: $kind),*) -> Result<$answer, PortError> {
                self.calls.fetch_add(1, Ordering::Relaxed);
                self.behind.$field.$method($($name),*).await
            })*
        }
    };
}

count!(Users as users:
    insert(user: NewUser, stamp: Stamp) -> Inserted;
    find_by_login(login: &CanonicalLogin) -> Option<Credentials>;
    change_roles(change: ChangeRoles, stamp: Stamp) -> RolesChanged;
    change_password(change: ChangePassword, stamp: Stamp) -> PasswordChanged;
    replace_hash(user: UserId, old: &PasswordHash, new: &PasswordHash) -> bool;
    set_status(user: UserId, status: UserStatus, stamp: Stamp) -> StatusChanged;
    any_admin() -> bool;
    list(after: Option<CanonicalLogin>, limit: u32) -> Vec<User>;
);
count!(Sessions as sessions:
    open(session: NewSession, epoch: Epoch, max: u32, stamp: Stamp) -> Opened;
    find(id: SessionId) -> Option<StoredSession>;
    rotate(rotation: Rotation) -> Rotated;
    end(id: SessionId, user: UserId, reason: EndReason, stamp: Stamp) -> Ended;
    end_all(user: UserId, reason: EndReason, stamp: Stamp) -> u64;
    list(user: UserId, now: DateTime<Utc>) -> Vec<SessionSummary>;
    remove_dead(before: DateTime<Utc>, limit: u32) -> u64;
);
count!(SessionViews as views: view(session: SessionId) -> Option<SessionView>;);
count!(Roles as roles: find(names: &RoleNames) -> Vec<Role>;);
count!(AuditTrail as audit: of_user(user: UserId) -> Vec<AuditRecord>;);
count!(StorageHealth as health: check() -> (););

/// Every port over `behind`, counted, and the counter.
fn counted(behind: Storage) -> (Storage, Arc<CountedStorage>) {
    let calls = AtomicU32::new(0);
    let counted = Arc::new(CountedStorage { behind, calls });
    let storage = Storage {
        users: counted.clone(),
        sessions: counted.clone(),
        views: counted.clone(),
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
    let register = Register::new(throttle.clone(), Arc::new(create_user));
    let issue = IssueTokens::new(keys.signer, mac.clone(), rng.clone(), token_rules());
    let access = Authenticate::new(keys.verifier, storage.views, clock.clone(), token_rules());
    let access = Arc::new(access);
    let recognise = Arc::new(RecogniseRefreshToken::new(sessions.clone(), mac));
    let log_out = LogOut::new(access.clone(), recognise, sessions.clone(), clock.clone(), rules);
    let log_in = LogIn::new(throttle, users, hasher, sessions, issue.into(), clock, rng, rules);
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
    let forged = authenticate.execute(&format!("{token}x")).await;
    assert!(matches!(forged, Err(AuthenticateError::Invalid)), "{forged:?}");
    step("refused a forged token", 0);
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
