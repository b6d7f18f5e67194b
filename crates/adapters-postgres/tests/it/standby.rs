//! Only a primary is used, since a standby may lack revocations and leases.

use crate::{IN_TIME, execute, open, register, storage_at, storage_in};
use adapters_postgres::{ConnectError, PoolSettings, PostgresDatabase};
use domain::{
    caller::SessionSnapshot,
    changes::EndSessions,
    ports::PortError,
    session::{EndReason, NewSession},
    token::TokenIdentity,
    user::Epoch,
};
use std::sync::Arc;
use testkit::{
    Storage,
    fixtures::{a_user, at, context},
};
use testservers::{Own, Postgres};
use tokio::time::timeout;

/// A primary with a session, and a standby that does not learn what happens to the session.
struct Servers {
    primary: Own<Postgres>,
    standby: Own<Postgres>,
    session: NewSession,
}

impl Servers {
    async fn start() -> Self {
        let primary = Postgres::start_own();
        let storage = storage_at(primary.url()).await;
        let user = a_user("alice");
        register(&storage, &user).await;
        let session = open(&storage, &user).await;
        let standby = primary.start_standby();
        let _ = standby.execute("SELECT pg_wal_replay_pause()");
        Self {
            primary,
            standby,
            session,
        }
    }

    /// Opens storage with the addresses of both servers, the standby's first.
    async fn open_both(&self) -> Result<Storage, ConnectError> {
        let [standby, primary] = [&self.standby, &self.primary].map(|server| {
            let (_, rest) = server.url().split_once('@').expect("the URL names a role");
            rest.strip_suffix("/postgres")
                .expect("the URL names the default database")
        });
        let url = format!("postgres://postgres@{standby},{primary}/postgres");
        let database = PostgresDatabase::connect(&url, PoolSettings::default()).await?;
        Ok(storage_in(&database))
    }

    async fn revoke(&self, storage: &Storage) {
        let command = EndSessions {
            user: self.session.user,
            reason: EndReason::LoggedOut,
        };
        let ended = execute(storage, command, context(at(1))).await;
        ended.expect("the sessions end");
    }

    fn identity(&self) -> TokenIdentity {
        TokenIdentity {
            principal: self.session.user.into(),
            session: self.session.id,
            epoch: Epoch::FIRST,
        }
    }

    async fn read(&self, storage: &Storage) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        let read = storage.snapshots.snapshot_for(self.identity(), at(2));
        timeout(IN_TIME, read).await.expect("the call returns")
    }

    async fn is_accepted(&self, storage: &Storage) -> bool {
        let snapshot = self.read(storage).await.expect("the primary responds");
        snapshot.is_some_and(|snapshot| snapshot.is_valid_for(self.identity(), at(2)))
    }
}

#[tokio::test]
async fn of_several_hosts_the_primary_is_used_and_while_it_is_down_no_session_is_read() {
    let servers = Servers::start().await;
    let storage = servers.open_both().await.expect("the primary can be used");
    assert!(servers.is_accepted(&storage).await);
    servers.revoke(&storage).await;
    assert!(!servers.is_accepted(&storage).await);

    servers.primary.kill();
    for _ in 0..3 {
        let read = servers.read(&storage).await;
        assert!(matches!(read, Err(PortError::Unavailable(_))), "{read:?}");
    }
    let refused = servers.open_both().await;
    assert!(matches!(refused, Err(ConnectError::Failed { .. })));

    servers.primary.restart();
    assert!(!servers.is_accepted(&storage).await);
}

#[tokio::test]
async fn a_primary_that_hangs_is_not_replaced_by_the_standby() {
    let servers = Servers::start().await;
    let storage = servers.open_both().await.expect("the primary can be used");
    servers.revoke(&storage).await;

    servers.primary.pause();
    for _ in 0..3 {
        let read = servers.read(&storage).await;
        assert!(matches!(read, Err(PortError::Unavailable(_))), "{read:?}");
    }
    servers.primary.resume();
    assert!(!servers.is_accepted(&storage).await);
}
