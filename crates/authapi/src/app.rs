//! The service as one value: built, then run until it is told to stop.

use crate::{
    Failure, composition,
    housekeeping::Housekeeping,
    listener,
    metrics::Metrics,
    open_files,
    replica::Membership,
    settings::{BootstrapSettings, ServerSettings, Settings, SettingsError, cores, variable},
    storage::{Database, take_server_lock},
    traces,
    violation::violation,
    wiring,
};
use actix_web::{App, HttpServer, dev::Server, middleware::from_fn};
use adapters_sqlite::ServerLock;
use api_http::{Connections, Edge, HttpSettings, Mutations, UseCases};
use domain::{
    password::Password,
    ports::{Roles, UserDirectory},
    role::{RoleName, RoleNames},
    use_cases::{Bootstrap, BootstrapAdmin, BootstrapAdminError},
};
use secrecy::ExposeSecret;
use session_cache::SessionCoherence;
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};

/// How long a request's head may take to arrive. Bodies have a limit of their own.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept, unless the service stops.
///
/// Longer than the minute for which load balancers keep theirs: whoever sends requests must be the one who hangs up.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a connection is kept on which no request begins or is answered. By then keep-alive has closed idle
/// connections, every request has been answered, and a second head has had at least the time of a first one.
const INACTIVITY_LIMIT: Duration = KEEP_ALIVE.saturating_add(HEAD_TIMEOUT);
/// How long changes may take whose clients have gone, once every connection is closed.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// A service that has its keys, its database and its port, and accepts connections; nobody answers them yet.
pub struct Application {
    settings: Settings,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<Metrics>,
    edge: Edge,
    housekeeping: Housekeeping,
    coherence: Arc<SessionCoherence>,
    inactivity_limit: Duration,
    _lock: Option<ServerLock>,
}

impl Application {
    /// Makes the service: keys and database are made when missing, the schema is brought up to date, and the first admin
    /// is made when the settings name one.
    ///
    /// MUST be called inside a multi-thread tokio runtime that outlives the service.
    ///
    /// # Errors
    /// Whatever keeps the service from running, in one line with its mend.
    pub async fn build(settings: Settings) -> Result<Self, Failure> {
        // First, since what is made after it measures what it does.
        let metrics = Metrics::open(&settings.metrics)?;
        let lock = take_server_lock(&settings.database)?;
        let database = Database::open(&settings.database).await?;
        for migration in database.migrate_up().await? {
            tracing::info!(migration, "brought the schema up to date");
        }
        let ports = wiring::Ports::new(&settings, database.ports())?;
        check_default_roles(&*ports.storage.roles, &settings.users.default_roles).await?;
        let use_cases = composition::use_cases(&ports, &settings);
        make_first_admin(&settings.bootstrap, &use_cases.administration.bootstrap_admin).await?;
        if !any_admin(&*ports.storage.users).await? {
            tracing::warn!(
                command = "authapi users create --login NAME --role admin",
                "there is no admin yet"
            );
        }
        let listener = listener::listen(settings.server.address(), "server")?;
        let address = listener
            .local_addr()
            .map_err(|error| listener::unbound(settings.server.address(), "server", error))?;
        Ok(Self {
            coherence: Arc::clone(&ports.coherence),
            housekeeping: housekeeping(&ports, &use_cases, &settings),
            edge: edge(&ports, use_cases, &settings),
            settings,
            listener,
            address,
            metrics,
            inactivity_limit: INACTIVITY_LIMIT,
            _lock: lock,
        })
    }

