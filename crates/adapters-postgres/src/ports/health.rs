use crate::PostgresStorage;
use async_trait::async_trait;
use diesel_async::SimpleAsyncConnection;
use domain::ports::{PortError, StorageHealth};

/// Reads a table, and does what a login, a sealer and a signer of checkpoints write, for no row.
/// The server checks before it executes a statement that the transaction is not read-only, as on a
/// standby, and that the role has the rights. The statements lock no row and write nothing.
const PROBE: &str = "
    SELECT name FROM roles LIMIT 1;
    SELECT FROM machines, machine_roles, machine_secrets LIMIT 1;
    INSERT INTO sessions (id) SELECT id FROM sessions WHERE false;
    UPDATE sessions SET generation = generation WHERE false;
    UPDATE users SET last_login_at = last_login_at WHERE false;
    INSERT INTO audit_pending (at) SELECT at FROM audit_pending WHERE false;
    DELETE FROM audit_pending WHERE false;
    INSERT INTO audit_trail (number) SELECT number FROM audit_trail WHERE false;
    UPDATE audit_chain SET head_number = head_number WHERE false;
    INSERT INTO audit_checkpoints (number) SELECT number FROM audit_checkpoints WHERE false;
    DELETE FROM audit_checkpoints WHERE false";

#[async_trait]
impl StorageHealth for PostgresStorage {
    async fn check(&self) -> Result<(), PortError> {
        // Read mode, because the statements can be repeated after any error.
        self.database
            .read(PROBE, |conn, probe| {
                Box::pin(async move { Ok(conn.batch_execute(probe).await?) })
            })
            .await
    }
}
