use super::administer::{self, UserRef};
use crate::{
    authority::{Capability, UsersRead},
    ports::{PortError, Users},
    user::{User, UserFilter, UserPage},
};
use std::sync::Arc;

/// Shows users to whoever may see them.
pub struct FindUsers {
    users: Arc<dyn Users>,
}

impl FindUsers {
    pub fn new(users: Arc<dyn Users>) -> Self {
        Self { users }
    }

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
        whom: &UserRef,
    ) -> Result<Option<User>, PortError> {
        administer::find(&*self.users, whom).await
    }
}
