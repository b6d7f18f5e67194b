use super::*;
use crate::database::opening::{prepare, url_of};
use diesel::{
    QueryableByName, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    sql_query,
    sql_types::BigInt,
};
use request_scope::RequestScope;
use std::{
    fs,
    future::poll_fn,
    path::PathBuf,
    pin::Pin,
    sync::mpsc::{Sender, channel},
    task::Poll,
    thread,
};
use tempfile::TempDir;

/// No group ends early because the machine is slow, and no operation gives up.
const UNHURRIED: Limits = Limits {
    operations: 64,
    time: Duration::from_hours(1),
    wait: Duration::from_hours(1),
};

const TABLES: &str = "
    CREATE TABLE things (name TEXT NOT NULL PRIMARY KEY, owner TEXT REFERENCES things DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE blobs (bytes BLOB NOT NULL);";

/// A blob that needs more pages than the full disks of these tests have left.
const LARGE: &str = "INSERT INTO blobs VALUES (zeroblob(1000000))";

struct Database {
    writer: Writer,
    path: PathBuf,
    _folder: TempDir,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

impl Database {
    async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let path = folder.path().join("db");
        let url = url_of(&path).expect("the path is UTF-8");
        prepare(&path, &url).expect("the database can be created");
        let writer = Writer::start(url, limits).expect("a thread can be started");
        let database = Self {
            writer,
            path,
            _folder: folder,
        };
        database.alone(TABLES).await.expect("the tables are new");
        database
    }

    async fn alone(&self, sql: &str) -> Result<(), StorageError> {
        self.writer.write(Commit::Alone, execute(sql)).await
    }

    /// Returns the result of `sql`, by a connection that sees only what is committed.
    fn value(&self, sql: &str) -> i64 {
        let url = url_of(&self.path).expect("the path is UTF-8");
        value(&mut open(&url), sql).expect("the value can be read")
    }

    /// Returns the number of transactions that changed the database: a frame of the write-ahead log
    /// that ends one states the size of the database, and others state zero.
    fn commits(&self) -> usize {
        let log = fs::read(self.path.with_file_name("db-wal")).expect("the log can be read");
        let (header, frames) = log.split_at(32);
        let page = header[8..12]
            .try_into()
            .map(u32::from_be_bytes)
            .expect("four bytes");
        let page = usize::try_from(page).expect("a page fits into memory");
        let frames = frames.chunks_exact(24 + page);
        frames
            .filter(|frame| frame[8..16] == header[16..24] && frame[4..8] != [0; 4])
            .count()
    }
}

fn open(url: &str) -> SqliteConnection {
    crate::database::connections::open(url, "").expect("the database can be opened")
}

fn value(conn: &mut SqliteConnection, sql: &str) -> Result<i64, StorageError> {
    let row: Row = sql_query(sql).get_result(conn)?;
    Ok(row.value)
}

fn execute(sql: &str) -> impl Fn(&mut SqliteConnection) -> Result<(), StorageError> + use<> {
    let sql = sql.to_owned();
    move |conn| Ok(conn.batch_execute(&sql)?)
}

fn insert(name: &str) -> impl Fn(&mut SqliteConnection) -> Result<(), StorageError> + use<> {
    execute(&format!("INSERT INTO things (name) VALUES ('{name}')"))
}

/// Polls `write` once, which queues its operation.
async fn queued<F: Future>(write: F) -> Pin<Box<F>> {
    let mut write = Box::pin(write);
    poll_fn(|context| {
        assert!(write.as_mut().poll(context).is_pending(), "the writer is held");
        Poll::Ready(())
    })
    .await;
    write
}

/// Queues an operation that keeps the writer busy until the result is dropped.
async fn hold(writer: &Writer) -> Sender<()> {
    let (running, has_started) = channel();
    let (release, released) = channel::<()>();
    let held = writer.write(Commit::Alone, move |_| {
        running.send(()).expect("the test waits");
        released.recv().expect_err("nothing is sent");
        Ok(())
    });
    let held = queued(held).await;
    has_started.recv().expect("the operation starts");
    // It has started, so it goes on without its caller.
    drop(held);
    release
}

#[tokio::test]
async fn operations_that_queue_share_a_commit_and_see_the_changes_of_earlier_ones() {
    let database = Database::with(UNHURRIED).await;
    let before = database.commits();
    let held = hold(&database.writer).await;
    let mut writes = Vec::new();
    for number in 0..20 {
        let write = database.writer.write(Commit::InGroup, move |conn| {
            insert(&format!("thing-{number}"))(conn)?;
            value(conn, "SELECT count(*) AS value FROM things")
        });
        writes.push(queued(write).await);
    }

    drop(held);

    for (write, expected) in writes.into_iter().zip(1..) {
        assert_eq!(write.await.expect("the operation succeeds"), expected);
    }
    assert_eq!(database.commits() - before, 1);
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 20);
}