    /// Where it listens; the real port, also when the settings let the system choose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where Prometheus finds the metrics, if there are any.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Metrics::address)
    }

    /// Answers requests until `stop` comes. Requests in flight are answered then, and changes that were begun are ended.
    ///
    /// # Errors
    /// When the workers cannot be started.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        self.tell_where();
        let metrics = self.metrics.map(Metrics::serve).transpose();
        let metrics = metrics.map_err(|error| Failure::because("metrics cannot be served", error))?;
        let housekeeping = tokio::spawn(self.housekeeping.run());
        let membership = Membership::begin(&self.coherence);
        let connections = Arc::new(Connections::default());
        let watch = tokio::spawn(Arc::clone(&connections).close_inactive(self.inactivity_limit));
        let mutations = self.edge.mutations.clone();
        let served = match server(self.listener, self.edge, &self.settings.server, connections, stop) {
            Ok(server) => server.await,
            Err(error) => Err(error),
        };
        housekeeping.abort();
        watch.abort();
        served.map_err(|error| Failure::because("the server cannot run", error))?;
        if timeout(DRAIN_TIMEOUT, mutations.drain()).await.is_err() {
            tracing::warn!("stopped before every change had ended");
        }
        membership.end().await;
        // Last, so that the stop can be watched.
        if let Some(metrics) = metrics {
            metrics.stop().await;
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// What to open next, and where everything is.
    fn tell_where(&self) {
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
            keys = %keys.dir.display(),
            "listening: {next}"
        );
    }
}

/// The web server, which serves until `stop`. Its workers have runtimes of their own.
fn server(
    listener: TcpListener,
    edge: Edge,
    settings: &ServerSettings,
    connections: Arc<Connections>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Server> {
    open_files::raise_limit();
    let workers = cores().get();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(traces::follow))
            .configure(api_http::configure(edge.clone()))
    })
    .on_connect(move |socket, data| connections.watch(socket, data))
    .workers(workers)
    .max_connections(settings.max_connections.div_ceil(workers))
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(settings.shutdown_timeout.as_secs())
    .shutdown_signal(stop)
    .listen(listener)?
    .run();
    Ok(server)
}

fn edge(ports: &wiring::Ports, use_cases: UseCases, settings: &Settings) -> Edge {
    Edge {
        use_cases,
        settings: HttpSettings {
            trusted_proxies: settings.server.trusted_proxies.clone(),
            docs: settings.docs.enabled,
            issuer: Some(settings.tokens.issuer.clone()),
        },
        clock: Arc::clone(&ports.clock),
        randomness: Arc::clone(&ports.randomness),
        mutations: Mutations::on(Handle::current()),
    }
}

fn housekeeping(ports: &wiring::Ports, use_cases: &UseCases, settings: &Settings) -> Housekeeping {
    Housekeeping {
        sessions: Arc::clone(&ports.storage.session_directory),
        audit_log: Arc::clone(&ports.storage.audit_log),
        record_failed_attempt: Arc::clone(&use_cases.core.record_failed_attempt),
        clock: Arc::clone(&ports.clock),
        retention: settings.audit.retention.map(wiring::delta),
    }
}

/// Whether the catalogue has the roles that everybody is to begin with: else nobody could register.
async fn check_default_roles(catalogue: &dyn Roles, names: &RoleNames) -> Result<(), Failure> {
    let found = catalogue.find(names).await;
    let found = found.map_err(|error| Failure::because("the database cannot be read", error))?;
    let is_missing = |name: &&RoleName| !found.iter().any(|role| role.name == **name);
    match names.iter().find(is_missing) {
        Some(name) => Err(Failure::Settings(SettingsError::Wrong {
            name: variable("users.default_roles"),
            value: format!(": \"{name}\""),
            rule: format!("the role does not exist; `authapi roles set {name}` makes it"),
        })),
        None => Ok(()),
    }
}

async fn make_first_admin(settings: &BootstrapSettings, bootstrap: &BootstrapAdmin) -> Result<(), Failure> {
    let (Some(login), Some(password)) = (&settings.admin_login, &settings.admin_password) else {
        return Ok(());
    };
    let password = Password::new(password.expose_secret().to_owned());
    match bootstrap.execute(login.clone(), password).await {
        Ok(Bootstrap::Created(user)) => tracing::info!(user = %user.id, "made the first admin"),
        Ok(Bootstrap::NotNeeded) => {}
        Err(error) => return Err(no_first_admin(error)),
    }
    Ok(())
}

