mod administer;
mod changes;
mod pages;
mod storing;

use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{
        Administer, Administered, ChangePassword, ChangeRoles, Inserted, PasswordChanged, PortError,
        RolesChanged, Users,
    },
    user::{Credentials, ImportedUser, NewUser, User, UserFilter, UserId, UserPage, UserStatus},
};
use std::convert::identity;

#[async_trait]
impl Users for MemoryStorage {
    async fn insert(&self, user: NewUser, context: AuditContext) -> Result<Inserted, PortError> {
        Ok(storing::insert(&mut *self.transaction()?, user, &context))
    }

    async fn import(
        &self,
        users: Vec<ImportedUser>,
        context: AuditContext,
    ) -> Result<Vec<Inserted>, PortError> {
        let mut state = self.transaction()?;
        let import_one = |user| storing::import(&mut state, user, &context);
        Ok(users.into_iter().map(import_one).collect())
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        Ok(self.transaction()?.user(id).cloned())
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        let state = self.transaction()?;
        let mut users = state.users.values();
        Ok(users.find(|kept| kept.user.login.canonical() == login).cloned())
    }

    async fn change_roles(
        &self,
        change: ChangeRoles,
        context: AuditContext,
    ) -> Result<RolesChanged, PortError> {
        let mut state = self.transaction()?;
        let answer = state.change(change.dry_run, |state| {
            changes::change_roles(state, change, &context)
        });
        Ok(answer.map_or_else(RolesChanged::Denied, identity))
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        context: AuditContext,
    ) -> Result<PasswordChanged, PortError> {
        let mut state = self.transaction()?;
        let changed = changes::change_password(&mut state, change, &context);
        Ok(changed.map_or(PasswordChanged::Stale, PasswordChanged::Now))
    }

    async fn reset_password(
        &self,
        whom: Administer,
        hash: PasswordHash,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        let mut state = self.transaction()?;
        Ok(administer::reset_password(&mut state, whom, hash, &context))
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        let mut state = self.transaction()?;
        let Some(kept) = state.users.get_mut(&user).filter(|kept| kept.hash == *old) else {
            return Ok(false);
        };
        kept.hash = new.clone();
        Ok(true)
    }

    async fn set_status(
        &self,
        whom: Administer,
        status: UserStatus,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        let mut state = self.transaction()?;
        Ok(administer::set_status(&mut state, whom, status, &context))
    }

    async fn delete(&self, whom: Administer, context: AuditContext) -> Result<Administered, PortError> {
        let mut state = self.transaction()?;
        Ok(administer::delete(&mut state, whom, &context))
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        Ok(self.transaction()?.active_admins().next().is_some())
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        let users = pages::page(&*self.transaction()?, &filter, &page);
        Ok(users.into_iter().map(|kept| kept.user).collect())
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        Ok(pages::page(&*self.transaction()?, &UserFilter::default(), &page))
    }
}
