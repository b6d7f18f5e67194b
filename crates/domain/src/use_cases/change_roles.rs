use crate::{
    audit::{Actor, Origin, Stamp},
    caller::Caller,
    login::Login,
    ports::{ChangeRoles, Clock, PortError, Roles, RolesChanged, Users},
    role::{Permission, Role, RoleName, RoleNames, not_self_assignable},
    token::Vouched,
    user::{User, UserId},
};
use std::{collections::BTreeSet, sync::Arc};
use thiserror::Error;

/// Gives a user other roles. When this returns, every access token from before is refused everywhere.
pub struct AssignRoles {
    users: Arc<dyn Users>,
    roles: Arc<dyn Roles>,
    clock: Arc<dyn Clock>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    Caller(&'a Caller),
    /// Whoever holds the command line: may do everything.
    Operator,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RolesWish {
    /// Whose roles; the caller's own when there is none.
    pub login: Option<String>,
    pub new_roles: Vec<String>,
    pub keep_sessions: bool,
}

#[derive(Debug, Error)]
pub enum AssignRolesError {
    /// The caller lacks `roles:assign`.
    #[error("changing another's roles needs the permission roles:assign")]
    Forbidden,
    #[error("the catalogue has no role {0:?}")]
    UnknownRole(String),
    #[error("the role {0} cannot be taken by oneself")]
    NotAssignable(RoleName),
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the last active admin cannot lose the role admin")]
    LastAdmin,
    /// The caller changed, or their session ended, while this was decided.
    #[error("the caller's token is outdated")]
    Outdated,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl AssignRoles {
    pub fn new(users: Arc<dyn Users>, roles: Arc<dyn Roles>, clock: Arc<dyn Clock>) -> Self {
        Self { users, roles, clock }
    }

    /// # Errors
    /// [`AssignRolesError`]; nothing has changed then.
    pub async fn execute(
        &self,
        requester: Requester<'_>,
        wish: RolesWish,
        origin: Origin,
    ) -> Result<User, AssignRolesError> {
        let target = self.target(requester, wish.login.as_deref()).await?;
        let wanted = parse(&wish.new_roles)?;
        let catalogue = self.catalogue(&wanted).await?;
        target.allows(&wanted, &catalogue)?;
        let change = ChangeRoles {
            user: target.user,
            roles: wanted,
            keep_sessions: wish.keep_sessions,
            only_while: requester.vouched(),
        };
        let stamp = Stamp {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.users.change_roles(change, stamp).await? {
            RolesChanged::Now(user) => Ok(user),
            RolesChanged::NoSuchUser => Err(AssignRolesError::NoSuchUser),
            RolesChanged::UnknownRole => Err(AssignRolesError::UnknownRole(wish.new_roles.join(", "))),
            RolesChanged::LastAdmin => Err(AssignRolesError::LastAdmin),
            RolesChanged::Stale => Err(AssignRolesError::Outdated),
        }
    }

    async fn target(
        &self,
        requester: Requester<'_>,
        login: Option<&str>,
    ) -> Result<Target, AssignRolesError> {
        match (requester, login) {
            (Requester::Caller(caller), None) => Ok(Target::own(caller)),
            (Requester::Caller(caller), Some(login)) if is_own(caller, login) => Ok(Target::own(caller)),
            (Requester::Caller(caller), Some(_)) if !caller.may(&Permission::ROLES_ASSIGN) => {
                Err(AssignRolesError::Forbidden)
            }
            (_, Some(login)) => self.find(login).await,
            (Requester::Operator, None) => Err(AssignRolesError::NoSuchUser),
        }
    }

    async fn find(&self, login: &str) -> Result<Target, AssignRolesError> {
        let login = Login::parse(login).map_err(|_| AssignRolesError::NoSuchUser)?;
        let found = self
            .users
            .find_by_login(login.canonical())
            .await?
            .ok_or(AssignRolesError::NoSuchUser)?;
        Ok(Target {
            user: found.user.id,
            bounds: None,
        })
    }

    async fn catalogue(&self, wanted: &RoleNames) -> Result<Vec<Role>, AssignRolesError> {
        let found = self.roles.find(wanted).await?;
        let known: BTreeSet<_> = found.iter().map(|role| &role.name).collect();
        match wanted.iter().find(|name| !known.contains(name)) {
            Some(unknown) => Err(AssignRolesError::UnknownRole(unknown.to_string())),
            None => Ok(found),
        }
    }
}

/// Whose roles change, and within which bounds.
struct Target {
    user: UserId,
    /// What binds a caller without `roles:assign`: the roles that they start from. They are still the same when the change
    /// is made, since any change of them raises the caller's epoch.
    bounds: Option<RoleNames>,
}

impl Target {
    fn own(caller: &Caller) -> Self {
        let user = caller.user();
        let bounds = (!caller.may(&Permission::ROLES_ASSIGN)).then(|| user.roles.clone());
        Self {
            user: user.id,
            bounds,
        }
    }

    fn allows(&self, wanted: &RoleNames, catalogue: &[Role]) -> Result<(), AssignRolesError> {
        let refused = self
            .bounds
            .as_ref()
            .and_then(|current| not_self_assignable(current, wanted, catalogue));
        match refused {
            Some(name) => Err(AssignRolesError::NotAssignable(name.clone())),
            None => Ok(()),
        }
    }
}

impl Requester<'_> {
    fn vouched(self) -> Option<Vouched> {
        match self {
            Self::Caller(caller) => Some(caller.vouched()),
            Self::Operator => None,
        }
    }

    fn actor(self) -> Actor {
        match self {
            Self::Caller(caller) => Actor::User(caller.user().id),
            Self::Operator => Actor::Operator,
        }
    }
}

fn is_own(caller: &Caller, login: &str) -> bool {
    Login::parse(login).is_ok_and(|login| login.canonical() == caller.user().login.canonical())
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
        ports::{MockRoles, MockUsers},
        role::{Permissions, built_in},
        use_cases::fixtures::{USER, caller, caller_with, clock, credentials, origin, roles, user},
        user::Credentials,
    };
    use uuid::Uuid;

    fn assign(expect: impl FnOnce(&mut MockUsers)) -> AssignRoles {
        let mut users = MockUsers::new();
        expect(&mut users);
        let mut catalogue = MockRoles::new();
        catalogue.expect_find().returning(|names| {
            Ok(built_in()
                .into_iter()
                .filter(|role| names.contains(&role.name))
                .collect())
        });
        AssignRoles::new(Arc::new(users), Arc::new(catalogue), clock())
    }

    fn wish(login: Option<&str>, new_roles: &[&str]) -> RolesWish {
        RolesWish {
            login: login.map(str::to_owned),
            new_roles: new_roles.iter().map(|&name| name.to_owned()).collect(),
            keep_sessions: false,
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
                .withf(|change, stamp| {
                    change.user == USER
                        && change.roles.is_empty()
                        && change.only_while == Some(caller().vouched())
                        && stamp.actor == Actor::User(USER)
                })
                .once()
                .returning(|_, _| Ok(RolesChanged::Now(user())));
        });
        assert!(
            assign
                .execute(Requester::Caller(&caller()), wish(None, &[]), origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn nobody_makes_themselves_admin() {
        for login in [None, Some("ALICE")] {
            let assign = assign(|users| {
                users.expect_change_roles().never();
            });
            let refused = assign
                .execute(
                    Requester::Caller(&caller()),
                    wish(login, &["admin", "user"]),
                    origin(),
                )
                .await;
            assert!(matches!(refused, Err(AssignRolesError::NotAssignable(name)) if name == RoleName::ADMIN));
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
                wish(Some("bob"), &["unheard-of"]),
                origin(),
            )
            .await;
        assert!(matches!(refused, Err(AssignRolesError::Forbidden)));
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
                        && change.only_while == Some(assigner().vouched())
                })
                .once()
                .returning(|_, _| Ok(RolesChanged::Now(another().user)));
        });
        // A role that is named twice is given once.
        let wish = wish(Some("bob"), &["user", "admin", "user"]);
        assert!(
            assign
                .execute(Requester::Caller(&assigner()), wish, origin())
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
                .withf(|change, stamp| change.only_while.is_none() && stamp.actor == Actor::Operator)
                .once()
                .returning(|_, _| Ok(RolesChanged::Now(another().user)));
        });
        assert!(
            assign
                .execute(Requester::Operator, wish(Some("bob"), &["user"]), origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn roles_outside_the_catalogue_are_named() {
        for name in ["unheard-of", "Not A Name", ""] {
            let assign = assign(|users| {
                users.expect_change_roles().never();
            });
            let refused = assign
                .execute(
                    Requester::Caller(&caller()),
                    wish(None, &["user", name]),
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
            (RolesChanged::Stale, "the caller's token is outdated"),
            (RolesChanged::NoSuchUser, "there is no such user"),
        ] {
            let assign = assign(|users| {
                users.expect_change_roles().return_once(move |_, _| Ok(answer));
            });
            let refused = assign
                .execute(Requester::Caller(&caller()), wish(None, &[]), origin())
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
                .execute(Requester::Caller(&assigner()), wish(Some(login), &[]), origin())
                .await;
            assert!(matches!(refused, Err(AssignRolesError::NoSuchUser)));
        }
    }
}
