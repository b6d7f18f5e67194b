//! Session snapshots for many callers at once.

use crate::{
    IN_TIME, connect_unhurried, execute,
    failing::{address_of, through},
    fresh, open, register,
    sharing::connect,
    storage_at, storage_in,
};
use adapters_postgres::{PoolSettings, PostgresDatabase};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    caller::SessionSnapshot,
    changes::EndSession,
    ports::PortError,
    session::{EndReason, NewSession, SessionId},
    user::NewUser,
};
use request_scope::RequestScope;
use std::time::Duration;
use testkit::{
    Storage,
    fixtures::{a_user, at, context, unique_uuid},
};
use testservers::{CuttingProxy, ProxyMode, postgres};
use tokio::{task::JoinSet, time::timeout};

async fn logged_in(storage: &Storage, login: &str) -> (NewUser, NewSession) {
    let user = a_user(login);
    register(storage, &user).await;
    let session = open(storage, &user).await;
    (user, session)
}

type Answer = (SessionId, Result<Option<SessionSnapshot>, PortError>);

async fn ask_at_once(storage: &Storage, sessions: impl IntoIterator<Item = SessionId>) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for session in sessions {
        let snapshots = storage.snapshots.clone();
        asking.spawn(async move { (session, snapshots.snapshot(session).await) });
    }
    asking.join_all().await
}

/// One statement for each caller would exceed the time limit ten times over.
#[tokio::test]
async fn hundreds_of_callers_share_one_slow_connection_and_each_get_their_snapshot() {
    const USERS: usize = 100;
    const ROUND_TRIP: Duration = Duration::from_millis(200);
    let fresh = postgres().fresh_database();
    let filling = storage_at(fresh.url()).await;
    let mut users = Vec::new();
    for number in 0..USERS {
        users.push(logged_in(&filling, &format!("user-{number}")).await);
    }
    let proxy = CuttingProxy::forward_to(address_of(fresh.url())).await;
    let settings = PoolSettings {
        max_size: 1,
        acquire_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(10),
    };
    let slow = PostgresDatabase::connect(&through(&proxy, fresh.url()), settings).await;
    let storage = storage_in(&slow.expect("the database can be opened"));
    proxy.set(ProxyMode::Delay(ROUND_TRIP / 2));
    let unknown = SessionId(unique_uuid());
    let known = users.iter().cycle().take(5 * USERS);
    let known = known.map(|(_, session)| session.id);

    let answers = ask_at_once(&storage, known.chain([unknown])).await;

    assert_eq!(answers.len(), 5 * USERS + 1);
    for (asked, answer) in answers {
        let snapshot = answer.expect("the snapshot can be read");
        let seen = snapshot.map(|snapshot| (snapshot.session, snapshot.principal.id()));
        let owner = users.iter().find(|(_, session)| session.id == asked);
        assert_eq!(seen, owner.map(|(user, _)| (asked, user.id.into())));
    }
}

/// The adapter detects the first damage. diesel detects the second, and then reads no other row.
#[tokio::test]
async fn a_corrupt_row_fails_only_the_callers_that_requested_it() {
    let (storage, database) = fresh().await;
    let (_, good) = logged_in(&storage, "alice").await;
    let (bob, bad) = logged_in(&storage, "bob").await;
    let mut other = connect(&database).await;
    for damage in ["login = ''", "created_at = 'infinity'"] {
        let damage = format!("UPDATE users SET {damage} WHERE id = '{}'", bob.id);
        other
            .batch_execute(&damage)
            .await
            .expect("the row can be damaged");
        let sessions = [good.id, bad.id].into_iter().cycle().take(100);
        for (asked, answer) in ask_at_once(&storage, sessions).await {
            let is_right = match &answer {
                Ok(snapshot) => asked == good.id && snapshot.is_some(),
                Err(error) => asked == bad.id && matches!(error, PortError::Corrupt(_)),
            };
            assert!(is_right, "{damage}: {asked:?} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_caller_with_less_time_times_out_and_the_others_get_the_snapshot() {
    let (storage, database) = fresh().await;
    let (_, session) = logged_in(&storage, "alice").await;
    let mut other = connect(&database).await;
    let lock = "BEGIN; LOCK TABLE sessions";
    other.batch_execute(lock).await.expect("the lock is free");
    let hurried = async {
        let request = RequestScope::with_wait_budget(Duration::from_millis(50));
        let answer = request.run(storage.snapshots.snapshot(session.id)).await;
        other
            .batch_execute("COMMIT")
            .await
            .expect("the transaction can be committed");
        answer
    };

    let (unhurried, hurried) = tokio::join!(storage.snapshots.snapshot(session.id), hurried);

    assert!(matches!(hurried, Err(PortError::Overloaded)), "{hurried:?}");
    assert!(unhurried.expect("the snapshot can be read").is_some());
}

/// Makes every statement that reads permissions wait half-way while another connection holds the
/// advisory lock.
const HALF_WAY: &str = "
    ALTER TABLE role_permissions RENAME TO kept_permissions;
    CREATE FUNCTION waited() RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT pg_advisory_xact_lock_shared(7) IS NOT NULL';
    CREATE VIEW role_permissions AS SELECT * FROM kept_permissions WHERE waited();
    SELECT pg_advisory_lock(7)";

async fn until_so_many_wait(conn: &mut AsyncPgConnection, count: i64) {
    #[derive(QueryableByName)]
    struct Waiting {
        #[diesel(sql_type = BigInt)]
        waiting: i64,
    }
    let question = "SELECT count(*) AS waiting FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'advisory'";
    let waited = async {
        while sql_query(question)
            .get_result::<Waiting>(conn)
            .await
            .expect("the query succeeds")
            .waiting
            < count
        {}
    };
    timeout(IN_TIME, waited)
        .await
        .expect("enough statements wait in time");
}

#[tokio::test]
async fn a_request_after_a_change_does_not_share_a_statement_from_before_it() {
    let (storage, database) = fresh().await;
    let (user, session) = logged_in(&storage, "alice").await;
    let changing = storage_in(&connect_unhurried(database.url()).await);
    let mut other = connect(&database).await;
    other.batch_execute(HALF_WAY).await.expect("the lock is free");
    let ask = || {
        let snapshots = storage.snapshots.clone();
        tokio::spawn(async move {
            snapshots
                .snapshot(session.id)
                .await
                .expect("the snapshot can be read")
                .expect("the session exists")
        })
    };

    let before = ask();
    until_so_many_wait(&mut other, 1).await;
    let ending = EndSession {
        session: session.id,
        user: user.id,
        reason: EndReason::LoggedOut,
    };
    let ended = execute(&changing, ending, context(at(1))).await;
    ended.expect("the session ends");
    let after = ask();
    until_so_many_wait(&mut other, 2).await;
    let unlock = "SELECT pg_advisory_unlock(7)";
    other
        .batch_execute(unlock)
        .await
        .expect("the lock can be released");

    let ended = |snapshot: SessionSnapshot| snapshot.lifetime.ended;
    assert_eq!(before.await.map(ended).expect("the task does not panic"), None);
    assert_eq!(
        after.await.map(ended).expect("the task does not panic"),
        Some(EndReason::LoggedOut)
    );
}
