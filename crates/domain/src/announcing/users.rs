use super::{announce, outdated};
use crate::{
    audit::Stamp,
    leases::Subject,
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{
        Administer, Administered, ChangePassword, ChangeRoles, Inserted, PasswordChanged, PortError,
        Revocations, RolesChanged, Users,
    },
    user::{Credentials, ImportedUser, NewUser, User, UserFilter, UserId, UserPage, UserStatus},
};
use async_trait::async_trait;
use std::sync::Arc;

/// Users, whose changes are announced.
pub struct AnnouncingUsers {
    users: Arc<dyn Users>,
    revocations: Arc<dyn Revocations>,
}

impl AnnouncingUsers {
    #[must_use]
    pub fn new(users: Arc<dyn Users>, revocations: Arc<dyn Revocations>) -> Self {
        Self { users, revocations }
    }

    async fn announce(&self, subject: Option<Subject>) {
        announce(&*self.revocations, subject).await;
    }

    async fn announce_administered(&self, whom: Administer, administered: &Administered) {
        let subject = match administered {
            Administered::Now(_) | Administered::NoSuchUser => Some(Subject::User(whom.user)),
            Administered::Denied(denied) => outdated(denied, whom.only_while),
            Administered::LastAdmin | Administered::AnotherRevision => None,
        };
        self.announce(subject).await;
    }
}

#[async_trait]
impl Users for AnnouncingUsers {
    async fn insert(&self, user: NewUser, stamp: Stamp) -> Result<Inserted, PortError> {
        self.users.insert(user, stamp).await
    }

    async fn import(&self, users: Vec<ImportedUser>, stamp: Stamp) -> Result<Vec<Inserted>, PortError> {
        self.users.import(users, stamp).await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.users.find(id).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.users.find_by_login(login).await
    }

    async fn change_roles(&self, change: ChangeRoles, stamp: Stamp) -> Result<RolesChanged, PortError> {
        let (user, caller, rehearse) = (change.user, change.only_while, change.rehearse);
        let changed = self.users.change_roles(change, stamp).await?;
        let subject = match &changed {
            _ if rehearse => None,
            RolesChanged::Now { .. } | RolesChanged::NoSuchUser => Some(Subject::User(user)),
            RolesChanged::Denied(denied) => outdated(denied, caller),
            RolesChanged::UnknownRole(_) | RolesChanged::LastAdmin | RolesChanged::AnotherRevision => None,
        };
        self.announce(subject).await;
        Ok(changed)
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        stamp: Stamp,
    ) -> Result<PasswordChanged, PortError> {
        let user = change.only_while.user;
        let changed = self.users.change_password(change, stamp).await?;
        let subject = match &changed {
            PasswordChanged::Now(_) | PasswordChanged::Stale => Some(Subject::User(user)),
        };
        self.announce(subject).await;
        Ok(changed)
    }

    async fn reset_password(
        &self,
        whom: Administer,
        hash: PasswordHash,
        stamp: Stamp,
    ) -> Result<Administered, PortError> {
        let reset = self.users.reset_password(whom, hash, stamp).await?;
        self.announce_administered(whom, &reset).await;
        Ok(reset)
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        self.users.replace_hash(user, old, new).await
    }

    async fn set_status(
        &self,
        whom: Administer,
        status: UserStatus,
        stamp: Stamp,
    ) -> Result<Administered, PortError> {
        let set = self.users.set_status(whom, status, stamp).await?;
        self.announce_administered(whom, &set).await;
        Ok(set)
    }

    async fn delete(&self, whom: Administer, stamp: Stamp) -> Result<Administered, PortError> {
        let deleted = self.users.delete(whom, stamp).await?;
        self.announce_administered(whom, &deleted).await;
        Ok(deleted)
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        self.users.any_admin().await
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        self.users.list(filter, page).await
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        self.users.export(page).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        announcing::fixtures::{CALLER, announced, every_change, stamp, vouched},
        authority::Denied,
        ports::MockUsers,
        role::{Permission, RoleName},
        session::{NewSession, SecretDigest, SessionRules},
        use_cases::fixtures::{USER, hash, now, origin, roles, user},
    };

    const TOLD: Option<Subject> = Some(Subject::User(USER));
    const CALLER_TOLD: Option<Subject> = Some(Subject::User(CALLER));

    fn whom() -> Administer {
        Administer {
            user: USER,
            if_revision: None,
            only_while: Some(vouched()),
        }
    }

    async fn change_roles(answer: Result<RolesChanged, PortError>, rehearse: bool) -> Option<Subject> {
        announced(async |commit, revocations| {
            let mut users = MockUsers::new();
            users.expect_change_roles().return_once(move |_, _| {
                commit();
                answer
            });
            let change = ChangeRoles {
                user: USER,
                roles: roles(&["user"]),
                keep_sessions: true,
                if_revision: None,
                only_while: Some(vouched()),
                rehearse,
            };
            let users = AnnouncingUsers::new(Arc::new(users), revocations);
            let _ = users.change_roles(change, stamp()).await;
        })
        .await
    }

