//! What commands on accounts and sessions read.

use super::Refusal;
use crate::{
    authority::{Authority, Denied, Target},
    caller::{SessionSnapshot, UserCaller},
    login::CanonicalLogin,
    one_time_password::OneTimePassword,
    role::{Role, RoleName, RoleNames},
    session::{Generation, Lifetime, SessionId, StoredSession},
    token::TokenIdentity,
    user::{Epoch, User, UserId, UserStatus},
};
use chrono::{DateTime, Utc};

/// The data that a command reads. Storage loads exactly this data, and keeps it from changing until
/// the transaction ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// A login that the change needs to be free.
    pub login: Option<CanonicalLogin>,
    /// The account to change. Its user is locked.
    pub account: Option<UserId>,
    /// Whether the account's [target](field@Facts::target) is read, with the permissions of its
    /// roles.
    pub target: bool,
    /// Whether the change could leave no active administrator. If so, and if the target is one,
    /// storage runs no other such change at the same time.
    pub may_remove_admin: bool,
    /// Whether all live sessions of the account are read.
    pub live_sessions: bool,
    /// A session to change. Storage locks it.
    pub session: Option<SessionId>,
    /// The token that authorises the change. Its user and its session are locked.
    pub caller: Option<TokenIdentity>,
    /// Roles to look up in the catalogue. Storage locks them against removal.
    pub roles: RoleNames,
}

/// The data that was loaded in the transaction that makes the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether an account has [`Reads::login`].
    pub login_taken: bool,
    /// The state of [`Reads::account`]; `None` if the user does not exist.
    pub account: Option<AccountState>,
    /// The user of [`Reads::account`] with their permissions, if
    /// [`Reads::target`](field@Reads::target) is set and the user exists.
    pub target: Option<Target>,
    /// Whether an active administrator other than the target exists. Loaded if
    /// [`Reads::may_remove_admin`] is set and the target is an active administrator.
    pub other_admin_exists: bool,
    /// The live sessions of the account, in any order, if [`Reads::live_sessions`] is set.
    pub live_sessions: Vec<LiveSession>,
    /// [`Reads::session`], if it exists.
    pub session: Option<OwnedSession>,
    /// The session of [`Reads::caller`] with its user and permissions, if it exists.
    pub caller: Option<SessionSnapshot>,
    /// Those of [`Reads::roles`] that are in the catalogue.
    pub roles: Vec<Role>,
}

/// The state that decides whether an account may have sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    pub status: UserStatus,
    pub epoch: Epoch,
    pub one_time_password: Option<OneTimePassword>,
}

/// A live session of the account. Sorts by age, the one opened first being the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveSession {
    /// Storage MUST number each session that it stores higher than all others of its user, whatever
    /// the clocks show. Only sessions with equal numbers are ordered by their creation times.
    pub number: i64,
    pub created_at: DateTime<Utc>,
    pub id: SessionId,
}

/// A session with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedSession {
    pub user: UserId,
    pub lifetime: Lifetime,
    pub generation: Generation,
    /// Whether the audit log has an event for a replay of the rotation to
    /// [`generation`](Self::generation).
    pub replay_recorded: bool,
}

impl From<&StoredSession> for OwnedSession {
    fn from(session: &StoredSession) -> Self {
        Self {
            user: session.holder.user,
            lifetime: session.lifetime,
            generation: session.generation,
            replay_recorded: session.last_rotation.replay_recorded,
        }
    }
}

impl From<&User> for AccountState {
    fn from(user: &User) -> Self {
        Self {
            status: user.status,
            epoch: user.epoch,
            one_time_password: user.one_time_password,
        }
    }
}

impl Reads {
    /// Returns reads of the target `user`, on the authority of the token `caller`.
    pub(super) fn target(user: UserId, caller: Option<TokenIdentity>) -> Self {
        Self {
            account: Some(user),
            target: true,
            caller,
            ..Self::default()
        }
    }
}

impl Facts {
    /// Returns whether `user` has the roles that were loaded for them. Returns false if none were
    /// loaded.
    #[must_use]
    pub fn has_loaded_roles_of(&self, user: &User) -> bool {
        let target = self.target.as_ref().map(|target| &target.user);
        let caller = self.caller.as_ref().and_then(|caller| caller.principal.user());
        let mut loaded = target.into_iter().chain(caller);
        loaded.any(|loaded| loaded.id == user.id && loaded.roles == user.roles)
    }

