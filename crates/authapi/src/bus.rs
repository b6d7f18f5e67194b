//! The invalidation bus that the settings select.

use crate::{
    Failure,
    settings::{DatabaseUrl, RedisSettings, Settings, variable},
    storage::Database,
};
use adapters_postgres::{PostgresBus, PostgresDatabase};
use adapters_redis::{RedisBus, RedisClient, RedisUrl};
use api_http::SessionBus;
use domain::ports::StorageHealth;
use secrecy::{ExposeSecret, SecretString};
use session_cache::{ProcessBus, ports::InvalidationBus};
use std::sync::Arc;

/// The channel of the bus. All services on one Redis or in one database share it; invalidations of
/// unknown sessions have no effect.
pub const CHANNEL: &str = "authapi:invalidations";

/// What carries invalidations between processes that share a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// Nothing: a SQLite file has only one server.
    Process,
    /// LISTEN and NOTIFY.
    Postgres,
    Redis,
}

impl BusKind {
    /// Returns the kind that the settings select.
    pub fn of(settings: &Settings) -> Self {
        match (&settings.redis.url, &settings.database.url) {
            (Some(_), _) => Self::Redis,
            (None, DatabaseUrl::Postgres(_)) => Self::Postgres,
            (None, DatabaseUrl::Sqlite(_)) => Self::Process,
        }
    }

    /// Returns the name in the log, in metrics and in the entries of replicas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

impl From<BusKind> for SessionBus {
    fn from(kind: BusKind) -> Self {
        match kind {
            BusKind::Process => Self::Process,
            BusKind::Postgres => Self::Postgres,
            BusKind::Redis => Self::Redis,
        }
    }
}

/// How to open the bus. Cheap to clone.
#[derive(Clone)]
pub struct BusSettings {
    redis: RedisSettings,
    /// The database, if it is on Postgres.
    postgres: Option<PostgresDatabase>,
    listen_url: Option<SecretString>,
}

/// An open bus.
pub struct Bus {
    pub port: Arc<dyn InvalidationBus>,
    /// The health of a bus in Postgres. That of Redis covers its bus.
    pub health: Option<Arc<dyn StorageHealth>>,
    /// Present if Redis is configured.
    pub redis: Option<RedisClient>,
}

impl BusSettings {
    pub fn new(settings: &Settings, database: &Database) -> Self {
        let listen_url = match &settings.database.listen_url {
            Some(DatabaseUrl::Postgres(url)) => Some(url.clone()),
            Some(DatabaseUrl::Sqlite(_)) | None => None,
        };
        Self {
            redis: settings.redis.clone(),
            postgres: database.postgres().cloned(),
            listen_url,
        }
    }

    /// Opens the bus. It connects in the background.
    ///
    /// # Errors
    /// If a URL cannot be used; the message names the setting.
    pub fn open(&self) -> Result<Bus, Failure> {
        if let Some(redis) = open_redis(&self.redis)? {
            return Ok(Bus {
                port: Arc::new(RedisBus::new(redis.clone(), CHANNEL)),
                health: None,
                redis: Some(redis),
            });
        }
        let Some(postgres) = &self.postgres else {
            return Ok(Bus::in_process());
        };
        let listen_url = self.listen_url.as_ref().map(ExposeSecret::expose_secret);
        let bus = PostgresBus::open(postgres, listen_url, CHANNEL)
            .map_err(|error| Failure::because(variable("database.listen_url"), error))?;
        Ok(Bus {
            health: Some(Arc::new(bus.clone())),
            port: Arc::new(bus),
            redis: None,
        })
    }
}

impl Bus {
    /// Returns a bus without other processes.
    pub fn in_process() -> Self {
        Self {
            port: Arc::new(ProcessBus::default()),
            health: None,
            redis: None,
        }
    }
}

/// Opens the Redis that replicas share, if configured.
fn open_redis(settings: &RedisSettings) -> Result<Option<RedisClient>, Failure> {
    let Some(url) = &settings.url else {
        return Ok(None);
    };
    let unusable = || variable("redis.url");
    let url = RedisUrl::parse(url.expose_secret()).map_err(|error| Failure::because(unusable(), error))?;
    let client = RedisClient::open(&url, RedisClient::COMMAND_BOUND)
        .map_err(|error| Failure::because(unusable(), error))?;
    Ok(Some(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(postgres: bool, redis: bool) -> Settings {
        let mut settings = Settings::default();
        if postgres {
            settings.database.url = DatabaseUrl::Postgres("postgres://db/authapi".into());
        }
        settings.redis.url = redis.then(|| "redis://cache".into());
        settings
    }

    #[test]
    fn redis_carries_the_bus_if_it_is_configured_and_otherwise_the_database_does() {
        for (postgres, redis, kind) in [
            (false, false, BusKind::Process),
            (true, false, BusKind::Postgres),
            (true, true, BusKind::Redis),
            (false, true, BusKind::Redis),
        ] {
            assert_eq!(BusKind::of(&settings(postgres, redis)), kind);
        }
    }
}
