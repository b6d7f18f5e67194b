//! The storage contract on a real server, and what is Postgres' own.

mod administration;
#[path = "../../../../tools/testkit/tests/it/escalation.rs"]
mod escalation;
mod failing;
mod migrations;
mod opening;
mod sharing;
mod snapshots;

use adapters_postgres::{PoolSettings, PostgresDatabase, PostgresStorage};
use domain::user::UserPage;
use std::{sync::Arc, time::Duration};
use testkit::{Storage, ToySealer, contract::replica_leases::FreshLeases};
use testservers::{FreshDatabase, postgres};

testkit::storage_contract!(super::fresh);
testkit::replica_leases_contract!(super::fresh_leases);

/// How many sequences of calls are played in the hope for more rights: each has a database of its own.
const ESCALATIONS: u32 = 32;

async fn fresh() -> (Storage, FreshDatabase) {
    let database = postgres().fresh_database();
    let storage = storage_at(database.url()).await;
    (storage, database)
}

/// The leases as two replicas see them.
async fn fresh_leases() -> (FreshLeases, FreshDatabase) {
    let database = postgres().fresh_database();
    let (one, other) = (patient(database.url()).await, patient(database.url()).await);
    one.migrate_up().await.expect("a schema");
    let fresh = FreshLeases {
        leases: PostgresStorage::new(&one, Arc::new(ToySealer)).leases,
        other: PostgresStorage::new(&other, Arc::new(ToySealer)).leases,
    };
    (fresh, database)
}

/// Storage in the database at `url`, up to date.
async fn storage_at(url: &str) -> Storage {
    let database = patient(url).await;
    database.migrate_up().await.expect("a schema");
    storage_in(&database)
}

/// The database at `url`, waited for by those who share a busy machine.
async fn patient(url: &str) -> PostgresDatabase {
    let settings = PoolSettings {
        max_size: 8,
        acquire_timeout: Duration::from_secs(20),
        answer_timeout: Duration::from_secs(30),
    };
    PostgresDatabase::connect(url, settings)
        .await
        .expect("a database")
}

fn storage_in(database: &PostgresDatabase) -> Storage {
    let storage = PostgresStorage::new(database, Arc::new(ToySealer));
    Storage {
        users: storage.users,
        sessions: storage.sessions,
        snapshots: storage.snapshots,
        roles: storage.roles,
        audit: storage.audit,
        health: storage.health,
    }
}

fn first(limit: u32) -> UserPage {
    UserPage { after: None, limit }
}