    pub(super) fn target(&self) -> Result<&Target, Refusal> {
        self.target.as_ref().ok_or(Refusal::UserNotFound)
    }

    /// Validates the token of [`Reads::caller`] against the session as it is now.
    pub(super) fn authority(
        &self,
        token: Option<TokenIdentity>,
        at: DateTime<Utc>,
    ) -> Result<Authority, Refusal> {
        Ok(Authority::validate(token, self.caller.clone(), at)?)
    }

    /// Validates the token of [`Reads::caller`], which must be that of a user.
    pub(super) fn user_caller(&self, token: TokenIdentity, at: DateTime<Utc>) -> Result<UserCaller, Refusal> {
        match self.authority(Some(token), at)? {
            Authority::Caller(caller) => caller.try_into().map_err(|_| Denied::Stale.into()),
            Authority::Operator => Err(Denied::Stale.into()),
        }
    }

    /// Refuses roles that the catalogue does not contain.
    pub(super) fn require_known(&self, names: &RoleNames) -> Result<(), Refusal> {
        let is_known = |name: &RoleName| self.roles.iter().any(|role| role.name == *name);
        match names.iter().find(|name| !is_known(name)) {
            Some(unknown) => Err(Refusal::UnknownRole(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Refuses to turn `before` into `after`, or into nothing, if no active administrator would
    /// remain.
    pub(super) fn keep_an_admin(&self, before: &User, after: Option<&User>) -> Result<(), Refusal> {
        let loses_admin = before.is_active_admin() && !after.is_some_and(User::is_active_admin);
        if loses_admin && !self.other_admin_exists {
            return Err(Refusal::LastAdmin);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{
            Account, AssignRoles, Command, DeleteUser, SetStatus, UserChange,
            fixtures::{admin_snapshot, role},
        },
        fixtures::{now, roles, user},
        login::Login,
        role::{OWN_PERMISSIONS, built_in},
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    fn check_names(names: &[&str]) -> Result<(), Refusal> {
        let facts = Facts {
            roles: built_in().into_iter().chain([role("editor", &[])]).collect(),
            ..Facts::default()
        };
        facts.require_known(&roles(names))
    }

    #[test]
    fn the_first_role_that_the_catalogue_does_not_contain_is_reported() {
        assert_eq!(check_names(&[]), Ok(()));
        assert_eq!(check_names(&["admin", "editor", "user"]), Ok(()));
        let unknown = RoleName::parse("author").expect("the role name is valid");
        assert_eq!(
            check_names(&["user", "wizard", "author"]),
            Err(Refusal::UnknownRole(unknown))
        );
    }

    /// A few stored users, changed by commands of the operator and of the users themselves.
    #[derive(Clone, Debug)]
    struct World(Vec<User>);

    #[derive(Clone, Copy, Debug)]
    struct Step {
        user: usize,
        by_user: bool,
        action: Action,
    }

    #[derive(Clone, Copy, Debug)]
    enum Action {
        AssignAdmin(bool),
        SetStatus(UserStatus),
        Delete,
    }

    fn id(number: usize) -> UserId {
        UserId(Uuid::from_u128(100 + number as u128))
    }

    fn step() -> impl Strategy<Value = Step> {
        let action = prop_oneof![
            any::<bool>().prop_map(Action::AssignAdmin),
            prop_oneof![Just(UserStatus::Active), Just(UserStatus::Disabled)].prop_map(Action::SetStatus),
            Just(Action::Delete),
        ];
        (0usize..4, any::<bool>(), action).prop_map(|(user, by_user, action)| Step {
            user,
            by_user,
            action,
        })
    }

    impl World {
        /// Creates one user for each pair: whether they are active, and whether they have the role
        /// `admin`.
        fn new(users: &[(bool, bool)]) -> Self {
            let user_of = |(number, (active, admin)): (usize, &(bool, bool))| User {
                id: id(number),
                login: Login::parse(&format!("user{number}")).expect("the login is valid"),
                roles: roles(if *admin { &["admin"] } else { &["user"] }),
                status: if *active {
                    UserStatus::Active
                } else {
                    UserStatus::Disabled
                },
                ..user()
            };
            Self(users.iter().enumerate().map(user_of).collect())
        }

        fn has_admin(&self) -> bool {
            self.0.iter().any(User::is_active_admin)
        }

        fn find(&self, id: UserId) -> Option<&User> {
            self.0.iter().find(|user| user.id == id)
        }

        /// Returns the command of `step`. A user acts with their own token; the operator needs
        /// none.
        fn command(&self, step: Step) -> Box<dyn Command> {
            let user = id(step.user);
            let by_user = self.find(user).filter(|_| step.by_user);
            let authorized_by = by_user.map(|caller| TokenIdentity {
                principal: user.into(),
                session: admin_snapshot().session,
                epoch: caller.epoch,
            });
            let account = Account {
                user,
                if_revision: None,
                authorized_by,
            };
            match step.action {
                Action::AssignAdmin(admin) => Box::new(AssignRoles {
                    user,
                    roles: roles(if admin { &["admin"] } else { &[] }),
                    keep_sessions: false,
                    if_revision: None,
                    authorized_by,
                }),
                Action::SetStatus(status) => Box::new(SetStatus { account, status }),
                Action::Delete => Box::new(DeleteUser(account)),
            }
        }

        /// Loads exactly what `reads` contains.
        fn load(&self, reads: &Reads) -> Facts {
            let user = reads.account.and_then(|user| self.find(user));
            let others = || self.0.iter().filter(|other| Some(other.id) != reads.account);
            Facts {
                account: user.map(AccountState::from),
                target: user
                    .filter(|_| reads.target)
                    .map(|user| Target::new(user.clone(), [])),
                other_admin_exists: reads.may_remove_admin
                    && user.is_some_and(User::is_active_admin)
                    && others().any(User::is_active_admin),
                caller: reads
                    .caller
                    .and_then(|token| self.find(token.principal.user()?))
                    .map(|user| SessionSnapshot {
                        principal: user.clone().into(),
                        permissions: OWN_PERMISSIONS.into(),
                        ..admin_snapshot()
                    }),
                roles: built_in()
                    .into_iter()
                    .filter(|role| reads.roles.contains(&role.name))
                    .collect(),
                ..Facts::default()
            }
        }

        fn apply(&mut self, change: UserChange) {
            match change {
                UserChange::Update { user: after, .. } => {
                    for user in self.0.iter_mut().filter(|user| user.id == after.id) {
                        *user = after.clone();
                    }
                }
                UserChange::Delete(deleted) => self.0.retain(|user| user.id != deleted.id),
                UserChange::Unchanged(user) => assert_eq!(self.find(user.id), Some(&user)),
                other => panic!("no change to an account: {other:?}"),
            }
        }

        /// Returns the world after `step`, whether it is allowed or not.
        fn forced(&self, step: Step) -> Self {
            let mut world = self.clone();
            let target = id(step.user);
            if matches!(step.action, Action::Delete) {
                world.0.retain(|user| user.id != target);
            }
            for user in world.0.iter_mut().filter(|user| user.id == target) {
                match step.action {
                    Action::AssignAdmin(admin) => user.roles = roles(if admin { &["admin"] } else { &[] }),
                    Action::SetStatus(status) => user.status = status,
                    Action::Delete => {}
                }
            }
            world
        }
    }

    proptest! {
        #[test]
        fn an_active_admin_always_remains_and_only_changes_to_the_last_are_refused(
            users in prop::collection::vec(any::<(bool, bool)>(), 1..4),
            steps in prop::collection::vec(step(), 0..24),
        ) {
            let mut world = World::new(&users);
            for step in steps {
                let had_admin = world.has_admin();
                let would_have = world.forced(step).has_admin();
                let command = world.command(step);
                let facts = world.load(&command.reads());
                match command.decide(&facts, now()) {
                    Ok(change) => world.apply(change.user),
                    Err(Refusal::LastAdmin) => prop_assert!(had_admin && !would_have, "{step:?}: {world:?}"),
                    Err(_) => {}
                }
                prop_assert!(world.has_admin() || !had_admin, "{step:?}: {world:?}");
            }
        }
    }
}
