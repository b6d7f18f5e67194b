//! Opens connections to the server, and reports why it cannot be used.

use super::{
    connect_error::ConnectError,
    notifications::{self, Driver},
    settings::PoolSettings,
    tls,
};
use crate::migrations;
use diesel::{ConnectionError, QueryableByName, sql_query, sql_types::Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use percent_encoding::percent_decode_str;
use std::{error::Error as StdError, path::PathBuf, time::Duration};
use thiserror::Error;
use tokio::{sync::mpsc::UnboundedSender, time::timeout};
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a start waits for the server.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit of a statement. A statement that takes longer must be blocked, because every
/// statement finds its rows by an index.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);
/// Logins and names of devices may contain any character.
const ENCODING: &str = "UTF8";
/// The maximum wait of a statement for a lock.
const LONGEST_LOCK_TIMEOUT: Duration = Duration::from_millis(1500);

/// How to open a connection.
pub struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// What decides whether a database can be used.
struct Inspected {
    encoding: String,
    unknown_version: Option<String>,
}

#[derive(QueryableByName)]
struct Encoding {
    #[diesel(sql_type = Text)]
    server_encoding: String,
}

/// A connection that could not be opened.
#[derive(Debug, Error)]
pub enum Unopened {
    #[error("the server is unreachable or refuses the connection")]
    Refused(#[source] tokio_postgres::Error),
    #[error("the connection cannot be set up")]
    Unready(#[source] ConnectionError),
}

impl Server {
    pub fn parse(url: &str, settings: &PoolSettings) -> Result<Self, ConnectError> {
        let (url, Parameters { tls, session }) = take_parameters(url);
        let mut config: Config = url.parse().map_err(|error| ConnectError::Url(Box::new(error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(ConnectError::Url("it names no host".into()));
        }
        let tls = tls.choose(&mut config)?;
        require_writable(&mut config, session)?;
        configure(&mut config, settings);
        Ok(Self { config, tls })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<AsyncPgConnection, Unopened> {
        let opened = if let Some(tls) = self.tls.clone() {
            let (client, connection) = self.config.connect(tls).await.map_err(Unopened::Refused)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(Unopened::Refused)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        };
        opened.map_err(Unopened::Unready)
    }

    /// Opens a connection for notifications. The returned future drives it, and sends the payloads
    /// to `payloads`.
    pub async fn receive(&self, payloads: UnboundedSender<String>) -> Result<(Client, Driver), Unopened> {
        if let Some(tls) = self.tls.clone() {
            let (client, connection) = self.config.connect(tls).await.map_err(Unopened::Refused)?;
            Ok((client, notifications::driver(connection, payloads)))
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(Unopened::Refused)?;
            Ok((client, notifications::driver(connection, payloads)))
        }
    }

    /// Checks everything that would make a server fail later.
    pub async fn check(&self) -> Result<(), ConnectError> {
        let inspected = timeout(TIMEOUT, self.inspect()).await;
        let found = inspected.map_err(|late| self.failed(late))?;
        let Inspected {
            encoding,
            unknown_version,
        } = found.map_err(|error| self.failed(error))?;
        let database = self.name();
        if encoding != ENCODING {
            return Err(ConnectError::Encoding { database, encoding });
        }
        match unknown_version {
            Some(version) => Err(ConnectError::Newer { database, version }),
            None => Ok(()),
        }
    }

    /// Returns the error for a database that cannot be used because of `source`.
    pub fn failed(&self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> ConnectError {
        ConnectError::Failed {
            database: self.name(),
            source: source.into(),
        }
    }

    async fn inspect(&self) -> Result<Inspected, Box<dyn StdError + Send + Sync>> {
        let mut conn = self.connect().await?;
        let Encoding { server_encoding } = sql_query("SHOW server_encoding").get_result(&mut conn).await?;
        Ok(Inspected {
            encoding: server_encoding,
            unknown_version: migrations::unknown_version(&mut conn).await?,
        })
    }

    /// Returns the host, port and database for messages, without secrets.
    fn name(&self) -> String {
        let ports = self.config.get_ports();
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(i, host)| {
                let port = ports.get(i).or(ports.first()).unwrap_or(&5432);
                match host {
                    Host::Tcp(host) => format!("{host}:{port}"),
                    Host::Unix(folder) => format!("{}:{port}", folder.display()),
                }
            })
            .collect();
        format!(
            "{}/{}",
            hosts.join(","),
            self.config.get_dbname().unwrap_or_default()
        )
    }
}

/// The parameters of a URL that tokio-postgres does not know in full.
#[derive(Default)]
struct Parameters {
    tls: TlsParameters,
    /// `target_session_attrs`.
    session: Option<String>,
}

/// The TLS parameters of a URL. tokio-postgres does not know `verify-full`.
#[derive(Default)]
struct TlsParameters {
    mode: Option<String>,
    authorities: Option<PathBuf>,
}

/// Removes these parameters from `url`. The rest stays encoded, since tokio-postgres decodes it.
fn take_parameters(url: &str) -> (String, Parameters) {
    let mut taken = Parameters::default();
    let Some((server, parameters)) = url.split_once('?') else {
        return (url.to_owned(), taken);
    };
    let decode = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
    let mut rest = Vec::new();
    for parameter in parameters.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", mode)) => taken.tls.mode = Some(decode(mode)),
            Some(("sslrootcert", file)) => taken.tls.authorities = Some(decode(file).into()),
            Some(("target_session_attrs", session)) => taken.session = Some(decode(session)),
            _ => rest.push(parameter),
        }
    }
    if rest.is_empty() {
        (server.to_owned(), taken)
    } else {
        (format!("{server}?{}", rest.join("&")), taken)
    }
}

impl TlsParameters {
    /// Returns the connector for the mode; `None` if nothing is encrypted, as over a Unix socket,
    /// which has no host name to verify.
    fn choose(self, config: &mut Config) -> Result<Option<MakeRustlsConnect>, ConnectError> {
        let mode = self.mode.unwrap_or_else(|| "prefer".to_owned());
        if self.authorities.is_some() && mode != "verify-full" {
            return Err(ConnectError::UnusedAuthorities);
        }
        let (mode, tls) = match mode.as_str() {
            "disable" => (SslMode::Disable, None),
            "prefer" => (SslMode::Prefer, Some(tls::unverified())),
            "require" => (SslMode::Require, Some(tls::unverified())),
            "verify-full" => (
                SslMode::Require,
                Some(tls::verified(self.authorities.as_deref())?),
            ),
            _ => return Err(ConnectError::SslMode(mode)),
        };
        if config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)))
            && config.get_hostaddrs().is_empty()
        {
            config.ssl_mode(SslMode::Disable);
            return Ok(None);
        }
        config.ssl_mode(mode);
        Ok(tls)
    }
}

/// Makes every connection fail whose server would reject writes: of several hosts, the first that
/// accepts writes is used. A standby may lack revocations, or the leases of replicas.
fn require_writable(config: &mut Config, session: Option<String>) -> Result<(), ConnectError> {
    match session.as_deref() {
        None | Some("read-write" | "primary") => {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            Ok(())
        }
        Some(_) => Err(ConnectError::SessionAttributes(session.unwrap_or_default())),
    }
}

/// Sets the options common to all connections. Limits follow the URL's options and override them.
fn configure(config: &mut Config, settings: &PoolSettings) {
    let lock_timeout = settings
        .answer_timeout
        .saturating_sub(settings.acquire_timeout)
        .clamp(Duration::from_millis(1), LONGEST_LOCK_TIMEOUT);
    let limits = format!(
        "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} \
         -c default_transaction_isolation=read\\ committed",
        STATEMENT_TIMEOUT.as_millis(),
        lock_timeout.as_millis(),
        STATEMENT_TIMEOUT.as_millis(),
    );
    let options = match config.get_options() {
        Some(own) => format!("{own} {limits}"),
        None => limits,
    };
    config
        .options(options)
        .application_name("authapi")
        .connect_timeout(settings.answer_timeout)
        // Detects a server that disappeared, even on an idle connection.
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(2))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(5));
}
