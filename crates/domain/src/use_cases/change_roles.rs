use super::administer::{self, Whom};
use crate::{
    audit::{Origin, Stamp},
    authority::{Denied, Requester, RolesAssign},
    ports::{ChangeRoles, Clock, PortError, RolesChanged, Users},
    revision::Revision,
    role::{RoleName, RoleNames},
    user::{User, UserId},
};
use std::sync::Arc;
use thiserror::Error;

/// Gives a user other roles. When this returns, every access token from before is refused everywhere.
pub struct AssignRoles {
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

/// Whose roles are to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's.
    Own,
    Of(Whom),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RolesWish {
    pub whose: Whose,
    pub new_roles: Vec<String>,
    pub keep_sessions: bool,
    /// Only while the user stands at this revision.
    pub if_revision: Option<Revision>,
    /// Find out what would happen, and change nothing.
    pub rehearse: bool,
}

/// What has changed, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolesAssigned {
    pub user: User,
    /// How many live sessions came to their end.
    pub sessions_ended: u64,
}

#[derive(Debug, Error)]
pub enum AssignRolesError {
    #[error("the catalogue has no role {0:?}")]
    UnknownRole(String),
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the last active admin cannot lose the role admin")]
    LastAdmin,
    #[error("the user has changed meanwhile")]
    AnotherRevision,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl AssignRoles {
    pub fn new(users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// # Errors
    /// [`AssignRolesError`]; nothing has changed then.
    pub async fn execute(
        &self,
        requester: Requester<'_>,
        wish: RolesWish,
        origin: Origin,
    ) -> Result<RolesAssigned, AssignRolesError> {
        let user = self.target(requester, &wish.whose).await?;
        let change = ChangeRoles {
            user,
            roles: parse(&wish.new_roles)?,
            keep_sessions: wish.keep_sessions,
            if_revision: wish.if_revision,
            only_while: requester.vouched(),
            rehearse: wish.rehearse,
        };
        let stamp = Stamp {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.users.change_roles(change, stamp).await? {
            RolesChanged::Now { user, sessions_ended } => Ok(RolesAssigned { user, sessions_ended }),
            RolesChanged::NoSuchUser => Err(AssignRolesError::NoSuchUser),
            RolesChanged::UnknownRole(name) => Err(AssignRolesError::UnknownRole(name.into())),
            RolesChanged::LastAdmin => Err(AssignRolesError::LastAdmin),
            RolesChanged::AnotherRevision => Err(AssignRolesError::AnotherRevision),
            RolesChanged::Denied(denied) => Err(denied.into()),
        }
    }

    /// Whoever lacks the right learns nothing of who is there.
    async fn target(&self, requester: Requester<'_>, whose: &Whose) -> Result<UserId, AssignRolesError> {
        match (whose, requester) {
            (Whose::Own, Requester::Caller(caller)) => Ok(caller.user().id),
            (Whose::Own, Requester::Operator) => Err(AssignRolesError::NoSuchUser),
            (Whose::Of(whom), Requester::Caller(caller)) if whom.is(caller.user()) => Ok(caller.user().id),
            (Whose::Of(whom), _) => {
                requester.capability::<RolesAssign>()?;
                let user = administer::find(&*self.users, whom).await?;
                user.map(|user| user.id).ok_or(AssignRolesError::NoSuchUser)
            }
        }
    }
}

fn parse(names: &[String]) -> Result<RoleNames, AssignRolesError> {
    let parse_one =
        |name: &String| RoleName::parse(name).map_err(|_| AssignRolesError::UnknownRole(name.clone()));
    names.iter().map(parse_one).collect()
}
