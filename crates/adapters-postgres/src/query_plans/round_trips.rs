//! Counts the statements of each change. Each statement is one round trip. Those of commands are
//! counted without BEGIN and COMMIT, and as executed in the general way, unless a test says so.

use super::{connect, events, identity, opening, places, record, sealing, statement};
use crate::{
    PoolSettings, PostgresDatabase, PostgresStorage,
    changes::{ChainLock, catalogue, execute, import, seal, trim},
    tables::rotation,
};
use chrono::Duration;
use diesel::connection::Instrumentation;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use domain::{
    changes::{
        Account, AssignRoles, CatalogueCommand, ChangePassword, Command, DeleteRole, DeleteUser, EndSession,
        EndSessions, ImportUsers, KnownAccount, OpenSession, Reauthenticate, RecordReplay, RegisterUser,
        RevokeSessions, SetStatus, TrimAuditLog, WriteRole,
    },
    ports::{Accounts, Rotated},
    role::RoleName,
    session::{EndReason, Generation, NewSession, OriginFingerprint, OriginLikeness, Rotation},
    token::TokenIdentity,
    user::{ImportedUser, NewUser, UserId, UserStatus},
};
use std::sync::{Arc, mpsc::Receiver};
use testkit::{
    ToySealer,
    fixtures::{
        a_reset, a_role, a_session, a_user, account, an_admin, at, canonical, context, origin, role_change,
        role_names,
    },
};
use testservers::{FreshDatabase, postgres};

/// A database with two administrators: `root`, who has a session, and `another`.
struct Counted {
    conn: AsyncPgConnection,
    root: NewUser,
    session: NewSession,
    _database: FreshDatabase,
}

impl Counted {
    async fn new() -> Self {
        let (conn, database) = connect().await;
        let root = an_admin("root");
        let session = a_session(root.id, at(0));
        let mut counted = Self {
            conn,
            root: root.clone(),
            session: session.clone(),
            _database: database,
        };
        counted.register(root).await;
        counted.register(an_admin("another")).await;
        counted.count(&opening(&session, 100)).await;
        counted
    }

    async fn register(&mut self, user: NewUser) -> usize {
        self.count(&RegisterUser(user)).await
    }

    /// Registers a user called `login`, who has no sessions.
    async fn user(&mut self, login: &str) -> UserId {
        let user = a_user(login);
        self.register(user.clone()).await;
        user.id
    }

    async fn admin(&mut self, login: &str) -> UserId {
        let user = an_admin(login);
        self.register(user.clone()).await;
        user.id
    }

    fn by_root(&self) -> TokenIdentity {
        identity(&self.session)
    }

    fn account(&self, user: UserId) -> Account {
        Account {
            authorized_by: Some(self.by_root()),
            ..account(user)
        }
    }

    /// Executes `command` and returns the number of statements.
    async fn count(&mut self, command: &dyn Command) -> usize {
        self.counting(async |conn| {
            let done = execute(conn, command, &events(context(at(0)))).await;
            done.expect("the command succeeds")
                .expect("the change is allowed");
        })
        .await
    }

    async fn count_on_catalogue(&mut self, command: &dyn CatalogueCommand) -> usize {
        self.counting(async |conn| {
            let done = catalogue::execute(conn, command, &events(context(at(0)))).await;
            done.expect("the command succeeds")
                .expect("the change is allowed");
        })
        .await
    }

    async fn counting(&mut self, work: impl AsyncFnOnce(&mut AsyncPgConnection)) -> usize {
        let statements = record(&mut self.conn, statement);
        work(&mut self.conn).await;
        self.conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
        statements.into_iter().count()
    }
}

