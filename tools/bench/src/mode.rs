//! What the service stands on.

use clap::ValueEnum;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One process and a file.
    Sqlite,
    /// One replica on Postgres and Redis.
    Postgres,
    /// Three replicas on Postgres and Redis.
    ThreeReplicas,
    /// One replica on Postgres alone, which is read at each request.
    PostgresAlone,
}

impl Mode {
    pub const ALL: [Self; 4] = [
        Self::Sqlite,
        Self::Postgres,
        Self::PostgresAlone,
        Self::ThreeReplicas,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres + Redis",
            Self::ThreeReplicas => "Postgres + Redis, 3 replicas",
            Self::PostgresAlone => "Postgres",
        }
    }

    pub fn replicas(self) -> usize {
        match self {
            Self::ThreeReplicas => 3,
            Self::Sqlite | Self::Postgres | Self::PostgresAlone => 1,
        }
    }

    pub fn has_postgres(self) -> bool {
        self != Self::Sqlite
    }

    pub fn has_redis(self) -> bool {
        matches!(self, Self::Postgres | Self::ThreeReplicas)
    }
}
