use crate::{
    audit::{AuditContext, Origin},
    authority::{Capability, Denied, RolesWrite},
    changes::{self, ChangeError, Refusal, RoleWritten},
    ports::{Clock, Roles},
    revision::Precondition,
    role::{
        Description, MAX_PERMISSIONS, NotADescription, NotAPermission, NotARoleName, Permission, Permissions,
        RoleName,
    },
};
use std::sync::Arc;
use thiserror::Error;

/// A reserved name: `PUT /roles/update` assigns roles, so a role with this name would have no path
/// of its own.
const RESERVED: &str = "update";

/// Creates a role or replaces its properties. When [`execute`](Self::execute) returns, its
/// permissions apply to every user who has the role.
pub struct WriteRole {
    pub(crate) roles: Arc<dyn Roles>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A role as entered, not yet validated.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    pub name: String,
    pub description: String,
    pub permissions: Vec<String>,
    pub self_assignable: bool,
    /// The state in which the role must be.
    pub precondition: Precondition,
    /// If true, return the outcome without changing anything.
    pub dry_run: bool,
}

/// Why a role was not written.
#[derive(Debug, Error)]
pub enum WriteRoleError {
    #[error(transparent)]
    Name(#[from] NotARoleName),
    #[error(transparent)]
    Description(#[from] NotADescription),
    /// The permission at this index, starting at 0, is malformed.
    #[error("the permission {text:?} is malformed")]
    Permission {
        index: usize,
        text: String,
        #[source]
        source: NotAPermission,
    },
    #[error("a role must have at most {MAX_PERMISSIONS} permissions")]
    TooManyPermissions,
    #[error("the role name {RESERVED} is reserved")]
    Reserved,
    #[error("the role admin always has every permission and cannot be changed")]
    BuiltIn,
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<Refusal> for WriteRoleError {
    fn from(refusal: Refusal) -> Self {
        Self::Change(refusal.into())
    }
}

impl From<Denied> for WriteRoleError {
    fn from(denied: Denied) -> Self {
        Self::Change(denied.into())
    }
}

impl WriteRole {
    /// Writes the role, or only returns the outcome if the request is a dry run.
    ///
    /// # Errors
    /// Returns a [`WriteRoleError`]. After a port error the change may have been made; after any
    /// other error it was not.
    pub async fn execute(
        &self,
        by: Capability<'_, RolesWrite>,
        request: RoleRequest,
        origin: Origin,
    ) -> Result<RoleWritten, WriteRoleError> {
        let requester = by.requester();
        let name = RoleName::parse(&request.name)?;
        if name.as_str() == RESERVED {
            return Err(WriteRoleError::Reserved);
        }
        if name == RoleName::ADMIN {
            return Err(WriteRoleError::BuiltIn);
        }
        let command = Arc::new(changes::WriteRole {
            name,
            description: Description::parse(&request.description)?,
            permissions: parse(&request.permissions)?,
            self_assignable: request.self_assignable,
            precondition: request.precondition,
            authorized_by: requester.identity(),
        });
        let context = AuditContext::new(self.clock.now(), requester.actor(), origin);
        let change = if request.dry_run {
            self.roles.dry_run(command, context).await?
        } else {
            self.roles.execute(command, context).await?
        };
        Ok(change.into_written()?)
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
            Permission::parse(text).map_err(|source| WriteRoleError::Permission {
                index,
                text: text.clone(),
                source,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Actor,
        caller::SessionSnapshot,
        changes::{CatalogueFacts, MAX_ROLES, fixtures::role},
        fixtures::{USER, caller_with, now, origin, snapshot_with, user_in},
        ports::MockRoles,
        revision::Revision,
        role::built_in,
        use_cases::fixtures::{catalogue_with, clock},
    };

    fn request() -> RoleRequest {
        RoleRequest {
            name: "editor".to_owned(),
            description: "May edit.".to_owned(),
            permissions: vec!["posts:write".to_owned(), "posts:write".to_owned()],
            self_assignable: false,
            precondition: Precondition::None,
            dry_run: false,
        }
    }

    fn writer_permissions() -> Permissions {
        let posts_write = Permission::parse("posts:write").expect("the permission is valid");
        Permissions::from([Permission::ROLES_WRITE, posts_write])
    }

    /// An administrator, who may create roles.
    fn writer_snapshot() -> SessionSnapshot {
        let mut snapshot = snapshot_with(writer_permissions());
        user_in(&mut snapshot).roles.insert(RoleName::ADMIN);
        snapshot
    }

    /// The built-in roles, loaded for the token of the caller.
    fn facts() -> CatalogueFacts {
        CatalogueFacts {
            roles: built_in().into(),
            holders: 0,
            caller: Some(writer_snapshot()),
        }
    }

    async fn write(request: RoleRequest, roles: MockRoles) -> Result<RoleWritten, WriteRoleError> {
        let caller = caller_with(writer_permissions());
        let by = caller.capability().expect("the caller has the permission");
        let write = WriteRole {
            roles: Arc::new(roles),
            clock: clock(),
        };
        write.execute(by, request, origin()).await
    }

    #[tokio::test]
    async fn a_role_is_written_with_the_authority_of_the_callers_token() {
        let mut roles = MockRoles::new();
        roles
            .expect_execute()
            .withf(|command, context| {
                let reads = command.reads();
                reads.role.as_str() == "editor"
                    && reads.caller == Some(caller_with(writer_permissions()).identity())
                    && context.actor == Actor::User(USER)
                    && context.at == now()
                    && context.origin == origin()
            })
            .once()
            .returning(|command, context| Ok(command.decide(&facts(), context.at)?));
        let written = write(request(), roles).await.expect("the role is written");
        assert_eq!(written.role.description.as_str(), "May edit.");
        assert_eq!(written.role.permissions.len(), 1);
        assert!(!written.role.self_assignable);
        assert!(written.created);
    }

    #[tokio::test]
    async fn a_dry_run_reports_the_role_and_executes_nothing() {
        let mut roles = MockRoles::new();
        roles.expect_execute().never();
        roles
            .expect_dry_run()
            .once()
            .returning(|command, context| Ok(command.decide(&facts(), context.at)?));
        let request = RoleRequest {
            dry_run: true,
            self_assignable: true,
            ..request()
        };
        let written = write(request, roles).await.expect("the role is written");
        assert!(written.created && written.role.self_assignable);
    }

    type Spoil = fn(&mut RoleRequest);

    #[tokio::test]
    async fn an_invalid_request_never_reaches_storage() {
        let spoilers: [(Spoil, &str); 7] = [
            (
                |request| request.name = "update".to_owned(),
                "the role name update is reserved",
            ),
            (|request| request.name = "Editor".to_owned(), "a role name"),
            (
                |request| request.name = "admin".to_owned(),
                "the role admin always",
            ),
            (
                |request| request.description = "x".repeat(201),
                "a description must have",
            ),
            (
                |request| request.description = "a\nb".to_owned(),
                "a description must have",
            ),
            (
                |request| request.permissions.push("all".to_owned()),
                "the permission \"all\" is malformed",
            ),
            (
                |request| request.permissions = (0..65).map(|count| format!("a{count}:b")).collect(),
                "a role must have at most 64",
            ),
        ];
        for (spoil, text) in spoilers {
            let mut spoilt = request();
            spoil(&mut spoilt);
            let mut roles = MockRoles::new();
            roles.expect_execute().never();
            let refused = write(spoilt, roles).await;
            let refused = refused.expect_err("the request is refused").to_string();
            assert!(refused.starts_with(text), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_refusal_of_the_decision_reaches_the_caller() {
        let full = CatalogueFacts {
            roles: (0..MAX_ROLES)
                .map(|number| role(&format!("role{number}"), &[]))
                .collect(),
            ..facts()
        };
        let stale = CatalogueFacts {
            caller: None,
            ..facts()
        };
        for (precondition, facts, text) in [
            (
                Precondition::At(Revision(3)),
                facts(),
                "the revision does not match",
            ),
            (Precondition::None, full, "the catalogue is full"),
            (Precondition::None, stale, "the caller's token is outdated"),
        ] {
            let request = RoleRequest {
                precondition,
                ..request()
            };
            let refused = write(request, catalogue_with(facts)).await;
            assert_eq!(refused.expect_err("the request is refused").to_string(), text);
        }
    }
}
