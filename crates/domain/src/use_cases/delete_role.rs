use crate::{
    audit::{AuditContext, Origin},
    authority::{Capability, Denied, RolesWrite},
    changes::{self, ChangeError, Refusal},
    ports::{Clock, Roles},
    revision::Revision,
    role::{RoleName, RoleNames},
};
use std::sync::Arc;
use thiserror::Error;

/// Removes a role that no user has.
pub struct DeleteRole {
    pub(crate) roles: Arc<dyn Roles>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) default_roles: RoleNames,
}

/// A request to remove a role.
#[derive(Clone, Debug)]
pub struct DeleteRoleRequest {
    /// The role's name as typed.
    pub name: String,
    /// Remove the role only at this revision.
    pub if_revision: Option<Revision>,
    /// Report what would happen, and change nothing.
    pub dry_run: bool,
}

#[derive(Debug, Error)]
pub enum DeleteRoleError {
    #[error("the roles admin and user are built in")]
    BuiltIn,
    #[error("every user who registers gets this role")]
    Default,
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<Denied> for DeleteRoleError {
    fn from(denied: Denied) -> Self {
        Self::Change(denied.into())
    }
}

impl DeleteRole {
    /// # Errors
    /// [`DeleteRoleError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, RolesWrite>,
        request: DeleteRoleRequest,
        origin: Origin,
    ) -> Result<(), DeleteRoleError> {
        let requester = by.requester();
        let name =
            RoleName::parse(&request.name).map_err(|_| ChangeError::Refused(Refusal::RoleNotFound))?;
        if name == RoleName::ADMIN || name == RoleName::USER {
            return Err(DeleteRoleError::BuiltIn);
        }
        if self.default_roles.contains(&name) {
            return Err(DeleteRoleError::Default);
        }
        let command = Arc::new(changes::DeleteRole {
            name,
            if_revision: request.if_revision,
            authorized_by: requester.identity(),
        });
        let context = AuditContext {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        if request.dry_run {
            self.roles.dry_run(command, context).await?;
        } else {
            self.roles.execute(command, context).await?;
        }
        Ok(())
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