#[tokio::test]
async fn an_operation_that_finds_the_writer_idle_waits_for_no_other() {
    let database = Database::with(UNHURRIED).await;
    for number in 0..3 {
        let before = database.commits();
        let written = database
            .writer
            .write(Commit::InGroup, insert(&format!("thing-{number}")))
            .await;
        written.expect("the operation succeeds");
        assert_eq!(database.commits() - before, 1);
    }
}

#[tokio::test]
async fn an_operation_that_fails_or_panics_is_undone_alone() {
    let database = Database::with(UNHURRIED).await;
    let before = database.commits();
    let held = hold(&database.writer).await;
    let writer = &database.writer;
    let one = queued(writer.write(Commit::InGroup, insert("one"))).await;
    let violating = queued(writer.write(Commit::InGroup, |conn| {
        insert("undone")(conn)?;
        insert("one")(conn)
    }))
    .await;
    let panicking = queued(writer.write(Commit::InGroup, |conn| -> Result<(), StorageError> {
        insert("undone")(conn)?;
        panic!("as the test intends")
    }))
    .await;
    let corrupt = queued(writer.write(Commit::InGroup, |conn| -> Result<(), StorageError> {
        insert("undone")(conn)?;
        Err(StorageError::row("things", "as the test intends"))
    }))
    .await;
    let other = queued(writer.write(Commit::InGroup, insert("other"))).await;

    drop(held);

    one.await.expect("it fails for no other");
    let violation = format!("{:?}", violating.await.expect_err("the name is taken"));
    assert!(violation.contains("UNIQUE"), "{violation}");
    let panicked = format!("{:?}", panicking.await.expect_err("it panics"));
    assert!(panicked.contains("Panicked"), "{panicked}");
    let corrupt = corrupt.await;
    assert!(
        matches!(corrupt, Err(StorageError::Row { table: "things", .. })),
        "{corrupt:?}"
    );
    other.await.expect("it fails for no other");
    assert_eq!(database.commits() - before, 1);
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 2);
}

#[tokio::test]
async fn the_first_operation_of_a_group_fails_alone() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let first = queued(database.writer.write(Commit::InGroup, |conn| {
        insert("undone")(conn)?;
        insert("undone")(conn)
    }))
    .await;
    let second = queued(database.writer.write(Commit::InGroup, insert("second"))).await;

    drop(held);

    first.await.expect_err("the name is taken");
    second.await.expect("it fails for no other");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 1);
}

/// SQLite undoes the whole transaction if a statement without a statement journal needs more space,
/// and the statement alone if it has one.
#[tokio::test]
async fn a_full_disk_fails_only_what_does_not_fit() {
    let with_journal = format!("{LARGE}, (zeroblob(1000000))");
    for (large, commits) in [(LARGE, 2), (&with_journal, 1)] {
        let database = Database::with(UNHURRIED).await;
        let pages = database.value("SELECT page_count AS value FROM pragma_page_count") + 20;
        let limit = execute(&format!("PRAGMA max_page_count = {pages}"));
        database
            .writer
            .write(Commit::Alone, limit)
            .await
            .expect("the limit can be set");
        let so_far = database.commits();
        let held = hold(&database.writer).await;
        let writer = &database.writer;
        let before = queued(writer.write(Commit::InGroup, insert("before"))).await;
        let too_large = queued(writer.write(Commit::InGroup, execute(large))).await;
        let after = queued(writer.write(Commit::InGroup, insert("after"))).await;

        drop(held);

        before.await.expect("there is space");
        let full = format!("{:?}", too_large.await.expect_err("there is no space"));
        assert!(full.contains("full"), "{full}");
        after.await.expect("there is space");
        assert_eq!(database.value("SELECT count(*) AS value FROM things"), 2);
        assert_eq!(database.value("SELECT count(*) AS value FROM blobs"), 0);
        assert_eq!(database.commits() - so_far, commits, "{large}");
    }
}

