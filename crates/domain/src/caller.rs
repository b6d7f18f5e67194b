//! Who is calling: what is known of the session behind an access token, and the proof that it was accepted.

use crate::{
    role::{Permission, Permissions},
    session::{Lifetime, Liveness, SessionId},
    token::Vouched,
    user::{User, UserStatus},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// Everything a request needs to know of its session and user; read at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    pub session: SessionId,
    pub lifetime: Lifetime,
    pub user: User,
    /// What the user's roles allow, as the catalogue says now.
    pub permissions: Permissions,
}

/// Why a good token's session no longer stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotStanding {
    /// The session ended: log in again.
    #[error("the session has ended")]
    Revoked,
    /// Roles, password or status changed: refresh, or log in again.
    #[error("the user has changed since the token was issued")]
    Outdated,
}

/// Somebody whose access token was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(Arc<SessionView>);

impl SessionView {
    /// Settles whether the session and the user still stand behind a token that vouches for `vouched`.
    ///
    /// # Errors
    /// A change of roles, password or status is told as such even when it ended the session, so that the client knows
    /// why; any other end is [`NotStanding::Revoked`].
    pub fn stand_behind(
        self: Arc<Self>,
        vouched: Vouched,
        now: DateTime<Utc>,
    ) -> Result<Caller, NotStanding> {
        self.check(vouched, now)?;
        Ok(Caller(self))
    }

    /// Whether [`stand_behind`](Self::stand_behind) would make a caller of it.
    #[must_use]
    pub fn stands_behind(&self, vouched: Vouched, now: DateTime<Utc>) -> bool {
        self.check(vouched, now).is_ok()
    }

    fn check(&self, vouched: Vouched, now: DateTime<Utc>) -> Result<(), NotStanding> {
        if self.session != vouched.session || self.user.id != vouched.user {
            return Err(NotStanding::Revoked);
        }
        if self.user.epoch != vouched.epoch || self.user.status != UserStatus::Active {
            return Err(NotStanding::Outdated);
        }
        match self.lifetime.at(now) {
            Liveness::Live => Ok(()),
            Liveness::Ended(_) | Liveness::Expired => Err(NotStanding::Revoked),
        }
    }
}

impl Caller {
    #[must_use]
    pub fn user(&self) -> &User {
        &self.0.user
    }

    /// What the caller's token vouched for, to be looked at again when something is changed on the caller's word.
    #[must_use]
    pub fn vouched(&self) -> Vouched {
        Vouched {
            user: self.0.user.id,
            session: self.0.session,
            epoch: self.0.user.epoch,
        }
    }

    #[must_use]
    pub fn session(&self) -> SessionId {
        self.0.session
    }

    #[must_use]
    pub fn lifetime(&self) -> &Lifetime {
        &self.0.lifetime
    }

    #[must_use]
    pub fn permissions(&self) -> &Permissions {
        &self.0.permissions
    }

    /// Whether the caller may do nothing but choose another password.
    #[must_use]
    pub fn must_change_password(&self) -> bool {
        self.0.user.must_change_password
    }

    #[must_use]
    pub fn may(&self, permission: &Permission) -> bool {
        self.0.permissions.contains(permission)
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
        DateTime::from_timestamp(second, 0).expect("a valid second")
    }

    fn view() -> SessionView {
        SessionView {
            session: SessionId(Uuid::from_u128(2)),
            lifetime: Lifetime {
                created_at: at(0),
                idle_expires_at: at(100),
                expires_at: at(1000),
                ended: None,
            },
            user: User {
                id: UserId(Uuid::from_u128(1)),
                login: Login::parse("alice").expect("a login"),
                roles: RoleNames::new(),
                status: UserStatus::Active,
                epoch: Epoch(4),
                must_change_password: false,
                revision: Revision::FIRST,
                created_at: at(0),
                updated_at: at(0),
                last_login_at: None,
            },
            permissions: Permissions::new(),
        }
    }

    fn vouched() -> Vouched {
        Vouched {
            user: UserId(Uuid::from_u128(1)),
            session: SessionId(Uuid::from_u128(2)),
            epoch: Epoch(4),
        }
    }

    #[test]
    fn a_live_session_of_the_same_epoch_stands_behind_its_token() {
        assert!(Arc::new(view()).stand_behind(vouched(), at(99)).is_ok());
    }

    type Spoil = fn(&mut SessionView);

    #[test]
    fn whatever_changed_the_user_outdates_the_token_even_when_it_ended_the_session() {
        let spoilers: [(Spoil, NotStanding); 7] = [
            (|view| view.user.epoch = Epoch(5), NotStanding::Outdated),
            (|view| view.user.epoch = Epoch(3), NotStanding::Outdated),
            (
                |view| view.user.status = UserStatus::Disabled,
                NotStanding::Outdated,
            ),
            (
                |view| view.lifetime.ended = Some(EndReason::LoggedOut),
                NotStanding::Revoked,
            ),
            (
                |view| view.lifetime.idle_expires_at = at(50),
                NotStanding::Revoked,
            ),
            (
                |view| view.session = SessionId(Uuid::from_u128(9)),
                NotStanding::Revoked,
            ),
            (
                |view| view.user.id = UserId(Uuid::from_u128(9)),
                NotStanding::Revoked,
            ),
        ];
        for (spoil, refused) in spoilers {
            let mut view = view();
            view.lifetime.ended = None;
            spoil(&mut view);
            assert_eq!(
                Arc::new(view.clone()).stand_behind(vouched(), at(50)),
                Err(refused),
                "{view:?}"
            );
        }
        let mut both = view();
        both.user.epoch = Epoch(5);
        both.lifetime.ended = Some(EndReason::RolesChanged);
        assert_eq!(
            Arc::new(both).stand_behind(vouched(), at(50)),
            Err(NotStanding::Outdated)
        );
    }
}