fn no_first_admin(error: BootstrapAdminError) -> Failure {
    let names = [
        variable("bootstrap.admin_login"),
        variable("bootstrap.admin_password"),
    ];
    let cause = match error {
        BootstrapAdminError::Create(error) => violation(error),
        BootstrapAdminError::Port(error) => error.into(),
    };
    Failure::because(
        format!("{}: the first admin cannot be created", names.join(" or ")),
        cause,
    )
}

async fn any_admin(users: &dyn UserDirectory) -> Result<bool, Failure> {
    let answer = users.any_admin().await;
    answer.map_err(|error| Failure::because("the database cannot be read", error))
}

#[cfg(test)]
mod slow_clients;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Operator;
    use std::{
        io::{Read, Write},
        net::TcpStream,
        path::Path,
    };
    use tokio::{sync::oneshot, task::spawn_blocking};

    /// Settings that keep everything in `folder` and let the system choose the port.
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
        crate::settings::load(&sources).expect("good settings").settings
    }

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .expect("a reader");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_answers_on_the_port_that_it_tells_until_it_is_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let application = Application::build(settings(folder.path()))
            .await
            .expect("a service");
        let address = application.address();
        assert_ne!(address.port(), 0);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(application.run(async {
            stopped.await.expect("the test says stop");
        }));

        let answer = spawn_blocking(move || get(address, "/health/ready"))
            .await
            .expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

        stop.send(()).expect("it still runs");
        running.await.expect("no panic").expect("a clean stop");
        assert!(TcpStream::connect(address).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_server_on_the_same_database_is_refused_until_the_first_has_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Application::build(settings(folder.path()))
            .await
            .expect("a service");
        let refused = Application::build(settings(folder.path()))
            .await
            .err()
            .expect("a refusal")
            .to_string();
        assert!(
            refused.contains("another server is using this database"),
            "{refused}"
        );
        drop(first);
        Application::build(settings(folder.path()))
            .await
            .expect("a service");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_taken_port_is_told_in_one_line_with_the_mend() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut settings = settings(folder.path());
        settings.server.port = taken.local_addr().expect("an address").port();
        let line = Application::build(settings)
            .await
            .err()
            .expect("a refusal")
            .to_string();
        assert!(
            line.contains("is taken by another program") && line.contains("AUTHAPI_SERVER__PORT"),
            "{line}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_start_that_finds_no_admin_makes_the_one_of_the_settings() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(folder.path());
        settings.bootstrap.admin_login = Some("root".to_owned());
        settings.bootstrap.admin_password = Some("short".into());
        let line = Application::build(settings.clone())
            .await
            .err()
            .expect("a refusal")
            .to_string();
        assert!(line.contains("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD"), "{line}");

        settings.bootstrap.admin_password = Some("correct horse battery staple".into());
        drop(Application::build(settings.clone()).await.expect("a service"));
        let operator = Operator::open(&settings).await.expect("the database");
        assert!(operator.users.any_admin().await.expect("storage answers"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn default_roles_that_the_catalogue_lacks_stop_the_start_in_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(folder.path());
        let reader = RoleName::parse("reader").expect("a name");
        settings.users.default_roles.insert(reader);
        let line = Application::build(settings)
            .await
            .err()
            .expect("a refusal")
            .to_string();
        assert_eq!(
            line,
            "AUTHAPI_USERS__DEFAULT_ROLES is wrong: \"reader\": the role does not exist; \
             `authapi roles set reader` makes it"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_leave_to_make_keys_it_does_not_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(folder.path());
        settings.keys.generate_missing = false;
        let line = Application::build(settings)
            .await
            .err()
            .expect("a refusal")
            .to_string();
        assert!(line.starts_with("the keys cannot be used: "), "{line}");
        assert!(!folder.path().join("keys").exists());
    }
}
