//! What the use cases share by which one user changes another.

use crate::{
    audit::{AuditContext, Origin},
    authority::{Denied, Requester},
    login::Login,
    ports::{Administer, Administered, Clock, PortError, Users},
    revision::Revision,
    user::{User, UserId},
};
use thiserror::Error;

/// Whom something is to be done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    Id(UserId),
    /// A login, as somebody typed it.
    Login(String),
}

impl UserRef {
    /// Whether `user` is meant.
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

/// Whom a change is asked for, what was last seen of the user, and from where it is asked.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    pub whom: UserRef,
    /// Only while the user stands at this revision.
    pub if_revision: Option<Revision>,
    pub origin: Origin,
}

#[derive(Debug, Error)]
pub enum AdministerError {
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the last active admin cannot be disabled or deleted")]
    LastAdmin,
    #[error("the user has changed meanwhile")]
    AnotherRevision,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The user, by whichever name they are called.
pub(super) async fn find(users: &dyn Users, whom: &UserRef) -> Result<Option<User>, PortError> {
    match whom {
        UserRef::Id(id) => users.find(*id).await,
        UserRef::Login(typed) => match Login::parse(typed) {
            Ok(login) => {
                let known = users.find_by_login(login.canonical()).await?;
                Ok(known.map(|known| known.user))
            }
            // A text that is no login is nobody's.
            Err(_) => Ok(None),
        },
    }
}

/// What storage is to be asked for, once it is known who is meant.
pub(super) async fn prepare(
    users: &dyn Users,
    clock: &dyn Clock,
    requester: Requester<'_>,
    request: ChangeRequest,
) -> Result<(User, Administer, AuditContext), AdministerError> {
    let user = find(users, &request.whom)
        .await?
        .ok_or(AdministerError::NoSuchUser)?;
    let administer = Administer {
        user: user.id,
        if_revision: request.if_revision,
        authorized_by: requester.identity(),
    };
    let context = AuditContext {
        at: clock.now(),
        actor: requester.actor(),
        origin: request.origin,
    };
    Ok((user, administer, context))
}

/// The user as they are now, if the change was made.
pub(super) fn settle(administered: Administered) -> Result<User, AdministerError> {
    match administered {
        Administered::Now(user) => Ok(user),
        Administered::NoSuchUser => Err(AdministerError::NoSuchUser),
        Administered::LastAdmin => Err(AdministerError::LastAdmin),
        Administered::AnotherRevision => Err(AdministerError::AnotherRevision),
        Administered::Denied(denied) => Err(denied.into()),
    }
}