/// The database checks a deferred constraint when the transaction is committed.
#[tokio::test]
async fn a_commit_that_fails_fails_only_the_operation_that_caused_it() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let writer = &database.writer;
    let orphan = "INSERT INTO things VALUES ('orphan', 'nothing')";
    let one = queued(writer.write(Commit::InGroup, insert("one"))).await;
    let orphan = queued(writer.write(Commit::InGroup, execute(orphan))).await;
    let count = queued(writer.write(Commit::InGroup, |conn| {
        value(conn, "SELECT count(*) AS value FROM things")
    }))
    .await;

    drop(held);

    one.await.expect("it fails for no other");
    let violation = format!("{:?}", orphan.await.expect_err("the owner does not exist"));
    assert!(violation.contains("FOREIGN KEY"), "{violation}");
    let count = count.await.expect("it fails for no other");
    assert_eq!(count, 1, "the result is from after the orphan was undone");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 1);
}

#[tokio::test]
async fn an_error_that_was_due_to_an_undone_change_is_not_reported() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let writer = &database.writer;
    let orphan = "INSERT INTO things VALUES ('name', 'nothing')";
    let one = queued(writer.write(Commit::InGroup, insert("one"))).await;
    let orphan = queued(writer.write(Commit::InGroup, execute(orphan))).await;
    let named = queued(writer.write(Commit::InGroup, insert("name"))).await;

    drop(held);

    one.await.expect("it fails for no other");
    orphan.await.expect_err("the owner does not exist");
    named.await.expect("no thing has the name any more");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 2);
}

#[tokio::test]
async fn a_connection_in_an_unknown_state_is_replaced() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let writer = &database.writer;
    let one = queued(writer.write(Commit::InGroup, insert("one"))).await;
    let breaking = queued(writer.write(Commit::InGroup, |conn| {
        AnsiTransactionManager::transaction_manager_status_mut(conn).set_in_error();
        Ok(())
    }))
    .await;
    let other = queued(writer.write(Commit::InGroup, insert("other"))).await;

    drop(held);

    one.await.expect("it fails for no other");
    breaking.await.expect_err("the connection is unusable");
    other.await.expect("it fails for no other");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 2);
}

#[tokio::test]
async fn only_an_operation_that_has_not_started_is_withdrawn_when_its_caller_goes_away() {
    let database = Database::with(UNHURRIED).await;
    let (running, has_started) = channel();
    let (release, released) = channel::<()>();
    let started = database.writer.write(Commit::InGroup, move |conn| {
        // Both fail if the operation runs again.
        running.send(()).expect("the test waits");
        released.recv().expect_err("nothing is sent");
        insert("started")(conn)
    });
    let started = queued(started).await;
    has_started.recv().expect("the operation starts");
    let waiting = queued(database.writer.write(Commit::InGroup, insert("withdrawn"))).await;
    let last = queued(database.writer.write(Commit::InGroup, insert("last"))).await;

    drop(started);
    drop(waiting);
    drop(release);

    last.await.expect("the operation succeeds");
    let started = "SELECT count(*) AS value FROM things WHERE name = 'started'";
    assert_eq!(database.value(started), 1);
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 2);
}

#[tokio::test]
async fn groups_are_bounded_by_number_and_time_and_by_operations_that_run_alone() {
    let (group, alone) = (Commit::InGroup, Commit::Alone);
    for (limits, operations, expected) in [
        (UNHURRIED, vec![group; 5], 1),
        (
            Limits {
                operations: 2,
                ..UNHURRIED
            },
            vec![group; 5],
            3,
        ),
        (
            Limits {
                time: Duration::ZERO,
                ..UNHURRIED
            },
            vec![group; 5],
            5,
        ),
        (UNHURRIED, vec![group, group, alone, group, group], 3),
        (UNHURRIED, vec![alone; 3], 3),
    ] {
        let database = Database::with(limits).await;
        let before = database.commits();
        let held = hold(&database.writer).await;
        let mut writes = Vec::new();
        for (number, commit) in operations.iter().enumerate() {
            let write = database.writer.write(*commit, move |conn| {
                insert(&format!("thing-{number}"))(conn)?;
                value(conn, "SELECT count(*) AS value FROM things")
            });
            writes.push(queued(write).await);
        }

        drop(held);

        for (write, place) in writes.into_iter().zip(1..) {
            assert_eq!(write.await.expect("the operation succeeds"), place);
        }
        assert_eq!(database.commits() - before, expected, "{limits:?} {operations:?}");
    }
}

