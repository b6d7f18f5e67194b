//! Rotations write no index: the server updates their rows in place, within the page (HOT).

use super::{connect, opening, run};
use crate::tables::{rotation::rotate, sessions};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    changes::RegisterUser,
    ports::Rotated,
    session::{EndReason, Generation, NewSession, OriginFingerprint, Rotation},
};
use testkit::fixtures::{a_session, a_user, at, origin};
use testservers::FreshDatabase;

/// A number of updates of sessions.
#[derive(Debug, PartialEq, QueryableByName)]
struct Updates {
    #[diesel(sql_type = BigInt)]
    all: i64,
    #[diesel(sql_type = BigInt)]
    hot: i64,
}

const NOT_HOT: Updates = Updates { all: 1, hot: 0 };
const HOT: Updates = Updates { all: 1, hot: 1 };

async fn with_session() -> (AsyncPgConnection, NewSession, FreshDatabase) {
    let (mut conn, database) = connect().await;
    let alice = a_user("alice");
    let session = a_session(alice.id, at(0));
    run(&mut conn, &RegisterUser(alice))
        .await
        .expect("the user is stored");
    run(&mut conn, &opening(&session, 9))
        .await
        .expect("the session is opened");
    (conn, session, database)
}

/// Returns the updates of this connection that the server has not added to its statistics yet. It
/// adds none within a transaction.
async fn unreported(conn: &mut AsyncPgConnection) -> Updates {
    let counted = "SELECT n_tup_upd AS all, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables
        WHERE relname = 'sessions'";
    let updates = sql_query(counted).get_result(conn).await;
    updates.expect("the table has a row")
}

/// Does `work` in a transaction, and returns its updates.
async fn updates_of(conn: &mut AsyncPgConnection, work: impl AsyncFnOnce(&mut AsyncPgConnection)) -> Updates {
    conn.batch_execute("BEGIN").await.expect("a transaction begins");
    let before = unreported(conn).await;
    work(conn).await;
    let after = unreported(conn).await;
    conn.batch_execute("COMMIT").await.expect("the transaction ends");
    Updates {
        all: after.all - before.all,
        hot: after.hot - before.hot,
    }
}

async fn rotated(
    conn: &mut AsyncPgConnection,
    session: &NewSession,
    generation: u32,
    idle_until: DateTime<Utc>,
) -> Updates {
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(generation),
        to: Generation(generation + 1),
        at: at(5),
        idle_until,
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::seconds(10),
    };
    updates_of(conn, async |conn| {
        let rotated = rotate(conn, &rotation).await;
        assert!(matches!(rotated, Ok(Rotated::Done(_))), "{rotated:?}");
    })
    .await
}

#[tokio::test]
async fn a_rotation_is_a_hot_update_unless_the_session_ends_on_another_day() {
    let (mut conn, session, _database) = with_session().await;
    let (end, day) = (session.idle_expires_at, Duration::days(1));
    let midnight = end.date_naive().and_hms_opt(0, 0, 0).expect("every day begins");
    let midnight = midnight.and_utc();
    for (generation, idle_until, expected) in [
        (0, end + Duration::seconds(5), HOT),
        (1, midnight, HOT),
        (2, midnight + day - Duration::microseconds(1), HOT),
        (3, midnight + day, NOT_HOT),
        (4, end + day, HOT),
        (5, end, NOT_HOT),
    ] {
        let updates = rotated(&mut conn, &session, generation, idle_until).await;
        assert_eq!(updates, expected, "{generation}: {idle_until}");
    }
}

#[tokio::test]
async fn other_changes_of_a_live_session_are_hot_updates() {
    let (mut conn, session, _database) = with_session().await;
    let replay = updates_of(&mut conn, async |conn| {
        let recorded = sessions::record_replay(conn, session.id, Generation(0)).await;
        recorded.expect("the session can be updated");
    });
    assert_eq!(replay.await, HOT, "a replay");
    let checked = updates_of(&mut conn, async |conn| {
        let checked = sessions::reauthenticate(conn, session.id, at(6)).await;
        checked.expect("the session can be updated");
    });
    assert_eq!(checked.await, HOT, "a check of the password");
    let ended = updates_of(&mut conn, async |conn| {
        let ended = sessions::end(conn, &[session.id], EndReason::LoggedOut, at(7)).await;
        assert_eq!(ended.expect("the session can be updated"), 1);
    });
    assert_eq!(ended.await, NOT_HOT, "the end, 30 days earlier");
}

/// A HOT update needs space on the row's page.
#[tokio::test]
async fn pages_of_sessions_keep_free_space_for_rotations() {
    #[derive(Debug, PartialEq, QueryableByName)]
    struct Options {
        #[diesel(sql_type = Text)]
        options: String,
    }
    let (mut conn, _database) = connect().await;
    let query = "SELECT array_to_string(reloptions, ',') AS options FROM pg_class
        WHERE oid = 'sessions'::regclass";
    let found: Options = sql_query(query)
        .get_result(&mut conn)
        .await
        .expect("the table exists");
    assert_eq!(found.options, "fillfactor=85");
}
