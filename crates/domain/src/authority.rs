//! Who may do what. Every rule about rights is here: use cases demand a [`Capability`] before they begin, and storage asks
//! an [`Authority`] within the transaction of the change, for a right may have been lost in between.
//!
//! The rules keep everybody within what they may do already: nobody hands on a right that they lack, and nobody changes a
//! user or a role that may do more than they may. So no sequence of calls leads to more rights, not even by way of other
//! people's accounts.

use crate::{
    audit::Actor,
    caller::{Caller, SessionView},
    role::{Permission, Permissions, Role, RoleName, RoleNames},
    token::Vouched,
    user::{User, UserId},
};
use chrono::{DateTime, Utc};
use std::marker::PhantomData;
use thiserror::Error;

/// A right that a use case can demand, known to the compiler. The types that stand for one have no values.
pub trait Right {
    const PERMISSION: Permission;
}

/// To see users.
#[derive(Clone, Copy, Debug)]
pub enum UsersRead {}
/// To change users: their status, their password, their existence.
#[derive(Clone, Copy, Debug)]
pub enum UsersWrite {}
/// To give roles to others.
#[derive(Clone, Copy, Debug)]
pub enum RolesAssign {}
/// To change the catalogue of roles.
#[derive(Clone, Copy, Debug)]
pub enum RolesWrite {}
/// To see and end others' sessions.
#[derive(Clone, Copy, Debug)]
pub enum SessionsRevoke {}
/// To read the audit trail.
#[derive(Clone, Copy, Debug)]
pub enum AuditRead {}

impl Right for UsersRead {
    const PERMISSION: Permission = Permission::USERS_READ;
}
impl Right for UsersWrite {
    const PERMISSION: Permission = Permission::USERS_WRITE;
}
impl Right for RolesAssign {
    const PERMISSION: Permission = Permission::ROLES_ASSIGN;
}
impl Right for RolesWrite {
    const PERMISSION: Permission = Permission::ROLES_WRITE;
}
impl Right for SessionsRevoke {
    const PERMISSION: Permission = Permission::SESSIONS_REVOKE;
}
impl Right for AuditRead {
    const PERMISSION: Permission = Permission::AUDIT_READ;
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    Caller(&'a Caller),
    /// Whoever holds the command line: may do everything.
    Operator,
}

/// Proof that whoever asks has the right `R`. There is no other way to come by one than to have it.
#[derive(Clone, Copy, Debug)]
pub struct Capability<'a, R> {
    requester: Requester<'a>,
    right: PhantomData<R>,
}

impl<'a> Requester<'a> {
    /// # Errors
    /// [`Denied::Forbidden`] for a caller without the right.
    pub fn capability<R: Right>(self) -> Result<Capability<'a, R>, Denied> {
        match self {
            Self::Caller(caller) if !caller.may(&R::PERMISSION) => Err(Denied::Forbidden(R::PERMISSION)),
            Self::Caller(_) | Self::Operator => Ok(Capability {
                requester: self,
                right: PhantomData,
            }),
        }
    }

    /// What a change is made on, to be looked at again when it is made. The operator's word always stands.
    #[must_use]
    pub fn vouched(self) -> Option<Vouched> {
        match self {
            Self::Caller(caller) => Some(caller.vouched()),
            Self::Operator => None,
        }
    }

    #[must_use]
    pub fn actor(self) -> Actor {
        match self {
            Self::Caller(caller) => Actor::User(caller.user().id),
            Self::Operator => Actor::Operator,
        }
    }

    #[must_use]
    pub fn is(self, user: UserId) -> bool {
        matches!(self, Self::Caller(caller) if caller.user().id == user)
    }
}

impl Caller {
    /// # Errors
    /// [`Denied::Forbidden`] without the right.
    pub fn capability<R: Right>(&self) -> Result<Capability<'_, R>, Denied> {
        Requester::Caller(self).capability()
    }
}

impl<R: Right> Capability<'static, R> {
    /// Whoever holds the command line has every right.
    #[must_use]
    pub fn of_operator() -> Self {
        Self {
            requester: Requester::Operator,
            right: PhantomData,
        }
    }
}

impl<'a, R> Capability<'a, R> {
    #[must_use]
    pub fn requester(&self) -> Requester<'a> {
        self.requester
    }
}

/// Why somebody may not make a change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// The caller changed, or their session ended, while this was decided.
    #[error("the caller's token is outdated")]
    Stale,
    #[error("this needs the permission {}", .0.as_str())]
    Forbidden(Permission),
    /// The user or the role that would be changed may do something that the caller may not.
    #[error("this would change somebody or something with more rights than the caller has")]
    OutOfReach,
    #[error("the role {0} is not the caller's to give")]
    NotAssignable(RoleName),
    #[error("the permission {} is not the caller's to give", .0.as_str())]
    NotGrantable(Permission),
}

