use super::{announce, outdated};
use crate::{
    audit::AuditContext,
    invalidation::InvalidationScope,
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
pub struct InvalidatingUsers {
    users: Arc<dyn Users>,
    revocations: Arc<dyn Revocations>,
}

impl InvalidatingUsers {
    #[must_use]
    pub fn new(users: Arc<dyn Users>, revocations: Arc<dyn Revocations>) -> Self {
        Self { users, revocations }
    }

    async fn announce(&self, subject: Option<InvalidationScope>) {
        announce(&*self.revocations, subject).await;
    }

    async fn announce_administered(&self, whom: Administer, administered: &Administered) {
        let subject = match administered {
            Administered::Now(_) | Administered::NoSuchUser => Some(InvalidationScope::User(whom.user)),
            Administered::Denied(denied) => outdated(denied, whom.authorized_by),
            Administered::LastAdmin | Administered::AnotherRevision => None,
        };
        self.announce(subject).await;
    }
}

#[async_trait]
impl Users for InvalidatingUsers {
    async fn insert(&self, user: NewUser, context: AuditContext) -> Result<Inserted, PortError> {
        self.users.insert(user, context).await
    }

    async fn import(
        &self,
        users: Vec<ImportedUser>,
        context: AuditContext,
    ) -> Result<Vec<Inserted>, PortError> {
        self.users.import(users, context).await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.users.find(id).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.users.find_by_login(login).await
    }

    async fn change_roles(
        &self,
        change: ChangeRoles,
        context: AuditContext,
    ) -> Result<RolesChanged, PortError> {
        let (user, caller, dry_run) = (change.user, change.authorized_by, change.dry_run);
        let changed = self.users.change_roles(change, context).await?;
        let subject = match &changed {
            _ if dry_run => None,
            RolesChanged::Now { .. } | RolesChanged::NoSuchUser => Some(InvalidationScope::User(user)),
            RolesChanged::Denied(denied) => outdated(denied, caller),
            RolesChanged::UnknownRole(_) | RolesChanged::LastAdmin | RolesChanged::AnotherRevision => None,
        };
        self.announce(subject).await;
        Ok(changed)
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        context: AuditContext,
    ) -> Result<PasswordChanged, PortError> {
        let user = change.authorized_by.user;
        let changed = self.users.change_password(change, context).await?;
        let subject = match &changed {
            PasswordChanged::Now(_) | PasswordChanged::Stale => Some(InvalidationScope::User(user)),
        };
        self.announce(subject).await;
        Ok(changed)
    }

    async fn reset_password(
        &self,
        whom: Administer,
        hash: PasswordHash,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        let reset = self.users.reset_password(whom, hash, context).await?;
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
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        let set = self.users.set_status(whom, status, context).await?;
        self.announce_administered(whom, &set).await;
        Ok(set)
    }

    async fn delete(&self, whom: Administer, context: AuditContext) -> Result<Administered, PortError> {
        let deleted = self.users.delete(whom, context).await?;
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
        authority::Denied,
        invalidating::fixtures::{CALLER, announced, context, every_change, identity},
        ports::MockUsers,
        role::{Permission, RoleName},
        session::{NewSession, SecretDigest, SessionRules},
        use_cases::fixtures::{USER, hash, now, origin, roles, user},
    };

    const TOLD: Option<InvalidationScope> = Some(InvalidationScope::User(USER));
    const CALLER_TOLD: Option<InvalidationScope> = Some(InvalidationScope::User(CALLER));

    fn whom() -> Administer {
        Administer {
            user: USER,
            if_revision: None,
            authorized_by: Some(identity()),
        }
    }

    async fn change_roles(
        answer: Result<RolesChanged, PortError>,
        dry_run: bool,
    ) -> Option<InvalidationScope> {
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
                authorized_by: Some(identity()),
                dry_run,
            };
            let users = InvalidatingUsers::new(Arc::new(users), revocations);
            let _ = users.change_roles(change, context()).await;
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

    async fn change_password(answer: Result<PasswordChanged, PortError>) -> Option<InvalidationScope> {
        announced(async |commit, revocations| {
            let mut users = MockUsers::new();
            users.expect_change_password().return_once(move |_, _| {
                commit();
                answer
            });
            let (digest, rules) = (SecretDigest([1; 32]), SessionRules::default());
            let change = ChangePassword {
                authorized_by: identity(),
                hash: hash("$new"),
                session: NewSession::opened_at(now(), identity().session, CALLER, digest, &rules, &origin()),
            };
            let users = InvalidatingUsers::new(Arc::new(users), revocations);
            let _ = users.change_password(change, context()).await;
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

    async fn administer(deed: Deed, answer: Result<Administered, PortError>) -> Option<InvalidationScope> {
        announced(async |commit, revocations| {
            let mut users = MockUsers::new();
            let answer = move || {
                commit();
                answer
            };
            match deed {
                Deed::ResetPassword => {
                    users.expect_reset_password().return_once(move |_, _, _| answer());
                    let users = InvalidatingUsers::new(Arc::new(users), revocations);
                    let _ = users.reset_password(whom(), hash("$new"), context()).await;
                }
                Deed::SetStatus(status) => {
                    users.expect_set_status().return_once(move |_, _, _| answer());
                    let users = InvalidatingUsers::new(Arc::new(users), revocations);
                    let _ = users.set_status(whom(), status, context()).await;
                }
                Deed::Delete => {
                    users.expect_delete().return_once(move |_, _| answer());
                    let users = InvalidatingUsers::new(Arc::new(users), revocations);
                    let _ = users.delete(whom(), context()).await;
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
