use crate::{
    metrics,
    state::{Edge, UseCases},
};
use actix_web::{HttpResponse, Responder, http::header, web::Data};
use domain::ports::{SessionMemory, StorageHealth};
use serde::Serialize;
use utoipa::ToSchema;

/// That the process answers.
#[derive(Serialize, ToSchema)]
#[schema(as = Live)]
pub struct LiveResponse {
    /// Always `live`.
    #[schema(example = "live")]
    status: &'static str,
}

/// Whether the service can do its work, and what keeps it from it.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub struct ReadyResponse {
    /// `ready`, `degraded` (the work is done, more slowly or more strictly) or `unavailable`.
    #[schema(example = "ready")]
    status: &'static str,
    dependencies: Dependencies,
    session_cache: SessionCacheState,
}

/// Each dependency, `up` or `down`.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    #[schema(example = "up")]
    database: &'static str,
    /// Left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "up")]
    redis: Option<&'static str>,
}

/// How requests get to know their sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionCache)]
pub struct SessionCacheState {
    /// `memory`, or `database`, which is read for each request.
    #[schema(example = "memory")]
    mode: &'static str,
    /// `held` while requests may be answered from memory. `none` is no fault: who serves no request needs no lease, and who
    /// has none reads the database.
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

/// Answers as long as the process does. Restart it when this fails.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "operations",
    responses((status = 200, description = "The process answers.", body = LiveResponse))
)]
pub async fn live() -> impl Responder {
    HttpResponse::Ok().json(LiveResponse { status: "live" })
}

/// Tells whether requests can be served. Send none while this fails.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operations",
    responses(
        (status = 200, description = "Everything that is needed answers; `degraded` when Redis does not.", body = ReadyResponse),
        (status = 503, description = "Something that is needed is away.", body = ReadyResponse),
    )
)]
pub async fn ready(edge: Data<Edge>) -> impl Responder {
    let UseCases {
        storage_health,
        redis_health,
        session_memory,
        ..
    } = &edge.use_cases;
    // At once: a database that hangs must not use up the time in which Redis would have answered.
    let (database, redis) = tokio::join!(is_up("database", &**storage_health), async {
        match redis_health {
            Some(health) => Some(is_up("redis", &**health).await),
            None => None,
        }
    });
    let (mut response, status) = match (database, redis) {
        (false, _) => (HttpResponse::ServiceUnavailable(), "unavailable"),
        (true, Some(false)) => (HttpResponse::Ok(), "degraded"),
        (true, _) => (HttpResponse::Ok(), "ready"),
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
    })
}

async fn is_up(name: &'static str, health: &dyn StorageHealth) -> bool {
    let checked = health.check().await;
    metrics::set_dependency_up(name, checked.is_ok());
    if let Err(error) = &checked {
        tracing::warn!(
            error = error as &(dyn std::error::Error + 'static),
            "the {name} is away"
        );
    }
    checked.is_ok()
}

fn state(is_up: bool) -> &'static str {
    if is_up { "up" } else { "down" }
}
