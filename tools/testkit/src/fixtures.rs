//! Small makers of what tests need. Ids and digests of secrets are unique within the process,
//! everything else is the same each time.

use chrono::{DateTime, Duration, Utc};
use domain::{
    audit::{Actor, AuditContext, Origin},
    changes::{Account, AssignRoles, WriteRole},
    login::{CanonicalLogin, Login},
    password::PasswordHash,
    revision::Precondition,
    role::{Description, Permission, RoleName, RoleNames},
    session::{NewSession, SecretDigest, SessionId, SessionRules},
    token::{TokenIdentity, TokenRules},
    user::{NewUser, User, UserId},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU64, Ordering},
};
use uuid::{Builder, Uuid};

/// The password of every fixture user, good enough for the default policy.
pub const PASSWORD: &str = "correct horse battery staple";

/// The instant `second` seconds into 2026, UTC, and 123,456 microseconds: whatever loses them
/// shows.
///
/// # Panics
/// When `second` lies outside what chrono can hold.
#[must_use]
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + second, 123_456_000).expect("an instant that chrono can hold")
}

/// # Panics
/// When `text` is no login.
#[must_use]
pub fn login(text: &str) -> Login {
    Login::parse(text).expect("a login")
}

/// # Panics
/// When `text` is no login.
#[must_use]
pub fn canonical(text: &str) -> CanonicalLogin {
    login(text).canonical().clone()
}

/// # Panics
/// When one of `names` cannot be a role's name.
#[must_use]
pub fn role_names(names: &[&str]) -> RoleNames {
    names
        .iter()
        .map(|name| RoleName::parse(name).expect("a role's name"))
        .collect()
}

/// A user with the role `user` and [`PASSWORD`], hashed as [`PlainHasher`](crate::PlainHasher)
/// does.
#[must_use]
pub fn a_user(typed: &str) -> NewUser {
    NewUser {
        id: UserId(unique_uuid()),
        login: login(typed),
        hash: PasswordHash::from_phc(format!("plain$0${PASSWORD}")),
        roles: role_names(&["user"]),
    }
}

/// [`a_user`] with the roles `admin` and `user`.
#[must_use]
pub fn an_admin(typed: &str) -> NewUser {
    NewUser {
        roles: role_names(&["admin", "user"]),
        ..a_user(typed)
    }
}

/// The operator gives `user` exactly these roles, and their sessions end.
///
/// # Panics
/// When one of `roles` cannot be a role's name.
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

/// The operator puts a role into the catalogue that allows just this.
///
/// # Panics
/// When `name` cannot be a role's name, or one of `permissions` no permission.
#[must_use]
pub fn a_role(name: &str, permissions: &[&str]) -> WriteRole {
    let parse = |text: &&str| Permission::parse(text).expect("a permission");
    WriteRole {
        name: RoleName::parse(name).expect("a role's name"),
        description: Description::default(),
        permissions: permissions.iter().map(parse).collect(),
        self_assignable: false,
        precondition: Precondition::None,
        authorized_by: None,
    }
}

/// The account of `user`, for the operator and at any revision.
#[must_use]
pub fn account(user: UserId) -> Account {
    Account {
        user,
        if_revision: None,
        authorized_by: None,
    }
}

/// A session of `user` opened at `at`, with the default life and from [`origin`].
#[must_use]
pub fn a_session(user: UserId, at: DateTime<Utc>) -> NewSession {
    let id = SessionId(unique_uuid());
    NewSession::opened_at(at, id, user, digest_of(id), &SessionRules::default(), &origin())
}

/// The tokens of `https://auth.example` for `api`, which live for 15 minutes.
#[must_use]
pub fn token_rules() -> TokenRules {
    TokenRules {
        issuer: "https://auth.example".to_owned(),
        audience: "api".to_owned(),
        client_id: "authapi".to_owned(),
        access_ttl: Duration::minutes(15),
    }
}

/// A documentation address (RFC 5737), a user agent that must be quoted, and a request id.
#[must_use]
pub fn origin() -> Origin {
    Origin::new(
        Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        Some(r#"it's a "browser"; — 日本語 🦀 \ %"#),
        Some("request-1".to_owned()),
    )
}

/// The context of a client that is not logged in.
#[must_use]
pub fn context(at: DateTime<Utc>) -> AuditContext {
    AuditContext {
        at,
        actor: Actor::Anonymous,
        origin: origin(),
    }
}

/// The context of `user`.
#[must_use]
pub fn context_of(user: UserId, at: DateTime<Utc>) -> AuditContext {
    AuditContext {
        actor: Actor::User(user),
        ..context(at)
    }
}

/// A `UUIDv7` of [`at`]`(0)` that no other call answers.
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

/// Of no secret that is known.
fn digest_of(id: SessionId) -> SecretDigest {
    let mut digest = [0xa5; 32];
    for (to, from) in digest.iter_mut().zip(id.0.as_bytes()) {
        *to ^= from;
    }
    SecretDigest(digest)
}

/// What an access token of `session` vouches for, issued while `user` was as given.
#[must_use]
pub fn identity(user: &User, session: &NewSession) -> TokenIdentity {
    TokenIdentity {
        user: user.id,
        session: session.id,
        epoch: user.epoch,
    }
}
