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
    connect(url).await.err().expect("the database is refused")
}

/// Returns the messages of an error and its causes.
fn full_message(error: &ConnectError) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_connecting() {
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
async fn contradictory_tls_parameters_are_refused() {
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
async fn the_error_names_an_unreachable_server_but_not_the_password() {
    let refused = refusal("postgres://user:open-sesame@127.0.0.1:1/authapi").await;
    assert!(matches!(refused, ConnectError::Failed { .. }), "{refused:?}");
    let message = full_message(&refused);
    assert!(message.contains("127.0.0.1:1/authapi"), "{message}");
    assert!(message.contains("refused"), "{message}");
    assert!(
        !format!("{message} {refused:?}").contains("open-sesame"),
        "{message}"
    );
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let url = postgres().url().replace("/postgres?", "/no_such?");
    let url = url
        .strip_suffix("/postgres")
        .map_or(url.clone(), |it| format!("{it}/no_such"));
    let message = full_message(&refusal(&url).await);
    assert!(message.contains("no_such"), "{message}");
}

#[tokio::test]
async fn only_databases_in_utf_8_are_accepted() {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        let fresh = postgres().fresh_database_with(&options);
        let refused = refusal(fresh.url()).await;
        assert!(
            matches!(&refused, ConnectError::Encoding { encoding: found, .. } if found == encoding),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("ENCODING 'UTF8'"), "{refused}");
    }
}

#[tokio::test]
async fn a_url_that_admits_standbys_is_refused_with_the_remedy() {
    for value in ["any", "read-only", "standby", "prefer-standby", ""] {
        let url = format!("postgres://localhost/authapi?target_session_attrs={value}");
        let refused = refusal(&url).await;
        assert!(
            matches!(&refused, ConnectError::SessionAttributes(named) if named == value),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("use read-write"), "{refused}");
    }
    let url = postgres().url();
    let mark = if url.contains('?') { '&' } else { '?' };
    for value in ["read-write", "primary"] {
        let opened = connect(&format!("{url}{mark}target_session_attrs={value}")).await;
        assert!(opened.is_ok(), "{value}");
    }
}

/// Starts a server that requires TLS and has a certificate for `localhost`; returns it with the
/// file of its certificate authority.
async fn with_tls() -> (Own<Postgres>, PathBuf) {
    let server = Postgres::start_own();
    let mut authority = CertificateParams::new([]).expect("the names are valid");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("the key can be generated"))
            .expect("the authority can be created");
    let key = KeyPair::generate().expect("the key can be generated");
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .expect("the names are valid")
        .signed_by(&key, &authority)
        .expect("the certificate can be signed");
    let file = server.folder().join("authority.pem");
    fs::write(&file, authority.pem()).expect("the file can be written");

    let data = server.folder().join("data").display().to_string();
    let mut conn = AsyncPgConnection::establish(server.url())
        .await
        .expect("the database accepts connections");
    // The server writes the files, because it requires that it owns them.
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
        ("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust".to_owned()),
    ] {
        let lines = format!("SELECT unnest(string_to_array('{text}', E'\\n'))");
        conn.batch_execute(&format!("COPY ({lines}) TO '{data}/{name}'"))
            .await
            .expect("the server can write the file");
    }
    fs::set_permissions(format!("{data}/server.key"), Permissions::from_mode(0o600))
        .expect("the mode of the key can be set");
    conn.batch_execute("ALTER SYSTEM SET ssl = on")
        .await
        .expect("the setting can be changed");
    server.restart();
    (server, file)
}

#[tokio::test]
async fn tls_is_used_and_verified_as_the_url_requires() {
    let (server, authority) = with_tls().await;
    let by_address = server.url().to_owned();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let trusted = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    // An editor may have written a byte order mark.
    let marked = server.folder().join("marked.pem");
    let text = fs::read_to_string(&authority).expect("a file");
    fs::write(&marked, format!("\u{feff}{text}")).expect("a file");
    for url in [
        by_address.clone(),
        format!("{by_address}?sslmode=prefer"),
        format!("{by_address}?sslmode=require"),
        format!("{by_name}?{trusted}"),
        format!("{by_name}?sslmode=verify-full&sslrootcert={}", marked.display()),
    ] {
        let database = connect(&url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {}", full_message(&error)));
        assert!(database.migration_status().await.is_ok(), "{url}");
    }
    for (url, reason) in [
        (format!("{by_address}?sslmode=disable"), "pg_hba.conf"),
        (format!("{by_address}?{trusted}"), "certificate"),
        (format!("{by_name}?sslmode=verify-full"), "certificate"),
    ] {
        let message = full_message(&refusal(&url).await);
        assert!(message.contains(reason), "{url}: {message}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let server = Postgres::start_own();
    for mode in ["disable", "prefer"] {
        let url = format!("{}?sslmode={mode}", server.url());
        assert!(connect(&url).await.is_ok(), "{mode}");
    }
    let message = full_message(&refusal(&format!("{}?sslmode=require", server.url())).await);
    assert!(message.contains("does not support TLS"), "{message}");
}
