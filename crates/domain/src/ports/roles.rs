use super::PortError;
use crate::{
    audit::AuditContext,
    authority::Denied,
    revision::{Precondition, Revision},
    role::{Description, Permissions, Role, RoleName, RoleNames},
    token::TokenIdentity,
};
use async_trait::async_trait;

/// A role as somebody wants it, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutRole {
    pub name: RoleName,
    pub description: Description,
    pub permissions: Permissions,
    pub self_assignable: bool,
    /// What has to be there already.
    pub precondition: Precondition,
    /// On whose word, if not the operator's.
    pub authorized_by: Option<TokenIdentity>,
    /// Find out what would happen, and change nothing.
    pub dry_run: bool,
}

/// What writing a role came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolePut {
    /// The role as it is now, whether it is new, and how many users have it.
    Now {
        role: Role,
        created: bool,
        holders: u64,
    },
    /// The role does not meet `precondition`.
    AnotherRevision,
    /// The catalogue holds as many roles as it may.
    Full,
    Denied(Denied),
}

/// The removal of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveRole {
    pub name: RoleName,
    /// Only while the role stands at this revision.
    pub if_revision: Option<Revision>,
    /// On whose word, if not the operator's.
    pub authorized_by: Option<TokenIdentity>,
    /// Find out what would happen, and change nothing.
    pub dry_run: bool,
}

/// What removing a role came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRemoved {
    Now,
    NoSuchRole,
    /// So many users have it.
    InUse(u64),
    /// The role does not stand at `if_revision`.
    AnotherRevision,
    Denied(Denied),
}

/// The most roles of the catalogue. It is read whole.
pub const MAX_ROLES: u32 = 500;

/// The catalogue of roles. [Built-in roles](crate::role::built_in) MUST be there from the first start on. The role `admin`
/// MUST have [this service's own permissions](crate::role::OWN_PERMISSIONS) and every permission that another role has, and
/// no other.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Roles: Send + Sync {
    /// Those of `names` that exist; names that do not MUST be left out.
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError>;

    /// All of them, in the order of their names.
    async fn list(&self) -> Result<Vec<Role>, PortError>;

    /// Makes a role, or gives one other properties and raises its revision by one; never `admin`. What it allows MUST be in
    /// force for every holder when this returns.
    ///
    /// MUST ask [`Authority::write_role`](crate::authority::Authority::write_role) in its transaction. MUST answer
    /// [`RolePut::Full`] rather than make more than [`MAX_ROLES`]. On any answer but [`RolePut::Now`], and when rehearsing,
    /// nothing MUST have changed.
    async fn put(&self, put: PutRole, context: AuditContext) -> Result<RolePut, PortError>;

    /// Removes a role that nobody has.
    ///
    /// MUST ask [`Authority::remove_role`](crate::authority::Authority::remove_role) in its transaction. However many
    /// calls race with it, nobody MUST ever have a role that is not in the catalogue. On any answer but
    /// [`RoleRemoved::Now`], and when rehearsing, nothing MUST have changed.
    async fn remove(&self, remove: RemoveRole, context: AuditContext) -> Result<RoleRemoved, PortError>;
}
