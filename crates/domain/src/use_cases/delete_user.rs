use crate::{
    authority::{Capability, UsersWrite},
    changes::{self, ChangeError},
    ports::{Accounts, Clock},
    steps::{self, ChangeRequest},
    user::User,
};
use std::sync::Arc;

/// Removes a user for good. When this returns, none of the user's tokens is accepted anywhere.
pub struct DeleteUser {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DeleteUser {
    /// Returns the user as they were.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
    ) -> Result<User, ChangeError> {
        let (_, account, context) =
            steps::prepare(&*self.accounts, &*self.clock, by.requester(), request).await?;
        let command = Arc::new(changes::DeleteUser(account));
        let applied = self.accounts.execute(command, context).await?;
        Ok(applied.into_user()?)
    }
}
