//! What commands on accounts and sessions read.

use super::Refusal;
use crate::{
    authority::{Authority, Target},
    caller::SessionSnapshot,
    login::CanonicalLogin,
    role::{Role, RoleName, RoleNames},
    session::{Lifetime, SessionId},
    token::TokenIdentity,
    user::{Epoch, User, UserId, UserStatus},
};
use chrono::{DateTime, Utc};

/// What a command reads. Storage loads exactly this, and keeps it from changing until the transaction ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// A login that the change needs to be free.
    pub login: Option<CanonicalLogin>,
    /// The account to change. Its user is locked.
    pub account: Option<UserId>,
    /// Whether the account's [target](Facts::target) is read, with what its roles allow.
    pub target: bool,
    /// Whether the change could leave no active administrator. If so, and if the target is one, storage lets no other
    /// such change run beside this one.
    pub may_remove_admin: bool,
    /// Whether all live sessions of the account are read.
    pub live_sessions: bool,
    /// A session to change. Locked.
    pub session: Option<SessionId>,
    /// The token on whose authority the change is made. Its user and its session are locked.
    pub caller: Option<TokenIdentity>,
    /// Roles to look up in the catalogue. Locked against removal.
    pub roles: RoleNames,
}

/// What was loaded, all as of the transaction that makes the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether an account has [`Reads::login`].
    pub login_taken: bool,
    /// The state of [`Reads::account`]; `None` if there is no such user.
    pub account: Option<AccountState>,
    /// The user of [`Reads::account`] with their permissions, if [`Reads::target`] is set and the user exists.
    pub target: Option<Target>,
    /// Whether an active administrator other than the target exists. Loaded if [`Reads::may_remove_admin`] is set and
    /// the target is an active administrator.
    pub other_admin_exists: bool,
    /// The live sessions of the account with their creation times, in any order, if [`Reads::live_sessions`] is set.
    pub live_sessions: Vec<(SessionId, DateTime<Utc>)>,
    /// [`Reads::session`], if it exists.
    pub session: Option<OwnedSession>,
    /// The session of [`Reads::caller`] with its user and permissions, if it exists.
    pub caller: Option<SessionSnapshot>,
    /// Those of [`Reads::roles`] that are in the catalogue.
    pub roles: Vec<Role>,
}

/// What decides whether an account may have sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    pub status: UserStatus,
    pub epoch: Epoch,
}

/// A session with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedSession {
    pub user: UserId,
    pub lifetime: Lifetime,
}

impl From<&User> for AccountState {
    fn from(user: &User) -> Self {
        Self {
            status: user.status,
            epoch: user.epoch,
        }
    }
}

impl Reads {
    /// The target `user`, as seen by the holder of the token `caller`.
    pub(super) fn target(user: UserId, caller: Option<TokenIdentity>) -> Self {
        Self {
            account: Some(user),
            target: true,
            caller,
            ..Self::default()
        }
    }
}

impl Facts {
    pub(super) fn target(&self) -> Result<&Target, Refusal> {
        self.target.as_ref().ok_or(Refusal::UserNotFound)
    }

    /// Validates the token of [`Reads::caller`] against the session as it is now.
    pub(super) fn authority(
        &self,
        token: Option<TokenIdentity>,
        at: DateTime<Utc>,
    ) -> Result<Authority, Refusal> {
        Ok(Authority::validate(token, self.caller.clone(), at)?)
    }

    /// Refuses roles that the catalogue does not contain.
    pub(super) fn require_known(&self, names: &RoleNames) -> Result<(), Refusal> {
        let is_known = |name: &RoleName| self.roles.iter().any(|role| role.name == *name);
        match names.iter().find(|name| !is_known(name)) {
            Some(unknown) => Err(Refusal::UnknownRole(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Refuses to turn `before` into `after`, or into nothing, if no active administrator would remain.
    pub(super) fn keep_an_admin(&self, before: &User, after: Option<&User>) -> Result<(), Refusal> {
        let loses_admin = before.is_active_admin() && !after.is_some_and(User::is_active_admin);
        if loses_admin && !self.other_admin_exists {
            return Err(Refusal::LastAdmin);
        }
        Ok(())
    }
}
