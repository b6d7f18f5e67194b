//! Builds the service and runs it until it is stopped.

mod server;

use crate::{
    Failure,
    audit_size::AuditSize,
    audit_start,
    bus::BusKind,
    checkpoints::Checkpoints,
    composition, first_admin,
    housekeeping::Housekeeping,
    key_agreement::KeyAgreement,
    key_folder,
    key_renewal::KeyRenewal,
    listener,
    metrics::Metrics,
    omitted_failures::OmittedFailures,
    replica::Membership,
    sealing::Sealing,
    settings::{ServerSettings, Settings, SettingsError, variable},
    shutdown::ReloadSignal,
    storage::Database,
    wiring,
};
use api_http::{ConnectionLimits, Connections, Edge, HttpSettings, Mutations, Timeouts, UseCases};
use domain::{
    ports::Roles,
    role::{RoleName, RoleNames},
};
use session_cache::SessionCoherence;
use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};

/// The timeout of the head of a connection's first request, from the opening of the connection.
/// actix answers 408 after it. Bodies have their own limit.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The timeout of every head, from its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept open.
///
/// Longer than the 60 seconds of common load balancers, so that the client closes the connection
/// first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long connections may be slow. After the time for inactivity, keep-alive has closed idle
/// connections, and every request has been answered.
const TIMEOUTS: Timeouts = Timeouts {
    head: HEAD_TIMEOUT,
    inactivity: KEEP_ALIVE.saturating_add(Duration::from_secs(5)),
};
/// How long changes whose clients have disconnected may take after all connections are closed.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// A service with its keys, database and listener; it accepts connections but does not answer yet.
pub struct Application {
    settings: Settings,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<Metrics>,
    edge: Edge,
    housekeeping: Housekeeping,
    omitted_failures: OmittedFailures,
    checkpoints: Arc<Checkpoints>,
    sealing: Option<Sealing>,
    coherence: Arc<SessionCoherence>,
    key_agreement: Arc<KeyAgreement>,
    key_renewal: Option<Arc<KeyRenewal>>,
    reloads: ReloadSignal,
    timeouts: Timeouts,
}

impl Application {
    /// Builds the service: generates missing keys, creates and migrates the database, and creates
    /// the first admin if the settings name one.
    ///
    /// MUST be called inside a multi-thread tokio runtime that outlives the service.
    ///
    /// # Errors
    /// If the service cannot run; the message is one line and states the remedy.
    pub async fn build(settings: Settings) -> Result<Self, Failure> {
        // Install the recorder first, because adapters record metrics from their construction on.
        let metrics = Metrics::open(&settings.metrics)?;
        let reloads = ReloadSignal::listen()?;
        first_admin::check(&settings).await?;
        let database = Database::open_as_server(&settings.database).await?;
        key_folder::check_present(&settings.keys)?;
        for migration in database.migrate_up(&settings.keys).await? {
            tracing::info!(migration, "applied a migration");
        }
        let ports = wiring::Ports::new(&settings, &database, &database.key_trace().await?)?;
        let started = Self::start(settings, &ports, metrics, reloads).await;
        if started.is_err() {
            ports.key_agreement.entry().leave().await;
        }
        started
    }

    /// Compares this server with the database and the other replicas, and only then writes.
    async fn start(
        settings: Settings,
        ports: &wiring::Ports,
        metrics: Option<Metrics>,
        reloads: ReloadSignal,
    ) -> Result<Self, Failure> {
        if let Some(watch) = &ports.clock_watch {
            watch.compare().await;
        }
        check_default_roles(&*ports.storage.roles, &settings.users.default_roles).await?;
        let use_cases = composition::use_cases(ports, &settings);
        // Before the first event is sealed or written: another audit key would report the pending
        // events of the other replicas as forged.
        ports.key_agreement.join().await?;
        audit_start::resume(&use_cases.administration.resume_audit_log).await?;
        let vouched = audit_start::vouched(&ports.audit_keys, &*ports.storage.audit_log).await?;
        first_admin::create(&settings.bootstrap, &use_cases.administration.bootstrap_admin).await?;
        first_admin::warn_if_missing(&*ports.storage.users).await?;
        let checkpoints = Checkpoints::new(
            Arc::clone(&use_cases.administration.sign_checkpoint),
            ports.key_agreement.entry().clone(),
            vouched,
        );
        let listener = listener::listen(settings.server.address(), "server")?;
        let address = listener
            .local_addr()
            .map_err(|error| listener::listen_failure(settings.server.address(), "server", error))?;
        Ok(Self {
            coherence: Arc::clone(&ports.coherence),
            key_agreement: Arc::clone(&ports.key_agreement),
            key_renewal: ports.key_renewal.clone(),
            reloads,
            housekeeping: housekeeping(ports, &settings),
            omitted_failures: OmittedFailures::new(
                Arc::clone(&use_cases.core.record_failed_attempt),
                Arc::clone(&ports.clock),
            ),
            checkpoints: Arc::new(checkpoints),
            edge: edge(ports, use_cases, &settings),
            sealing: ports.sealing.clone(),
            settings,
            listener,
            address,
            metrics,
            timeouts: TIMEOUTS,
        })
    }

