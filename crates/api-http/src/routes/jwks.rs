use crate::{etag::EntityTag, state::Edge};
use actix_web::{HttpResponse, Responder, http::header, web::Data};

/// Returns the keys that verify this service's tokens (RFC 7517, section 5). Cache them, and fetch
/// them again for an unknown `kid`.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "operations",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has.")),
    responses(
        (status = 200, description = "The JWK set, with an `ETag`.", body = serde_json::Value, content_type = "application/json"),
        (status = 304, description = "The set still has the `ETag` in `If-None-Match`."),
    )
)]
pub async fn jwks(edge: Data<Edge>) -> impl Responder {
    let keys = edge.use_cases.public_keys.jwk_set();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .insert_header(EntityTag::of_keys(&keys).header())
        .json(keys)
}
