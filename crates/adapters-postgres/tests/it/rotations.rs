//! Rotations for many callers at once. The runtime of these tests has one thread, so that requests
//! of tasks that are spawned together are in the same batch.

use crate::{IN_TIME, fresh, open, register, sharing::connect};
use chrono::Duration;
use diesel::{QueryableByName, sql_query, sql_types::Bool};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use domain::{
    ports::{PortError, Rotated},
    session::{Generation, NewSession, OriginFingerprint, Rotation, SessionId},
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use std::collections::HashMap;
use testkit::{
    Storage,
    fixtures::{a_user, at, origin},
};
use testservers::FreshDatabase;
use tokio::{task::JoinSet, time::timeout};

/// Storage with sessions of one user, and the metrics that it records.
struct Crowd {
    storage: Storage,
    sessions: Vec<NewSession>,
    recorded: Snapshotter,
    database: FreshDatabase,
}

type Answers = HashMap<SessionId, Vec<Result<Rotated, PortError>>>;

/// How many rotations of batches changed their session, and how many did not.
#[derive(Debug, PartialEq)]
struct Batched {
    rotated: u64,
    left: u64,
}

impl Crowd {
    async fn of(sessions: usize) -> Self {
        let metrics = DebuggingRecorder::new();
        let recording = metrics::set_default_local_recorder(&metrics);
        let (storage, database) = fresh().await;
        drop(recording);
        let user = a_user("alice");
        register(&storage, &user).await;
        let mut opened = Vec::new();
        for _ in 0..sessions {
            opened.push(open(&storage, &user).await);
        }
        Self {
            storage,
            sessions: opened,
            recorded: metrics.snapshotter(),
            database,
        }
    }

    fn start(&self, rotations: impl IntoIterator<Item = Rotation>) -> JoinSet<Answer> {
        let mut running = JoinSet::new();
        for rotation in rotations {
            let sessions = self.storage.sessions.clone();
            running.spawn(async move { (rotation.session, sessions.rotate(rotation).await) });
        }
        running
    }

    async fn rotate(&self, rotations: impl IntoIterator<Item = Rotation>) -> Answers {
        let mut answers = Answers::new();
        for (session, answer) in self.start(rotations).join_all().await {
            answers.entry(session).or_default().push(answer);
        }
        answers
    }

    fn batched(&self) -> Batched {
        let mut counts = HashMap::new();
        for (key, _, _, value) in self.recorded.snapshot().into_vec() {
            let (_, key) = key.into_parts();
            if let ("authapi_batched_rotations_total", DebugValue::Counter(count)) = (key.name(), value) {
                let outcome = key.labels().next().map(|label| label.value().to_owned());
                counts.insert(outcome.expect("the metric has a label"), count);
            }
        }
        let count = |outcome| *counts.get(outcome).expect("both outcomes are counted from 0");
        Batched {
            rotated: count("rotated"),
            left: count("left"),
        }
    }

    async fn generation(&self, session: SessionId) -> Generation {
        let found = self.storage.sessions.find(session, at(9)).await;
        let found = found.expect("the session can be read");
        found.expect("the session exists").generation
    }
}

type Answer = (SessionId, Result<Rotated, PortError>);

fn rotation(session: &NewSession) -> Rotation {
    Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(5),
        idle_until: at(50),
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::seconds(10),
    }
}

fn is_done(answer: &Result<Rotated, PortError>) -> bool {
    matches!(answer, Ok(Rotated::Done(session)) if session.generation == Generation(1))
}

#[tokio::test]
async fn sessions_that_are_refreshed_at_once_share_a_statement() {
    let crowd = Crowd::of(20).await;

    let answers = crowd.rotate(crowd.sessions.iter().map(rotation)).await;

    for session in &crowd.sessions {
        assert!(matches!(&answers[&session.id][..], [answer] if is_done(answer)));
    }
    let all = Batched { rotated: 20, left: 0 };
    assert_eq!(crowd.batched(), all);
}

#[tokio::test]
async fn a_session_that_is_refreshed_several_times_in_a_batch_is_rotated_once() {
    let crowd = Crowd::of(4).await;
    let five_each = crowd.sessions.iter().cycle().take(20);

    let answers = crowd.rotate(five_each.map(rotation)).await;

    for session in &crowd.sessions {
        let of_session = &answers[&session.id];
        let lost = of_session.iter().filter(|it| matches!(it, Ok(Rotated::Lost)));
        let done = of_session.iter().filter(|it| is_done(it));
        assert_eq!((done.count(), lost.count()), (1, 4), "{of_session:?}");
        assert_eq!(crowd.generation(session.id).await, Generation(1));
    }
    let one_of_each = Batched { rotated: 4, left: 16 };
    assert_eq!(crowd.batched(), one_of_each);
}

