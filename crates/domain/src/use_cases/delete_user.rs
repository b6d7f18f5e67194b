use super::administer::{self, AdministerError, ChangeRequest};
use crate::{
    authority::{Capability, UsersWrite},
    ports::{Clock, Users},
    user::User,
};
use std::sync::Arc;

/// Removes a user for good. When this returns, none of the user's tokens is accepted anywhere.
pub struct DeleteUser {
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

impl DeleteUser {
    pub fn new(users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// The user, as they were.
    ///
    /// # Errors
    /// [`AdministerError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
    ) -> Result<User, AdministerError> {
        let (_, whom, context) =
            administer::prepare(&*self.users, &*self.clock, by.requester(), request).await?;
        administer::settle(self.users.delete(whom, context).await?)
    }
}
