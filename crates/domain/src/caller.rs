//! The caller: a validated access token with the snapshot of its session.

use crate::{
    role::{Permission, Permissions},
    session::{Lifetime, Liveness, SessionId},
    step_up::StepUp,
    token::TokenIdentity,
    user::{User, UserStatus},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// A session and its user, read at the same instant: all that a request needs to know about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSnapshot {
    pub session: SessionId,
    pub lifetime: Lifetime,
    pub user: User,
    /// The permissions of the user's roles, according to the current catalogue.
    pub permissions: Permissions,
}

/// Why a session no longer validates a genuine token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SessionInvalid {
    /// The session ended. The client must log in again.
    #[error("the session has ended")]
    Revoked,
    /// Roles, password or status changed. The client must refresh or log in again.
    #[error("the user has changed since the token was issued")]
    Outdated,
}

/// A caller whose access token was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    snapshot: Arc<SessionSnapshot>,
    accepted_at: DateTime<Utc>,
    step_up: StepUp,
}

impl SessionSnapshot {
    /// Checks that the session and the user still validate a token with `identity`. The caller has
    /// no step-up until [`Caller::with_step_up`] adds that of the token.
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
        if self.session != identity.session || self.user.id != identity.user {
            return Err(SessionInvalid::Revoked);
        }
        if self.user.epoch != identity.epoch || self.user.status != UserStatus::Active {
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
    pub fn user(&self) -> &User {
        &self.snapshot.user
    }

    /// Returns the identity in the caller's token, which storage validates again when the caller
    /// changes something.
    #[must_use]
    pub fn identity(&self) -> TokenIdentity {
        TokenIdentity {
            user: self.snapshot.user.id,
            session: self.snapshot.session,
            epoch: self.snapshot.user.epoch,
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
        self.snapshot.user.must_change_password
    }

    /// Returns whether a role of the caller has this permission.
    #[must_use]
    pub fn may(&self, permission: &Permission) -> bool {
        self.snapshot.permissions.contains(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        login::Login,
        revision::Revision,
        role::RoleNames,
        session::EndReason,
        user::{Epoch, UserId},
    };
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
            user: User {
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
            },
            permissions: Permissions::new(),
        }
    }

    fn identity() -> TokenIdentity {
        TokenIdentity {
            user: UserId(Uuid::from_u128(1)),
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

    type Spoil = fn(&mut SessionSnapshot);

    #[test]
    fn a_changed_user_makes_the_token_outdated_even_if_the_session_ended() {
        let spoilers: [(Spoil, SessionInvalid); 7] = [
            (
                |snapshot| snapshot.user.epoch = Epoch(5),
                SessionInvalid::Outdated,
            ),
            (
                |snapshot| snapshot.user.epoch = Epoch(3),
                SessionInvalid::Outdated,
            ),
            (
                |snapshot| snapshot.user.status = UserStatus::Disabled,
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
                |snapshot| snapshot.user.id = UserId(Uuid::from_u128(9)),
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
        both.user.epoch = Epoch(5);
        both.lifetime.ended = Some(EndReason::RolesChanged);
        assert_eq!(
            Arc::new(both).validate(identity(), at(50)),
            Err(SessionInvalid::Outdated)
        );
    }
}