#[tokio::test]
async fn registering_and_logging_in_take_few_statements() {
    let mut counted = Counted::new().await;
    let alice = a_user("alice");
    assert_eq!(counted.register(alice.clone()).await, 5, "register");
    let first = a_session(alice.id, at(0));
    assert_eq!(counted.count(&opening(&first, 100)).await, 4, "open a session");
    let second = a_session(alice.id, at(0));
    assert_eq!(counted.count(&opening(&second, 1)).await, 5, "make room");
    let user = alice.id;
    let rotated = counted
        .counting(async |conn| {
            let rotation = Rotation {
                session: second.id,
                secret_digest: second.secret_digest,
                from: Generation(0),
                to: Generation(1),
                at: at(1),
                idle_until: at(2),
                origin: OriginFingerprint::of(&origin()),
                grace: Duration::seconds(10),
            };
            let rotated = rotation::rotate(conn, &rotation).await;
            assert!(matches!(rotated, Ok(Rotated::Done(_))));
        })
        .await;
    assert_eq!(rotated, 1, "rotate a session");
    let replay = RecordReplay {
        session: second.id,
        user: alice.id,
        generation: Generation(1),
        origin: OriginLikeness::UNKNOWN,
    };
    assert_eq!(counted.count(&replay).await, 3, "record a replay");
    let reason = EndReason::LoggedOut;
    let session = second.id;
    let ending = EndSession {
        session,
        user,
        reason,
    };
    assert_eq!(counted.count(&ending).await, 3, "end a session");
    let live = a_session(user, at(0));
    counted.count(&opening(&live, 100)).await;
    let ending = EndSessions { user, reason };
    assert_eq!(counted.count(&ending).await, 3, "end all sessions");
    let third = a_session(user, at(0));
    counted.count(&opening(&third, 100)).await;
    let check = Reauthenticate {
        authorized_by: identity(&third),
    };
    assert_eq!(counted.count(&check).await, 5, "reauthenticate");
    let password = ChangePassword {
        authorized_by: identity(&third),
        hash: alice.hash,
        session: a_session(user, at(0)),
    };
    assert_eq!(counted.count(&password).await, 8, "change the password");
}

/// Storage over one connection, which counts all statements, also BEGIN and COMMIT.
struct CountedStorage {
    storage: PostgresStorage,
    statements: Receiver<String>,
    _database: FreshDatabase,
}

impl CountedStorage {
    async fn new() -> Self {
        let fresh = postgres().fresh_database();
        let settings = PoolSettings {
            max_size: 1,
            ..PoolSettings::default()
        };
        let database = PostgresDatabase::connect(fresh.url(), settings).await;
        let database = database.expect("the database can be opened");
        database.migrate_up().await.expect("migrating succeeds");
        let statements = database
            .read((), |conn, ()| {
                Box::pin(async move { Ok(record(conn, statement)) })
            })
            .await;
        Self {
            storage: PostgresStorage::new(&database, Arc::new(ToySealer)),
            statements: statements.expect("a connection is free"),
            _database: fresh,
        }
    }

    /// Returns the number of statements since the last call.
    fn count(&self) -> usize {
        self.statements.try_iter().count()
    }

    /// Executes `command`; returns whether it was allowed.
    async fn execute(&self, command: impl Command + 'static) -> bool {
        let done = self.storage.execute(Arc::new(command), context(at(1)));
        done.await.is_ok()
    }

    /// Logs `alice` in as the use case does, except for the password.
    async fn log_in(&self, max_sessions: u32) -> NewSession {
        let login = canonical("alice");
        let found = self.storage.find_for_login(&login, places()).await;
        let found = found.expect("the database answers");
        let user = found.expect("the user is stored").credentials.user;
        let session = a_session(user.id, at(0));
        let opening = OpenSession {
            known: Some(KnownAccount::from(&user)),
            max_sessions,
            ..opening(&session, max_sessions)
        };
        assert!(self.execute(opening).await, "the user may log in");
        session
    }

    async fn log_out(&self, session: &NewSession) -> bool {
        let ending = EndSession {
            session: session.id,
            user: session.user,
            reason: EndReason::LoggedOut,
        };
        self.execute(ending).await
    }
}

#[tokio::test]
async fn logging_in_takes_two_round_trips_and_logging_out_takes_one() {
    let counted = CountedStorage::new().await;
    assert!(counted.execute(RegisterUser(a_user("alice"))).await);
    assert_eq!(counted.count(), 5 + 2, "BEGIN and COMMIT are counted");

    let session = counted.log_in(100).await;
    assert_eq!(counted.count(), 2, "log in");
    assert!(counted.log_out(&session).await);
    assert_eq!(counted.count(), 1, "log out");

    // The direct change does not apply, and the command is executed in the general way.
    assert!(!counted.log_out(&session).await);
    assert_eq!(counted.count(), 1 + 3, "log out again: BEGIN, lock, ROLLBACK");
    counted.log_in(1).await;
    assert_eq!(counted.count(), 2, "log in again");
    counted.log_in(1).await;
    assert_eq!(counted.count(), 2 + 7, "make room");
}

