use crate::{
    metrics,
    session_bus::SessionBus,
    state::{Edge, UseCases},
};
use actix_web::{HttpResponse, Responder, http::header, web::Data};
use domain::ports::{SessionMemory, StorageHealth};
use serde::Serialize;
use utoipa::ToSchema;

/// The liveness of the process.
#[derive(Serialize, ToSchema)]
#[schema(as = Live)]
pub struct LiveResponse {
    #[schema(inline)]
    status: LiveStatus,
}

/// The readiness of the service, with the state of its dependencies.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub struct ReadyResponse {
    status: ReadyStatus,
    dependencies: Dependencies,
    session_cache: SessionCacheState,
    /// Omitted if the clocks have not been compared, as on SQLite.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    clock: Option<ClockState>,
}

/// The process responds.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LiveStatus {
    Live,
}

/// `degraded`: requests are served, but Redis or the bus is down, or the clock is wrong.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReadyStatus {
    Ready,
    Degraded,
    Unavailable,
}

/// `skewed`: this machine's clock differs from the database's by more than the setting allows.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ClockState {
    Right,
    Skewed,
}

/// Whether a dependency passed the check.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DependencyState {
    Up,
    Down,
}

/// `memory` if sessions may be cached, or `database` if it is read for each request.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SessionCacheMode {
    Memory,
    Database,
}

/// `held` while requests may be answered from memory. `none` is not a fault: an idle replica holds
/// no lease, and a replica without a lease reads the database.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SessionCacheLease {
    Held,
    None,
}

/// State of each dependency.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    database: DependencyState,
    /// Omitted if Redis is not configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    redis: Option<DependencyState>,
    /// Whether invalidations arrive through LISTEN and NOTIFY. Omitted if Redis carries them, or if
    /// sessions are not cached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bus: Option<DependencyState>,
}

/// The state of the session cache.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionCache)]
pub struct SessionCacheState {
    mode: SessionCacheMode,
    lease: SessionCacheLease,
    /// Omitted if the program does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bus: Option<SessionBus>,
}

impl SessionCacheState {
    fn of(memory: Option<&dyn SessionMemory>, bus: Option<SessionBus>) -> Self {
        Self {
            bus,
            mode: if memory.is_some() {
                SessionCacheMode::Memory
            } else {
                SessionCacheMode::Database
            },
            lease: match memory {
                Some(memory) if memory.holds_lease() => SessionCacheLease::Held,
                _ => SessionCacheLease::None,
            },
        }
    }
}

/// Reports whether the process responds.
///
/// Restart the process when this fails.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "operations",
    responses((status = 200, description = "The process responds.", body = LiveResponse))
)]
pub async fn live() -> impl Responder {
    HttpResponse::Ok().json(LiveResponse {
        status: LiveStatus::Live,
    })
}

/// Reports whether the service can serve requests.
///
/// Send no requests while this fails.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operations",
    responses(
        (status = 200, description = "All required dependencies are available; `degraded` if Redis or the bus is not, or if the clock is wrong.", body = ReadyResponse),
        (status = 503, description = "A required dependency is unavailable.", body = ReadyResponse),
    )
)]
pub async fn ready(edge: Data<Edge>) -> impl Responder {
    let UseCases {
        storage_health,
        redis_health,
        bus_health,
        session_bus,
        session_memory,
        clock_comparison,
        ..
    } = &edge.use_cases;
    // Concurrently: a hanging database must not use up the time for checking Redis.
    let (database, redis, bus) = tokio::join!(
        is_up("database", &**storage_health),
        is_optional_up("redis", redis_health.as_deref()),
        is_optional_up("bus", bus_health.as_deref()),
    );
    let is_degraded = redis == Some(false) || bus == Some(false);
    let clock = clock_comparison.as_ref().and_then(|clock| clock.agrees());
    let (mut response, status) = match (database, is_degraded, clock) {
        (false, _, _) => (HttpResponse::ServiceUnavailable(), ReadyStatus::Unavailable),
        (true, true, _) | (true, _, Some(false)) => (HttpResponse::Ok(), ReadyStatus::Degraded),
        (true, _, _) => (HttpResponse::Ok(), ReadyStatus::Ready),
    };
    if !database {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    response.json(ReadyResponse {
        status,
        dependencies: Dependencies {
            database: state(database),
            redis: redis.map(state),
            bus: bus.map(state),
        },
        session_cache: SessionCacheState::of(session_memory.as_deref(), *session_bus),
        clock: clock.map(|agrees| {
            if agrees {
                ClockState::Right
            } else {
                ClockState::Skewed
            }
        }),
    })
}

async fn is_optional_up(name: &'static str, health: Option<&dyn StorageHealth>) -> Option<bool> {
    match health {
        Some(health) => Some(is_up(name, health).await),
        None => None,
    }
}

async fn is_up(name: &'static str, health: &dyn StorageHealth) -> bool {
    let checked = health.check().await;
    metrics::set_dependency_up(name, checked.is_ok());
    if let Err(error) = &checked {
        tracing::warn!(
            error = error as &(dyn std::error::Error + 'static),
            "{name} is unavailable"
        );
    }
    checked.is_ok()
}

fn state(is_up: bool) -> DependencyState {
    if is_up {
        DependencyState::Up
    } else {
        DependencyState::Down
    }
}
