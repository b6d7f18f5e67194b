//! Databases and Redis servers for one test, deleted when it ends.

use crate::mode::Mode;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use std::path::{Path, PathBuf};
use testservers::{FreshDatabase, Own, Redis, RedisCluster};
use tokio_postgres::NoTls;

/// An empty database for one test.
pub enum Database {
    /// A file, created by the first start.
    Sqlite(PathBuf),
    Postgres(FreshDatabase),
}

impl Database {
    /// Creates a file path in `folder`, or a database on the Postgres of this run.
    pub fn fresh(folder: &Path) -> Self {
        match Mode::of_this_run() {
            Mode::Sqlite => Self::Sqlite(folder.join("data/authapi.db")),
            Mode::PostgresRedis | Mode::ThreeReplicas | Mode::RedisCluster => {
                Self::Postgres(testservers::postgres().fresh_database())
            }
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite://{}", file.display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    /// Returns whether a start or a command has created the database: the file, or the tables.
    pub async fn exists(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.exists(),
            Self::Postgres(_) => {
                let query =
                    "SELECT tablename::text AS finding FROM pg_tables WHERE schemaname = current_schema()";
                !self.find(query).await.is_empty()
            }
        }
    }

    /// Returns what messages call the database.
    pub fn name(&self) -> &str {
        match self {
            Self::Sqlite(file) => file.to_str().expect("UTF-8"),
            Self::Postgres(_) => "the database of AUTHAPI_DATABASE__URL",
        }
    }

    /// Runs `query`, which returns one text column named `finding`.
    pub async fn find(&self, query: &str) -> Vec<String> {
        match self {
            Self::Sqlite(file) => find_in_file(file, query),
            Self::Postgres(database) => find_in_postgres(database.url(), query).await,
        }
    }
}

impl Database {
    /// Changes the database directly, not through the program.
    pub async fn tamper(&self, statements: &str) {
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::establish(&file.display().to_string())
                    .expect("the database accepts connections");
                connection
                    .batch_execute(statements)
                    .expect("the statements succeed");
            }
            Self::Postgres(database) => {
                let (client, connection) = tokio_postgres::connect(database.url(), NoTls)
                    .await
                    .expect("the database accepts connections");
                let connection = tokio::spawn(connection);
                client
                    .batch_execute(statements)
                    .await
                    .expect("the statements succeed");
                drop(client);
                connection
                    .await
                    .expect("the task does not panic")
                    .expect("the connection ends without an error");
            }
        }
    }
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    finding: String,
}

fn find_in_file(file: &Path, query: &str) -> Vec<String> {
    let mut connection =
        SqliteConnection::establish(&file.display().to_string()).expect("the database accepts connections");
    let findings: Vec<Finding> = sql_query(query)
        .load(&mut connection)
        .expect("the query succeeds");
    findings.into_iter().map(|row| row.finding).collect()
}

/// The events of committed changes, whether or not they are sealed yet.
const ALL_EVENTS: &str = "WITH all_events AS (
    SELECT number, action, user_id, session_id, request_id, details FROM audit_trail
    UNION ALL SELECT 1000000000 + seq, action, user_id, session_id, request_id, details FROM audit_pending)";

/// Makes a query of the audit log cover pending events.
fn with_pending_events(query: &str) -> String {
    if query.contains("audit_trail") {
        format!("{ALL_EVENTS} {}", query.replace("audit_trail", "all_events"))
    } else {
        query.to_owned()
    }
}

async fn find_in_postgres(url: &str, query: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the database accepts connections");
    let connection = tokio::spawn(connection);
    let query = with_pending_events(query);
    let rows = client.query(&query, &[]).await.expect("the query succeeds");
    drop(client);
    connection
        .await
        .expect("the task does not panic")
        .expect("the connection ends without an error");
    rows.iter().map(|row| row.get("finding")).collect()
}

/// A Redis, or a cluster, for one test. Each test needs its own, because attempts are counted per
/// client address and all tests use one address.
pub enum OwnRedis {
    Single(Own<Redis>),
    Cluster(RedisCluster),
}

impl OwnRedis {
    /// Starts a Redis or a cluster; returns `None` if this run uses no Redis.
    pub fn start() -> Option<Self> {
        match Mode::of_this_run() {
            Mode::Sqlite => None,
            Mode::PostgresRedis | Mode::ThreeReplicas => Some(Self::Single(Redis::start_own())),
            Mode::RedisCluster => Some(Self::Cluster(RedisCluster::start(6))),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Single(redis) => redis.url().to_owned(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }
}

/// The URL of the Redis shared by the tests of this run, if there is one.
pub fn shared_redis_url() -> Option<String> {
    match Mode::of_this_run() {
        Mode::Sqlite => None,
        Mode::PostgresRedis | Mode::ThreeReplicas => Some(testservers::redis().url().to_owned()),
        Mode::RedisCluster => Some(testservers::redis_cluster().url()),
    }
}
