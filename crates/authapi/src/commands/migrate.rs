use super::output;
use crate::{
    Failure,
    cli::{Listing, Migrate},
    settings::{KeysSettings, Settings},
    storage::{Database, take_server_lock},
};
use serde::Serialize;

/// Applies, reverts or lists migrations.
pub async fn run(settings: &Settings, command: Migrate) -> Result<(), Failure> {
    let Settings {
        database: settings,
        keys,
        ..
    } = settings;
    match command {
        Migrate::Up => up(&Database::open(settings).await?, keys).await,
        Migrate::Down => {
            let database = Database::open_existing(settings).await?;
            // The tables of a running server must not be dropped.
            let _lock = take_server_lock(settings)?;
            down(&database).await
        }
        Migrate::Status(listing) => status(&Database::open_existing(settings).await?, listing).await,
    }
}

async fn up(database: &Database, keys: &KeysSettings) -> Result<(), Failure> {
    let applied = database.migrate_up(keys).await?;
    if applied.is_empty() {
        return output::line("the schema is up to date");
    }
    applied
        .iter()
        .try_for_each(|name| output::line(format_args!("applied {name}")))
}

async fn down(database: &Database) -> Result<(), Failure> {
    let reverted = database
        .migrate_down()
        .await
        .map_err(|error| Failure::because("the migration was not reverted", error))?;
    match reverted {
        Some(name) => output::line(format_args!("reverted {name}")),
        None => output::line("there is no migration to revert"),
    }
}

/// A migration in the output of `migrate status`.
#[derive(Serialize)]
struct MigrationRow {
    name: String,
    applied: bool,
}

async fn status(database: &Database, listing: Listing) -> Result<(), Failure> {
    let rows: Vec<MigrationRow> = database
        .migrations()
        .await
        .map_err(|error| Failure::because("the migrations cannot be listed", error))?
        .into_iter()
        .map(|migration| MigrationRow {
            name: migration.name,
            applied: migration.applied,
        })
        .collect();
    if listing.json {
        return output::json(&rows);
    }
    rows.iter().try_for_each(|migration| {
        let state = if migration.applied { "applied" } else { "pending" };
        output::line(format_args!("{state}  {}", migration.name))
    })
}