    /// Returns the address of the listener, with the actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address that serves metrics, if they are enabled.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Metrics::address)
    }

    /// Serves requests until `stop` completes, then answers requests in flight and completes
    /// changes.
    ///
    /// # Errors
    /// If the workers cannot be started.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        self.log_addresses();
        let metrics = self.metrics.map(Metrics::serve).transpose();
        let metrics = metrics.map_err(|error| Failure::because("metrics cannot be served", error))?;
        let omitted_failures = self.omitted_failures.begin();
        let housekeeping = tokio::spawn(self.housekeeping.run());
        let last_checkpoint = Arc::clone(&self.checkpoints);
        let checkpoints = tokio::spawn(async move { self.checkpoints.run().await });
        let last_sealing = self.sealing.clone();
        let sealing = self
            .sealing
            .map(|sealing| tokio::spawn(async move { sealing.run().await }));
        let membership = Membership::begin(&self.coherence);
        let entry = self.key_agreement.entry().clone();
        let renewal = self
            .key_renewal
            .map(|renewal| tokio::spawn(async move { renewal.run().await }));
        let agreeing = tokio::spawn(async move { self.key_agreement.run(self.reloads).await });
        let connections = Arc::new(Connections::new(connection_limits(&self.settings.server)));
        let watch = tokio::spawn(Arc::clone(&connections).close_overdue(self.timeouts));
        let mutations = self.edge.mutations.clone();
        let served = match server::start(self.listener, self.edge, &self.settings.server, connections, stop) {
            Ok(server) => server.await,
            Err(error) => Err(error),
        };
        housekeeping.abort();
        if let Some(renewal) = renewal {
            renewal.abort();
        }
        checkpoints.abort();
        watch.abort();
        served.map_err(|error| Failure::because("the server cannot run", error))?;
        if timeout(DRAIN_TIMEOUT, mutations.drain()).await.is_err() {
            tracing::warn!("stopped before all changes were complete");
        }
        omitted_failures.finish().await;
        if let (Some(last), Some(sealing)) = (last_sealing, sealing) {
            sealing.abort();
            last.finish().await;
        }
        last_checkpoint.finish().await;
        membership.end().await;
        agreeing.abort();
        entry.leave().await;
        // Stop the metrics last, so that they cover the shutdown.
        if let Some(metrics) = metrics {
            metrics.stop().await;
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Logs the address, the location of the data, and the URL to open next.
    fn log_addresses(&self) {
        let Settings {
            server,
            docs,
            keys,
            database,
            tokens,
            ..
        } = &self.settings;
        let url = server.url(self.address.port());
        let next = if docs.enabled {
            format!("open {url}/docs")
        } else {
            format!("call {url}")
        };
        tracing::info!(
            address = %self.address,
            issuer = tokens.issuer,
            database = %database.url,
            bus = BusKind::of(&self.settings).name(),
            keys = %keys.dir.display(),
            "listening: {next}"
        );
    }
}

fn connection_limits(settings: &ServerSettings) -> ConnectionLimits {
    ConnectionLimits {
        per_address: settings.max_connections_per_address,
        unlimited: settings.trusted_proxies.clone(),
    }
}

fn edge(ports: &wiring::Ports, use_cases: UseCases, settings: &Settings) -> Edge {
    Edge {
        use_cases,
        settings: HttpSettings {
            trusted_proxies: settings.server.trusted_proxies.clone(),
            docs: settings.docs.enabled,
            issuer: Some(settings.tokens.issuer.clone()),
            cors_origins: settings.cors.origins.clone(),
            cookie_path_prefix: settings.cookies.path_prefix.clone(),
            jwks_max_age: Some(settings.keys.jwks_max_age),
        },
        clock: Arc::clone(&ports.clock),
        randomness: Arc::clone(&ports.randomness),
        mutations: Mutations::on(Handle::current()),
    }
}

fn housekeeping(ports: &wiring::Ports, settings: &Settings) -> Housekeeping {
    Housekeeping {
        sessions: Arc::clone(&ports.storage.session_directory),
        audit_log: Arc::clone(&ports.storage.audit_log),
        clock: Arc::clone(&ports.clock),
        clock_watch: ports.clock_watch.clone(),
        audit_size: AuditSize::new(Arc::clone(&ports.storage.audit_log), settings.audit.warn_events),
        retention: settings.audit.retention.map(wiring::delta),
    }
}

