//! Concurrent changes by administrators, and imports.

use crate::{
    connect_unhurried, execute, execute_on_catalogue, fresh, open, register,
    sharing::{connect, until_a_statement_waits},
    storage_in,
};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditAction, AuditEvent, AuditNumber, ChainReader},
    authority::Denied,
    changes::{
        Account, Applied, AssignRoles, CatalogueChange, ChangeError, ChangePassword, DeleteRole, DeleteUser,
        EndSession, EndSessions, ImportUsers, KnownAccount, OpenSession, Refusal, RegisterUser,
        RevokeSessions, SetStatus, TrimAuditLog, WriteRole,
    },
    ports::PortError,
    role::{Permission, RoleName},
    session::EndReason,
    token::TokenIdentity,
    user::{Epoch, ImportedUser, NewUser, UserId, UserStatus},
};
use std::{sync::Arc, time::Duration};
use testkit::{
    Storage, ToySealer,
    fixtures::{
        a_reset, a_role, a_session, a_user, account, an_admin, at, context, role_change, role_names,
        unique_uuid,
    },
};
use testservers::FreshDatabase;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

const LONG_ENOUGH: Duration = Duration::from_mins(2);

/// Opens storage whose server detects deadlocks quickly.
async fn quick_to_detect_deadlocks() -> (Storage, FreshDatabase) {
    let (_, database) = fresh().await;
    let mark = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{mark}options=-c%20deadlock_timeout%3D100ms", database.url());
    (storage_in(&connect_unhurried(&url).await), database)
}

/// Returns how many deadlocks the server detected. A connection may report them only when it ends,
/// so this closes `storage`.
async fn deadlocks(storage: Storage, database: &FreshDatabase) -> i64 {
    drop(storage);
    let others = "SELECT count(*) AS count FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let all_closed = async { while count(database, others).await > 0 {} };
    timeout(LONG_ENOUGH, all_closed)
        .await
        .expect("the connections end in time");
    let broken = "SELECT deadlocks AS count FROM pg_stat_database WHERE datname = current_database()";
    count(database, broken).await
}

pub async fn count(database: &FreshDatabase, question: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut conn = connect(database).await;
    let answer: Count = sql_query(question)
        .get_result(&mut conn)
        .await
        .expect("the query succeeds");
    answer.count
}

async fn register_all(storage: &Storage, users: &[NewUser]) {
    for user in users {
        register(storage, user).await;
    }
}

/// Follows the whole chain, as `audit verify` does.
pub async fn assert_chain_holds(storage: &Storage) -> AuditNumber {
    storage.audit_log.seal().await;
    let ends = storage
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    let mut reader = ChainReader::new(ends, &ToySealer);
    loop {
        let rows = storage
            .audit_log
            .rows(reader.last().number, 1000)
            .await
            .expect("the rows can be read");
        if rows.is_empty() {
            return reader.finish().expect("the chain is intact").number;
        }
        for row in rows {
            let row = row.expect("the row can be parsed");
            reader.follow(&row.row, row.seal).expect("the chain is intact");
        }
    }
}

