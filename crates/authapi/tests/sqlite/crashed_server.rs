//! The start after a crash.

use crate::{it::session_cache::wait_until_cached, server::Server};

const LEASES: &str = "SELECT CAST(number AS TEXT) AS finding FROM replica_leases";

#[tokio::test(flavor = "multi_thread")]
async fn revocations_do_not_wait_for_the_lease_of_a_server_that_crashed() {
    let mut server = Server::start();
    let pair = server.client().user("alice").await;
    wait_until_cached(&server.each(), &[&pair]).await;
    assert!(server.kill(1), "SIGKILL ended the server");
    let left = server.place().database().find(LEASES).await;
    assert!(!left.is_empty(), "a killed server releases nothing");

    server.start_missing();

    // A server requests a lease only when it answers its first request.
    assert_eq!(server.place().database().find(LEASES).await, [""; 0]);
    let client = server.client();
    assert_eq!(client.log_out(&pair.access).await.status, 204);
    assert_eq!(client.me_code(&pair.access).await, "token_revoked");
    let lines = server.log().lines();
    let waits = |line: &String| line.contains("waiting until their leases have expired");
    assert!(!lines.iter().any(waits), "{lines:#?}");
    let says = |line: &String| line.contains("removed the leases of a crashed server");
    assert!(lines.iter().any(says), "{lines:#?}");
}
