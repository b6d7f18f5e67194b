//! While any transaction is open, such as that of a backup, the index entries of sealed events
//! stay. A sealer must not pass them each time.

use super::{Step, connect, record, statement};
use crate::tables::audit_pending::{self, Look};
use diesel::{connection::Instrumentation, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

/// Returns the number of blocks of 8 KiB that the server reads to find the oldest pending event.
async fn blocks(conn: &mut AsyncPgConnection, look: Look) -> u64 {
    let statements = record(conn, statement);
    let oldest = audit_pending::oldest(conn, look).await;
    assert_eq!(oldest.expect("the query succeeds").map(|it| it.seq), Some(20_001));
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let sql = statements.into_iter().next().expect("one statement is executed");
    let value = match look {
        Look::New => "1",
        Look::All => "-9223372036854775807",
    };
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS) {}", sql.replace("$1", value));
    let steps: Vec<Step> = sql_query(explain)
        .load(conn)
        .await
        .expect("the statement can be explained");
    let of_all_steps = steps.iter().find_map(|it| it.step.split_once("Buffers: shared "));
    let (_, counts) = of_all_steps.expect("the plan counts blocks");
    let count = |name: &str| {
        let counted = counts.split(' ').find_map(|part| part.strip_prefix(name));
        counted.map_or(0, |count| count.parse().expect("a count is a number"))
    };
    count("hit=") + count("read=")
}

#[tokio::test]
async fn looking_for_new_events_passes_no_entries_of_sealed_ones() {
    let (mut conn, database) = connect().await;
    let mut reader = AsyncPgConnection::establish(database.url())
        .await
        .expect("the database accepts connections");
    let insert = "INSERT INTO audit_pending (at, action, actor_kind, details, mac)
        SELECT now(), 'login_failed', 'operator', '{}', '' FROM generate_series";
    conn.batch_execute(&format!("{insert}(1, 20000)"))
        .await
        .expect("the rows can be inserted");
    reader
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM audit_pending")
        .await
        .expect("the rows can be read");
    let sealed = "DELETE FROM audit_pending; UPDATE audit_chain SET unsealed_lowest = '{20001}'";
    conn.batch_execute(&format!("{sealed}; {insert}(1, 1)"))
        .await
        .expect("the rows can be removed");

    let (new, all) = (
        blocks(&mut conn, Look::New).await,
        blocks(&mut conn, Look::All).await,
    );

    assert!(new < 30, "{new} blocks");
    assert!(all > 100, "the entries were removed: {all} blocks");
}
