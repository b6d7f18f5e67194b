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

/// Deletes a role that no user has.
pub struct DeleteRole {
    pub(crate) roles: Arc<dyn Roles>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) default_roles: RoleNames,
}

/// A request to delete a role.
#[derive(Clone, Debug)]
pub struct DeleteRoleRequest {
    /// The role's name as entered, not yet validated.
    pub name: String,
    /// If set, delete the role only at this revision.
    pub if_revision: Option<Revision>,
    /// If true, check the request without changing anything.
    pub dry_run: bool,
}

/// Why a role was not deleted.
#[derive(Debug, Error)]
pub enum DeleteRoleError {
    #[error("the roles admin and user are built in")]
    BuiltIn,
    #[error("this role is assigned on registration; remove it from users.default_roles first")]
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
    /// Deletes the role, or checks that it can be deleted if the request is a dry run.
    ///
    /// # Errors
    /// Returns a [`DeleteRoleError`]. After a port error the role may have been deleted; after any
    /// other error it was not.
    pub async fn execute(
        &self,
        by: Capability<'_, RolesWrite>,
        request: DeleteRoleRequest,
        origin: Origin,
    ) -> Result<(), DeleteRoleError> {
        let requester = by.requester();
        let name = RoleName::parse(&request.name).map_err(|_| ChangeError::Refused(Refusal::RoleNotFound))?;
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
        let context = AuditContext::new(self.clock.now(), requester.actor(), origin);
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
        audit::Actor,
        changes::{CatalogueFacts, fixtures::role},
        fixtures::{caller_with, now, origin, roles},
        ports::MockRoles,
        use_cases::fixtures::{catalogue_with, clock},
    };

    fn over(catalogue: MockRoles) -> DeleteRole {
        DeleteRole {
            roles: Arc::new(catalogue),
            clock: clock(),
            default_roles: roles(&["user", "member"]),
        }
    }

    fn request(name: &str) -> DeleteRoleRequest {
        DeleteRoleRequest {
            name: name.to_owned(),
            if_revision: None,
            dry_run: false,
        }
    }

    async fn delete(request: DeleteRoleRequest, catalogue: MockRoles) -> Result<(), DeleteRoleError> {
        over(catalogue)
            .execute(Capability::of_operator(), request, origin())
            .await
    }

    /// A catalogue with `editor`, which no user has.
    fn facts() -> CatalogueFacts {
        CatalogueFacts {
            roles: vec![role("editor", &[])],
            ..CatalogueFacts::default()
        }
    }

    #[tokio::test]
    async fn a_role_without_users_is_removed() {
        let mut catalogue = MockRoles::new();
        catalogue
            .expect_execute()
            .withf(|command, context| {
                let reads = command.reads();
                reads.role.as_str() == "editor"
                    && reads.caller.is_none()
                    && context.actor == Actor::Operator
                    && context.at == now()
                    && context.origin == origin()
            })
            .once()
            .returning(|command, context| Ok(command.decide(&facts(), context.at)?));
        assert!(delete(request("editor"), catalogue).await.is_ok());
    }

    #[tokio::test]
    async fn a_dry_run_executes_nothing() {
        let mut catalogue = MockRoles::new();
        catalogue.expect_execute().never();
        catalogue
            .expect_dry_run()
            .once()
            .returning(|command, context| Ok(command.decide(&facts(), context.at)?));
        let request = DeleteRoleRequest {
            dry_run: true,
            ..request("editor")
        };
        assert!(delete(request, catalogue).await.is_ok());
    }

    #[tokio::test]
    async fn built_in_and_default_roles_are_not_removed() {
        for (name, text) in [
            ("admin", "the roles admin and user are built in"),
            ("user", "the roles admin and user are built in"),
            (
                "member",
                "this role is assigned on registration; remove it from users.default_roles first",
            ),
            ("No Name", "the role does not exist"),
        ] {
            let mut catalogue = MockRoles::new();
            catalogue.expect_execute().never();
            let refused = delete(request(name), catalogue).await;
            assert_eq!(
                refused.expect_err("the request is refused").to_string(),
                text,
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn the_caller_receives_the_refusal() {
        let in_use = CatalogueFacts {
            holders: 3,
            ..facts()
        };
        for (facts, if_revision, text) in [
            (CatalogueFacts::default(), None, "the role does not exist"),
            (in_use, None, "the role is in use (users: 3)"),
            (facts(), Some(Revision(9)), "the revision does not match"),
        ] {
            let request = DeleteRoleRequest {
                if_revision,
                ..request("editor")
            };
            let refused = delete(request, catalogue_with(facts)).await;
            assert_eq!(refused.expect_err("the request is refused").to_string(), text);
        }
    }

    #[tokio::test]
    async fn a_caller_whose_token_is_outdated_removes_nothing() {
        let caller = caller_with([crate::role::Permission::ROLES_WRITE].into());
        let by = caller.capability().expect("the caller has the permission");
        let refused = over(catalogue_with(facts()))
            .execute(by, request("editor"), origin())
            .await;
        assert_eq!(
            refused.expect_err("the request is refused").to_string(),
            "the caller's token is outdated"
        );
    }
}
