//! The caller: a validated access token with the snapshot of its session.

use crate::{
    principal::{Principal, PrincipalId},
    role::{Permission, Permissions},
    session::{Lifetime, Liveness, SessionId},
    step_up::StepUp,
    token::TokenIdentity,
    user::{User, UserId, UserStatus},
};
use chrono::{DateTime, Utc};
use std::{ops::Deref, sync::Arc};
use thiserror::Error;

/// A session and its principal, read at the same instant: all that a request needs to know about
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSnapshot {
    /// The session; for a machine, the id of the secret.
    pub session: SessionId,
    pub lifetime: Lifetime,
    pub principal: Principal,
    /// The permissions of the principal's roles, according to the current catalogue.
    pub permissions: Permissions,
}

/// Why a session no longer validates a genuine token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SessionInvalid {
    /// The session ended. The client must log in again.
    #[error("the session has ended")]
    Revoked,
    /// Roles, password or status changed. The client must refresh or log in again.
    #[error("the user or machine has changed since the token was issued")]
    Outdated,
}

/// A caller whose access token was accepted: a user or a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    snapshot: Arc<SessionSnapshot>,
    accepted_at: DateTime<Utc>,
    step_up: StepUp,
}

/// A [`Caller`] that is a user. Operations on one's own account require one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCaller(Caller);

/// The error for a machine that calls an operation on one's own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this operation is for users, and the caller is a machine")]
pub struct NotAUser;

impl SessionSnapshot {
    /// Checks that the session and the principal still validate a token with `identity`. The caller
    /// has no step-up until [`Caller::with_step_up`] adds that of the token.
    ///
    /// # Errors
    /// Returns [`SessionInvalid::Outdated`] if roles, password or status changed, even if that
    /// change also ended the session, so that the client learns the reason; otherwise
    /// [`SessionInvalid::Revoked`].
    pub fn validate(
        self: Arc<Self>,
        identity: TokenIdentity,
        now: DateTime<Utc>,
    ) -> Result<Caller, SessionInvalid> {
        self.check(identity, now)?;
        Ok(Caller {
            snapshot: self,
            accepted_at: now,
            step_up: StepUp::Required {
                max_age: StepUp::DEFAULT_MAX_AGE,
            },
        })
    }

    /// Returns whether [`validate`](Self::validate) would succeed.
    #[must_use]
    pub fn is_valid_for(&self, identity: TokenIdentity, now: DateTime<Utc>) -> bool {
        self.check(identity, now).is_ok()
    }

    fn check(&self, identity: TokenIdentity, now: DateTime<Utc>) -> Result<(), SessionInvalid> {
        if self.session != identity.session || self.principal.id() != identity.principal {
            return Err(SessionInvalid::Revoked);
        }
        if self.principal.epoch() != identity.epoch || self.principal.status() != UserStatus::Active {
            return Err(SessionInvalid::Outdated);
        }
        match self.lifetime.at(now) {
            Liveness::Live => Ok(()),
            Liveness::Ended(_) | Liveness::Expired => Err(SessionInvalid::Revoked),
        }
    }
}

impl Caller {
    /// Returns the caller with the step-up that their token proves.
    #[must_use]
    pub fn with_step_up(self, step_up: StepUp) -> Self {
        Self { step_up, ..self }
    }

    /// Returns whether the caller's token suffices for changes that require a recent check of the
    /// password.
    #[must_use]
    pub fn step_up(&self) -> StepUp {
        self.step_up
    }

    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.snapshot.principal
    }

    /// Returns whether the caller is this user.
    #[must_use]
    pub fn is(&self, user: UserId) -> bool {
        self.snapshot.principal.id() == PrincipalId::User(user)
    }

    /// Returns the identity in the caller's token, which storage validates again when the caller
    /// changes something.
    #[must_use]
    pub fn identity(&self) -> TokenIdentity {
        TokenIdentity {
            principal: self.snapshot.principal.id(),
            session: self.snapshot.session,
            epoch: self.snapshot.principal.epoch(),
        }
    }

    #[must_use]
    pub fn session(&self) -> SessionId {
        self.snapshot.session
    }

    /// The lifetime of the caller's session, [as of](Lifetime::as_of) the time of the call.
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        self.snapshot.lifetime.as_of(self.accepted_at)
    }

    #[must_use]
    pub fn permissions(&self) -> &Permissions {
        &self.snapshot.permissions
    }

    /// Returns whether the caller must choose a new password before doing anything else.
    #[must_use]
    pub fn must_change_password(&self) -> bool {
        let user = self.snapshot.principal.user();
        user.is_some_and(|user| user.must_change_password)
    }

    /// Returns whether a role of the caller has this permission.
    #[must_use]
    pub fn may(&self, permission: &Permission) -> bool {
        self.snapshot.permissions.contains(permission)
    }
}

