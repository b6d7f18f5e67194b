//! What stands behind the servers: the suite runs once for each.

/// One run of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One server on a file.
    Sqlite,
    /// One server on Postgres and Redis.
    PostgresRedis,
    /// Three servers on one Postgres and one Redis, each request of a client to the next of them.
    ThreeReplicas,
    /// One server on Postgres and a Redis Cluster of six.
    RedisCluster,
}

impl Mode {
    /// The run that this test program is; each is named after it.
    pub fn of_this_run() -> Self {
        match env!("CARGO_CRATE_NAME") {
            "sqlite" => Self::Sqlite,
            "postgres_redis" => Self::PostgresRedis,
            "three_replicas" => Self::ThreeReplicas,
            "redis_cluster" => Self::RedisCluster,
            other => panic!("no run is called {other}"),
        }
    }

    /// How many servers share one database.
    pub fn replicas(self) -> usize {
        match self {
            Self::ThreeReplicas => 3,
            Self::Sqlite | Self::PostgresRedis | Self::RedisCluster => 1,
        }
    }

    pub fn has_redis(self) -> bool {
        self != Self::Sqlite
    }
}
