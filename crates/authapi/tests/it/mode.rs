//! The database and Redis of a run. The suite runs once for each mode.

/// The mode of one run of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One server on a SQLite file.
    Sqlite,
    /// One server on Postgres and Redis.
    PostgresRedis,
    /// Three servers on one Postgres and one Redis; a client sends each request to the next of
    /// them.
    ThreeReplicas,
    /// One server on Postgres and a Redis Cluster of six nodes.
    RedisCluster,
}

impl Mode {
    /// The mode of this test program, derived from its name.
    pub fn of_this_run() -> Self {
        match env!("CARGO_CRATE_NAME") {
            "sqlite" => Self::Sqlite,
            "postgres_redis" => Self::PostgresRedis,
            "three_replicas" => Self::ThreeReplicas,
            "redis_cluster" => Self::RedisCluster,
            other => panic!("the test program {other} has no mode"),
        }
    }

    /// The number of servers that share one database.
    pub fn replicas(self) -> usize {
        match self {
            Self::ThreeReplicas => 3,
            Self::Sqlite | Self::PostgresRedis | Self::RedisCluster => 1,
        }
    }

    pub fn has_redis(self) -> bool {
        self != Self::Sqlite
    }

    /// The name of what carries invalidations between servers.
    pub fn bus(self) -> &'static str {
        if self.has_redis() { "redis" } else { "process" }
    }
}