impl UserCaller {
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the conversion refuses machines")]
    pub fn user(&self) -> &User {
        let user = self.0.principal().user();
        user.expect("the conversion refuses machines")
    }
}

impl TryFrom<Caller> for UserCaller {
    type Error = NotAUser;

    fn try_from(caller: Caller) -> Result<Self, Self::Error> {
        match caller.principal() {
            Principal::User(_) => Ok(Self(caller)),
            Principal::Machine(_) => Err(NotAUser),
        }
    }
}

impl Deref for UserCaller {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{login::Login, revision::Revision, role::RoleNames, session::EndReason, user::Epoch};
    use uuid::Uuid;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("chrono represents the second")
    }

    fn snapshot() -> SessionSnapshot {
        SessionSnapshot {
            session: SessionId(Uuid::from_u128(2)),
            lifetime: Lifetime {
                created_at: at(0),
                idle_expires_at: at(100),
                expires_at: at(1000),
                ended: None,
            },
            principal: Principal::User(User {
                id: UserId(Uuid::from_u128(1)),
                login: Login::parse("alice").expect("the login is valid"),
                roles: RoleNames::new(),
                status: UserStatus::Active,
                epoch: Epoch(4),
                must_change_password: false,
                one_time_password: None,
                revision: Revision::FIRST,
                created_at: at(0),
                updated_at: at(0),
                last_login_at: None,
            }),
            permissions: Permissions::new(),
        }
    }

    fn identity() -> TokenIdentity {
        TokenIdentity {
            principal: UserId(Uuid::from_u128(1)).into(),
            session: SessionId(Uuid::from_u128(2)),
            epoch: Epoch(4),
        }
    }

    #[test]
    fn a_live_session_at_the_same_epoch_validates_its_token() {
        assert!(Arc::new(snapshot()).validate(identity(), at(99)).is_ok());
    }

    #[test]
    fn a_session_opened_under_a_clock_ahead_is_shown_as_opened_now() {
        let mut snapshot = snapshot();
        snapshot.lifetime.created_at = at(90);
        let caller = Arc::new(snapshot)
            .validate(identity(), at(50))
            .expect("a live session");
        let shown = caller.lifetime();
        assert_eq!((shown.created_at, shown.expires_at), (at(50), at(960)));
    }

    fn user_of(snapshot: &mut SessionSnapshot) -> &mut User {
        match &mut snapshot.principal {
            Principal::User(user) => user,
            Principal::Machine(machine) => panic!("a machine: {machine:?}"),
        }
    }

    type Spoil = fn(&mut SessionSnapshot);

    #[test]
    fn a_changed_user_makes_the_token_outdated_even_if_the_session_ended() {
        let spoilers: [(Spoil, SessionInvalid); 7] = [
            (
                |snapshot| user_of(snapshot).epoch = Epoch(5),
                SessionInvalid::Outdated,
            ),
            (
                |snapshot| user_of(snapshot).epoch = Epoch(3),
                SessionInvalid::Outdated,
            ),
            (
                |snapshot| user_of(snapshot).status = UserStatus::Disabled,
                SessionInvalid::Outdated,
            ),
            (
                |snapshot| snapshot.lifetime.ended = Some(EndReason::LoggedOut),
                SessionInvalid::Revoked,
            ),
            (
                |snapshot| snapshot.lifetime.idle_expires_at = at(50),
                SessionInvalid::Revoked,
            ),
            (
                |snapshot| snapshot.session = SessionId(Uuid::from_u128(9)),
                SessionInvalid::Revoked,
            ),
            (
                |snapshot| user_of(snapshot).id = UserId(Uuid::from_u128(9)),
                SessionInvalid::Revoked,
            ),
        ];
        for (spoil, refused) in spoilers {
            let mut snapshot = snapshot();
            snapshot.lifetime.ended = None;
            spoil(&mut snapshot);
            assert_eq!(
                Arc::new(snapshot.clone()).validate(identity(), at(50)),
                Err(refused),
                "{snapshot:?}"
            );
        }
        let mut both = snapshot();
        user_of(&mut both).epoch = Epoch(5);
        both.lifetime.ended = Some(EndReason::RolesChanged);
        assert_eq!(
            Arc::new(both).validate(identity(), at(50)),
            Err(SessionInvalid::Outdated)
        );
    }
}
