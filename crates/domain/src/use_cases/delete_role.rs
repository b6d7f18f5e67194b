use crate::{
    audit::{AuditContext, Origin},
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
    pub dry_run: bool,
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
            authorized_by: requester.identity(),
            dry_run: removal.dry_run,
        };
        let context = AuditContext {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.roles.remove(remove, context).await? {
            RoleRemoved::Now => Ok(()),
            RoleRemoved::NoSuchRole => Err(DeleteRoleError::NoSuchRole),
            RoleRemoved::InUse(holders) => Err(DeleteRoleError::InUse(holders)),
            RoleRemoved::AnotherRevision => Err(DeleteRoleError::AnotherRevision),
            RoleRemoved::Denied(denied) => Err(denied.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::MockRoles,
        use_cases::fixtures::{clock, origin, roles},
    };

    async fn delete(name: &str, answer: Option<RoleRemoved>) -> Result<(), DeleteRoleError> {
        let mut catalogue = MockRoles::new();
        let times = usize::from(answer.is_some());
        catalogue
            .expect_remove()
            .times(times)
            .returning(move |_, _| Ok(answer.clone().expect("called only with an answer")));
        let removal = RoleRemoval {
            name: name.to_owned(),
            if_revision: None,
            dry_run: false,
        };
        DeleteRole::new(Arc::new(catalogue), clock(), roles(&["user", "member"]))
            .execute(Capability::of_operator(), removal, origin())
            .await
    }

    #[tokio::test]
    async fn a_role_that_nobody_has_goes() {
        assert!(delete("editor", Some(RoleRemoved::Now)).await.is_ok());
    }

    #[tokio::test]
    async fn what_everything_rests_on_stays() {
        for (name, told) in [
            ("admin", "the roles admin and user are built in"),
            ("user", "the roles admin and user are built in"),
            ("member", "everybody who registers gets this role"),
            ("No Name", "the catalogue has no such role"),
        ] {
            let refused = delete(name, None).await.expect_err("a refusal");
            assert_eq!(refused.to_string(), told, "{name}");
        }
    }

    #[tokio::test]
    async fn storage_has_the_last_word() {
        for (answer, told) in [
            (RoleRemoved::NoSuchRole, "the catalogue has no such role"),
            (RoleRemoved::InUse(3), "the role is in use: 3 users have it"),
            (RoleRemoved::AnotherRevision, "the role has changed meanwhile"),
            (
                RoleRemoved::Denied(Denied::Stale),
                "the caller's token is outdated",
            ),
        ] {
            let refused = delete("editor", Some(answer)).await.expect_err("a refusal");
            assert_eq!(refused.to_string(), told);
        }
    }
}
