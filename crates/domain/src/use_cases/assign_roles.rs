use crate::{
    audit::{AuditContext, Origin},
    authority::{Denied, Requester, RolesAssign},
    changes::{self, ChangeError, Refusal},
    ports::{Accounts, Clock, PortError},
    revision::Revision,
    role::{RoleName, RoleNames},
    steps::{self, UserRef},
    user::{User, UserId},
};
use std::sync::Arc;
use thiserror::Error;

/// Replaces a user's roles. When this returns, every access token issued before is refused everywhere.
pub struct AssignRoles {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whose roles to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignee {
    Caller,
    User(UserRef),
}

/// A request to replace a user's roles.
#[derive(Clone, Debug)]
pub struct AssignRolesRequest {
    pub assignee: Assignee,
    /// Names of roles as typed.
    pub new_roles: Vec<String>,
    pub keep_sessions: bool,
    /// Change the user only at this revision.
    pub if_revision: Option<Revision>,
    /// Report what would happen, and change nothing.
    pub dry_run: bool,
}

/// What has changed, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignRolesOutcome {
    pub user: User,
    /// How many live sessions ended.
    pub sessions_ended: u64,
}

#[derive(Debug, Error)]
pub enum AssignRolesError {
    /// No role can have this name.
    #[error("the catalogue has no role {0:?}")]
    UnknownRole(String),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<Refusal> for AssignRolesError {
    fn from(refusal: Refusal) -> Self {
        Self::Change(refusal.into())
    }
}

impl From<Denied> for AssignRolesError {
    fn from(denied: Denied) -> Self {
        Self::Change(denied.into())
    }
}

impl From<PortError> for AssignRolesError {
    fn from(error: PortError) -> Self {
        Self::Change(error.into())
    }
}

impl AssignRoles {
    /// # Errors
    /// [`AssignRolesError`]; nothing has changed then.
    pub async fn execute(
        &self,
        requester: Requester<'_>,
        request: AssignRolesRequest,
        origin: Origin,
    ) -> Result<AssignRolesOutcome, AssignRolesError> {
        let command = Arc::new(changes::AssignRoles {
            user: self.assignee(requester, &request.assignee).await?,
            roles: parse(&request.new_roles)?,
            keep_sessions: request.keep_sessions,
            if_revision: request.if_revision,
            authorized_by: requester.identity(),
        });
        let context = AuditContext {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        let applied = if request.dry_run {
            self.accounts.dry_run(command, context).await?
        } else {
            self.accounts.execute(command, context).await?
        };
        let sessions_ended = applied.sessions_ended;
        let user = applied.into_user()?;
        Ok(AssignRolesOutcome { user, sessions_ended })
    }

    /// A caller without the right does not learn which users exist.
    async fn assignee(
        &self,
        requester: Requester<'_>,
        assignee: &Assignee,
    ) -> Result<UserId, AssignRolesError> {
        match (assignee, requester) {
            (Assignee::Caller, Requester::Caller(caller)) => Ok(caller.user().id),
            (Assignee::Caller, Requester::Operator) => Err(Refusal::UserNotFound.into()),
            (Assignee::User(user), Requester::Caller(caller)) if user.is(caller.user()) => {
                Ok(caller.user().id)
            }
            (Assignee::User(user), _) => {
                requester.capability::<RolesAssign>()?;
                let user = steps::find(&*self.accounts, user).await?;
                Ok(user.ok_or(Refusal::UserNotFound)?.id)
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
