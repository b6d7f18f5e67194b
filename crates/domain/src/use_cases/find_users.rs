use crate::{
    authority::{Capability, UsersRead},
    ports::{Accounts, PortError, UserDirectory},
    steps::{self, UserRef},
    user::{User, UserFilter, UserPage},
};
use std::sync::Arc;

/// Lists users, and returns single ones, to callers with the permission to read them.
pub struct FindUsers {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) users: Arc<dyn UserDirectory>,
}

impl FindUsers {
    /// Returns a page of users, ordered by canonical login. The next page starts after the last of
    /// them.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the port fails.
    pub async fn execute(
        &self,
        _by: Capability<'_, UsersRead>,
        filter: UserFilter,
        page: UserPage,
    ) -> Result<Vec<User>, PortError> {
        self.users.list(filter, page).await
    }

    /// Returns a user, or `None` if the user does not exist.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the port fails.
    pub async fn one(
        &self,
        _by: Capability<'_, UsersRead>,
        user: &UserRef,
    ) -> Result<Option<User>, PortError> {
        steps::find(&*self.accounts, user).await
    }
}
