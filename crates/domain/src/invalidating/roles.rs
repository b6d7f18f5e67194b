use super::{announce, outdated};
use crate::{
    audit::AuditContext,
    invalidation::InvalidationScope,
    ports::{PortError, PutRole, RemoveRole, Revocations, RolePut, RoleRemoved, Roles},
    role::{Role, RoleNames},
};
use async_trait::async_trait;
use std::sync::Arc;

/// The catalogue of roles, whose changes are announced. Views show what roles allow, and nobody knows of whom they show
/// which role: a change outdates all of them.
pub struct InvalidatingRoles {
    roles: Arc<dyn Roles>,
    revocations: Arc<dyn Revocations>,
}

impl InvalidatingRoles {
    #[must_use]
    pub fn new(roles: Arc<dyn Roles>, revocations: Arc<dyn Revocations>) -> Self {
        Self { roles, revocations }
    }
}

#[async_trait]
impl Roles for InvalidatingRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        self.roles.find(names).await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.roles.list().await
    }

    async fn put(&self, put: PutRole, context: AuditContext) -> Result<RolePut, PortError> {
        let (caller, dry_run) = (put.authorized_by, put.dry_run);
        let put = self.roles.put(put, context).await?;
        let subject = match &put {
            _ if dry_run => None,
            RolePut::Now { .. } => Some(InvalidationScope::Everything),
            RolePut::Denied(denied) => outdated(denied, caller),
            RolePut::AnotherRevision | RolePut::Full => None,
        };
        announce(&*self.revocations, subject).await;
        Ok(put)
    }

    async fn remove(&self, remove: RemoveRole, context: AuditContext) -> Result<RoleRemoved, PortError> {
        let (caller, dry_run) = (remove.authorized_by, remove.dry_run);
        let removed = self.roles.remove(remove, context).await?;
        let subject = match &removed {
            _ if dry_run => None,
            // Nobody had it, but `admin` loses what no other role allows.
            RoleRemoved::Now | RoleRemoved::NoSuchRole => Some(InvalidationScope::Everything),
            RoleRemoved::Denied(denied) => outdated(denied, caller),
            RoleRemoved::InUse(_) | RoleRemoved::AnotherRevision => None,
        };
        announce(&*self.revocations, subject).await;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        invalidating::fixtures::{CALLER, announced, context, every_change, identity},
        ports::MockRoles,
        revision::Precondition,
        role::{Description, Permissions, RoleName, built_in},
    };

    const CALLER_TOLD: Option<InvalidationScope> = Some(InvalidationScope::User(CALLER));

    async fn put(answer: Result<RolePut, PortError>, dry_run: bool) -> Option<InvalidationScope> {
        announced(async |commit, revocations| {
            let mut roles = MockRoles::new();
            roles.expect_put().return_once(move |_, _| {
                commit();
                answer
            });
            let put = PutRole {
                name: RoleName::USER,
                description: Description::default(),
                permissions: Permissions::new(),
                self_assignable: false,
                precondition: Precondition::None,
                authorized_by: Some(identity()),
                dry_run,
            };
            let roles = InvalidatingRoles::new(Arc::new(roles), revocations);
            let _ = roles.put(put, context()).await;
        })
        .await
    }

    #[tokio::test]
    async fn a_role_that_is_written_outdates_everything() {
        let role = built_in().into_iter().next().expect("a role");
        let written = RolePut::Now {
            role,
            created: true,
            holders: 0,
        };
        for (answer, told) in [
            (written, Some(InvalidationScope::Everything)),
            (RolePut::Denied(Denied::Stale), CALLER_TOLD),
            (RolePut::Denied(Denied::OutOfReach), None),
            (RolePut::AnotherRevision, None),
            (RolePut::Full, None),
        ] {
            let name = format!("{answer:?}");
            assert_eq!(put(Ok(answer.clone()), false).await, told, "{name}");
            assert_eq!(put(Ok(answer), true).await, None, "{name}, rehearsed");
        }
        assert_eq!(put(Err(PortError::Overloaded), false).await, None);
    }

    async fn remove(answer: Result<RoleRemoved, PortError>, dry_run: bool) -> Option<InvalidationScope> {
        announced(async |commit, revocations| {
            let mut roles = MockRoles::new();
            roles.expect_remove().return_once(move |_, _| {
                commit();
                answer
            });
            let remove = RemoveRole {
                name: RoleName::USER,
                if_revision: None,
                authorized_by: Some(identity()),
                dry_run,
            };
            let roles = InvalidatingRoles::new(Arc::new(roles), revocations);
            let _ = roles.remove(remove, context()).await;
        })
        .await
    }

    #[tokio::test]
    async fn a_role_that_is_gone_outdates_everything() {
        for (answer, told) in [
            (RoleRemoved::Now, Some(InvalidationScope::Everything)),
            (RoleRemoved::NoSuchRole, Some(InvalidationScope::Everything)),
            (RoleRemoved::Denied(Denied::Stale), CALLER_TOLD),
            (RoleRemoved::Denied(Denied::OutOfReach), None),
            (RoleRemoved::InUse(3), None),
            (RoleRemoved::AnotherRevision, None),
        ] {
            let name = format!("{answer:?}");
            assert_eq!(remove(Ok(answer.clone()), false).await, told, "{name}");
            assert_eq!(remove(Ok(answer), true).await, None, "{name}, rehearsed");
        }
        assert_eq!(remove(Err(PortError::Overloaded), false).await, None);
    }

    #[test]
    fn every_method_that_changes_something_is_thought_of() {
        assert_eq!(every_change(include_str!("../ports/roles.rs")), ["put", "remove"]);
    }
}