#[tokio::test]
async fn a_batch_does_not_wait_for_a_locked_session_and_its_refresh_does() {
    let crowd = Crowd::of(5).await;
    let locked = crowd.sessions[2].id;
    let mut other = connect(&crowd.database).await;
    let lock = format!("BEGIN; SELECT FROM sessions WHERE id = '{locked}' FOR UPDATE");
    other
        .batch_execute(&lock)
        .await
        .expect("the session is not locked");

    let mut running = crowd.start(crowd.sessions.iter().map(rotation));
    for _ in 0..4 {
        let next = timeout(IN_TIME, running.join_next()).await;
        let (session, answer) = next
            .expect("the batch does not wait")
            .expect("four rotations end")
            .expect("the task does not panic");
        assert!(session != locked && is_done(&answer), "{answer:?}");
    }
    let four = Batched { rotated: 4, left: 1 };
    assert_eq!(crowd.batched(), four);
    other.batch_execute("COMMIT").await.expect("the transaction ends");

    let last = running.join_next().await.expect("one rotation is left");
    let (session, answer) = last.expect("the task does not panic");
    assert!(session == locked && is_done(&answer), "{answer:?}");
}

/// The adapter detects the first damage, and diesel the second.
#[tokio::test]
async fn a_corrupt_row_fails_only_its_own_refresh() {
    for damage in ["burst_from = -5, burst_since = now()", "expires_at = 'infinity'"] {
        let crowd = Crowd::of(5).await;
        let bad = crowd.sessions[2].id;
        let mut other = connect(&crowd.database).await;
        let damaging = format!("UPDATE sessions SET {damage} WHERE id = '{bad}'");
        other
            .batch_execute(&damaging)
            .await
            .expect("the row can be damaged");

        let answers = crowd.rotate(crowd.sessions.iter().map(rotation)).await;

        for (session, answers) in answers {
            let answer = &answers[0];
            if session == bad {
                assert!(
                    matches!(answer, Err(PortError::Corrupt(_))),
                    "{damage}: {answer:?}"
                );
            } else {
                assert!(is_done(answer), "{damage}: {answer:?}");
            }
        }
    }
}

/// The server may have committed the rotations of a lost connection. A repeated rotation would look
/// like a stolen token.
#[tokio::test]
async fn a_batch_whose_connection_is_lost_fails_and_is_not_repeated() {
    #[derive(QueryableByName)]
    struct Terminated {
        #[expect(dead_code, reason = "only the number of rows matters")]
        #[diesel(sql_type = Bool)]
        pg_terminate_backend: bool,
    }
    let crowd = Crowd::of(5).await;
    let (mut locking, mut terminating) = (connect(&crowd.database).await, connect(&crowd.database).await);
    let lock = "BEGIN; LOCK TABLE sessions";
    locking
        .batch_execute(lock)
        .await
        .expect("the table is not locked");
    let running = crowd.start(crowd.sessions.iter().map(rotation));
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%locked AS MATERIALIZED%'";
    let terminated = async {
        loop {
            let rows: Vec<Terminated> = sql_query(waiting)
                .load(&mut terminating)
                .await
                .expect("the connections can be listed");
            if !rows.is_empty() {
                return rows.len();
            }
        }
    };
    let terminated = timeout(IN_TIME, terminated).await;
    assert_eq!(terminated.expect("the batch waits for the lock"), 1);
    locking
        .batch_execute("COMMIT")
        .await
        .expect("the transaction ends");

    for (_, answer) in running.join_all().await {
        assert!(matches!(answer, Err(PortError::Unavailable(_))), "{answer:?}");
    }
    for session in &crowd.sessions {
        assert_eq!(crowd.generation(session.id).await, Generation(0));
    }
}

#[tokio::test]
async fn a_refresh_without_others_is_a_single_statement() {
    let crowd = Crowd::of(1).await;
    let only = &crowd.sessions[0];
    let answers = crowd.rotate([rotation(only)]).await;
    assert!(matches!(&answers[&only.id][..], [answer] if is_done(answer)));
    let none = Batched { rotated: 0, left: 0 };
    assert_eq!(crowd.batched(), none);
}
