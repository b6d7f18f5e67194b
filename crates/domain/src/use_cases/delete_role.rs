use crate::{
    audit::{Origin, Stamp},
    authority::{Capability, Denied, RolesWrite},
    ports::{Clock, PortError, RemoveRole, RoleRemoved, Roles},
    revision::Revision,
    role::{RoleName, RoleNames},
};
use std::sync::Arc;
use thiserror::Error;

/// Removes a role that nobody has.
pub struct DeleteRole {
    roles: Arc<dyn Roles>,
    clock: Arc<dyn Clock>,
    default_roles: RoleNames,
}

/// Which role is to go.
#[derive(Clone, Debug)]
pub struct RoleRemoval {
    /// As somebody typed it.
    pub name: String,
    /// Only while the role stands at this revision.
    pub if_revision: Option<Revision>,
    /// Find out what would happen, and change nothing.
    pub rehearse: bool,
}

#[derive(Debug, Error)]
pub enum DeleteRoleError {
    #[error("the roles admin and user are built in")]
    BuiltIn,
    #[error("everybody who registers gets this role")]
    Default,
    #[error("the catalogue has no such role")]
    NoSuchRole,
    #[error("the role is in use: {0} users have it")]
    InUse(u64),
    #[error("the role has changed meanwhile")]
    AnotherRevision,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl DeleteRole {
    pub fn new(roles: Arc<dyn Roles>, clock: Arc<dyn Clock>, default_roles: RoleNames) -> Self {
        Self {
            roles,
            clock,
            default_roles,
        }
    }

    /// # Errors
    /// [`DeleteRoleError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, RolesWrite>,
        removal: RoleRemoval,
        origin: Origin,
    ) -> Result<(), DeleteRoleError> {
        let requester = by.requester();
        let name = RoleName::parse(&removal.name).map_err(|_| DeleteRoleError::NoSuchRole)?;
        if name == RoleName::ADMIN || name == RoleName::USER {
            return Err(DeleteRoleError::BuiltIn);
        }
        if self.default_roles.contains(&name) {
            return Err(DeleteRoleError::Default);
        }
        let remove = RemoveRole {
            name,
            if_revision: removal.if_revision,
            only_while: requester.vouched(),
            rehearse: removal.rehearse,
        };
        let stamp = Stamp {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.roles.remove(remove, stamp).await? {
            RoleRemoved::Now => Ok(()),
            RoleRemoved::NoSuchRole => Err(DeleteRoleError::NoSuchRole),
            RoleRemoved::InUse(holders) => Err(DeleteRoleError::InUse(holders)),
            RoleRemoved::AnotherRevision => Err(DeleteRoleError::AnotherRevision),
            RoleRemoved::Denied(denied) => Err(denied.into()),
        }
    }
}