#[tokio::test]
async fn administering_a_user_takes_few_statements() {
    let mut counted = Counted::new().await;
    let user = counted.user("alice").await;
    for (account, caller) in [(account(user), 0), (counted.account(user), 2)] {
        let hash = counted.root.hash.clone();
        let reset = a_reset(account, hash);
        assert_eq!(counted.count(&reset).await, 7 + caller, "reset the password");
        let authorized_by = account.authorized_by;
        let revoke = RevokeSessions { user, authorized_by };
        assert_eq!(counted.count(&revoke).await, 6 + caller, "revoke sessions");
        let disable = SetStatus {
            account,
            status: UserStatus::Disabled,
        };
        assert_eq!(counted.count(&disable).await, 8 + caller, "disable");
        let enable = SetStatus {
            account,
            status: UserStatus::Active,
        };
        assert_eq!(counted.count(&enable).await, 5 + caller, "enable");
        for roles in [role_names(&["admin"]), role_names(&["user"])] {
            // Removing the role requires a search for another admin.
            let admin = if roles.contains(&RoleName::USER) { 2 } else { 0 };
            let assign = AssignRoles {
                roles,
                authorized_by,
                ..role_change(user, &[])
            };
            assert_eq!(counted.count(&assign).await, 9 + caller + admin, "assign roles");
        }
    }
}

#[tokio::test]
async fn deleting_users() {
    let mut counted = Counted::new().await;
    for (login, caller) in [("alice", false), ("bob", true)] {
        let user = counted.user(login).await;
        let account = if caller {
            counted.account(user)
        } else {
            account(user)
        };
        let expected = if caller { 8 } else { 6 };
        assert_eq!(counted.count(&DeleteUser(account)).await, expected, "a user");
    }
    let admin = counted.admin("carol").await;
    assert_eq!(counted.count(&DeleteUser(account(admin))).await, 7, "an admin");
}

#[tokio::test]
async fn changing_the_catalogue_takes_few_statements() {
    let mut counted = Counted::new().await;
    for (authorized_by, caller) in [(None, 0), (Some(counted.by_root()), 3)] {
        let write = |permissions: &[&str]| WriteRole {
            authorized_by,
            ..a_role("editor", permissions)
        };
        // Three more statements if `admin` is written: after a removal, or if its permissions
        // change.
        let created = counted.count_on_catalogue(&write(&["users:read"])).await;
        assert_eq!(created, 7 + caller, "create");
        let delete = DeleteRole {
            name: RoleName::parse("editor").expect("the name is valid"),
            if_revision: None,
            authorized_by,
        };
        assert_eq!(counted.count_on_catalogue(&delete).await, 9 + caller, "delete");
    }
    let foreign = counted
        .count_on_catalogue(&a_role("editor", &["posts:write"]))
        .await;
    assert_eq!(foreign, 10, "create with a permission that admin lacks");
}

#[tokio::test]
async fn importing_and_trimming_take_few_statements() {
    let mut counted = Counted::new().await;
    let import_all =
        |logins: &[&str]| ImportUsers(logins.iter().map(|login| imported(a_user(login))).collect());
    for users in [import_all(&["alice"]), import_all(&["bob", "carol", "dave"])] {
        let count = counted
            .counting(async |conn| {
                let done = import(conn, &users, &events(context(at(0)))).await;
                done.expect("the import succeeds");
            })
            .await;
        assert_eq!(count, 5, "import");
    }
    let sealed = counted
        .counting(async |conn| {
            let sealed = seal(conn, &ToySealer, sealing(ChainLock::Skip)).await;
            assert!(sealed.expect("the chain is not locked").count > 0);
        })
        .await;
    assert_eq!(sealed, 3, "seal");
    let command = TrimAuditLog {
        before: at(9),
        limit: 2,
    };
    let count = counted
        .counting(async |conn| {
            let trimmed = trim(conn, command, &events(context(at(9)))).await;
            assert_eq!(trimmed.expect("the command succeeds"), 2);
        })
        .await;
    assert_eq!(count, 6, "trim");
}

fn imported(user: NewUser) -> ImportedUser {
    ImportedUser {
        id: user.id,
        login: user.login,
        hash: user.hash,
        roles: user.roles,
        status: UserStatus::Active,
        one_time_password: None,
        created_at: at(0),
    }
}
