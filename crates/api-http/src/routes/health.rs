use crate::state::Edge;
use actix_web::{HttpResponse, Responder, http::header, web::Data};
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
    /// `ready` or `unavailable`.
    #[schema(example = "ready")]
    status: &'static str,
    dependencies: Dependencies,
}

/// Each dependency, `up` or `down`.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    #[schema(example = "up")]
    database: &'static str,
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
        (status = 200, description = "Everything that is needed answers.", body = ReadyResponse),
        (status = 503, description = "Something that is needed is away.", body = ReadyResponse),
    )
)]
pub async fn ready(edge: Data<Edge>) -> impl Responder {
    match edge.use_cases.storage_health.check().await {
        Ok(()) => HttpResponse::Ok().json(ReadyResponse {
            status: "ready",
            dependencies: Dependencies { database: "up" },
        }),
        Err(error) => {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "the database is away"
            );
            HttpResponse::ServiceUnavailable()
                .insert_header((header::RETRY_AFTER, "1"))
                .json(ReadyResponse {
                    status: "unavailable",
                    dependencies: Dependencies { database: "down" },
                })
        }
    }
}
