use crate::state::Edge;
use actix_web::{HttpResponse, Responder, http::header, web::Data};

/// Returns the keys that verify this service's tokens (RFC 7517, section 5). Cache them, and fetch
/// them again for an unknown `kid`.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "operations",
    responses((status = 200, description = "The JWK set.", body = serde_json::Value, content_type = "application/json"))
)]
pub async fn jwks(edge: Data<Edge>) -> impl Responder {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(edge.use_cases.public_keys.jwk_set())
}
