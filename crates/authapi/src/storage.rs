//! The database selected by the settings.

use crate::{
    Failure,
    audit_keys::AuditKeys,
    sealing::Sealing,
    settings::{DatabaseSettings, DatabaseUrl, KeysSettings, variable},
};
use adapters_postgres::{PoolSettings, PostgresDatabase, PostgresStorage};
use adapters_sqlite::{ServerLock, SqliteDatabase, SqliteStorage};
use domain::{
    audit::KeyTrace,
    ports::{DatabaseClock, KeyUses, PortError, Replicas, Storage},
};
use secrecy::ExposeSecret;
use session_cache::ports::ReplicaLeases;
use std::{
    path::{self, Path},
    sync::Arc,
};

/// The ports of an open database.
pub struct DatabasePorts {
    pub storage: Storage,
    pub leases: Arc<dyn ReplicaLeases>,
    /// `None` for SQLite, which runs in this process and has no clock of its own.
    pub clock: Option<Arc<dyn DatabaseClock>>,
    pub replicas: Arc<dyn Replicas>,
    pub key_uses: Arc<dyn KeyUses>,
    /// Whether the database has one server at a time, as SQLite has.
    pub has_one_server: bool,
    /// `None` for SQLite, which seals audit events at once.
    pub sealing: Option<Sealing>,
}

/// An open database.
pub enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

/// A migration, and whether it is applied.
pub struct Migration {
    pub name: String,
    pub applied: bool,
}

impl Database {
    /// Opens the database. Creates a missing SQLite file and its folder. Does not migrate the
    /// schema.
    ///
    /// # Errors
    /// If the database cannot be used; the message states the remedy.
    pub async fn open(settings: &DatabaseSettings) -> Result<Self, Failure> {
        let unusable = "the database cannot be used";
        match &settings.url {
            DatabaseUrl::Sqlite(path) => SqliteDatabase::open(path)
                .await
                .map(Self::Sqlite)
                .map_err(|error| Failure::because(unusable, error)),
            DatabaseUrl::Postgres(url) => {
                let pool = PoolSettings {
                    max_size: settings.pool_size.get(),
                    ..PoolSettings::default()
                };
                PostgresDatabase::connect(url.expose_secret(), pool)
                    .await
                    .map(Self::Postgres)
                    .map_err(|error| Failure::because(unusable, error))
            }
        }
    }

