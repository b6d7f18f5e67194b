use super::administer::{self, AdministerError, ChangeRequest};
use crate::{
    authority::{Capability, UsersWrite},
    ports::{Clock, Users},
    user::{User, UserStatus},
};
use std::sync::Arc;

/// Disables or enables a user. Once a disabling returns, none of the user's tokens is accepted anywhere.
pub struct SetStatus {
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

impl SetStatus {
    pub fn new(users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// # Errors
    /// [`AdministerError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
        status: UserStatus,
    ) -> Result<User, AdministerError> {
        let (_, whom, stamp) =
            administer::prepare(&*self.users, &*self.clock, by.requester(), request).await?;
        administer::settle(self.users.set_status(whom, status, stamp).await?)
    }
}
