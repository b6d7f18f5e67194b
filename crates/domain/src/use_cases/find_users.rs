use crate::{
    authority::{Capability, UsersRead},
    ports::{Accounts, PortError, UserDirectory},
    steps::{self, UserRef},
    user::{User, UserFilter, UserPage},
};
use std::sync::Arc;

/// Shows users to whoever may see them.
pub struct FindUsers {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) users: Arc<dyn UserDirectory>,
}

impl FindUsers {
    /// A page of users, in the order of their canonical logins. The next page begins after the last of them.
    ///
    /// # Errors
    /// The port's.
    pub async fn execute(
        &self,
        _by: Capability<'_, UsersRead>,
        filter: UserFilter,
        page: UserPage,
    ) -> Result<Vec<User>, PortError> {
        self.users.list(filter, page).await
    }

    /// One user, if there is one.
    ///
    /// # Errors
    /// The port's.
    pub async fn one(
        &self,
        _by: Capability<'_, UsersRead>,
        user: &UserRef,
    ) -> Result<Option<User>, PortError> {
        steps::find(&*self.accounts, user).await
    }
}
