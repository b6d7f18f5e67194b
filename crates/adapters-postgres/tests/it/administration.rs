//! Administrators who get in each other's way, and much at once.

use crate::{
    fresh, patient,
    sharing::{connect, until_somebody_waits},
    storage_in,
};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditNumber, ChainReader},
    authority::Denied,
    ports::{
        Administer, Administered, ChangeRoles, Inserted, PortError, PutRole, RemoveRole, RolePut,
        RoleRemoved, RolesChanged,
    },
    revision::Precondition,
    role::{Description, Permission, RoleName},
    session::{EndReason, NewSession},
    token::TokenIdentity,
    user::{Epoch, ImportedUser, NewUser, UserId, UserStatus},
};
use std::{sync::Arc, time::Duration};
use testkit::{
    Storage, ToySealer,
    fixtures::{a_session, a_user, administer, an_admin, at, context, role_change, role_names, unique_uuid},
};
use testservers::FreshDatabase;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

const LONG_ENOUGH: Duration = Duration::from_mins(2);

/// Storage whose server finds circles at once.
async fn watchful() -> (Storage, FreshDatabase) {
    let (_, database) = fresh().await;
    let mark = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{mark}options=-c%20deadlock_timeout%3D100ms", database.url());
    (storage_in(&patient(&url).await), database)
}

/// How often the server had to break a circle. A connection may tell no sooner than when it ends, so all of `storage`'s do.
async fn deadlocks(storage: Storage, database: &FreshDatabase) -> i64 {
    drop(storage);
    let others = "SELECT count(*) AS count FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let everybody_is_gone = async { while count(database, others).await > 0 {} };
    timeout(LONG_ENOUGH, everybody_is_gone)
        .await
        .expect("connections that end");
    let broken = "SELECT deadlocks AS count FROM pg_stat_database WHERE datname = current_database()";
    count(database, broken).await
}

async fn count(database: &FreshDatabase, question: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut conn = connect(database).await;
    let answer: Count = sql_query(question).get_result(&mut conn).await.expect("a count");
    answer.count
}

async fn insert_all(storage: &Storage, users: &[NewUser]) {
    for user in users {
        let inserted = storage.users.insert(user.clone(), context(at(0))).await;
        assert!(matches!(inserted, Ok(Inserted::Now(_))), "{inserted:?}");
    }
}

async fn open(storage: &Storage, user: UserId, epoch: Epoch) -> NewSession {
    let session = a_session(user, at(0));
    let opened = storage.sessions.open(session.clone(), epoch, 100, context(at(0)));
    opened.await.expect("a session");
    session
}

