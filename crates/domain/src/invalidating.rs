//! Decorators of storage that publish the invalidation scope of each change before they return. The
//! composition root wraps storage in them, so use cases cannot bypass them.
//!
//! After one of these methods has returned, no replica accepts a new request on the basis of an
//! older snapshot. This also holds for refusals that report another request's change as made: see
//! [`changes::invalidated`]. Dry runs change nothing and publish nothing.

use crate::{
    audit::AuditContext,
    changes::{
        self, Applied, CatalogueChange, CatalogueCommand, ChangeError, Command, MachineCommand,
        MachineDecision,
    },
    invalidation::InvalidationScope,
    login::CanonicalLogin,
    machine::{Machine, MachineId},
    password::PasswordHash,
    ports::{Accounts, LoginFacts, Machines, PlaceQuery, PortError, Revocations, Roles},
    role::{Role, RoleNames},
    session::SessionId,
    user::{Credentials, User, UserId},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Accounts that publish their changes.
pub struct InvalidatingAccounts {
    accounts: Arc<dyn Accounts>,
    revocations: Arc<dyn Revocations>,
}

/// A role catalogue that publishes its changes.
pub struct InvalidatingRoles {
    roles: Arc<dyn Roles>,
    revocations: Arc<dyn Revocations>,
}

/// Machines that publish their changes.
pub struct InvalidatingMachines {
    machines: Arc<dyn Machines>,
    revocations: Arc<dyn Revocations>,
}

impl InvalidatingAccounts {
    /// Wraps `accounts`. `revocations` receives the scope of each change.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            accounts,
            revocations,
        }
    }
}

impl InvalidatingRoles {
    /// Wraps `roles`. `revocations` receives the scope of each change.
    #[must_use]
    pub fn new(roles: Arc<dyn Roles>, revocations: Arc<dyn Revocations>) -> Self {
        Self { roles, revocations }
    }
}

