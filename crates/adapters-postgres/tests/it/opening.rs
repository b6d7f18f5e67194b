use adapters_postgres::{ConnectError, PoolSettings, PostgresDatabase};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};
use testservers::{Own, Postgres, postgres};

async fn connect(url: &str) -> Result<PostgresDatabase, ConnectError> {
    PostgresDatabase::connect(url, PoolSettings::default()).await
}

async fn refusal(url: &str) -> ConnectError {
    connect(url).await.err().expect("a refusal")
}

/// Everything that an error tells, cause by cause.
fn told(error: &ConnectError) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

#[tokio::test]
async fn a_url_that_is_wrong_is_refused_before_anything_is_asked() {
    for url in [
        "",
        "mysql://localhost/authapi",
        "postgres:///authapi",
        "postgres://localhost/authapi?no_such_setting=1",
        "postgres://localhost:port/authapi",
    ] {
        let refused = refusal(url).await;
        assert!(matches!(refused, ConnectError::Url(_)), "{url}: {refused:?}");
    }
}

#[tokio::test]
async fn what_a_url_says_about_tls_must_make_sense() {
    for mode in ["verify-ca", "allow", "no", ""] {
        let refused = refusal(&format!("postgres://localhost/authapi?sslmode={mode}")).await;
        assert!(
            matches!(&refused, ConnectError::SslMode(named) if named == mode),
            "{refused:?}"
        );
    }
    for url in ["sslrootcert=ca.pem", "sslmode=require&sslrootcert=ca.pem"] {
        let refused = refusal(&format!("postgres://localhost/authapi?{url}")).await;
        assert!(matches!(refused, ConnectError::UnusedAuthorities), "{refused:?}");
    }
    let refused = refusal("postgres://localhost/authapi?sslmode=verify-full&sslrootcert=no%20such.pem").await;
    assert!(
        matches!(&refused, ConnectError::Authorities { file, .. } if file.ends_with("no such.pem")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_and_the_password_is_not() {
    let refused = refusal("postgres://user:open-sesame@127.0.0.1:1/authapi").await;
    assert!(matches!(refused, ConnectError::Failed { .. }), "{refused:?}");
    let told = told(&refused);
    assert!(told.contains("127.0.0.1:1/authapi"), "{told}");
    assert!(told.contains("refused"), "{told}");
    assert!(!format!("{told} {refused:?}").contains("open-sesame"), "{told}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_told_as_such() {
    let url = postgres().url().replace("/postgres?", "/no_such?");
    let url = url
        .strip_suffix("/postgres")
        .map_or(url.clone(), |it| format!("{it}/no_such"));
    let told = told(&refusal(&url).await);
    assert!(told.contains("no_such"), "{told}");
}

/// A server that speaks TLS as `localhost` and lets nobody in without, and the file with the
/// authority behind it.
async fn with_tls() -> (Own<Postgres>, PathBuf) {
    let server = Postgres::start_own();
    let mut authority = CertificateParams::new([]).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .expect("parameters")
        .signed_by(&key, &authority)
        .expect("a certificate");
    let file = server.folder().join("authority.pem");
    fs::write(&file, authority.pem()).expect("a file");

    let data = server.folder().join("data").display().to_string();
    let mut conn = AsyncPgConnection::establish(server.url())
        .await
        .expect("a connection");
    // Written by the server, so that the files are its own, as it demands.
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
        ("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust".to_owned()),
    ] {
        let lines = format!("SELECT unnest(string_to_array('{text}', E'\\n'))");
        conn.batch_execute(&format!("COPY ({lines}) TO '{data}/{name}'"))
            .await
            .expect("a file of the server's");
    }
    fs::set_permissions(format!("{data}/server.key"), Permissions::from_mode(0o600))
        .expect("a key of its own");
    conn.batch_execute("ALTER SYSTEM SET ssl = on")
        .await
        .expect("a setting");
    server.restart();
    (server, file)
}

#[tokio::test]
async fn tls_is_spoken_and_verified_as_the_url_says() {
    let (server, authority) = with_tls().await;
    let by_address = server.url().to_owned();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let trusted = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    for url in [
        by_address.clone(),
        format!("{by_address}?sslmode=prefer"),
        format!("{by_address}?sslmode=require"),
        format!("{by_name}?{trusted}"),
    ] {
        let database = connect(&url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {}", told(&error)));
        assert!(database.migration_status().await.is_ok(), "{url}");
    }
    for (url, reason) in [
        (format!("{by_address}?sslmode=disable"), "pg_hba.conf"),
        (format!("{by_address}?{trusted}"), "certificate"),
        (format!("{by_name}?sslmode=verify-full"), "certificate"),
    ] {
        let told = told(&refusal(&url).await);
        assert!(told.contains(reason), "{url}: {told}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let server = Postgres::start_own();
    for mode in ["disable", "prefer"] {
        let url = format!("{}?sslmode={mode}", server.url());
        assert!(connect(&url).await.is_ok(), "{mode}");
    }
    let told = told(&refusal(&format!("{}?sslmode=require", server.url())).await);
    assert!(told.contains("does not support TLS"), "{told}");
}