    #[tokio::test]
    async fn a_change_of_roles_is_announced_when_it_is_so_and_not_when_it_is_rehearsed() {
        let changed = || RolesChanged::Now {
            user: user(),
            sessions_ended: 0,
        };
        for (answer, told) in [
            (changed(), TOLD),
            (RolesChanged::NoSuchUser, TOLD),
            (RolesChanged::Denied(Denied::Stale), CALLER_TOLD),
            (RolesChanged::Denied(Denied::OutOfReach), None),
            (RolesChanged::UnknownRole(RoleName::USER), None),
            (RolesChanged::LastAdmin, None),
            (RolesChanged::AnotherRevision, None),
        ] {
            let name = format!("{answer:?}");
            assert_eq!(change_roles(Ok(answer.clone()), false).await, told, "{name}");
            assert_eq!(change_roles(Ok(answer), true).await, None, "{name}, rehearsed");
        }
        assert_eq!(change_roles(Err(PortError::Overloaded), false).await, None);
    }

    async fn change_password(answer: Result<PasswordChanged, PortError>) -> Option<Subject> {
        announced(async |commit, revocations| {
            let mut users = MockUsers::new();
            users.expect_change_password().return_once(move |_, _| {
                commit();
                answer
            });
            let (digest, rules) = (SecretDigest([1; 32]), SessionRules::default());
            let change = ChangePassword {
                only_while: vouched(),
                hash: hash("$new"),
                session: NewSession::opened_at(now(), vouched().session, CALLER, digest, &rules, &origin()),
            };
            let users = AnnouncingUsers::new(Arc::new(users), revocations);
            let _ = users.change_password(change, stamp()).await;
        })
        .await
    }

    #[tokio::test]
    async fn a_changed_password_is_announced_as_the_callers() {
        for (answer, told) in [
            (Ok(PasswordChanged::Now(user())), CALLER_TOLD),
            (Ok(PasswordChanged::Stale), CALLER_TOLD),
            (Err(PortError::Overloaded), None),
        ] {
            let name = format!("{answer:?}");
            assert_eq!(change_password(answer).await, told, "{name}");
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Deed {
        ResetPassword,
        SetStatus(UserStatus),
        Delete,
    }

    async fn administer(deed: Deed, answer: Result<Administered, PortError>) -> Option<Subject> {
        announced(async |commit, revocations| {
            let mut users = MockUsers::new();
            let answer = move || {
                commit();
                answer
            };
            match deed {
                Deed::ResetPassword => {
                    users.expect_reset_password().return_once(move |_, _, _| answer());
                    let users = AnnouncingUsers::new(Arc::new(users), revocations);
                    let _ = users.reset_password(whom(), hash("$new"), stamp()).await;
                }
                Deed::SetStatus(status) => {
                    users.expect_set_status().return_once(move |_, _, _| answer());
                    let users = AnnouncingUsers::new(Arc::new(users), revocations);
                    let _ = users.set_status(whom(), status, stamp()).await;
                }
                Deed::Delete => {
                    users.expect_delete().return_once(move |_, _| answer());
                    let users = AnnouncingUsers::new(Arc::new(users), revocations);
                    let _ = users.delete(whom(), stamp()).await;
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn what_is_done_to_an_account_is_announced_when_it_is_so() {
        for deed in [
            Deed::ResetPassword,
            Deed::SetStatus(UserStatus::Disabled),
            Deed::SetStatus(UserStatus::Active),
            Deed::Delete,
        ] {
            for (answer, told) in [
                (Ok(Administered::Now(user())), TOLD),
                (Ok(Administered::NoSuchUser), TOLD),
                (Ok(Administered::Denied(Denied::Stale)), CALLER_TOLD),
                (
                    Ok(Administered::Denied(Denied::Forbidden(Permission::USERS_WRITE))),
                    None,
                ),
                (Ok(Administered::LastAdmin), None),
                (Ok(Administered::AnotherRevision), None),
                (Err(PortError::Overloaded), None),
            ] {
                let name = format!("{deed:?} {answer:?}");
                assert_eq!(administer(deed, answer).await, told, "{name}");
            }
        }
    }

    /// `insert` and `import` make users of whom there are no sessions.
    #[test]
    fn every_method_that_changes_something_is_thought_of() {
        assert_eq!(
            every_change(include_str!("../ports/users.rs")),
            [
                "insert",
                "import",
                "change_roles",
                "change_password",
                "reset_password",
                "set_status",
                "delete"
            ]
        );
    }
}
