//! The migrations of the schema: `migrations/postgres`, embedded in the binary.

use crate::error::StorageError;
use diesel::{
    QueryableByName,
    migration::{Migration, MigrationSource},
    pg::Pg,
    sql_query,
    sql_types::{Bool, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::collections::BTreeSet;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// A migration that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The name of its folder, such as `2026-11-22-000001_users_roles_sessions_audit`.
    pub name: String,
    pub applied: bool,
}

/// A connection that blocks, as diesel's migrations need it.
pub type BlockingConnection = AsyncConnectionWrapper<AsyncPgConnection>;

/// Applies every missing migration; returns their names, oldest first.
pub fn up(conn: &mut BlockingConnection) -> Result<Vec<String>, StorageError> {
    let missing = conn
        .pending_migrations(MIGRATIONS)
        .map_err(StorageError::Statement)?;
    for migration in &missing {
        conn.run_migration(migration.as_ref())
            .map_err(StorageError::Statement)?;
    }
    let names = missing.iter().map(|migration| migration.name().to_string());
    Ok(names.collect())
}

/// Reverts the newest applied migration; returns its name, or `None` if there is none.
pub fn down(conn: &mut BlockingConnection) -> Result<Option<String>, StorageError> {
    let versions = conn.applied_migrations().map_err(StorageError::Statement)?;
    let applied = statuses(&versions.iter().map(ToString::to_string).collect())?
        .into_iter()
        .rfind(|migration| migration.applied);
    if applied.is_some() {
        conn.revert_last_migration(MIGRATIONS)
            .map_err(StorageError::Statement)?;
    }
    Ok(applied.map(|migration| migration.name))
}

/// Returns every migration that this program knows, oldest first.
pub async fn status(conn: &mut AsyncPgConnection) -> Result<Vec<MigrationStatus>, StorageError> {
    statuses(&applied(conn).await?)
}

fn statuses(applied: &BTreeSet<String>) -> Result<Vec<MigrationStatus>, StorageError> {
    let status = |migration: Box<dyn Migration<Pg>>| MigrationStatus {
        name: migration.name().to_string(),
        applied: applied.contains(&migration.name().version().to_string()),
    };
    Ok(known()?.into_iter().map(status).collect())
}

/// Returns a version that was applied to the database and that this program does not know.
pub async fn unknown_version(conn: &mut AsyncPgConnection) -> Result<Option<String>, StorageError> {
    let known: BTreeSet<String> = known()?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    Ok(applied(conn).await?.difference(&known).next().cloned())
}

/// Returns the versions that were applied. diesel's own function creates the table first, for which
/// a server needs no permission.
async fn applied(conn: &mut AsyncPgConnection) -> Result<BTreeSet<String>, StorageError> {
    #[derive(QueryableByName)]
    struct Table {
        #[diesel(sql_type = Bool)]
        exists: bool,
    }
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let table = sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS exists");
    if !table.get_result::<Table>(conn).await?.exists {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<Version> = sql_query("SELECT version::text FROM __diesel_schema_migrations")
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Returns the known migrations, oldest first.
fn known() -> Result<Vec<Box<dyn Migration<Pg>>>, StorageError> {
    let mut known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(StorageError::Statement)?;
    known.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
    Ok(known)
}
