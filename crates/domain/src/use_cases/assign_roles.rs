use super::administer::{self, UserRef};
use crate::{
    audit::{AuditContext, Origin},
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
pub enum Assignee {
    /// The caller's.
    Own,
    Of(UserRef),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct AssignRolesRequest {
    pub whose: Assignee,
    pub new_roles: Vec<String>,
    pub keep_sessions: bool,
    /// Only while the user stands at this revision.
    pub if_revision: Option<Revision>,
    /// Find out what would happen, and change nothing.
    pub dry_run: bool,
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
        request: AssignRolesRequest,
        origin: Origin,
    ) -> Result<RolesAssigned, AssignRolesError> {
        let user = self.target(requester, &request.whose).await?;
        let change = ChangeRoles {
            user,
            roles: parse(&request.new_roles)?,
            keep_sessions: request.keep_sessions,
            if_revision: request.if_revision,
            authorized_by: requester.identity(),
            dry_run: request.dry_run,
        };
        let context = AuditContext {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.users.change_roles(change, context).await? {
            RolesChanged::Now { user, sessions_ended } => Ok(RolesAssigned { user, sessions_ended }),
            RolesChanged::NoSuchUser => Err(AssignRolesError::NoSuchUser),
            RolesChanged::UnknownRole(name) => Err(AssignRolesError::UnknownRole(name.into())),
            RolesChanged::LastAdmin => Err(AssignRolesError::LastAdmin),
            RolesChanged::AnotherRevision => Err(AssignRolesError::AnotherRevision),
            RolesChanged::Denied(denied) => Err(denied.into()),
        }
    }

    /// Whoever lacks the right learns nothing of who is there.
    async fn target(&self, requester: Requester<'_>, whose: &Assignee) -> Result<UserId, AssignRolesError> {
        match (whose, requester) {
            (Assignee::Own, Requester::Caller(caller)) => Ok(caller.user().id),
            (Assignee::Own, Requester::Operator) => Err(AssignRolesError::NoSuchUser),
            (Assignee::Of(whom), Requester::Caller(caller)) if whom.is(caller.user()) => Ok(caller.user().id),
            (Assignee::Of(whom), _) => {
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
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Actor,
        caller::Caller,
        ports::MockUsers,
        role::{Permission, Permissions},
        use_cases::fixtures::{USER, caller, caller_with, clock, credentials, origin, roles, user},
        user::Credentials,
    };
    use uuid::Uuid;

    fn assign(expect: impl FnOnce(&mut MockUsers)) -> AssignRoles {
        let mut users = MockUsers::new();
        expect(&mut users);
        AssignRoles::new(Arc::new(users), clock())
    }

    fn request(login: Option<&str>, new_roles: &[&str]) -> AssignRolesRequest {
        AssignRolesRequest {
            whose: login.map_or(Assignee::Own, |login| {
                Assignee::Of(UserRef::Login(login.to_owned()))
            }),
            new_roles: new_roles.iter().map(|&name| name.to_owned()).collect(),
            keep_sessions: false,
            if_revision: None,
            dry_run: false,
        }
    }

    fn changed(user: User) -> RolesChanged {
        RolesChanged::Now {
            user,
            sessions_ended: 2,
        }
    }

    fn assigner() -> Caller {
        caller_with(Permissions::from([Permission::ROLES_ASSIGN]))
    }

    fn another() -> Credentials {
        let mut another = credentials();
        another.user.id = UserId(Uuid::from_u128(77));
        another
    }

    #[tokio::test]
    async fn dropping_own_roles_needs_nothing_but_that_they_are_still_the_same() {
        let assign = assign(|users| {
            users
                .expect_change_roles()
                .withf(|change, context| {
                    change.user == USER
                        && change.roles.is_empty()
                        && change.authorized_by == Some(caller().identity())
                        && context.actor == Actor::User(USER)
                })
                .once()
                .returning(|_, _| Ok(changed(user())));
        });
        assert!(
            assign
                .execute(Requester::Caller(&caller()), request(None, &[]), origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn ones_own_login_and_id_in_any_spelling_mean_oneself() {
        for whom in [UserRef::Login("ALICE".to_owned()), UserRef::Id(USER)] {
            let assign = assign(|users| {
                users.expect_find().never();
                users.expect_find_by_login().never();
                users
                    .expect_change_roles()
                    .withf(|change, _| change.user == USER)
                    .once()
                    .returning(|_, _| Ok(changed(user())));
            });
            let request = AssignRolesRequest {
                whose: Assignee::Of(whom),
                ..request(None, &[])
            };
            assert!(
                assign
                    .execute(Requester::Caller(&caller()), request, origin())
                    .await
                    .is_ok()
            );
        }
    }

    #[tokio::test]
    async fn anothers_roles_need_the_permission_before_anything_is_looked_up() {
        let assign = assign(|users| {
            users.expect_find_by_login().never();
            users.expect_change_roles().never();
        });
        let refused = assign
            .execute(
                Requester::Caller(&caller()),
                request(Some("bob"), &["unheard-of"]),
                origin(),
            )
            .await;
        assert!(matches!(
            refused,
            Err(AssignRolesError::Denied(Denied::Forbidden(_)))
        ));
    }

    #[tokio::test]
    async fn who_may_assign_roles_may_give_another_any_role() {
        let assign = assign(|users| {
            users
                .expect_find_by_login()
                .once()
                .returning(|_| Ok(Some(another())));
            users
                .expect_change_roles()
                .withf(|change, _| {
                    change.user == another().user.id
                        && change.roles == roles(&["admin", "user"])
                        && change.authorized_by == Some(assigner().identity())
                })
                .once()
                .returning(|_, _| Ok(changed(another().user)));
        });
        // A role that is named twice is given once.
        let request = request(Some("bob"), &["user", "admin", "user"]);
        assert!(
            assign
                .execute(Requester::Caller(&assigner()), request, origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn the_operator_acts_as_such() {
        let assign = assign(|users| {
            users
                .expect_find_by_login()
                .once()
                .returning(|_| Ok(Some(another())));
            users
                .expect_change_roles()
                .withf(|change, context| change.authorized_by.is_none() && context.actor == Actor::Operator)
                .once()
                .returning(|_, _| Ok(changed(another().user)));
        });
        assert!(
            assign
                .execute(Requester::Operator, request(Some("bob"), &["user"]), origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn what_cannot_be_a_role_is_named() {
        for name in ["Not A Name", ""] {
            let assign = assign(|users| {
                users.expect_change_roles().never();
            });
            let refused = assign
                .execute(
                    Requester::Caller(&caller()),
                    request(None, &["user", name]),
                    origin(),
                )
                .await;
            assert!(matches!(refused, Err(AssignRolesError::UnknownRole(unknown)) if unknown == name));
        }
    }

    #[tokio::test]
    async fn storage_has_the_last_word() {
        for (answer, expected) in [
            (
                RolesChanged::LastAdmin,
                "the last active admin cannot lose the role admin",
            ),
            (
                RolesChanged::Denied(Denied::Stale),
                "the caller's token is outdated",
            ),
            (
                RolesChanged::Denied(Denied::NotAssignable(RoleName::ADMIN)),
                "the role admin is not the caller's to give",
            ),
            (
                RolesChanged::UnknownRole(RoleName::parse("unheard-of").expect("a role name")),
                "the catalogue has no role \"unheard-of\"",
            ),
            (RolesChanged::AnotherRevision, "the user has changed meanwhile"),
            (RolesChanged::NoSuchUser, "there is no such user"),
        ] {
            let assign = assign(|users| {
                users.expect_change_roles().return_once(move |_, _| Ok(answer));
            });
            let refused = assign
                .execute(Requester::Caller(&caller()), request(None, &[]), origin())
                .await
                .expect_err("a refusal");
            assert_eq!(refused.to_string(), expected);
        }
    }

    #[tokio::test]
    async fn a_login_that_nobody_has_is_told_to_who_may_know() {
        for login in ["nobody", "no login"] {
            let assign = assign(|users| {
                users.expect_find_by_login().returning(|_| Ok(None));
            });
            let refused = assign
                .execute(
                    Requester::Caller(&assigner()),
                    request(Some(login), &[]),
                    origin(),
                )
                .await;
            assert!(matches!(refused, Err(AssignRolesError::NoSuchUser)));
        }
    }
}
