//! The migrations of the schema: `migrations/sqlite`, embedded in the binary.

use crate::error::StorageError;
use diesel::{
    SqliteConnection,
    migration::{Migration, MigrationSource, MigrationVersion},
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// A migration that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The name of its folder, such as `2026-11-22-000001_users_roles_sessions_audit`.
    pub name: String,
    pub applied: bool,
}

/// Applies every migration that is missing, and returns their names, oldest first.
pub fn up(conn: &mut SqliteConnection) -> Result<Vec<String>, StorageError> {
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

/// Reverts the newest applied migration, and returns its name.
pub fn down(conn: &mut SqliteConnection) -> Result<Option<String>, StorageError> {
    let applied = status(conn)?.into_iter().rfind(|migration| migration.applied);
    if applied.is_some() {
        conn.revert_last_migration(MIGRATIONS)
            .map_err(StorageError::Statement)?;
    }
    Ok(applied.map(|migration| migration.name))
}

/// Returns every migration that this program knows, oldest first.
pub fn status(conn: &mut SqliteConnection) -> Result<Vec<MigrationStatus>, StorageError> {
    let applied = conn.applied_migrations().map_err(StorageError::Statement)?;
    let known = known().map_err(StorageError::Statement)?;
    Ok(known
        .iter()
        .map(|migration| MigrationStatus {
            name: migration.name().to_string(),
            applied: applied.contains(&migration.name().version()),
        })
        .collect())
}

/// Returns a version that was applied to the database and that this program does not know.
pub fn unknown_version(conn: &mut SqliteConnection) -> Result<Option<String>, StorageError> {
    let applied = conn.applied_migrations().map_err(StorageError::Statement)?;
    let known = known().map_err(StorageError::Statement)?;
    let is_known = |version: &MigrationVersion<'_>| {
        known
            .iter()
            .any(|migration| migration.name().version() == *version)
    };
    Ok(applied
        .iter()
        .find(|version| !is_known(version))
        .map(ToString::to_string))
}

/// Returns the known migrations, oldest first.
fn known() -> diesel::migration::Result<Vec<Box<dyn Migration<Sqlite>>>> {
    let mut known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    known.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
    Ok(known)
}
