//! Values shared by the tests of all modules: a user, their session and the time of the tests.

use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::{Caller, SessionSnapshot, UserCaller},
    login::Login,
    password::{Password, PasswordHash},
    principal::Principal,
    replica::{ReplicaSettings, TokenLifetimes},
    revision::Revision,
    role::{Permissions, RoleName, RoleNames},
    session::{
        Burst, Generation, Holder, LastRotation, Lifetime, OriginFingerprint, SecretDigest, SessionId,
        StoredSession,
    },
    step_up::StepUp,
    token::TokenIdentity,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};
use chrono::{DateTime, Duration, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

pub const USER: UserId = UserId(Uuid::from_u128(1));
pub const SESSION: SessionId = SessionId(Uuid::from_u128(2));
pub const EPOCH: Epoch = Epoch(4);
/// The secret in the tokens of [`stored_session`].
pub const SECRET: [u8; 32] = [7; 32];
pub const GOOD_PASSWORD: &str = "correct horse battery staple";
/// The number of sessions that applying a change ends in the tests.
pub const SESSIONS_ENDED: u64 = 3;

/// The time at which every test runs.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000, 0).expect("chrono represents the second")
}

pub fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_phc(text.to_owned())
}

pub fn roles(names: &[&str]) -> RoleNames {
    names
        .iter()
        .map(|name| RoleName::parse(name).expect("the role name is valid"))
        .collect()
}

pub fn user() -> User {
    User {
        id: USER,
        login: Login::parse("Alice").expect("the login is valid"),
        roles: roles(&["user"]),
        status: UserStatus::Active,
        epoch: EPOCH,
        must_change_password: false,
        one_time_password: None,
        revision: Revision(7),
        created_at: now() - Duration::days(1),
        updated_at: now() - Duration::days(1),
        last_login_at: None,
    }
}

pub fn credentials() -> Credentials {
    Credentials {
        user: user(),
        hash: hash("$stored"),
    }
}

/// Returns [`user`] as a caller with `permissions`, whose password was checked recently.
pub fn caller_with(permissions: Permissions) -> Caller {
    Arc::new(snapshot_with(permissions))
        .validate(
            TokenIdentity {
                principal: USER.into(),
                session: SESSION,
                epoch: EPOCH,
            },
            now(),
        )
        .expect("the session is live")
        .with_step_up(StepUp::Recent)
}

/// The session snapshot of [`caller_with`].
pub fn snapshot_with(permissions: Permissions) -> SessionSnapshot {
    SessionSnapshot {
        session: SESSION,
        lifetime: stored_session().lifetime,
        principal: user().into(),
        permissions,
    }
}

/// The settings of a replica with one signing key, `one`.
pub fn replica_settings() -> ReplicaSettings {
    ReplicaSettings {
        issuer: "https://auth.example".to_owned(),
        audience: "api".to_owned(),
        client_id: "authapi".to_owned(),
        signing_key: "one".to_owned(),
        accepted_keys: BTreeSet::from(["one".to_owned()]),
        loaded_keys: BTreeMap::from([("one".to_owned(), 0)]),
        refresh_key: "r".to_owned(),
        accepted_refresh_keys: BTreeSet::from(["r".to_owned()]),
        audit_key: Some("a".to_owned()),
        bus: Some("redis".to_owned()),
        lifetimes: TokenLifetimes {
            access: 900_000,
            refresh_idle: 2_000_000,
            refresh: 9_000_000,
            refresh_grace: 10_000,
            step_up: Some(900_000),
        },
    }
}

/// The user of `snapshot`.
pub fn user_in(snapshot: &mut SessionSnapshot) -> &mut User {
    match &mut snapshot.principal {
        Principal::User(user) => user,
        Principal::Machine(machine) => panic!("a machine: {machine:?}"),
    }
}

pub fn caller() -> Caller {
    caller_with(Permissions::new())
}

pub fn user_caller() -> UserCaller {
    caller().try_into().expect("the caller is a user")
}

/// A live session of [`user`] at generation 5, refreshed a minute ago.
pub fn stored_session() -> StoredSession {
    StoredSession {
        id: SESSION,
        secret_digest: digest(&SECRET),
        generation: Generation(5),
        lifetime: Lifetime {
            created_at: now() - Duration::hours(1),
            idle_expires_at: now() + Duration::days(1),
            expires_at: now() + Duration::days(2),
            ended: None,
        },
        last_rotation: LastRotation {
            age: Duration::minutes(1),
            origin: Some(OriginFingerprint::of(&origin())),
            replay_recorded: false,
        },
        burst: Some(Burst {
            from: Generation(4),
            age: Duration::minutes(1),
        }),
        authenticated_at: now() - Duration::minutes(30),
        holder: Holder {
            user: USER,
            status: UserStatus::Active,
            epoch: EPOCH,
            roles: roles(&["user"]),
            must_change_password: false,
        },
    }
}

/// The digest of `secret` that the tests store.
pub fn digest(secret: &[u8; 32]) -> SecretDigest {
    SecretDigest(secret.map(|byte| !byte))
}

pub fn origin() -> Origin {
    Origin::new("192.0.2.7".parse().ok(), Some("curl/8"), Some("req-1".to_owned()))
}

/// The context in which [`USER`] makes a change.
pub fn audit_context() -> AuditContext {
    AuditContext::new(now(), Actor::User(USER), origin())
}
