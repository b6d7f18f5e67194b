//! The storage contract on a real server, and tests specific to Postgres.

mod administration;
mod bus;
#[path = "../../../../tools/testkit/tests/it/escalation.rs"]
mod escalation;
mod failing;
mod health;
mod migrations;
mod opening;
mod replays;
mod rolling_upgrade;
mod rotations;
mod sealing;
mod sharing;
mod snapshots;
mod standby;
mod tampering;

use adapters_postgres::{PoolSettings, PostgresDatabase, PostgresStorage};
use domain::{
    audit::AuditContext,
    changes::{Applied, CatalogueChange, CatalogueCommand, ChangeError, Command, OpenSession, RegisterUser},
    ports::{DatabaseClock, KeyUses, Replicas},
    session::NewSession,
    user::{Epoch, NewUser, UserPage},
};
use std::{sync::Arc, time::Duration};
use testkit::{
    Storage, ToySealer,
    contract::replica_leases::FreshLeases,
    fixtures::{a_session, at, context},
};
use testservers::{FreshDatabase, postgres};

testkit::storage_contract!(super::fresh);
testkit::replica_leases_contract!(super::fresh_leases);
testkit::database_clock_contract!(super::fresh_clock);
testkit::replicas_contract!(super::fresh_replicas);
testkit::key_uses_contract!(super::fresh_key_uses);

/// A call ends within a second when the server is blocked or hangs, and succeeds within two seconds
/// of its recovery. The rest is for a busy machine: without a limit, a call would never return.
const IN_TIME: Duration = Duration::from_secs(20);
/// How many sequences of calls are tried that might lead to more rights. Each has its own database.
const ESCALATIONS: u32 = 32;

async fn fresh() -> (Storage, FreshDatabase) {
    let database = postgres().fresh_database();
    let storage = storage_at(database.url()).await;
    (storage, database)
}

async fn fresh_clock() -> (Arc<dyn DatabaseClock>, FreshDatabase) {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    (
        Arc::new(PostgresStorage::new(&database, Arc::new(ToySealer))),
        fresh,
    )
}

async fn fresh_replicas() -> (Arc<dyn Replicas>, FreshDatabase) {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("a schema");
    let storage = PostgresStorage::new(&database, Arc::new(ToySealer));
    (Arc::new(storage), fresh)
}

async fn fresh_key_uses() -> (Arc<dyn KeyUses>, FreshDatabase) {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("a schema");
    let storage = PostgresStorage::new(&database, Arc::new(ToySealer));
    (Arc::new(storage), fresh)
}

/// Opens one database as two replicas, for the contract of leases.
async fn fresh_leases() -> (FreshLeases, FreshDatabase) {
    let database = postgres().fresh_database();
    let (one, other) = (
        connect_unhurried(database.url()).await,
        connect_unhurried(database.url()).await,
    );
    one.migrate_up().await.expect("migrating succeeds");
    let fresh = FreshLeases {
        leases: Arc::new(PostgresStorage::new(&one, Arc::new(ToySealer))),
        other: Arc::new(PostgresStorage::new(&other, Arc::new(ToySealer))),
    };
    (fresh, database)
}

/// Opens storage in the database at `url` with the current schema.
async fn storage_at(url: &str) -> Storage {
    let database = connect_unhurried(url).await;
    database.migrate_up().await.expect("migrating succeeds");
    storage_in(&database)
}

/// Connects to the database at `url` with long time limits, since tests share a busy machine.
async fn connect_unhurried(url: &str) -> PostgresDatabase {
    let settings = PoolSettings {
        max_size: 8,
        acquire_timeout: Duration::from_secs(20),
        answer_timeout: Duration::from_secs(30),
    };
    PostgresDatabase::connect(url, settings)
        .await
        .expect("the database can be opened")
}

fn storage_in(database: &PostgresDatabase) -> Storage {
    Storage::over(&Arc::new(PostgresStorage::new(database, Arc::new(ToySealer))))
}

async fn execute(
    storage: &Storage,
    command: impl Command + 'static,
    context: AuditContext,
) -> Result<Applied, ChangeError> {
    storage.accounts.execute(Arc::new(command), context).await
}

async fn execute_on_catalogue(
    storage: &Storage,
    command: impl CatalogueCommand + 'static,
    context: AuditContext,
) -> Result<CatalogueChange, ChangeError> {
    storage.roles.execute(Arc::new(command), context).await
}

async fn register(storage: &Storage, user: &NewUser) {
    let registered = execute(storage, RegisterUser(user.clone()), context(at(0))).await;
    registered.expect("the user is stored");
}

/// Returns the command that opens `session` in the first epoch of its user.
fn opening(session: &NewSession) -> OpenSession {
    OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        known: None,
        max_sessions: 100,
    }
}

/// Opens a session of `user`, who MUST NOT have changed since they were registered.
async fn open(storage: &Storage, user: &NewUser) -> NewSession {
    let session = a_session(user.id, at(0));
    let opened = execute(storage, opening(&session), context(at(0))).await;
    opened.expect("the session is opened");
    session
}

fn first(limit: u32) -> UserPage {
    UserPage { after: None, limit }
}