/// Records a failed login at each of `seconds`.
pub async fn fail(storage: &Storage, seconds: impl IntoIterator<Item = i64>) {
    for second in seconds {
        let event = AuditEvent::new(AuditAction::LoginFailed);
        let recorded = storage.audit_events.record(event, context(at(second))).await;
        recorded.expect("the event is recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_admins_removed_concurrently_remains() {
    let (storage, database) = quick_to_detect_deadlocks().await;
    let admins: Vec<NewUser> = (0..50).map(|n| an_admin(&format!("admin-{n}"))).collect();
    register_all(&storage, &admins).await;
    let mut removals = JoinSet::new();
    for (n, admin) in admins.iter().enumerate() {
        let (storage, id) = (storage.clone(), admin.id);
        removals.spawn(async move {
            let account = account(id);
            let status = UserStatus::Disabled;
            was_removed(match n % 3 {
                0 => execute(&storage, DeleteUser(account), context(at(1))).await,
                1 => execute(&storage, SetStatus { account, status }, context(at(1))).await,
                _ => execute(&storage, role_change(id, &["user"]), context(at(1))).await,
            })
        });
    }

    let removed = timeout(LONG_ENOUGH, removals.join_all())
        .await
        .expect("no transaction waits forever");

    assert_eq!(removed.into_iter().filter(|it| *it).count(), 49);
    assert!(storage.users.any_admin().await.expect("the storage succeeds"));
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(50 + 49));
    assert_eq!(deadlocks(storage, &database).await, 0);
}

fn was_removed(answer: Result<Applied, ChangeError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(ChangeError::Refused(Refusal::LastAdmin)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn delete_role(storage: &Storage, name: &str) -> Result<CatalogueChange, ChangeError> {
    let command = DeleteRole {
        name: RoleName::parse(name).expect("the name is valid"),
        if_revision: None,
        authorized_by: None,
    };
    execute_on_catalogue(storage, command, context(at(1))).await
}

/// Deletes a role while it is being assigned.
#[tokio::test(flavor = "multi_thread")]
async fn no_user_has_a_role_that_is_not_in_the_catalogue() {
    let (storage, database) = quick_to_detect_deadlocks().await;
    let users: Vec<NewUser> = (0..8).map(|n| a_user(&format!("user-{n}"))).collect();
    register_all(&storage, &users).await;
    for round in 0..20 {
        let name = format!("role-{round}");
        let made = execute_on_catalogue(&storage, a_role(&name, &[]), context(at(1))).await;
        let written = made.and_then(|change| Ok(change.into_written()?));
        assert!(written.expect("the role is written").created);
        let mut calls = JoinSet::new();
        for user in &users {
            let change = role_change(user.id, &[&name]);
            let storage = storage.clone();
            calls.spawn(async move {
                match execute(&storage, change, context(at(1))).await {
                    Ok(_) => true,
                    Err(ChangeError::Refused(Refusal::UnknownRole(_))) => false,
                    Err(other) => panic!("{other:?}"),
                }
            });
        }
        let deleted = delete_role(&storage, &name).await;
        let given = calls.join_all().await.into_iter().filter(|it| *it).count() as u64;
        match deleted {
            Ok(_) => assert_eq!(given, 0),
            Err(ChangeError::Refused(Refusal::RoleInUse(holders))) => {
                assert!((1..=given).contains(&holders), "{holders} of {given}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(deadlocks(storage, &database).await, 0);
}

/// Makes changes of all kinds to eight users in random order.
#[tokio::test(flavor = "multi_thread")]
async fn many_concurrent_changes_all_complete_without_a_deadlock() {
    let (storage, database) = quick_to_detect_deadlocks().await;
    let mut users: Vec<NewUser> = (0..4).map(|n| an_admin(&format!("admin-{n}"))).collect();
    users.extend((0..4).map(|n| a_user(&format!("user-{n}"))));
    register_all(&storage, &users).await;
    let users = Arc::new(users);
    let until = Instant::now() + Duration::from_secs(8);
    let mut callers = JoinSet::new();
    for seed in 1..=16 {
        callers.spawn(call_randomly(storage.clone(), Arc::clone(&users), seed, until));
    }

    let calls = timeout(LONG_ENOUGH, callers.join_all())
        .await
        .expect("no transaction waits forever");

    let calls: u64 = calls.into_iter().sum();
    assert!(calls > 100, "{calls}");
    assert_chain_holds(&storage).await;
    assert!(storage.users.any_admin().await.expect("the storage succeeds"));
    assert_eq!(deadlocks(storage, &database).await, 0, "in {calls} calls");
}

/// Calls random methods until `until` and returns how many. Accepts any result but a port error.
async fn call_randomly(storage: Storage, users: Arc<Vec<NewUser>>, seed: u64, until: Instant) -> u64 {
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut calls = 0;
    while Instant::now() < until && calls < 2000 {
        // xorshift64
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let pick = |shift: u32| {
            let index = usize::try_from((dice >> shift) % 8).expect("a number below eight fits");
            users.get(index).expect("the index is below eight")
        };
        let answer = one_call(&storage, (dice >> 40) % 15, pick(8), pick(16)).await;
        answer.unwrap_or_else(|error| panic!("{error:?}"));
        calls += 1;
    }
    calls
}

async fn one_call(storage: &Storage, kind: u64, by: &NewUser, on: &NewUser) -> Result<(), PortError> {
    let found = storage.accounts.find(by.id).await?;
    let epoch = found.as_ref().map_or(Epoch::FIRST, |user| user.epoch);
    let session = a_session(by.id, at(0));
    let opening = OpenSession {
        session: session.clone(),
        epoch,
        known: found.as_ref().map(KnownAccount::from),
        max_sessions: 5,
    };
    answered(execute(storage, opening, context(at(0))).await)?;
    let identity = TokenIdentity {
        principal: by.id.into(),
        session: session.id,
        epoch,
    };
    let authorized_by = Some(identity);
    let end = EndSession {
        session: session.id,
        user: by.id,
        reason: EndReason::LoggedOut,
    };
    match kind {
        0..8 => administer(storage, kind, authorized_by, on).await,
        8 => {
            let editor = WriteRole {
                authorized_by,
                ..a_role("editor", &["posts:write"])
            };
            answered(execute_on_catalogue(storage, editor, context(at(1))).await)
        }
        9 => answered(delete_role(storage, "editor").await),
        10 => {
            let end = EndSessions {
                user: on.id,
                reason: EndReason::LoggedOut,
            };
            answered(execute(storage, end, context(at(1))).await)
        }
        11 => {
            let trimming = TrimAuditLog {
                before: at(1),
                limit: 10,
            };
            storage.audit_log.seal().await;
            storage.audit_log.trim(trimming, context(at(1))).await.map(drop)
        }
        12 => {
            let password = ChangePassword {
                authorized_by: identity,
                hash: by.hash.clone(),
                session: a_session(by.id, at(1)),
            };
            answered(execute(storage, password, context(at(1))).await)
        }
        13 => answered(execute(storage, RegisterUser(on.clone()), context(at(1))).await).or(Ok(())),
        _ => answered(execute(storage, end, context(at(1))).await),
    }
}

/// Executes the administrative command number `kind` on the user `on`.
async fn administer(
    storage: &Storage,
    kind: u64,
    authorized_by: Option<TokenIdentity>,
    on: &NewUser,
) -> Result<(), PortError> {
    let user = on.id;
    let account = Account {
        authorized_by,
        ..account(user)
    };
    let assign = |roles: &[&str]| AssignRoles {
        authorized_by,
        ..role_change(user, roles)
    };
    let disable = SetStatus {
        account,
        status: UserStatus::Disabled,
    };
    let enable = SetStatus {
        account: testkit::fixtures::account(user),
        status: UserStatus::Active,
    };
    let reset = a_reset(account, on.hash.clone());
    let revoke = RevokeSessions { user, authorized_by };
    let context = context(at(1));
    answered(match kind {
        0 => execute(storage, assign(&["admin", "user"]), context).await,
        1 => execute(storage, assign(&["user"]), context).await,
        2 => execute(storage, assign(&["editor", "user"]), context).await,
        3 => execute(storage, DeleteUser(account), context).await,
        4 => execute(storage, disable, context).await,
        5 => execute(storage, enable, context).await,
        6 => execute(storage, reset, context).await,
        _ => execute(storage, revoke, context).await,
    })
}

/// Treats a refusal as success.
fn answered<T>(result: Result<T, ChangeError>) -> Result<(), PortError> {
    match result {
        Ok(_) | Err(ChangeError::Refused(_)) => Ok(()),
        Err(ChangeError::Port(error)) => Err(error),
    }
}

/// Another transaction removes the permission from the caller's role and has not committed yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_requires_the_permissions_that_roles_have_when_it_is_made() {
    let (storage, database) = quick_to_detect_deadlocks().await;
    let helper = NewUser {
        roles: role_names(&["helper"]),
        ..a_user("helper")
    };
    let made = execute_on_catalogue(&storage, a_role("helper", &["users:write"]), context(at(0))).await;
    made.expect("the role is written");
    let target = a_user("target");
    register_all(&storage, &[helper.clone(), target.clone()]).await;
    let session = open(&storage, &helper).await;
    let disable = SetStatus {
        account: Account {
            authorized_by: Some(TokenIdentity {
                principal: helper.id.into(),
                session: session.id,
                epoch: Epoch::FIRST,
            }),
            ..account(target.id)
        },
        status: UserStatus::Disabled,
    };
    let mut other = connect(&database).await;
    other
        .batch_execute(
            "BEGIN; SELECT FROM roles WHERE name = 'admin' FOR NO KEY UPDATE;
             DELETE FROM role_permissions WHERE role = 'helper'",
        )
        .await
        .expect("the permission can be removed");
    let committing = async {
        until_a_statement_waits(&database).await;
        other
            .batch_execute("COMMIT")
            .await
            .expect("the transaction can be committed");
    };

    let disabling = execute(&storage, disable, context(at(1)));
    let both = async { tokio::join!(disabling, committing) };

    let (answer, ()) = timeout(LONG_ENOUGH, both)
        .await
        .expect("the change completes in time");
    let denied = Refusal::Denied(Denied::Forbidden(Permission::USERS_WRITE));
    assert!(
        matches!(&answer, Err(ChangeError::Refused(refusal)) if *refusal == denied),
        "{answer:?}"
    );
}

fn newcomer(n: usize) -> ImportedUser {
    let user = a_user(&format!("newcomer-{n:06}"));
    ImportedUser {
        id: user.id,
        login: user.login,
        hash: user.hash,
        roles: user.roles,
        status: UserStatus::Active,
        one_time_password: None,
        created_at: at(-1000),
    }
}

/// Runs one import several times at once, in both orders.
#[tokio::test(flavor = "multi_thread")]
async fn imports_of_the_same_users_at_once_store_each_once_and_do_not_deadlock() {
    let (storage, database) = quick_to_detect_deadlocks().await;
    let users: Vec<ImportedUser> = (0..3000).map(newcomer).collect();
    let backwards: Vec<ImportedUser> = (0..3000).rev().map(newcomer).collect();
    let mut imports = JoinSet::new();
    for users in [&users, &backwards, &users, &backwards] {
        // Each import generates other ids for these logins.
        let users = users.iter().map(|user| ImportedUser {
            id: UserId(unique_uuid()),
            ..user.clone()
        });
        let (storage, users) = (storage.clone(), ImportUsers(users.collect()));
        imports.spawn(async move {
            storage
                .users
                .import(users, context(at(0)))
                .await
                .expect("the import succeeds")
        });
    }

    let answers = timeout(LONG_ENOUGH, imports.join_all())
        .await
        .expect("no transaction waits forever");

    let stored = answers.iter().flatten().filter(|it| it.is_ok());
    assert_eq!(stored.count(), 3000);
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(3000));
    assert_eq!(deadlocks(storage, &database).await, 0);
}

/// Prints how long an import takes. Run it with
/// `cargo test -p adapters-postgres -- --ignored --nocapture import_speed`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a slow measurement"]
async fn import_speed() {
    let (storage, _database) = fresh().await;
    let users: Vec<ImportedUser> = (0..100_000).map(newcomer).collect();
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    for batch in users.chunks(2000) {
        let asked = Instant::now();
        let answers = storage
            .users
            .import(ImportUsers(batch.to_vec()), context(at(0)))
            .await
            .expect("the import succeeds");
        slowest = slowest.max(asked.elapsed());
        assert!(answers.iter().all(Result::is_ok));
    }
    println!(
        "100,000 users in {:?}, the slowest 2,000 in {slowest:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_user_without_roles_has_no_permissions() {
    let (storage, _database) = fresh().await;
    let (root, alice) = (an_admin("root"), an_admin("alice"));
    register_all(&storage, &[root, alice.clone()]).await;
    let session = open(&storage, &alice).await;
    let change = AssignRoles {
        keep_sessions: true,
        ..role_change(alice.id, &[])
    };

    let changed = execute(&storage, change, context(at(1))).await;

    changed.expect("the roles can be removed");
    let snapshot = storage
        .snapshots
        .snapshot(session.id)
        .await
        .expect("the snapshot can be read")
        .expect("the session exists");
    assert!(snapshot.principal.roles().is_empty() && snapshot.permissions.is_empty());
}
