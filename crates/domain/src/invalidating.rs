//! Decorators of storage that publish what a change made stale before they return. Everything that revokes goes through
//! them, so that no use case and no composition can forget it.
//!
//! A request that starts after one of these methods has returned is not accepted on the strength of an older snapshot, by
//! any replica. That also holds for refusals that report another request's change as made: see
//! [`changes::invalidated`]. Dry runs change nothing and publish nothing.

use crate::{
    audit::AuditContext,
    changes::{self, Applied, CatalogueChange, CatalogueCommand, ChangeError, Command},
    invalidation::InvalidationScope,
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{Accounts, PortError, Revocations, Roles},
    role::{Role, RoleNames},
    user::{Credentials, User, UserId},
};
use async_trait::async_trait;
use std::sync::Arc;

/// Accounts whose changes are published.
pub struct InvalidatingAccounts {
    accounts: Arc<dyn Accounts>,
    revocations: Arc<dyn Revocations>,
}

/// A catalogue of roles whose changes are published.
pub struct InvalidatingRoles {
    roles: Arc<dyn Roles>,
    revocations: Arc<dyn Revocations>,
}

impl InvalidatingAccounts {
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            accounts,
            revocations,
        }
    }
}

impl InvalidatingRoles {
    #[must_use]
    pub fn new(roles: Arc<dyn Roles>, revocations: Arc<dyn Revocations>) -> Self {
        Self { roles, revocations }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Accounts for InvalidatingAccounts {
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.accounts.find(id).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.accounts.find_by_login(login).await
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        self.accounts.replace_hash(user, old, new).await
    }

    async fn execute(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let result = self.accounts.execute(Arc::clone(&command), context).await;
        publish(&*self.revocations, changes::invalidated(&*command, &result)).await;
        result
    }

    async fn dry_run(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        self.accounts.dry_run(command, context).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Roles for InvalidatingRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        self.roles.find(names).await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.roles.list().await
    }

    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let result = self.roles.execute(Arc::clone(&command), context).await;
        publish(&*self.revocations, command.invalidated(&result)).await;
        result
    }

    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        self.roles.dry_run(command, context).await
    }
}

async fn publish(revocations: &dyn Revocations, scope: Option<InvalidationScope>) {
    if let Some(scope) = scope {
        revocations.publish(vec![scope]).await;
    }
}
