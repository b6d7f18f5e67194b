//! Shared by the tests of decisions: facts about an account and its caller, and what a change
//! contains.

use super::{Change, EndSessionsOf, Facts, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    authority::Target,
    caller::SessionSnapshot,
    fixtures::{
        EPOCH, SESSIONS_ENDED, USER, now, origin, roles, snapshot_with, stored_session, user, user_in,
    },
    invalidation::InvalidationScope,
    login::Login,
    principal::Principal,
    revision::Revision,
    role::{Description, OWN_PERMISSIONS, Permission, Permissions, Role, RoleName, built_in},
    session::{EndReason, Generation, NewSession, SecretDigest, SessionId, SessionRules},
    token::TokenIdentity,
    user::{User, UserId},
};
use chrono::{DateTime, Utc};
use std::fmt::Debug;
use uuid::Uuid;

/// The administrator who authorises changes to [`USER`].
pub const CALLER: UserId = UserId(Uuid::from_u128(77));
/// A session that a change opens.
pub const NEW_SESSION: SessionId = SessionId(Uuid::from_u128(90));

/// The token of [`CALLER`].
pub fn token() -> TokenIdentity {
    TokenIdentity {
        principal: CALLER.into(),
        session: SessionId(Uuid::from_u128(78)),
        epoch: EPOCH,
    }
}

pub fn permissions(texts: &[&str]) -> Permissions {
    let parse = |text: &&str| Permission::parse(text).expect("the permission is valid");
    texts.iter().map(parse).collect()
}

pub fn role(name: &str, texts: &[&str]) -> Role {
    Role {
        name: RoleName::parse(name).expect("the role name is valid"),
        description: Description::default(),
        permissions: permissions(texts),
        self_assignable: false,
        revision: Revision(3),
    }
}

/// The live session of [`token`]. Its user has the role `user` and these permissions.
pub fn snapshot(permissions: Permissions) -> SessionSnapshot {
    SessionSnapshot {
        session: token().session,
        lifetime: stored_session().lifetime,
        principal: Principal::User(User {
            id: CALLER,
            login: Login::parse("root").expect("the login is valid"),
            ..user()
        }),
        permissions,
    }
}

/// The live session of [`token`]. Its user has the role `admin`.
pub fn admin_snapshot() -> SessionSnapshot {
    let mut snapshot = snapshot(OWN_PERMISSIONS.into());
    user_in(&mut snapshot).roles.insert(RoleName::ADMIN);
    snapshot
}

/// Returns what storage loads to change `user`, on the authority of an administrator. Its catalogue
/// has the built-in roles and `editor`.
pub fn facts_about(user: User) -> Facts {
    Facts {
        account: Some((&user).into()),
        target: Some(Target::new(user, &built_in())),
        caller: Some(admin_snapshot()),
        roles: built_in()
            .into_iter()
            .chain([role("editor", &["posts:write"])])
            .collect(),
        ..Facts::default()
    }
}

/// Facts about [`user`], loaded for the token of [`caller_with`](crate::fixtures::caller_with)
/// these permissions.
pub fn own_facts(permissions: Permissions) -> Facts {
    Facts {
        caller: Some(snapshot_with(permissions)),
        ..facts_about(user())
    }
}

/// [`user`] as an active administrator.
pub fn admin() -> User {
    User {
        roles: roles(&["admin", "user"]),
        ..user()
    }
}

/// [`NEW_SESSION`] of [`USER`].
pub fn new_session() -> NewSession {
    let (digest, rules) = (SecretDigest([1; 32]), SessionRules::default());
    NewSession::opened_at(now(), NEW_SESSION, USER, digest, &rules, &origin())
}

/// An event on [`USER`].
pub fn event(action: AuditAction, session: Option<SessionId>, details: &[(&str, &str)]) -> AuditEvent {
    AuditEvent {
        action,
        user: Some(USER),
        session,
        details: details
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// All that a change contains, for tests to name each part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    pub at: DateTime<Utc>,
    pub user: UserChange,
    pub end_sessions: Option<(EndSessionsOf, EndReason)>,
    pub open_session: Option<NewSession>,
    pub record_replay: Option<(SessionId, Generation)>,
    pub reauthenticated: Option<SessionId>,
    pub event: Option<AuditEvent>,
    pub invalidates: Option<InvalidationScope>,
}

/// Returns what `change` contains if applying it ends [`SESSIONS_ENDED`] sessions.
pub fn effects(change: &Change) -> Effects {
    let change = change.clone();
    Effects {
        event: change.event(SESSIONS_ENDED),
        at: change.at,
        user: change.user,
        end_sessions: change.end_sessions,
        open_session: change.open_session,
        record_replay: change.record_replay,
        reauthenticated: change.reauthenticated,
        invalidates: change.invalidates,
    }
}

/// All live sessions of [`USER`].
pub fn all_sessions(reason: EndReason) -> (EndSessionsOf, EndReason) {
    (EndSessionsOf::User(USER), reason)
}

/// Something that makes a command be refused, by changing it or its facts.
pub type Fault<C, F, R> = (fn(&mut C, &mut F), R);

/// Asserts that `decide` reports each of `faults` alone and together with all that follow it, and
/// nothing without any.
pub fn assert_refused_in_order<C: Clone, F: Clone, R: Clone + Debug + PartialEq>(
    command: &C,
    facts: &F,
    decide: impl Fn(&C, &F) -> Option<R>,
    faults: &[Fault<C, F, R>],
) {
    assert_eq!(decide(command, facts), None, "without a fault");
    for (index, (_, refusal)) in faults.iter().enumerate() {
        for (last, combination) in [(index, "alone"), (faults.len() - 1, "with all that follow")] {
            let (mut command, mut facts) = (command.clone(), facts.clone());
            for (fault, _) in faults[index..=last].iter().rev() {
                fault(&mut command, &mut facts);
            }
            let decided = decide(&command, &facts);
            assert_eq!(decided.as_ref(), Some(refusal), "{refusal:?} {combination}");
        }
    }
}
