//! The storage and the replicas of the measured service.

use clap::ValueEnum;
use serde::Serialize;

/// The storage of the measured service and the number of its replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One process with a SQLite file.
    Sqlite,
    /// One replica with Postgres and Redis.
    Postgres,
    /// Three replicas with Postgres and Redis.
    ThreeReplicas,
    /// One replica with Postgres only.
    PostgresAlone,
}

impl Mode {
    /// All modes, in the order of the report.
    pub const ALL: [Self; 4] = [
        Self::Sqlite,
        Self::Postgres,
        Self::PostgresAlone,
        Self::ThreeReplicas,
    ];

    /// Returns the name in tables and charts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres + Redis",
            Self::ThreeReplicas => "Postgres + Redis, 3 replicas",
            Self::PostgresAlone => "Postgres",
        }
    }

    /// Returns the number of replicas.
    pub fn replicas(self) -> usize {
        match self {
            Self::ThreeReplicas => 3,
            Self::Sqlite | Self::Postgres | Self::PostgresAlone => 1,
        }
    }

    /// Returns whether the service uses Postgres.
    pub fn has_postgres(self) -> bool {
        self != Self::Sqlite
    }

    /// Returns whether the service uses Redis.
    pub fn has_redis(self) -> bool {
        matches!(self, Self::Postgres | Self::ThreeReplicas)
    }
}
