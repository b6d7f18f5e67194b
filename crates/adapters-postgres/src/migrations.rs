//! The schema's versions: `migrations/postgres`, inside the binary.

use crate::{database::PostgresDatabase, error::StorageError};
use diesel::{
    QueryableByName,
    migration::{Migration, MigrationSource},
    pg::Pg,
    sql_query,
    sql_types::{Bool, Text},
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, async_connection_wrapper::AsyncConnectionWrapper,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::ports::PortError;
use std::collections::BTreeSet;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// One program at a time in one schema; the others wait. The lock goes with the connection, however that ends. What a
/// migration does may take its time, but not while it keeps everybody else waiting for a table.
const LOCK: &str = "SET statement_timeout = 0; SET lock_timeout = '60s';
    SELECT pg_advisory_lock(hashtextextended('authapi migrations ' || coalesce(current_schema(), ''), 0));
    SET lock_timeout = '5s';";

/// A migration that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// As its folder is called, such as `2026-11-22-000001_users_roles_sessions_audit`.
    pub name: String,
    pub applied: bool,
}

impl PostgresDatabase {
    /// Applies every migration that is missing, each whole or not at all; the names of those applied, oldest first.
    pub async fn migrate_up(&self) -> Result<Vec<String>, PortError> {
        self.migrate(|conn| {
            let missing = conn
                .pending_migrations(MIGRATIONS)
                .map_err(StorageError::Statement)?;
            for migration in &missing {
                conn.run_migration(migration.as_ref())
                    .map_err(StorageError::Statement)?;
            }
            Ok(missing
                .iter()
                .map(|migration| migration.name().to_string())
                .collect())
        })
        .await
    }

    /// Takes the newest applied migration back, with all that it holds; its name, or `None` when there is none.
    pub async fn migrate_down(&self) -> Result<Option<String>, PortError> {
        self.migrate(|conn| {
            let versions = conn.applied_migrations().map_err(StorageError::Statement)?;
            let applied = status(&versions.iter().map(ToString::to_string).collect())?
                .into_iter()
                .rfind(|migration| migration.applied);
            if applied.is_some() {
                conn.revert_last_migration(MIGRATIONS)
                    .map_err(StorageError::Statement)?;
            }
            Ok(applied.map(|migration| migration.name))
        })
        .await
    }

    /// Every migration that this program knows, oldest first.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, PortError> {
        self.read((), |conn, ()| {
            Box::pin(async move { status(&applied(conn).await?) })
        })
        .await
    }

    /// Does `work` while no other program migrates, on a connection of its own and for as long as it takes.
    async fn migrate<R: Send + 'static>(
        &self,
        work: fn(&mut AsyncConnectionWrapper<AsyncPgConnection>) -> Result<R, StorageError>,
    ) -> Result<R, PortError> {
        let done = self.apart(move |mut conn| async move {
            conn.batch_execute(LOCK).await?;
            // Not block_in_place, as diesel-async's harness does: that needs a runtime with many threads.
            tokio::task::spawn_blocking(move || work(&mut conn.into()))
                .await
                .map_err(|error| StorageError::Statement(error.into()))?
        });
        Ok(done.await?)
    }
}

fn status(applied: &BTreeSet<String>) -> Result<Vec<MigrationStatus>, StorageError> {
    let told = |migration: Box<dyn Migration<Pg>>| MigrationStatus {
        name: migration.name().to_string(),
        applied: applied.contains(&migration.name().version().to_string()),
    };
    Ok(known()?.into_iter().map(told).collect())
}

/// A version that was applied to the database and that this program does not know.
pub async fn unknown_version(conn: &mut AsyncPgConnection) -> Result<Option<String>, StorageError> {
    let known: BTreeSet<String> = known()?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    Ok(applied(conn).await?.difference(&known).next().cloned())
}

/// The versions that were applied. Only looks: diesel's own way of asking makes the table first, which a server needs no
/// right to do.
async fn applied(conn: &mut AsyncPgConnection) -> Result<BTreeSet<String>, StorageError> {
    #[derive(QueryableByName)]
    struct There {
        #[diesel(sql_type = Bool)]
        there: bool,
    }
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let table = sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS there");
    if !table.get_result::<There>(conn).await?.there {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<Version> = sql_query("SELECT version::text FROM __diesel_schema_migrations")
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Oldest first.
fn known() -> Result<Vec<Box<dyn Migration<Pg>>>, StorageError> {
    let mut known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(StorageError::Statement)?;
    known.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
    Ok(known)
}
