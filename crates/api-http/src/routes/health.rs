use crate::{
    metrics,
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
    /// Always `live`.
    #[schema(example = "live")]
    status: &'static str,
}

/// The readiness of the service, with the state of its dependencies.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub struct ReadyResponse {
    /// `ready`, `degraded` (requests are served, but Redis is down or the clock is wrong) or
    /// `unavailable`.
    #[schema(example = "ready")]
    status: &'static str,
    dependencies: Dependencies,
    session_cache: SessionCacheState,
    /// `right`, or `skewed` if this machine's clock differs from the database's by more than the
    /// setting allows. Omitted if they have not been compared, as on SQLite.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "right")]
    clock: Option<&'static str>,
}

/// State of each dependency: `up` or `down`.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    #[schema(example = "up")]
    database: &'static str,
    /// Omitted if Redis is not configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "up")]
    redis: Option<&'static str>,
}

/// The state of the session cache.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionCache)]
pub struct SessionCacheState {
    /// `memory` if sessions may be cached, or `database` if it is read for each request.
    #[schema(example = "memory")]
    mode: &'static str,
    /// `held` while requests may be answered from memory. `none` is not a fault: an idle replica
    /// holds no lease, and a replica without a lease reads the database.
    #[schema(example = "held")]
    lease: &'static str,
}

impl SessionCacheState {
    fn of(memory: Option<&dyn SessionMemory>) -> Self {
        Self {
            mode: if memory.is_some() { "memory" } else { "database" },
            lease: match memory {
                Some(memory) if memory.holds_lease() => "held",
                _ => "none",
            },
        }
    }
}

/// Returns 200 as long as the process responds. Restart the process when this fails.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "operations",
    responses((status = 200, description = "The process responds.", body = LiveResponse))
)]
pub async fn live() -> impl Responder {
    HttpResponse::Ok().json(LiveResponse { status: "live" })
}

/// Reports whether the service can serve requests. Send no requests while this fails.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operations",
    responses(
        (status = 200, description = "All required dependencies are available; `degraded` if Redis is not, or if the clock is wrong.", body = ReadyResponse),
        (status = 503, description = "A required dependency is unavailable.", body = ReadyResponse),
    )
)]
pub async fn ready(edge: Data<Edge>) -> impl Responder {
    let UseCases {
        storage_health,
        redis_health,
        session_memory,
        clock_comparison,
        ..
    } = &edge.use_cases;
    // Concurrently: a hanging database must not use up the time for checking Redis.
    let (database, redis) = tokio::join!(is_up("database", &**storage_health), async {
        match redis_health {
            Some(health) => Some(is_up("redis", &**health).await),
            None => None,
        }
    });
    let clock = clock_comparison.as_ref().and_then(|clock| clock.agrees());
    let (mut response, status) = match (database, redis, clock) {
        (false, _, _) => (HttpResponse::ServiceUnavailable(), "unavailable"),
        (true, Some(false), _) | (true, _, Some(false)) => (HttpResponse::Ok(), "degraded"),
        (true, _, _) => (HttpResponse::Ok(), "ready"),
    };
    if !database {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    response.json(ReadyResponse {
        status,
        dependencies: Dependencies {
            database: state(database),
            redis: redis.map(state),
        },
        session_cache: SessionCacheState::of(session_memory.as_deref()),
        clock: clock.map(|agrees| if agrees { "right" } else { "skewed" }),
    })
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

fn state(is_up: bool) -> &'static str {
    if is_up { "up" } else { "down" }
}
