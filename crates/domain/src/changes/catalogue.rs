//! What commands on the catalogue of roles read and decide.

use super::{ChangeError, Refusal};
use crate::{
    audit::AuditEvent,
    authority::Authority,
    caller::SessionSnapshot,
    invalidation::InvalidationScope,
    role::{OWN_PERMISSIONS, Permissions, Role, RoleName},
    token::TokenIdentity,
};
use chrono::{DateTime, Utc};
use std::fmt;

/// A requested change to the catalogue of roles.
pub trait CatalogueCommand: fmt::Debug + Send + Sync {
    /// Returns what storage has to load and lock before [`decide`](Self::decide) is called.
    fn reads(&self) -> CatalogueReads;

    /// Decides what to change. Pure: the result depends on the command and the arguments alone.
    ///
    /// # Errors
    /// [`Refusal`] if the rules do not allow the change. Nothing may be written then.
    fn decide(&self, facts: &CatalogueFacts, at: DateTime<Utc>) -> Result<CatalogueChange, Refusal>;
}

/// What a command on the catalogue reads, besides all of the catalogue. Storage runs such commands one after the other,
/// and none beside a command that compares permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueReads {
    /// The role to change.
    pub role: RoleName,
    /// Whether the role is removed. If so, no user may be given it until the transaction ends.
    pub removes: bool,
    /// The token on whose authority the change is made. Its user and its session are locked.
    pub caller: Option<TokenIdentity>,
}

/// What was loaded, all as of the transaction that makes the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueFacts {
    /// All roles.
    pub roles: Vec<Role>,
    /// How many users have [`CatalogueReads::role`].
    pub holders: u64,
    /// The session of [`CatalogueReads::caller`] with its user and permissions, if it exists.
    pub caller: Option<SessionSnapshot>,
}

/// What to write, as plain data. Storage writes all of it, or nothing. Every session snapshot becomes stale, since none
/// tells from which roles its permissions come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueChange {
    /// A role to store, in place of one of the same name.
    pub written: Option<RoleWritten>,
    /// A role to remove.
    pub removed: Option<RoleName>,
    /// The permissions of `admin` afterwards, if they change.
    pub admin: Option<Permissions>,
    pub event: AuditEvent,
}

/// A role that was written, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWritten {
    pub role: Role,
    /// Whether it is new.
    pub created: bool,
    /// How many users have it.
    pub holders: u64,
}

impl CatalogueFacts {
    pub(super) fn find(&self, name: &RoleName) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == *name)
    }

    /// Validates the token of [`CatalogueReads::caller`] against the session as it is now.
    pub(super) fn authority(
        &self,
        token: Option<TokenIdentity>,
        at: DateTime<Utc>,
    ) -> Result<Authority, Refusal> {
        Ok(Authority::validate(token, self.caller.clone(), at)?)
    }

    /// Returns the permissions of `admin` once `changed` is `now`, if they differ from what they are: `admin` has this
    /// service's own, and all that any other role has.
    pub(super) fn admin_after(&self, changed: &RoleName, now: Option<&Role>) -> Option<Permissions> {
        let others = self
            .roles
            .iter()
            .filter(|role| role.name != *changed && role.name != RoleName::ADMIN);
        let all: Permissions = others
            .chain(now)
            .flat_map(|role| role.permissions.iter().cloned())
            .chain(OWN_PERMISSIONS)
            .collect();
        let before = self.find(&RoleName::ADMIN).map(|admin| &admin.permissions);
        (before != Some(&all)).then_some(all)
    }
}

impl CatalogueChange {
    /// Returns the role that was written.
    ///
    /// # Errors
    /// [`Refusal::RoleNotFound`] if the change wrote no role.
    pub fn into_written(self) -> Result<RoleWritten, Refusal> {
        self.written.ok_or(Refusal::RoleNotFound)
    }
}

impl dyn CatalogueCommand + '_ {
    /// Returns what replicas must drop from their caches before the caller gets `result`.
    #[must_use]
    pub fn invalidated(&self, result: &Result<CatalogueChange, ChangeError>) -> Option<InvalidationScope> {
        let everything = Some(InvalidationScope::Everything);
        match result {
            Ok(_) => everything,
            Err(ChangeError::Refused(refusal)) => refusal.invalidates(everything, self.reads().caller),
            Err(ChangeError::Port(_)) => None,
        }
    }
}
