//! `rediss://` trusts the system's roots. They are configured by the environment, so the client
//! runs in a separate process.

use super::{chain, eventually, health_on, service_client};
use adapters_redis::RedisBus;
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

/// Passes the URL to the process of the client.
const URL: &str = "AUTHAPI_TEST_REDISS_URL";
/// Read by rustls-native-certs instead of the system's roots.
const ROOTS: &str = "SSL_CERT_FILE";

/// Creates a certificate authority and a certificate for `localhost`. Returns the authority's
/// certificate, the server's and the server's key as files readable by the server's user.
fn certificates() -> (TempDir, [PathBuf; 3]) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("the key can be generated"))
            .expect("the root certificate can be signed");
    let key = KeyPair::generate().expect("the key can be generated");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("localhost is a valid name");
    let server = server
        .signed_by(&key, &authority)
        .expect("the certificate can be signed");
    let folder = tempfile::tempdir().expect("the folder can be created");
    let permissions = PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), permissions).expect("the mode of the folder can be changed");
    let texts = [authority.pem(), server.pem(), key.serialize_pem()];
    let paths = ["root", "server", "key"].map(|name| folder.path().join(name));
    for (path, text) in paths.iter().zip(texts) {
        fs::write(path, text).expect("the file can be written");
    }
    (folder, paths)
}

/// Runs [`a_client_of_a_redis_with_tls`] in a process with `roots` and returns whether it connects.
fn connects(url: &str, roots: &Path) -> bool {
    let output = Command::new(env::current_exe().expect("the path of the test binary is known"))
        .args(["--exact", "tls::a_client_of_a_redis_with_tls", "--ignored"])
        .env(URL, url)
        .env(ROOTS, roots)
        .output()
        .expect("the process can be started");
    output.status.success()
}

#[test]
fn tls_requires_a_trusted_certificate_for_the_host() {
    let (_folder, [root, certificate, key]) = certificates();
    let (_own, port) = Redis::start_own_with_tls(&certificate, &key);
    let (_stranger, [other_root, _, _]) = certificates();
    let url = format!("rediss://localhost:{port}");
    assert!(connects(&url, &root));
    assert!(!connects(&url, &other_root), "an untrusted authority");
    let url = format!("rediss://127.0.0.1:{port}");
    assert!(!connects(&url, &root), "a name that is not in the certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_without_tls_for_a_server_that_requires_it_is_reported_with_the_remedy() {
    let (_folder, [_, certificate, key]) = certificates();
    let (_own, port) = Redis::start_own_with_tls(&certificate, &key);
    let health = health_on(&format!("redis://localhost:{port}"), "", "bus");
    let refused = chain(&health.check().await.expect_err("the server expects TLS"));
    assert!(refused.contains("use rediss instead of redis"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test: the process of the client that another test starts"]
async fn a_client_of_a_redis_with_tls() {
    let Ok(url) = env::var(URL) else {
        return;
    };
    // An untrusted certificate is an error; one attempt is enough.
    health_on(&url, "", "bus")
        .check()
        .await
        .expect("Redis is available");
    let bus = RedisBus::new(service_client(&url), "bus");
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    eventually("Redis takes a message", async || {
        bus.publish(b"safe".to_vec()).await.is_ok()
    })
    .await;
    assert_eq!(subscription.next().await, BusEvent::Message(b"safe".to_vec()));
}
