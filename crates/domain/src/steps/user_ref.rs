//! The parts shared by use cases in which one user changes another.

use crate::{
    audit::{AuditContext, Origin},
    authority::Requester,
    changes::{Account, ChangeError, Refusal},
    login::Login,
    ports::{Accounts, Clock, PortError},
    revision::Revision,
    user::{User, UserId},
};

/// A reference to a user, by id or by login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    Id(UserId),
    /// A login as typed.
    Login(String),
}

impl UserRef {
    /// Returns whether this refers to `user`.
    #[must_use]
    pub fn is(&self, user: &User) -> bool {
        match self {
            Self::Id(id) => *id == user.id,
            Self::Login(typed) => {
                Login::parse(typed).is_ok_and(|login| login.canonical() == user.login.canonical())
            }
        }
    }
}

/// A request to change a user.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    pub user: UserRef,
    /// If set, change the user only at this revision.
    pub if_revision: Option<Revision>,
    pub origin: Origin,
}

/// Finds a user by id or login.
pub(crate) async fn find(accounts: &dyn Accounts, user: &UserRef) -> Result<Option<User>, PortError> {
    match user {
        UserRef::Id(id) => accounts.find(*id).await,
        UserRef::Login(typed) => match Login::parse(typed) {
            Ok(login) => {
                let known = accounts.find_by_login(login.canonical()).await?;
                Ok(known.map(|known| known.user))
            }
            // A text that cannot be a login belongs to no user.
            Err(_) => Ok(None),
        },
    }
}

/// Finds the user to change and returns the account and the audit context for a command.
pub(crate) async fn prepare(
    accounts: &dyn Accounts,
    clock: &dyn Clock,
    requester: Requester<'_>,
    request: ChangeRequest,
) -> Result<(User, Account, AuditContext), ChangeError> {
    let user = find(accounts, &request.user)
        .await?
        .ok_or(Refusal::UserNotFound)?;
    let account = Account {
        user: user.id,
        if_revision: request.if_revision,
        authorized_by: requester.identity(),
    };
    let context = AuditContext::new(clock.now(), requester.actor(), request.origin);
    Ok((user, account, context))
}
