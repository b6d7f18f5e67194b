//! The schema's versions: `migrations/sqlite`, inside the binary.

use crate::{database::SqliteDatabase, error::StorageError};
use diesel::{
    SqliteConnection,
    migration::{Migration, MigrationSource, MigrationVersion},
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::ports::PortError;

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// A migration that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// As its folder is called, such as `2026-11-22-000001_users_roles_sessions_audit`.
    pub name: String,
    pub applied: bool,
}

impl SqliteDatabase {
    /// Applies every migration that is missing, all of them or none; the names of those applied, oldest first.
    pub async fn migrate_up(&self) -> Result<Vec<String>, PortError> {
        self.write(|conn| {
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
        self.write(|conn| {
            let applied = status(conn)?.into_iter().rfind(|migration| migration.applied);
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
        self.write(status).await
    }
}

fn status(conn: &mut SqliteConnection) -> Result<Vec<MigrationStatus>, StorageError> {
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

/// A version that was applied to the database and that this program does not know.
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

/// Oldest first.
fn known() -> diesel::migration::Result<Vec<Box<dyn Migration<Sqlite>>>> {
    let mut known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    known.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
    Ok(known)
}