#[tokio::test]
async fn an_operation_that_cannot_start_in_time_is_never_executed() {
    let mut database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    database.writer.limits.wait = Duration::from_millis(1);
    let late = database.writer.write(Commit::InGroup, insert("late")).await;
    assert!(matches!(late, Err(StorageError::Busy)), "{late:?}");

    drop(held);

    database.writer.limits = UNHURRIED;
    database.alone("SELECT 1").await.expect("the writer is free");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 0);
}

/// The wait budget of a request whose deadline passes during a test.
const SHORT: Duration = Duration::from_millis(20);

fn wait_until(instant: Instant) {
    while Instant::now() < instant {
        thread::yield_now();
    }
}

#[tokio::test]
async fn abandoned_operations_use_no_memory_while_another_runs() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let mut writes = Vec::new();
    for number in 0..20 {
        let commit = if number % 2 == 0 {
            Commit::InGroup
        } else {
            Commit::Alone
        };
        writes.push(queued(database.writer.write(commit, insert("abandoned"))).await);
    }
    assert_eq!(database.writer.queue.len(), 20);

    drop(writes);

    assert_eq!(database.writer.queue.len(), 0);
    drop(held);
    database.alone("SELECT 1").await.expect("the writer is free");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 0);
}

/// The caller of a busy runtime may not notice in time that it should give up.
#[tokio::test]
async fn an_operation_past_its_deadline_is_refused_instead_of_executed() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let writer = &database.writer;
    let request = RequestScope::with_wait_budget(SHORT);
    let late = queued(request.run(writer.write(Commit::InGroup, insert("late")))).await;
    wait_until(Instant::now() + SHORT);

    drop(held);

    database
        .alone("SELECT 1")
        .await
        .expect("the late one does not hinder it");
    let late = late.await;
    assert!(matches!(late, Err(StorageError::Busy)), "{late:?}");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 0);
}

#[tokio::test]
async fn an_operation_of_a_failed_group_is_not_repeated_beyond_its_deadline() {
    let database = Database::with(UNHURRIED).await;
    let held = hold(&database.writer).await;
    let writer = &database.writer;
    let one = queued(writer.write(Commit::InGroup, insert("one"))).await;
    let request = RequestScope::with_wait_budget(SHORT);
    let late = queued(request.run(writer.write(Commit::InGroup, insert("late")))).await;
    let passed = Instant::now() + SHORT;
    let failing = queued(writer.write(Commit::InGroup, move |conn| {
        wait_until(passed);
        execute("INSERT INTO things VALUES ('orphan', 'nothing')")(conn)
    }))
    .await;

    drop(held);

    one.await.expect("it has time left");
    let late = late.await;
    assert!(matches!(late, Err(StorageError::Busy)), "{late:?}");
    failing.await.expect_err("the owner does not exist");
    assert_eq!(database.value("SELECT count(*) AS value FROM things"), 1);
}

#[tokio::test]
async fn dropping_the_writer_waits_for_what_runs_and_closes_the_file() {
    let Database {
        writer,
        path,
        _folder,
    } = Database::with(UNHURRIED).await;
    let (running, has_started) = channel();
    let (release, released) = channel::<()>();
    let last = writer.write(Commit::InGroup, move |conn| {
        running.send(()).expect("the test waits");
        released.recv().expect_err("nothing is sent");
        insert("last")(conn)
    });
    let last = queued(last).await;
    has_started.recv().expect("the operation starts");
    drop(last);

    drop(release);
    drop(writer);

    let log = path.with_file_name("db-wal");
    assert!(
        !log.exists(),
        "the last connection removes the log when it is closed"
    );
    let url = url_of(&path).expect("the path is UTF-8");
    let things = value(&mut open(&url), "SELECT count(*) AS value FROM things");
    assert_eq!(things.expect("the value can be read"), 1);
}

#[tokio::test]
async fn copies_of_pages_are_kept_in_memory_only_for_operations_of_bounded_size() {
    const IN_FILES: i64 = 1;
    const IN_MEMORY: i64 = 2;
    let database = Database::with(UNHURRIED).await;
    for (commit, expected) in [
        (Commit::InGroup, IN_MEMORY),
        (Commit::Alone, IN_FILES),
        (Commit::InGroup, IN_MEMORY),
    ] {
        let copies = database.writer.write(commit, |conn| {
            value(conn, "SELECT temp_store AS value FROM pragma_temp_store")
        });
        assert_eq!(
            copies.await.expect("the setting can be read"),
            expected,
            "{commit:?}"
        );
    }
}
