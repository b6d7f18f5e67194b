//! Users, sessions, roles and contexts for tests. Ids and secret digests are unique within the
//! process; all other values are the same in each run.

use chrono::{DateTime, Duration, Utc};
use domain::{
    audit::{Actor, AuditContext, Origin},
    changes::{Account, AssignRoles, ResetPassword, ResetTo, WriteRole},
    login::{CanonicalLogin, Login},
    password::PasswordHash,
    revision::Precondition,
    role::{Description, Permission, RoleName, RoleNames},
    session::{NewSession, SecretDigest, SessionId, SessionRules},
    step_up::StepUp,
    token::{TokenIdentity, TokenRules},
    user::{NewUser, User, UserId},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU64, Ordering},
};
use uuid::{Builder, Uuid};

/// The password of every fixture user, which the default policy accepts.
pub const PASSWORD: &str = "correct horse battery staple";

/// Returns the instant `second` seconds and 123,456 microseconds after the start of 2026, UTC. The
/// microseconds reveal storage that truncates.
///
/// # Panics
/// Panics if `second` is outside the range of chrono.
#[must_use]
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + second, 123_456_000).expect("chrono represents the instant")
}

/// Parses a login.
///
/// # Panics
/// Panics if `text` is not a valid login.
#[must_use]
pub fn login(text: &str) -> Login {
    Login::parse(text).expect("the login is valid")
}

/// Parses a login and returns its canonical form.
///
/// # Panics
/// Panics if `text` is not a valid login.
#[must_use]
pub fn canonical(text: &str) -> CanonicalLogin {
    login(text).canonical().clone()
}

/// Parses the names of roles.
///
/// # Panics
/// Panics if one of `names` is not a valid role name.
#[must_use]
pub fn role_names(names: &[&str]) -> RoleNames {
    names
        .iter()
        .map(|name| RoleName::parse(name).expect("the role name is valid"))
        .collect()
}

/// Returns a user with the role `user` and [`PASSWORD`], hashed like
/// [`PlainHasher`](crate::PlainHasher) hashes it.
#[must_use]
pub fn a_user(typed: &str) -> NewUser {
    NewUser {
        id: UserId(unique_uuid()),
        login: login(typed),
        hash: PasswordHash::from_phc(format!("plain$0${PASSWORD}")),
        roles: role_names(&["user"]),
    }
}

/// Returns [`a_user`] with the roles `admin` and `user`.
#[must_use]
pub fn an_admin(typed: &str) -> NewUser {
    NewUser {
        roles: role_names(&["admin", "user"]),
        ..a_user(typed)
    }
}

/// Returns the command of the operator that assigns exactly `roles` to `user` and ends their
/// sessions.
///
/// # Panics
/// Panics if one of `roles` is not a valid role name.
#[must_use]
pub fn role_change(user: UserId, roles: &[&str]) -> AssignRoles {
    AssignRoles {
        user,
        roles: role_names(roles),
        keep_sessions: false,
        if_revision: None,
        authorized_by: None,
    }
}

/// Returns the command of the operator that writes a role with exactly `permissions` into the
/// catalogue.
///
/// # Panics
/// Panics if `name` is not a valid role name, or one of `permissions` is not a valid permission.
#[must_use]
pub fn a_role(name: &str, permissions: &[&str]) -> WriteRole {
    let parse = |text: &&str| Permission::parse(text).expect("the permission is valid");
    WriteRole {
        name: RoleName::parse(name).expect("the role name is valid"),
        description: Description::default(),
        permissions: permissions.iter().map(parse).collect(),
        self_assignable: false,
        precondition: Precondition::None,
        authorized_by: None,
    }
}

/// Returns the account of `user` for a command of the operator, at any revision.
#[must_use]
pub fn account(user: UserId) -> Account {
    Account {
        user,
        if_revision: None,
        authorized_by: None,
    }
}

/// Returns the command that resets the password of `account` to a code with `hash`, which expires
/// at second 1000.
#[must_use]
pub fn a_reset(account: Account, hash: PasswordHash) -> ResetPassword {
    ResetPassword {
        account,
        hash,
        to: ResetTo::Code,
        expires_at: at(1000),
    }
}

/// Returns a session of `user` opened at `at` from [`origin`], with the default timeouts.
#[must_use]
pub fn a_session(user: UserId, at: DateTime<Utc>) -> NewSession {
    let id = SessionId(unique_uuid());
    NewSession::opened_at(at, id, user, digest_of(id), &SessionRules::default(), &origin())
}

/// Returns rules for tokens that `https://auth.example` issues for `api` and that are valid for 15
/// minutes. A check of the password suffices for as long.
#[must_use]
pub fn token_rules() -> TokenRules {
    TokenRules {
        issuer: "https://auth.example".to_owned(),
        audience: "api".to_owned(),
        client_id: "authapi".to_owned(),
        access_ttl: Duration::minutes(15),
        step_up_max_age: StepUp::DEFAULT_MAX_AGE,
    }
}

/// Returns an origin with a documentation address (RFC 5737), a user agent that needs quoting, and
/// a request id.
#[must_use]
pub fn origin() -> Origin {
    Origin::new(
        Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        Some(r#"it's a "browser"; — 日本語 🦀 \ %"#),
        Some("request-1".to_owned()),
    )
}

/// Returns the context of an anonymous client.
#[must_use]
pub fn context(at: DateTime<Utc>) -> AuditContext {
    AuditContext {
        at,
        actor: Actor::Anonymous,
        origin: origin(),
    }
}

/// Returns the context of `user`.
#[must_use]
pub fn context_of(user: UserId, at: DateTime<Utc>) -> AuditContext {
    AuditContext {
        actor: Actor::User(user),
        ..context(at)
    }
}

/// Returns a `UUIDv7` of [`at`]`(0)` that no other call returns.
#[must_use]
pub fn unique_uuid() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let count = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().skip(2).zip(count) {
        *to = from;
    }
    let millis = u64::try_from(at(0).timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Returns a digest that differs for each `id` and that belongs to no known secret.
fn digest_of(id: SessionId) -> SecretDigest {
    let mut digest = [0xa5; 32];
    for (to, from) in digest.iter_mut().zip(id.0.as_bytes()) {
        *to ^= from;
    }
    SecretDigest(digest)
}

/// Returns the identity in an access token that was issued for `session` and the current state of
/// `user`.
#[must_use]
pub fn identity(user: &User, session: &NewSession) -> TokenIdentity {
    TokenIdentity {
        principal: user.id.into(),
        session: session.id,
        epoch: user.epoch,
    }
}
