use crate::{
    audit::{Actor, AuditContext, Origin},
    changes::{self, Refusal},
    login::{Login, LoginRefused},
    one_time_password::OneTimePassword,
    ports::{Accounts, Clock, ForeignHashRefused, ForeignHashes, PortError, Randomness, UserDirectory},
    role::{NotARoleName, RoleName, RoleNames},
    user::{ImportedUser, User, UserStatus},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// Imports users of another system with their password hashes, for the operator. Leaves existing
/// users unchanged, so an interrupted import can be run again.
pub struct ImportUsers {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) users: Arc<dyn UserDirectory>,
    pub(crate) hashes: Arc<dyn ForeignHashes>,
    pub(crate) default_roles: RoleNames,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
}

/// A user as exported from another system.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    pub login: String,
    pub password_hash: String,
    /// The user's roles, or the default roles if `None`.
    pub roles: Option<Vec<String>>,
    pub disabled: bool,
    /// If the password is a one-time password that the user must change: the time from which it
    /// opens no session.
    pub password_expires_at: Option<DateTime<Utc>>,
    /// The time of registration, not in the future; now if `None`.
    pub created_at: Option<DateTime<Utc>>,
}

/// Why a user was not imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportRefused {
    #[error(transparent)]
    Login(#[from] LoginRefused),
    #[error(transparent)]
    Hash(#[from] ForeignHashRefused),
    #[error(transparent)]
    Role(#[from] NotARoleName),
    #[error("created_at is in the future; correct it, or leave it out for the time of the import")]
    CreatedInFuture,
    #[error(transparent)]
    Change(#[from] Refusal),
}

impl ImportUsers {
    /// Imports users and returns one result per request, in the same order. When this returns,
    /// every user that was not refused is stored.
    ///
    /// # Errors
    /// Returns a [`PortError`] if a port fails. In that case either all or none of the accepted
    /// users were stored.
    ///
    /// # Panics
    /// Panics if storage does not return a result for each user, which violates its contract.
    pub async fn execute(
        &self,
        requests: Vec<ImportRequest>,
    ) -> Result<Vec<Result<User, ImportRefused>>, PortError> {
        let now = self.clock.now();
        let parsed: Vec<_> = requests
            .into_iter()
            .map(|request| self.parse(request, now))
            .collect();
        let accepted: Vec<_> = parsed
            .iter()
            .filter_map(|user| user.as_ref().ok())
            .cloned()
            .collect();
        let context = AuditContext::new(now, Actor::Operator, Origin::default());
        let mut stored = self
            .users
            .import(changes::ImportUsers(accepted), context)
            .await?
            .into_iter();
        let settled = parsed.into_iter().map(|user| {
            user?;
            let stored = stored.next().expect("storage returns a result for each user");
            Ok(stored?)
        });
        Ok(settled.collect())
    }

    /// Returns the result that each of `requests` would have independently of the others if
    /// `catalogue` were the roles. Stores no user.
    ///
    /// # Errors
    /// Returns a [`PortError`] if a port fails.
    pub async fn dry_run(
        &self,
        requests: Vec<ImportRequest>,
        catalogue: &RoleNames,
    ) -> Result<Vec<Result<(), ImportRefused>>, PortError> {
        let now = self.clock.now();
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(match self.parse(request, now) {
                Err(refused) => Err(refused),
                Ok(user)
                    if self
                        .accounts
                        .find_by_login(user.login.canonical())
                        .await?
                        .is_some() =>
                {
                    Err(Refusal::LoginTaken.into())
                }
                Ok(user) => match user.roles.difference(catalogue).next() {
                    Some(unknown) => Err(Refusal::UnknownRole(unknown.clone()).into()),
                    None => Ok(()),
                },
            });
        }
        Ok(answers)
    }

    fn parse(&self, request: ImportRequest, now: DateTime<Utc>) -> Result<ImportedUser, ImportRefused> {
        let login = Login::parse(&request.login)?;
        let created_at = request.created_at.unwrap_or(now);
        if created_at > now {
            return Err(ImportRefused::CreatedInFuture);
        }
        let hash = self.hashes.accept(&request.password_hash)?;
        let roles = match request.roles {
            Some(names) => names
                .iter()
                .map(|name| RoleName::parse(name))
                .collect::<Result<_, _>>()?,
            None => self.default_roles.clone(),
        };
        Ok(ImportedUser {
            id: self.randomness.user_id(now),
            login,
            hash,
            roles,
            status: if request.disabled {
                UserStatus::Disabled
            } else {
                UserStatus::Active
            },
            one_time_password: request.password_expires_at.map(OneTimePassword::until),
            created_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::ImportFacts,
        fixtures::{credentials, hash, now, roles},
        ports::{MockAccounts, MockForeignHashes, MockUserDirectory},
        use_cases::fixtures::{clock, randomness},
    };
    use chrono::Duration;

    fn request(login: &str) -> ImportRequest {
        ImportRequest {
            login: login.to_owned(),
            password_hash: "$good".to_owned(),
            ..ImportRequest::default()
        }
    }

    fn over(accounts: MockAccounts, users: MockUserDirectory) -> ImportUsers {
        let mut hashes = MockForeignHashes::new();
        hashes.expect_accept().returning(|text| match text {
            "$good" => Ok(hash("$kept")),
            _ => Err(ForeignHashRefused::UnknownForm),
        });
        ImportUsers {
            accounts: Arc::new(accounts),
            users: Arc::new(users),
            hashes: Arc::new(hashes),
            default_roles: roles(&["user"]),
            clock: clock(),
            randomness: randomness(),
        }
    }

    /// Imports users into storage that contains `bob` and the roles `editor` and `user`. `check`
    /// inspects the users that storage receives.
    async fn import(
        requests: Vec<ImportRequest>,
        check: fn(&[ImportedUser]),
    ) -> Vec<Result<User, ImportRefused>> {
        let mut users = MockUserDirectory::new();
        users
            .expect_import()
            .withf(|_, context| context.actor == Actor::Operator && context.at == now())
            .once()
            .returning(move |import, context| {
                check(&import.0);
                let bob = Login::parse("bob").expect("the login is valid");
                let facts = ImportFacts {
                    taken: [bob.canonical().clone()].into(),
                    known_roles: roles(&["editor", "user"]),
                };
                let decided = import.decide(facts, context.at).into_iter();
                Ok(decided.map(|stored| stored.map(|stored| stored.user)).collect())
            });
        over(MockAccounts::new(), users)
            .execute(requests)
            .await
            .expect("storage is available")
    }

    fn unknown_role(name: &str) -> ImportRefused {
        let name = RoleName::parse(name).expect("the role name is valid");
        Refusal::UnknownRole(name).into()
    }

    #[tokio::test]
    async fn results_are_in_the_order_of_the_requests() {
        let mut unknown = request("eve");
        unknown.roles = Some(vec!["wizard".to_owned()]);
        let mut bad_hash = request("carol");
        bad_hash.password_hash = "plain".to_owned();
        let mut bad_role = request("dave");
        bad_role.roles = Some(vec!["Not A Role".to_owned()]);
        let requests = vec![
            request("alice"),
            request("x"),
            bad_hash,
            bad_role,
            request("Bob"),
            unknown,
        ];
        let settled = import(requests, |users| {
            let logins: Vec<_> = users.iter().map(|user| user.login.as_typed()).collect();
            assert_eq!(logins, ["alice", "Bob", "eve"]);
            assert!(users.iter().all(|user| user.hash == hash("$kept")));
        })
        .await;
        let stored = settled[0].as_ref().expect("the user is imported");
        assert_eq!(stored.login.as_typed(), "alice");
        assert_eq!(settled[1], Err(ImportRefused::Login(LoginRefused::TooShort)));
        assert_eq!(
            settled[2],
            Err(ImportRefused::Hash(ForeignHashRefused::UnknownForm))
        );
        assert_eq!(settled[3], Err(ImportRefused::Role(NotARoleName)));
        assert_eq!(settled[4], Err(Refusal::LoginTaken.into()));
        assert_eq!(settled[5], Err(unknown_role("wizard")));
    }

    #[tokio::test]
    async fn omitted_fields_have_defaults_and_given_ones_are_kept() {
        const DAY: Duration = Duration::days(1);
        let mut known = request("bob");
        known.roles = Some(vec!["editor".to_owned()]);
        known.disabled = true;
        known.created_at = Some(now() - DAY);
        known.password_expires_at = Some(now() + DAY);
        import(vec![request("alice"), known], |users| {
            let [alice, bob] = users else {
                panic!("expected two users")
            };
            assert_eq!((alice.status, alice.created_at), (UserStatus::Active, now()));
            assert_eq!((bob.status, bob.created_at), (UserStatus::Disabled, now() - DAY));
            assert_eq!(alice.one_time_password, None);
            let unused = OneTimePassword::until(now() + DAY);
            assert_eq!(bob.one_time_password, Some(unused));
            assert_eq!(
                (&alice.roles, &bob.roles),
                (&roles(&["user"]), &roles(&["editor"]))
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_registration_in_the_future_is_refused_instead_of_changed() {
        let mut requests = vec![request("alice"), request("carol")];
        requests[0].created_at = Some(now());
        requests[1].created_at = Some(now() + Duration::microseconds(1));
        let settled = import(requests, |users| {
            assert_eq!(users.len(), 1);
            assert_eq!(users[0].created_at, now());
        })
        .await;
        assert_eq!(settled[1], Err(ImportRefused::CreatedInFuture));
    }

    #[tokio::test]
    async fn a_dry_run_reports_what_would_be_refused_and_stores_no_user() {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find_by_login()
            .returning(|login| Ok((login.as_str() == "alice").then(credentials)));
        let mut users = MockUserDirectory::new();
        users.expect_import().never();
        let import = over(accounts, users);
        let mut unknown = request("carol");
        unknown.roles = Some(vec!["wizard".to_owned()]);

        let answers = import
            .dry_run(
                vec![request("alice"), request("bob"), unknown, request("x")],
                &roles(&["user"]),
            )
            .await;

        let expected = [
            Err(Refusal::LoginTaken.into()),
            Ok(()),
            Err(unknown_role("wizard")),
            Err(ImportRefused::Login(LoginRefused::TooShort)),
        ];
        assert_eq!(answers.expect("storage is available"), expected);
    }
}