/// Checks that the default roles exist in the catalogue; otherwise no user could register.
async fn check_default_roles(catalogue: &dyn Roles, names: &RoleNames) -> Result<(), Failure> {
    let found = catalogue.find(names).await;
    let found = found.map_err(|error| Failure::because("the database cannot be read", error))?;
    let is_missing = |name: &&RoleName| !found.iter().any(|role| role.name == **name);
    match names.iter().find(is_missing) {
        Some(name) => Err(Failure::from(SettingsError::Wrong {
            name: variable("users.default_roles"),
            value: format!(": \"{name}\""),
            rule: format!("the role does not exist; `authapi roles set {name}` creates it"),
        })),
        None => Ok(()),
    }
}

#[cfg(test)]
mod slow_clients;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::operator::Operator;
    use std::{
        io::{Read, Write},
        net::TcpStream,
        path::Path,
    };
    use tokio::{sync::oneshot, task::spawn_blocking};

    /// Returns settings that keep all data in `folder` and listen on a free port.
    pub fn settings(folder: &Path) -> Settings {
        let environment = [
            ("AUTHAPI_SERVER__PORT", "0".to_owned()),
            (
                "AUTHAPI_DATABASE__URL",
                format!("sqlite://{}", folder.join("data/test.db").display()),
            ),
            ("AUTHAPI_KEYS__DIR", folder.join("keys").display().to_string()),
            ("AUTHAPI_PASSWORD__MEMORY_KIB", "64".to_owned()),
            ("AUTHAPI_PASSWORD__ALLOW_WEAK_HASHING", "true".to_owned()),
        ];
        let sources = crate::settings::Sources {
            directory: folder.to_owned(),
            environment: environment
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            config: None,
        };
        crate::settings::load(&sources)
            .expect("the settings are valid")
            .settings
    }

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("the service accepts connections");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .expect("the server reads the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server responds");
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_service_answers_on_its_address_until_it_is_stopped() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let application = Application::build(settings(folder.path()))
            .await
            .expect("the service can be built");
        let address = application.address();
        assert_ne!(address.port(), 0);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(application.run(async {
            stopped.await.expect("the test sends the stop signal");
        }));

        let answer = spawn_blocking(move || get(address, "/health/ready"))
            .await
            .expect("the task does not panic");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

        stop.send(()).expect("the service still runs");
        running
            .await
            .expect("the task does not panic")
            .expect("the service stops without an error");
        assert!(TcpStream::connect(address).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_server_on_a_database_is_refused_while_the_first_runs() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let first = Application::build(settings(folder.path()))
            .await
            .expect("the service can be built");
        let refused = Application::build(settings(folder.path()))
            .await
            .err()
            .expect("the service cannot be built")
            .to_string();
        assert!(
            refused.contains("another server is using this database"),
            "{refused}"
        );
        drop(first);
        Application::build(settings(folder.path()))
            .await
            .expect("the service can be built");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_port_in_use_is_reported_in_one_line_with_the_remedy() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let mut settings = settings(folder.path());
        settings.server.port = taken.local_addr().expect("the listener has an address").port();
        let line = Application::build(settings)
            .await
            .err()
            .expect("the service cannot be built")
            .to_string();
        assert!(
            line.contains("is in use by another program") && line.contains("AUTHAPI_SERVER__PORT"),
            "{line}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_admin_of_the_settings_is_created_if_there_is_none() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let mut settings = settings(folder.path());
        settings.bootstrap.admin_login = Some("root".to_owned());
        settings.bootstrap.admin_password = Some("short".into());
        let line = Application::build(settings.clone())
            .await
            .err()
            .expect("the service cannot be built")
            .to_string();
        assert!(line.contains("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD"), "{line}");

        settings.bootstrap.admin_password = Some("correct horse battery staple".into());
        drop(
            Application::build(settings.clone())
                .await
                .expect("the service can be built"),
        );
        let operator = Operator::open(&settings)
            .await
            .expect("the database can be opened");
        assert!(operator.users.any_admin().await.expect("the storage succeeds"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn missing_default_roles_fail_the_start_in_one_line() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let mut settings = settings(folder.path());
        let reader = RoleName::parse("reader").expect("the name is valid");
        settings.users.default_roles.insert(reader);
        let line = Application::build(settings)
            .await
            .err()
            .expect("the service cannot be built")
            .to_string();
        assert_eq!(
            line,
            "AUTHAPI_USERS__DEFAULT_ROLES is invalid: \"reader\": the role does not exist; \
             `authapi roles set reader` creates it"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_keys_and_permission_to_generate_them_the_service_does_not_start() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let mut settings = settings(folder.path());
        settings.keys.generate_missing = false;
        let line = Application::build(settings)
            .await
            .err()
            .expect("the service cannot be built")
            .to_string();
        assert!(line.starts_with("the keys cannot be used: "), "{line}");
        assert!(!folder.path().join("keys").exists());
    }
}
