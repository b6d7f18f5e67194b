//! The core with a storage adapter of one's own: every storage port, each call counted and handed on to a storage behind,
//! so that what a use case costs can be asserted. Behind it is testkit's storage in memory; it could be any.
//!
//! `cargo run -p testkit --example own_adapter` walks from a registration to a refused token;
//! `cargo test -p testkit --example own_adapter` runs the whole contract of storage over the adapter.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
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
    token::TokenRules,
    use_cases::{
        Authenticate, AuthenticateError, CreateUser, IssueTokens, LogIn, LogOut, RecogniseRefreshToken,
        Register,
    },
    user::{Credentials, Epoch, NewUser, User, UserId, UserStatus},
};
use std::{
    error::Error,
    sync::Arc,
    sync::atomic::{AtomicU32, Ordering},
};
use testkit::{
    CountingRandomness, FixedClock, MemoryStorage, OpenThrottle, PlainHasher, PlainTokens, Storage, ToyMac,
    fixtures::{PASSWORD, at},
};

/// A storage that knows how often it was asked.
struct CountedStorage {
    behind: Storage,
    calls: AtomicU32,
}

/// Implements a port: each method counts its call and hands it on.
macro_rules! counted {
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

counted!(Users as users:
    insert(user: NewUser, stamp: Stamp) -> Inserted;
    find_by_login(login: &CanonicalLogin) -> Option<Credentials>;
    change_roles(change: ChangeRoles, stamp: Stamp) -> RolesChanged;
    change_password(change: ChangePassword, stamp: Stamp) -> PasswordChanged;
    replace_hash(user: UserId, old: &PasswordHash, new: &PasswordHash) -> bool;
    set_status(user: UserId, status: UserStatus, stamp: Stamp) -> StatusChanged;
    any_admin() -> bool;
    list(after: Option<CanonicalLogin>, limit: u32) -> Vec<User>;
);
counted!(Sessions as sessions:
    open(session: NewSession, epoch: Epoch, max: u32, stamp: Stamp) -> Opened;
    find(id: SessionId) -> Option<StoredSession>;
    rotate(rotation: Rotation) -> Rotated;
    end(id: SessionId, user: UserId, reason: EndReason, stamp: Stamp) -> Ended;
    end_all(user: UserId, reason: EndReason, stamp: Stamp) -> u64;
    list(user: UserId, now: DateTime<Utc>) -> Vec<SessionSummary>;
    remove_dead(before: DateTime<Utc>, limit: u32) -> u64;
);
counted!(SessionViews as views: view(session: SessionId) -> Option<SessionView>;);
counted!(Roles as roles: find(names: &RoleNames) -> Vec<Role>;);
counted!(AuditTrail as audit: of_user(user: UserId) -> Vec<AuditRecord>;);
counted!(StorageHealth as health: check() -> (););

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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (storage, counter) = counted(MemoryStorage::default().storage());
    let (users, sessions) = (storage.users, storage.sessions);
    let (hasher, mac) = (Arc::new(PlainHasher::default()), Arc::new(ToyMac::default()));
    let (clock, random) = (
        Arc::new(FixedClock::new(at(0))),
        Arc::new(CountingRandomness::default()),
    );
    let (throttle, keys) = (Arc::new(OpenThrottle), PlainTokens::default().tokens());
    let (rules, policy) = (SessionRules::default(), PasswordPolicy::default());
    let tokens = TokenRules {
        issuer: "https://auth.example".to_owned(),
        audience: "shop".to_owned(),
        client_id: "shop".to_owned(),
        access_ttl: Duration::minutes(15),
    };
    let create = CreateUser::new(
        users.clone(),
        hasher.clone(),
        clock.clone(),
        random.clone(),
        policy,
    );
    let register = Register::new(throttle.clone(), Arc::new(create));
    let issue = Arc::new(IssueTokens::new(
        keys.signer,
        mac.clone(),
        random.clone(),
        tokens.clone(),
    ));
    let auth = Arc::new(Authenticate::new(
        keys.verifier,
        storage.views,
        clock.clone(),
        tokens,
    ));
    let recognise = Arc::new(RecogniseRefreshToken::new(sessions.clone(), mac));
    let log_out = LogOut::new(auth.clone(), recognise, sessions.clone(), clock.clone(), rules);
    let log_in = LogIn::new(throttle, users, hasher, sessions, issue, clock, random, rules);
    let (password, here) = (Password::new(PASSWORD.to_owned()), Origin::default());
    let calls = || counter.calls.swap(0, Ordering::Relaxed);

    let alice = register
        .execute("alice".to_owned(), password.clone(), here.clone())
        .await?;
    println!(
        "registered {} with {} calls of the storage",
        alice.login.as_typed(),
        calls()
    );
    let pair = log_in.execute("alice", password, here.clone()).await?;
    println!("logged in with {} calls", calls());
    let token = pair.access_token.expose();
    assert_eq!(auth.execute(token).await?.user().id, alice.id);
    assert_eq!(calls(), 1, "one read settles who is calling");
    println!("authenticated with one call");
    let forged = auth.execute(&format!("{token}x")).await;
    assert!(matches!(forged, Err(AuthenticateError::Invalid)), "{forged:?}");
    assert_eq!(calls(), 0, "a forged token never gets as far as the storage");
    println!("refused a forged token without a call");
    log_out.execute(token, false, here).await?;
    println!("logged out with {} calls", calls());
    let refused = auth.execute(token).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
    println!("refused the same token: {}", AuthenticateError::Revoked);
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