impl InvalidatingMachines {
    /// Wraps `machines`. `revocations` receives the scope of each change.
    #[must_use]
    pub fn new(machines: Arc<dyn Machines>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            machines,
            revocations,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Accounts for InvalidatingAccounts {
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.accounts.find(id).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.accounts.find_by_login(login).await
    }

    async fn find_for_login(
        &self,
        login: &CanonicalLogin,
        places: PlaceQuery,
    ) -> Result<Option<LoginFacts>, PortError> {
        self.accounts.find_for_login(login, places).await
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        self.accounts.replace_hash(user, old, new).await
    }

    async fn execute(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let result = self.accounts.execute(Arc::clone(&command), context).await;
        publish(&*self.revocations, changes::invalidated(&*command, &result)).await;
        result
    }

    async fn dry_run(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        self.accounts.dry_run(command, context).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Roles for InvalidatingRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        self.roles.find(names).await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.roles.list().await
    }

    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let result = self.roles.execute(Arc::clone(&command), context).await;
        publish(&*self.revocations, command.invalidated(&result)).await;
        result
    }

    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        self.roles.dry_run(command, context).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Machines for InvalidatingMachines {
    async fn find(&self, id: MachineId) -> Result<Option<Machine>, PortError> {
        self.machines.find(id).await
    }

    async fn list(&self) -> Result<Vec<Machine>, PortError> {
        self.machines.list().await
    }

    async fn execute(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        let result = self.machines.execute(Arc::clone(&command), context).await;
        publish(&*self.revocations, command.invalidated(&result)).await;
        result
    }

    async fn dry_run(
        &self,
        command: Arc<dyn MachineCommand>,
        context: AuditContext,
    ) -> Result<MachineDecision, ChangeError> {
        self.machines.dry_run(command, context).await
    }

    async fn record_use(&self, secret: SessionId, at: DateTime<Utc>) -> Result<(), PortError> {
        self.machines.record_use(secret, at).await
    }
}

async fn publish(revocations: &dyn Revocations, scope: Option<InvalidationScope>) {
    if let Some(scope) = scope {
        revocations.publish(vec![scope]).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        changes::{
            AssignRoles, CatalogueFacts, EndSession, Facts, OwnedSession, WriteRole,
            fixtures::{CALLER, admin_snapshot, facts_about, token},
        },
        fixtures::{SESSION, USER, audit_context, credentials, hash, stored_session, user},
        ports::{MockAccounts, MockRevocations, MockRoles},
        revision::Precondition,
        role::{Description, Permissions, RoleName, built_in},
        session::EndReason,
        use_cases::fixtures::applied,
    };
    use std::sync::Mutex;

    const USER_SCOPE: Option<InvalidationScope> = Some(InvalidationScope::User(USER));
    const CALLER_SCOPE: Option<InvalidationScope> = Some(InvalidationScope::User(CALLER));

    type Commit = Box<dyn FnOnce() + Send>;

    /// Returns the scope that `work` publishes. `work` calls its first argument when storage
    /// commits; publishing earlier fails the test.
    async fn published(work: impl AsyncFnOnce(Commit, Arc<dyn Revocations>)) -> Option<InvalidationScope> {
        let committed = Arc::new(Mutex::new(false));
        let published = Arc::new(Mutex::new(Vec::new()));
        let mut revocations = MockRevocations::new();
        revocations.expect_publish().returning({
            let (committed, published) = (Arc::clone(&committed), Arc::clone(&published));
            move |scopes| {
                assert!(
                    *committed.lock().expect("no other thread panics"),
                    "published before the commit"
                );
                published.lock().expect("no other thread panics").extend(scopes);
            }
        });
        let commit = Box::new(move || *committed.lock().expect("no other thread panics") = true);
        work(commit, Arc::new(revocations)).await;
        let mut published = published.lock().expect("no other thread panics");
        assert!(published.len() <= 1, "{published:?}");
        published.pop()
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Mode {
        Execute,
        DryRun,
    }

    /// The scope published when storage decides `command` on `facts`, or fails.
    async fn account_change(
        command: impl Command + 'static,
        facts: Result<Facts, PortError>,
        mode: Mode,
    ) -> Option<InvalidationScope> {
        published(async |commit, revocations| {
            let decide = move |command: Arc<dyn Command>, context: AuditContext| {
                commit();
                applied(command.decide(&facts?, context.at))
            };
            let mut accounts = MockAccounts::new();
            match mode {
                Mode::Execute => {
                    accounts.expect_execute().return_once(decide);
                }
                Mode::DryRun => {
                    accounts.expect_dry_run().return_once(decide);
                }
            }
            let accounts = InvalidatingAccounts::new(Arc::new(accounts), revocations);
            let (command, context) = (Arc::new(command), audit_context());
            let _ = match mode {
                Mode::Execute => accounts.execute(command, context).await,
                Mode::DryRun => accounts.dry_run(command, context).await,
            };
        })
        .await
    }

    fn assign_roles() -> AssignRoles {
        AssignRoles {
            user: USER,
            roles: [RoleName::USER].into(),
            keep_sessions: true,
            if_revision: None,
            authorized_by: Some(token()),
        }
    }

    fn end_session() -> EndSession {
        EndSession {
            session: SESSION,
            user: USER,
            reason: EndReason::LoggedOut,
        }
    }

    #[tokio::test]
    async fn a_change_of_an_account_is_published_once_it_is_committed() {
        let no_session = Facts {
            caller: None,
            ..facts_about(user())
        };
        for (facts, expected) in [
            (facts_about(user()), USER_SCOPE),
            // The user no longer exists.
            (Facts::default(), USER_SCOPE),
            (no_session, CALLER_SCOPE),
        ] {
            let published = account_change(assign_roles(), Ok(facts), Mode::Execute).await;
            assert_eq!(published, expected);
        }
        let refused = AssignRoles {
            roles: [RoleName::parse("wizard").expect("the role name is valid")].into(),
            ..assign_roles()
        };
        let facts = Ok(facts_about(user()));
        assert_eq!(account_change(refused, facts, Mode::Execute).await, None);
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_published_even_if_another_request_ended_it() {
        let live = Facts {
            session: Some(OwnedSession::from(&stored_session())),
            ..Facts::default()
        };
        for facts in [live, Facts::default()] {
            let published = account_change(end_session(), Ok(facts), Mode::Execute).await;
            assert_eq!(published, Some(InvalidationScope::Session(SESSION)));
        }
    }

    #[tokio::test]
    async fn a_dry_run_on_accounts_publishes_nothing() {
        for facts in [facts_about(user()), Facts::default()] {
            assert_eq!(
                account_change(assign_roles(), Ok(facts), Mode::DryRun).await,
                None
            );
        }
    }

    #[tokio::test]
    async fn a_failure_of_account_storage_publishes_nothing() {
        for mode in [Mode::Execute, Mode::DryRun] {
            let failed = account_change(assign_roles(), Err(PortError::Overloaded), mode).await;
            assert_eq!(failed, None, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn results_of_account_storage_are_returned_unchanged() {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_execute()
            .once()
            .returning(|command, context| applied(command.decide(&facts_about(user()), context.at)));
        accounts
            .expect_dry_run()
            .once()
            .returning(|_, _| Err(Denied::OutOfReach.into()));
        let mut revocations = MockRevocations::new();
        revocations.expect_publish().return_const(());
        let accounts = InvalidatingAccounts::new(Arc::new(accounts), Arc::new(revocations));
        let context = audit_context;

        let changed = accounts.execute(Arc::new(assign_roles()), context()).await;
        assert_eq!(changed.expect("the rules allow the change").sessions_ended, 0);
        let refused = accounts.dry_run(Arc::new(assign_roles()), context()).await;
        assert!(matches!(refused, Err(ChangeError::Refused(_))));
    }

    #[tokio::test]
    async fn reading_and_rehashing_publish_nothing() {
        let published = published(async |commit, revocations| {
            commit();
            let mut accounts = MockAccounts::new();
            accounts.expect_find().once().returning(|_| Ok(Some(user())));
            accounts
                .expect_find_by_login()
                .once()
                .returning(|_| Ok(Some(credentials())));
            accounts
                .expect_replace_hash()
                .withf(|user, old, new| *user == USER && *old == hash("$old") && *new == hash("$new"))
                .once()
                .returning(|_, _, _| Ok(true));
            let accounts = InvalidatingAccounts::new(Arc::new(accounts), revocations);
            assert_eq!(
                accounts.find(USER).await.expect("storage is available"),
                Some(user())
            );
            let found = accounts.find_by_login(user().login.canonical()).await;
            assert_eq!(found.expect("storage is available"), Some(credentials()));
            let replaced = accounts.replace_hash(USER, &hash("$old"), &hash("$new")).await;
            assert!(replaced.expect("storage is available"));
        });
        assert_eq!(published.await, None);
    }

    fn write_role() -> WriteRole {
        WriteRole {
            name: RoleName::USER,
            description: Description::default(),
            permissions: Permissions::new(),
            self_assignable: false,
            precondition: Precondition::None,
            authorized_by: Some(token()),
        }
    }

    fn catalogue() -> CatalogueFacts {
        CatalogueFacts {
            roles: built_in().into(),
            holders: 0,
            caller: Some(admin_snapshot()),
        }
    }

    /// The scope published when storage decides [`write_role`] on `facts`, or fails.
    async fn catalogue_change(
        facts: Result<CatalogueFacts, PortError>,
        mode: Mode,
    ) -> Option<InvalidationScope> {
        published(async |commit, revocations| {
            let decide = move |command: Arc<dyn CatalogueCommand>, context: AuditContext| {
                commit();
                Ok(command.decide(&facts?, context.at)?)
            };
            let mut roles = MockRoles::new();
            match mode {
                Mode::Execute => {
                    roles.expect_execute().return_once(decide);
                }
                Mode::DryRun => {
                    roles.expect_dry_run().return_once(decide);
                }
            }
            let roles = InvalidatingRoles::new(Arc::new(roles), revocations);
            let (command, context) = (Arc::new(write_role()), audit_context());
            let _ = match mode {
                Mode::Execute => roles.execute(command, context).await,
                Mode::DryRun => roles.dry_run(command, context).await,
            };
        })
        .await
    }

    #[tokio::test]
    async fn a_change_of_the_catalogue_is_published_once_it_is_committed() {
        let no_session = CatalogueFacts {
            caller: None,
            ..catalogue()
        };
        for (facts, expected) in [
            (catalogue(), Some(InvalidationScope::Everything)),
            (no_session, CALLER_SCOPE),
        ] {
            assert_eq!(catalogue_change(Ok(facts), Mode::Execute).await, expected);
        }
    }

    #[tokio::test]
    async fn dry_runs_and_failures_of_the_catalogue_publish_nothing() {
        assert_eq!(catalogue_change(Ok(catalogue()), Mode::DryRun).await, None);
        for mode in [Mode::Execute, Mode::DryRun] {
            let failed = catalogue_change(Err(PortError::Overloaded), mode).await;
            assert_eq!(failed, None, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn reading_the_catalogue_publishes_nothing() {
        let published = published(async |commit, revocations| {
            commit();
            let mut roles = MockRoles::new();
            roles.expect_list().once().returning(|| Ok(built_in().into()));
            roles.expect_find().once().returning(|_| Ok(vec![]));
            let roles = InvalidatingRoles::new(Arc::new(roles), revocations);
            assert_eq!(roles.list().await.expect("storage is available").len(), 2);
            let found = roles.find(&[RoleName::USER].into()).await;
            assert!(found.expect("storage is available").is_empty());
        });
        assert_eq!(published.await, None);
    }
}
