use crate::{
    audit::{Origin, Stamp},
    authority::{Capability, Denied, RolesWrite},
    ports::{Clock, MAX_ROLES, PortError, PutRole, RolePut, Roles},
    revision::Revision,
    role::{
        Description, MAX_PERMISSIONS, NotADescription, NotAPermission, NotARoleName, Permission, Permissions,
        Role, RoleName,
    },
};
use std::sync::Arc;
use thiserror::Error;

/// Makes a role, or gives one other properties. What it allows is in force for everybody who has it when this returns.
pub struct WriteRole {
    roles: Arc<dyn Roles>,
    clock: Arc<dyn Clock>,
}

/// A role, as somebody typed it.
#[derive(Clone, Debug)]
pub struct RoleWish {
    pub name: String,
    pub description: String,
    pub permissions: Vec<String>,
    pub self_assignable: bool,
    /// Only while the role is there and stands at this revision.
    pub if_revision: Option<Revision>,
    /// Find out what would happen, and change nothing.
    pub rehearse: bool,
}

/// A role that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWritten {
    pub role: Role,
    /// Whether it is new.
    pub created: bool,
    /// How many users have it.
    pub holders: u64,
}

#[derive(Debug, Error)]
pub enum WriteRoleError {
    #[error(transparent)]
    Name(#[from] NotARoleName),
    #[error(transparent)]
    Description(#[from] NotADescription),
    /// The permission at this place of the list.
    #[error("permission {index} cannot be one")]
    Permission {
        index: usize,
        #[source]
        source: NotAPermission,
    },
    #[error("a role has at most {MAX_PERMISSIONS} permissions")]
    TooManyPermissions,
    #[error("the role admin always has every permission and cannot be changed")]
    BuiltIn,
    #[error("the role has changed meanwhile")]
    AnotherRevision,
    #[error("the catalogue has at most {MAX_ROLES} roles")]
    Full,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl WriteRole {
    pub fn new(roles: Arc<dyn Roles>, clock: Arc<dyn Clock>) -> Self {
        Self { roles, clock }
    }

    /// # Errors
    /// [`WriteRoleError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, RolesWrite>,
        wish: RoleWish,
        origin: Origin,
    ) -> Result<RoleWritten, WriteRoleError> {
        let requester = by.requester();
        let name = RoleName::parse(&wish.name)?;
        if name == RoleName::ADMIN {
            return Err(WriteRoleError::BuiltIn);
        }
        let put = PutRole {
            name,
            description: Description::parse(&wish.description)?,
            permissions: parse(&wish.permissions)?,
            self_assignable: wish.self_assignable,
            if_revision: wish.if_revision,
            only_while: requester.vouched(),
            rehearse: wish.rehearse,
        };
        let stamp = Stamp {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.roles.put(put, stamp).await? {
            RolePut::Now {
                role,
                created,
                holders,
            } => Ok(RoleWritten {
                role,
                created,
                holders,
            }),
            RolePut::AnotherRevision => Err(WriteRoleError::AnotherRevision),
            RolePut::Full => Err(WriteRoleError::Full),
            RolePut::Denied(denied) => Err(denied.into()),
        }
    }
}

fn parse(texts: &[String]) -> Result<Permissions, WriteRoleError> {
    if texts.len() > MAX_PERMISSIONS {
        return Err(WriteRoleError::TooManyPermissions);
    }
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            Permission::parse(text).map_err(|source| WriteRoleError::Permission { index, source })
        })
        .collect()
}