/// A user who is about to be changed, with what they may do, both as of the transaction that changes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub user: User,
    pub permissions: Permissions,
}

/// Whoever asks, as of the transaction that makes the change.
#[derive(Clone, Debug)]
pub enum Authority {
    Operator,
    Caller(Box<Caller>),
}

impl Authority {
    /// `view` is that of the session which `word` names, if there is a word.
    ///
    /// # Errors
    /// [`Denied::Stale`] when the word no longer stands at `now`.
    pub fn standing(
        word: Option<Vouched>,
        view: Option<SessionView>,
        now: DateTime<Utc>,
    ) -> Result<Self, Denied> {
        let Some(word) = word else {
            return Ok(Self::Operator);
        };
        view.and_then(|view| view.stand_behind(word, now).ok())
            .map(|caller| Self::Caller(Box::new(caller)))
            .ok_or(Denied::Stale)
    }

    /// Whether `subject` may be given `wanted` instead of the roles that they have. `catalogue` holds the roles of
    /// `wanted`.
    ///
    /// Everybody may drop roles of their own, and take those that are self-assignable.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn assign(&self, subject: &Subject, wanted: &RoleNames, catalogue: &[Role]) -> Result<(), Denied> {
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        let assigner = caller.may(&Permission::ROLES_ASSIGN);
        if caller.user().id != subject.user.id {
            require(caller, &Permission::ROLES_ASSIGN)?;
            within_reach(caller, subject)?;
        }
        let may_give = |name: &RoleName| {
            catalogue.iter().any(|role| {
                role.name == *name && (role.self_assignable || assigner && has_all_of(caller, role))
            })
        };
        match wanted
            .difference(&subject.user.roles)
            .find(|name| !may_give(name))
        {
            Some(name) => Err(Denied::NotAssignable(name.clone())),
            None => Ok(()),
        }
    }

    /// Whether `subject` may be disabled, enabled, deleted, or be given another password. One's own account is always
    /// within reach.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn administer(&self, subject: &Subject) -> Result<(), Denied> {
        self.change(subject, &Permission::USERS_WRITE)
    }

    /// Whether the sessions of `subject` may be ended.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn revoke(&self, subject: &Subject) -> Result<(), Denied> {
        self.change(subject, &Permission::SESSIONS_REVOKE)
    }

    /// Whether the catalogue may have `after` in the place of `before`.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn write_role(&self, before: Option<&Role>, after: &Role) -> Result<(), Denied> {
        if let Some(before) = before {
            self.remove_role(before)?;
        }
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        require(caller, &Permission::ROLES_WRITE)?;
        let reaches = |permission: &&Permission| is_admin(caller) || caller.may(permission);
        match after.permissions.iter().find(|permission| !reaches(permission)) {
            Some(permission) => Err(Denied::NotGrantable(permission.clone())),
            None => Ok(()),
        }
    }

    /// Whether `role` may leave the catalogue.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn remove_role(&self, role: &Role) -> Result<(), Denied> {
        let Self::Caller(caller) = self else {
            return Ok(());
        };
        require(caller, &Permission::ROLES_WRITE)?;
        if has_all_of(caller, role) {
            Ok(())
        } else {
            Err(Denied::OutOfReach)
        }
    }

    fn change(&self, subject: &Subject, permission: &Permission) -> Result<(), Denied> {
        match self {
            Self::Caller(caller) if caller.user().id != subject.user.id => {
                require(caller, permission)?;
                within_reach(caller, subject)
            }
            Self::Caller(_) | Self::Operator => Ok(()),
        }
    }
}

fn require(caller: &Caller, permission: &Permission) -> Result<(), Denied> {
    if caller.may(permission) {
        Ok(())
    } else {
        Err(Denied::Forbidden(permission.clone()))
    }
}

/// Admins are out of reach of everybody else, even of somebody who happens to have every permission: only admins may grant
/// permissions that nobody has so far.
fn within_reach(caller: &Caller, subject: &Subject) -> Result<(), Denied> {
    let outranked =
        subject.user.roles.contains(&RoleName::ADMIN) || !subject.permissions.is_subset(caller.permissions());
    if outranked && !is_admin(caller) {
        Err(Denied::OutOfReach)
    } else {
        Ok(())
    }
}

fn has_all_of(caller: &Caller, role: &Role) -> bool {
    is_admin(caller) || role.name != RoleName::ADMIN && role.permissions.is_subset(caller.permissions())
}

fn is_admin(caller: &Caller) -> bool {
    caller.user().roles.contains(&RoleName::ADMIN)
}
