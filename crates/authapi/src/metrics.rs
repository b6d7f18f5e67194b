//! Metrics for Prometheus, on a separate listener because they are not meant for clients.
//!
//! The other crates record metrics; this module collects and serves them.

use crate::{Failure, bus::BusKind, listener, settings::MetricsSettings};
use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::header,
    web::{self, Data},
};
use chrono::TimeDelta;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::OnceLock,
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Upper bounds of histogram buckets, in seconds: from a read by key to the longest wait for a
/// hash.
const BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];
/// The interval at which histogram samples are drained, which limits memory between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);
/// The text format (Prometheus exposition formats, version 0.0.4).
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The timeout of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of connections; enough for several Prometheus servers.
const MAX_CONNECTIONS: usize = 64;

const BUILD: &str = "authapi_build_info";
const INVALIDATION_BUS: &str = "authapi_invalidation_bus_info";
const SESSIONS_REMOVED: &str = "authapi_sessions_removed_total";
const CLOCK_SKEW: &str = "authapi_clock_skew_seconds";

/// The recorder of the process, shared by all services that tests start in it.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Recorded metrics, and a listener that does not serve them yet.
pub struct Metrics {
    listener: TcpListener,
    address: SocketAddr,
    recorded: PrometheusHandle,
}

impl Metrics {
    /// Installs the recorder and opens the listener if the settings enable metrics. Components
    /// created earlier are not recorded.
    ///
    /// # Errors
    /// If the address cannot be bound; the message states the remedy.
    pub fn open(settings: &MetricsSettings) -> Result<Option<Self>, Failure> {
        let Some(port) = settings.port else {
            return Ok(None);
        };
        let address = SocketAddr::new(settings.host, port);
        let listener = listener::listen(address, "metrics")?;
        let address = listener
            .local_addr()
            .map_err(|error| listener::listen_failure(address, "metrics", error))?;
        let recorded = RECORDER.get_or_init(record).clone();
        describe();
        Ok(Some(Self {
            listener,
            address,
            recorded,
        }))
    }

    /// Returns the address of the listener, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `GET /metrics` until it is stopped.
    ///
    /// # Errors
    /// If the worker thread cannot be started.
    pub fn serve(self) -> io::Result<MetricsServer> {
        tracing::info!(metrics = %self.address, "metrics: http://{}/metrics", self.address);
        let upkeep = tokio::spawn(run_upkeep(self.recorded.clone()));
        let server = server(self.listener, self.recorded)?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(MetricsServer { handle, upkeep })
    }
}

/// A running metrics server.
pub struct MetricsServer {
    handle: ServerHandle,
    upkeep: JoinHandle<()>,
}

impl MetricsServer {
    /// Stops the server and closes its connections.
    pub async fn stop(self) {
        self.upkeep.abort();
        self.handle.stop(false).await;
    }
}

/// Counts dead sessions that were removed.
pub fn sessions_removed(number: u64) {
    counter!(SESSIONS_REMOVED).increment(number);
}

/// Sets how far this process's clock is ahead of the database's.
pub fn clock_skew(ahead: TimeDelta) {
    gauge!(CLOCK_SKEW).set(ahead.as_seconds_f64());
}

/// Sets the kind of the invalidation bus.
pub fn invalidation_bus(kind: BusKind) {
    gauge!(INVALIDATION_BUS, "bus" => kind.name()).set(1);
}

fn record() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .expect("BUCKETS is not empty")
        .build_recorder();
    let handle = recorder.handle();
    // A program that embeds the service may have installed a recorder; it then receives the
    // metrics.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; this listener serves no metrics");
    }
    handle
}

fn describe() {
    describe_gauge!(BUILD, "The running version, as a label; always 1.");
    describe_gauge!(
        INVALIDATION_BUS,
        "What carries invalidations of sessions, as a label; always 1."
    );
    describe_counter!(SESSIONS_REMOVED, "Dead sessions removed from the database.");
    describe_gauge!(
        CLOCK_SKEW,
        "Time in seconds by which this machine's clock is ahead of the database's."
    );
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
    counter!(SESSIONS_REMOVED).absolute(0);
}

async fn run_upkeep(recorded: PrometheusHandle) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        recorded.run_upkeep();
    }
}

fn server(listener: TcpListener, recorded: PrometheusHandle) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(recorded.clone()))
            .route("/metrics", web::get().to(show))
    })
    .workers(1)
    .max_connections(MAX_CONNECTIONS)
    .client_request_timeout(HEAD_TIMEOUT)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

async fn show(recorded: Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(recorded.render())
}