    /// Returns the database if it is on Postgres.
    pub fn postgres(&self) -> Option<&PostgresDatabase> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(database) => Some(database),
        }
    }

    /// Opens the database for a server; see [`open`](Self::open). This process is then the only
    /// server of a SQLite file. A Postgres database can have several.
    ///
    /// # Errors
    /// If a SQLite file has another server, or the database cannot be used; the message states the
    /// remedy.
    pub async fn open_as_server(settings: &DatabaseSettings) -> Result<Self, Failure> {
        match &settings.url {
            DatabaseUrl::Sqlite(path) => SqliteDatabase::open_as_server(path)
                .await
                .map(Self::Sqlite)
                .map_err(|error| Failure::because("the database cannot be used", error)),
            DatabaseUrl::Postgres(_) => Self::open(settings).await,
        }
    }

    /// Opens a database that exists; never creates a file.
    ///
    /// # Errors
    /// If there is no database, or it cannot be used; the message states the remedy.
    pub async fn open_existing(settings: &DatabaseSettings) -> Result<Self, Failure> {
        match &settings.url {
            DatabaseUrl::Sqlite(path) if is_missing(path) => Err(missing_file(path)),
            _ => Self::open(settings).await,
        }
    }

    /// Returns whether a start would create the database or its schema.
    pub async fn is_new(settings: &DatabaseSettings) -> Result<bool, Failure> {
        match &settings.url {
            DatabaseUrl::Sqlite(path) if is_missing(path) => Ok(true),
            _ => Self::open(settings).await?.is_empty().await,
        }
    }

    /// Checks that migrations have been applied to this database.
    ///
    /// # Errors
    /// If not; the message states the remedy.
    pub async fn check_schema(&self) -> Result<(), Failure> {
        if !self.is_empty().await? {
            return Ok(());
        }
        Err(Failure::new(format!(
            "the database of {} contains no tables of authapi; correct the setting, or create them with `authapi \
             migrate up`",
            variable("database.url")
        )))
    }

    /// Checks that no migration is missing.
    ///
    /// # Errors
    /// If one is; the message states the remedy.
    pub async fn check_migrated(&self) -> Result<(), Failure> {
        match self
            .read_migrations()
            .await?
            .into_iter()
            .find(|migration| !migration.applied)
        {
            None => Ok(()),
            Some(missing) => Err(Failure::new(format!(
                "the database lacks the migration {}; apply it with `authapi migrate up`",
                missing.name
            ))),
        }
    }

    /// Returns whether no migration is applied, so that the database is a new one.
    async fn is_empty(&self) -> Result<bool, Failure> {
        Ok(is_new(&self.read_migrations().await?))
    }

    /// Returns which audit key the database was used with. Seals nothing. The schema must be up to
    /// date.
    pub async fn key_trace(&self) -> Result<KeyTrace, Failure> {
        let trace = match self {
            Self::Sqlite(database) => database.key_trace().await,
            Self::Postgres(database) => database.key_trace().await,
        };
        trace.map_err(|error| Failure::because("the audit log cannot be read", error))
    }

    /// Returns the ports over this database, whose schema must be up to date. `audit_keys` seal the
    /// audit log.
    pub fn ports(&self, audit_keys: &AuditKeys) -> DatabasePorts {
        let sealer = audit_keys.sealer();
        match self {
            Self::Sqlite(database) => {
                let storage = Arc::new(SqliteStorage::new(database, sealer));
                DatabasePorts {
                    storage: Storage::over(&storage),
                    leases: Arc::clone(&storage) as _,
                    clock: None,
                    replicas: Arc::clone(&storage) as _,
                    key_uses: storage,
                    has_one_server: true,
                    sealing: None,
                }
            }
            Self::Postgres(database) => {
                let mut storage = PostgresStorage::new(database, sealer);
                if audit_keys.only_verifies() {
                    storage = storage.without_sealing();
                }
                let storage = Arc::new(storage);
                DatabasePorts {
                    storage: Storage::over(&storage),
                    leases: Arc::clone(&storage) as _,
                    clock: Some(Arc::clone(&storage) as _),
                    sealing: Some(Sealing::new(Arc::clone(&storage))),
                    replicas: Arc::clone(&storage) as _,
                    key_uses: storage,
                    has_one_server: false,
                }
            }
        }
    }

    /// Applies pending migrations, and returns their names. If none is pending, reads only the list
    /// of migrations, and takes no lock. Before a new database gets its schema, the checkpoint in
    /// the key folder is set aside.
    pub async fn migrate_up(&self, keys: &KeysSettings) -> Result<Vec<String>, Failure> {
        let migrations = self.read_migrations().await?;
        if migrations.iter().all(|migration| migration.applied) {
            return Ok(Vec::new());
        }
        if is_new(&migrations) {
            AuditKeys::set_checkpoint_aside(keys)?;
        }
        let done = match self {
            Self::Sqlite(database) => database.migrate_up().await,
            Self::Postgres(database) => database.migrate_up().await,
        };
        done.map_err(|error| Failure::because("the database schema cannot be migrated", error))
    }

    /// Reverts the newest migration, and returns its name; `None` if no migration is applied.
    pub async fn migrate_down(&self) -> Result<Option<String>, PortError> {
        // Reverting would first create the table of migrations.
        if is_new(&self.migrations().await?) {
            return Ok(None);
        }
        match self {
            Self::Sqlite(database) => database.migrate_down().await,
            Self::Postgres(database) => database.migrate_down().await,
        }
    }

    async fn read_migrations(&self) -> Result<Vec<Migration>, Failure> {
        let migrations = self.migrations().await;
        migrations.map_err(|error| Failure::because("the database cannot be read", error))
    }

    /// Returns all migrations of this program, oldest first.
    pub async fn migrations(&self) -> Result<Vec<Migration>, PortError> {
        Ok(match self {
            Self::Sqlite(database) => database
                .migration_status()
                .await?
                .into_iter()
                .map(|status| Migration {
                    name: status.name,
                    applied: status.applied,
                })
                .collect(),
            Self::Postgres(database) => database
                .migration_status()
                .await?
                .into_iter()
                .map(|status| Migration {
                    name: status.name,
                    applied: status.applied,
                })
                .collect(),
        })
    }
}

/// Returns whether none of `migrations` is applied.
fn is_new(migrations: &[Migration]) -> bool {
    !migrations.iter().any(|migration| migration.applied)
}

/// Returns whether there is no file at `path`. Opening reports other faults better.
fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// Returns the failure to open the missing file at `path`, which is shown in full: it is often
/// missing because the command runs in another directory.
fn missing_file(path: &Path) -> Failure {
    let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Failure::new(format!(
        "the database {} does not exist; run this command in the directory of the service, correct {}, or create the \
         database with `authapi migrate up`",
        path.display(),
        variable("database.url")
    ))
}

/// Takes the lock of a SQLite file. While it is held, no server can start. Postgres has no lock.
///
/// # Errors
/// If a server holds the lock.
pub fn take_server_lock(settings: &DatabaseSettings) -> Result<Option<ServerLock>, Failure> {
    match &settings.url {
        DatabaseUrl::Sqlite(path) => ServerLock::take(path)
            .map(Some)
            .map_err(|error| Failure::because("the database cannot be used", error)),
        DatabaseUrl::Postgres(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::settings;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[tokio::test]
    async fn a_start_without_pending_migrations_reads_the_list_once_and_does_not_migrate() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let settings = settings(folder.path());
        let recorder = PrometheusBuilder::new().build_recorder();
        let recording = metrics::set_default_local_recorder(&recorder);
        let database = Database::open(&settings.database).await;
        let database = database.expect("the database can be opened");
        drop(recording);
        // SQLite reads the list in a transaction that can write.
        let transactions = || {
            let shown = recorder.handle().render();
            let count = shown
                .lines()
                .find_map(|line| line.strip_prefix("authapi_db_commits_total{pool=\"writer\"} "));
            count
                .and_then(|count| count.parse::<u64>().ok())
                .expect("commits are counted")
        };
        let applied = database.migrate_up(&settings.keys).await;
        assert!(!applied.expect("the database is new").is_empty());
        let before = transactions();

        let applied = database.migrate_up(&settings.keys).await;

        assert!(applied.expect("the schema is up to date").is_empty());
        assert_eq!(transactions() - before, 1);
    }
}
