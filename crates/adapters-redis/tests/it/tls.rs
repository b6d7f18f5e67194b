//! `rediss://` trusts what the system trusts. Which roots those are is said by the environment, so the client runs in a
//! process of its own.

use super::{client, eventually, hasty_client};
use adapters_redis::{RedisBus, RedisHealth};
use domain::ports::StorageHealth;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use session_cache::ports::{BusEvent, InvalidationBus};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use testservers::Redis;

/// Names the server to the process below.
const URL: &str = "AUTHAPI_TEST_REDISS_URL";
/// What rustls-native-certs reads in place of the system's roots.
const ROOTS: &str = "SSL_CERT_FILE";

/// Makes an authority and a certificate of `localhost`: the authority's, the server's and the server's key, as files
/// that the server's own user may read.
fn certificates() -> (TempDir, [PathBuf; 3]) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("a root");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let server = server.signed_by(&key, &authority).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let permissions = PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), permissions).expect("a folder that others may enter");
    let texts = [authority.pem(), server.pem(), key.serialize_pem()];
    let paths = ["root", "server", "key"].map(|name| folder.path().join(name));
    for (path, text) in paths.iter().zip(texts) {
        fs::write(path, text).expect("a file");
    }
    (folder, paths)
}

/// Runs the client below with `roots` and answers whether it got through.
fn gets_through(url: &str, roots: &Path) -> bool {
    let output = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "tls::a_client_of_a_redis_with_tls", "--ignored"])
        .env(URL, url)
        .env(ROOTS, roots)
        .output()
        .expect("a process");
    output.status.success()
}

#[test]
fn a_redis_with_tls_is_used_when_its_certificate_is_trusted_and_names_it() {
    let (_folder, [root, certificate, key]) = certificates();
    let (_own, port) = Redis::start_own_with_tls(&certificate, &key);
    let (_stranger, [other_root, _, _]) = certificates();
    let url = format!("rediss://localhost:{port}");
    assert!(gets_through(&url, &root));
    assert!(
        !gets_through(&url, &other_root),
        "an authority that nobody trusts"
    );
    let url = format!("rediss://127.0.0.1:{port}");
    assert!(
        !gets_through(&url, &root),
        "a name that is not in the certificate"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test: the process that the test above starts"]
async fn a_client_of_a_redis_with_tls() {
    let Ok(url) = env::var(URL) else {
        return;
    };
    // Untrusted is an error, and the first one is enough.
    RedisHealth::new(client(&url))
        .check()
        .await
        .expect("Redis answers");
    let bus = RedisBus::new(hasty_client(&url), "bus");
    let mut subscription = bus.subscribe().await.expect("a subscription");
    eventually("Redis takes a message", async || {
        bus.publish(b"safe".to_vec()).await.is_ok()
    })
    .await;
    assert_eq!(subscription.next().await, BusEvent::Message(b"safe".to_vec()));
}
