//! Storage is healthy only if what every login writes can be written.

use crate::{connect_unhurried, storage_in};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use domain::ports::PortError;
use std::{error::Error, iter::successors};
use testkit::{Storage, fixtures::unique_uuid};
use testservers::{FreshDatabase, postgres};

struct Tested {
    storage: Storage,
    owner: AsyncPgConnection,
    _fresh: FreshDatabase,
}

async fn tested() -> Tested {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("migrating succeeds");
    let owner = AsyncPgConnection::establish(fresh.url()).await;
    Tested {
        storage: storage_in(&database),
        owner: owner.expect("the database accepts connections"),
        _fresh: fresh,
    }
}

impl Tested {
    async fn execute(&mut self, statements: &str) {
        let done = self.owner.batch_execute(statements).await;
        done.expect("the statements succeed");
    }

    /// Returns why storage is not healthy.
    async fn refusal(&self) -> String {
        let Err(PortError::Unavailable(cause)) = self.storage.health.check().await else {
            panic!("a login fails, so storage is not healthy");
        };
        let chain = successors(Some(&*cause as &(dyn Error + 'static)), |&error| error.source());
        chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

#[tokio::test]
async fn a_check_changes_nothing() {
    let mut tested = tested().await;
    tested.storage.health.check().await.expect("storage is healthy");
    // Only a transaction that writes gets a number, and commits one row version or more.
    let unchanged = "DO $$ BEGIN
        ASSERT (SELECT count(*) FROM audit_trail) = 0;
        ASSERT (SELECT head_number FROM audit_chain) = 0; END $$";
    tested.execute(unchanged).await;
}

#[tokio::test]
async fn storage_that_only_reads_is_not_healthy() {
    let mut tested = tested().await;
    // Applies to new connections, so the pool must not have one.
    let read_only = "DO $$ BEGIN EXECUTE format(
        'ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
    tested.execute(read_only).await;
    let refusal = tested.refusal().await;
    assert!(refusal.contains("does not allow writes"), "{refusal}");
}

#[tokio::test]
async fn storage_is_not_healthy_while_the_role_lacks_a_right_that_a_login_needs() {
    for (right, table) in [
        ("SELECT", "roles"),
        ("INSERT", "sessions"),
        ("UPDATE", "sessions"),
        ("UPDATE", "users"),
        ("INSERT", "audit_pending"),
        ("DELETE", "audit_pending"),
        ("INSERT", "audit_trail"),
        ("UPDATE", "audit_chain"),
        ("INSERT", "audit_checkpoints"),
        ("DELETE", "audit_checkpoints"),
        ("INSERT", "key_uses"),
        ("UPDATE", "key_uses"),
    ] {
        let mut tested = tested().await;
        let role = format!("lacking_{}", unique_uuid().simple());
        // Superusers have every right, so new connections become another role.
        let lacking = format!(
            "CREATE ROLE {role};
            GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
            REVOKE {right} ON {table} FROM {role};
            DO $$ BEGIN EXECUTE format(
                'ALTER ROLE %I IN DATABASE %I SET role = {role}', current_user, current_database()); END $$"
        );
        tested.execute(&lacking).await;
        let refusal = tested.refusal().await;
        let expected = format!("permission denied for table {table}");
        assert!(refusal.contains(&expected), "{right} on {table}: {refusal}");
        let done = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        tested.execute(&done).await;
    }
}