/// Follows the whole chain, as `audit verify` does.
async fn assert_chain_holds(storage: &Storage) -> AuditNumber {
    let ends = storage.audit.ends().await.expect("a chain");
    let mut reader = ChainReader::new(ends, &ToySealer);
    loop {
        let rows = storage
            .audit
            .rows(reader.last().number, 1000)
            .await
            .expect("rows");
        if rows.is_empty() {
            return reader.finish().expect("a chain that holds").number;
        }
        for row in rows {
            let (row, seal) = row.expect("a row of ours");
            reader.follow(&row, seal).expect("a chain that holds");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_admins_removed_at_once_in_every_way_one_is_left() {
    let (storage, database) = watchful().await;
    let admins: Vec<NewUser> = (0..50).map(|n| an_admin(&format!("admin-{n}"))).collect();
    insert_all(&storage, &admins).await;
    let mut removals = JoinSet::new();
    for (n, admin) in admins.iter().enumerate() {
        let (storage, id) = (storage.clone(), admin.id);
        removals.spawn(async move {
            match n % 3 {
                0 => was_removed(storage.users.delete(administer(id), context(at(1))).await),
                1 => {
                    let disabled = UserStatus::Disabled;
                    was_removed(
                        storage
                            .users
                            .set_status(administer(id), disabled, context(at(1)))
                            .await,
                    )
                }
                _ => {
                    let changed = storage
                        .users
                        .change_roles(role_change(id, &["user"]), context(at(1)))
                        .await;
                    match changed.expect("an answer") {
                        RolesChanged::Now { .. } => true,
                        RolesChanged::LastAdmin => false,
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
    }

    let removed = timeout(LONG_ENOUGH, removals.join_all())
        .await
        .expect("no standstill");

    assert_eq!(removed.into_iter().filter(|it| *it).count(), 49);
    assert!(storage.users.any_admin().await.expect("an answer"));
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(50 + 49));
    assert_eq!(deadlocks(storage, &database).await, 0);
}

fn was_removed(answer: Result<Administered, PortError>) -> bool {
    match answer.expect("an answer") {
        Administered::Now(_) => true,
        Administered::LastAdmin => false,
        other => panic!("{other:?}"),
    }
}

fn put(name: &str, permissions: &[&str], authorized_by: Option<TokenIdentity>) -> PutRole {
    PutRole {
        name: RoleName::parse(name).expect("a role's name"),
        description: Description::default(),
        permissions: permissions
            .iter()
            .map(|text| Permission::parse(text).expect("a permission"))
            .collect(),
        self_assignable: true,
        precondition: Precondition::None,
        authorized_by,
        dry_run: false,
    }
}

fn removal(name: &str) -> RemoveRole {
    RemoveRole {
        name: RoleName::parse(name).expect("a role's name"),
        if_revision: None,
        authorized_by: None,
        dry_run: false,
    }
}

/// A role is taken out of the catalogue while it is being given.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_role_that_is_not_in_the_catalogue() {
    let (storage, database) = watchful().await;
    let users: Vec<NewUser> = (0..8).map(|n| a_user(&format!("user-{n}"))).collect();
    insert_all(&storage, &users).await;
    for round in 0..20 {
        let name = format!("role-{round}");
        let made = storage.roles.put(put(&name, &[], None), context(at(1))).await;
        assert!(matches!(made, Ok(RolePut::Now { created: true, .. })), "{made:?}");
        let mut calls = JoinSet::new();
        for user in &users {
            let change = role_change(user.id, &[&name]);
            let storage = storage.clone();
            calls.spawn(async move {
                match storage
                    .users
                    .change_roles(change, context(at(1)))
                    .await
                    .expect("an answer")
                {
                    RolesChanged::Now { .. } => true,
                    RolesChanged::UnknownRole(_) => false,
                    other => panic!("{other:?}"),
                }
            });
        }
        let removed = storage
            .roles
            .remove(removal(&name), context(at(1)))
            .await
            .expect("an answer");
        let given = calls.join_all().await.into_iter().filter(|it| *it).count() as u64;
        match removed {
            RoleRemoved::Now => assert_eq!(given, 0),
            RoleRemoved::InUse(holders) => assert!((1..=given).contains(&holders), "{holders} of {given}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(deadlocks(storage, &database).await, 0);
}

/// Every kind of change, on a few users who do it to each other, in no order.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_changes_ends_in_answers_and_never_in_a_deadlock() {
    let (storage, database) = watchful().await;
    let mut users: Vec<NewUser> = (0..4).map(|n| an_admin(&format!("admin-{n}"))).collect();
    users.extend((0..4).map(|n| a_user(&format!("user-{n}"))));
    insert_all(&storage, &users).await;
    let users = Arc::new(users);
    let until = Instant::now() + Duration::from_secs(8);
    let mut callers = JoinSet::new();
    for seed in 1..=16 {
        callers.spawn(cause_trouble(storage.clone(), Arc::clone(&users), seed, until));
    }

    let calls = timeout(LONG_ENOUGH, callers.join_all())
        .await
        .expect("no standstill");

    let calls: u64 = calls.into_iter().sum();
    assert!(calls > 100, "{calls}");
    assert_chain_holds(&storage).await;
    assert!(storage.users.any_admin().await.expect("an answer"));
    assert_eq!(deadlocks(storage, &database).await, 0, "in {calls} calls");
}

/// Calls one method after the other until `until`; how many. Any answer is right, any error wrong.
async fn cause_trouble(storage: Storage, users: Arc<Vec<NewUser>>, seed: u64, until: Instant) -> u64 {
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut calls = 0;
    while Instant::now() < until && calls < 2000 {
        // xorshift64
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let pick = |shift: u32| {
            let index = usize::try_from((dice >> shift) % 8).expect("a small number");
            users.get(index).expect("there are eight")
        };
        let answer = one_call(&storage, (dice >> 40) % 13, pick(8), pick(16)).await;
        answer.unwrap_or_else(|error| panic!("{error:?}"));
        calls += 1;
    }
    calls
}

async fn one_call(storage: &Storage, kind: u64, by: &NewUser, on: &NewUser) -> Result<(), PortError> {
    let epoch = storage
        .users
        .find(by.id)
        .await?
        .map_or(Epoch::FIRST, |user| user.epoch);
    let session = a_session(by.id, at(0));
    let word = Some(TokenIdentity {
        user: by.id,
        session: session.id,
        epoch,
    });
    storage
        .sessions
        .open(session.clone(), epoch, 5, context(at(0)))
        .await?;
    let whom = Administer {
        authorized_by: word,
        ..administer(on.id)
    };
    let change = |roles: &[&str]| ChangeRoles {
        authorized_by: word,
        ..role_change(on.id, roles)
    };
    match kind {
        0 => drop(
            storage
                .users
                .change_roles(change(&["admin", "user"]), context(at(1)))
                .await?,
        ),
        1 => drop(
            storage
                .users
                .change_roles(change(&["user"]), context(at(1)))
                .await?,
        ),
        2 => drop(
            storage
                .users
                .change_roles(change(&["editor", "user"]), context(at(1)))
                .await?,
        ),
        3 => drop(storage.users.delete(whom, context(at(1))).await?),
        4 => drop(storage.users.insert(on.clone(), context(at(1))).await.ok()),
        5 => drop(
            storage
                .users
                .set_status(whom, UserStatus::Disabled, context(at(1)))
                .await?,
        ),
        6 => drop(
            storage
                .users
                .set_status(administer(on.id), UserStatus::Active, context(at(1)))
                .await?,
        ),
        7 => drop(
            storage
                .users
                .reset_password(whom, on.hash.clone(), context(at(1)))
                .await?,
        ),
        8 => drop(
            storage
                .roles
                .put(put("editor", &["posts:write"], word), context(at(1)))
                .await?,
        ),
        9 => drop(storage.roles.remove(removal("editor"), context(at(1))).await?),
        10 => drop(
            storage
                .sessions
                .end_all(on.id, EndReason::LoggedOut, context(at(1)))
                .await?,
        ),
        11 => drop(storage.audit.trim(at(1), 10, context(at(1))).await?),
        _ => drop(
            storage
                .sessions
                .end(session.id, by.id, EndReason::LoggedOut, context(at(1)))
                .await?,
        ),
    }
    Ok(())
}

/// The role that the caller's right comes from loses it, and it is not known yet whether that will be kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_judged_by_what_roles_allow_when_it_is_made() {
    let (storage, database) = watchful().await;
    let helper = NewUser {
        roles: role_names(&["helper"]),
        ..a_user("helper")
    };
    let made = storage
        .roles
        .put(put("helper", &["users:write"], None), context(at(0)))
        .await;
    made.expect("a role");
    let target = a_user("target");
    insert_all(&storage, &[helper.clone(), target.clone()]).await;
    let session = open(&storage, helper.id, Epoch::FIRST).await;
    let whom = Administer {
        authorized_by: Some(TokenIdentity {
            user: helper.id,
            session: session.id,
            epoch: Epoch::FIRST,
        }),
        ..administer(target.id)
    };
    let mut other = connect(&database).await;
    other
        .batch_execute(
            "BEGIN; SELECT FROM roles WHERE name = 'admin' FOR NO KEY UPDATE;
             DELETE FROM role_permissions WHERE role = 'helper'",
        )
        .await
        .expect("a change of the role, as this adapter makes it");
    let committing = async {
        until_somebody_waits(&database).await;
        other.batch_execute("COMMIT").await.expect("a commit");
    };

    let disabling = storage
        .users
        .set_status(whom, UserStatus::Disabled, context(at(1)));
    let both = async { tokio::join!(disabling, committing) };

    let (answer, ()) = timeout(LONG_ENOUGH, both).await.expect("somebody who waits");
    let denied = Administered::Denied(Denied::Forbidden(Permission::USERS_WRITE));
    assert_eq!(answer.expect("an answer"), denied);
}

fn newcomer(n: usize) -> ImportedUser {
    let user = a_user(&format!("newcomer-{n:06}"));
    ImportedUser {
        id: user.id,
        login: user.login,
        hash: user.hash,
        roles: user.roles,
        status: UserStatus::Active,
        created_at: at(-1000),
    }
}

/// Two runs of one import at once, from both ends.
#[tokio::test(flavor = "multi_thread")]
async fn imports_of_the_same_users_at_once_store_each_once_and_do_not_deadlock() {
    let (storage, database) = watchful().await;
    let users: Vec<ImportedUser> = (0..3000).map(newcomer).collect();
    let backwards: Vec<ImportedUser> = (0..3000).rev().map(newcomer).collect();
    let mut imports = JoinSet::new();
    for users in [&users, &backwards, &users, &backwards] {
        // The same logins again under other ids, as every import makes its own.
        let users = users.iter().map(|user| ImportedUser {
            id: UserId(unique_uuid()),
            ..user.clone()
        });
        let (storage, users) = (storage.clone(), users.collect());
        imports.spawn(async move {
            storage
                .users
                .import(users, context(at(0)))
                .await
                .expect("answers")
        });
    }

    let answers = timeout(LONG_ENOUGH, imports.join_all())
        .await
        .expect("no standstill");

    let stored = answers
        .iter()
        .flatten()
        .filter(|it| matches!(it, Inserted::Now(_)));
    assert_eq!(stored.count(), 3000);
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(3000));
    assert_eq!(deadlocks(storage, &database).await, 0);
}

/// Not run by itself: `cargo test -p adapters-postgres -- --ignored --nocapture import_speed`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, and takes its time"]
async fn import_speed() {
    let (storage, _database) = fresh().await;
    let users: Vec<ImportedUser> = (0..100_000).map(newcomer).collect();
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    for batch in users.chunks(2000) {
        let asked = Instant::now();
        let answers = storage
            .users
            .import(batch.to_vec(), context(at(0)))
            .await
            .expect("answers");
        slowest = slowest.max(asked.elapsed());
        assert!(answers.iter().all(|it| matches!(it, Inserted::Now(_))));
    }
    println!(
        "100,000 users in {:?}, the slowest 2,000 in {slowest:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn whoever_loses_every_role_has_none_and_may_nothing() {
    let (storage, _database) = fresh().await;
    let (root, alice) = (an_admin("root"), an_admin("alice"));
    insert_all(&storage, &[root, alice.clone()]).await;
    let session = open(&storage, alice.id, Epoch::FIRST).await;
    let change = ChangeRoles {
        keep_sessions: true,
        ..role_change(alice.id, &[])
    };

    let changed = storage.users.change_roles(change, context(at(1))).await;

    assert!(matches!(changed, Ok(RolesChanged::Now { .. })), "{changed:?}");
    let snapshot = storage
        .snapshots
        .snapshot(session.id)
        .await
        .expect("an answer")
        .expect("a view");
    assert_eq!((snapshot.user.roles, snapshot.permissions), Default::default());
}
