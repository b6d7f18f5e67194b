use crate::{
    etag::EntityTag,
    problem::{Problem, ProblemBody, documented::Unavailable},
    state::Edge,
};
use actix_web::{
    HttpResponse, Responder,
    http::header::{self, ContentType},
    web::Data,
};

/// The examples of the OpenAPI document.
const NOTE: &str = "authapi/audit\n1207\nNlqKffj3+UAslDRQK0zInduQ/lDXzZWxuDOzxi1aU3A=\n\n\u{2014} authapi/audit gLJ3X1mG...\n";
const KEY: &str = "authapi/audit+80b2775f+AbX1...\n";

/// Returns the newest checkpoint of the audit log.
///
/// The checkpoint is a signed note in the form of C2SP `tlog-checkpoint`, for witnesses outside the
/// service, which need no account. It reveals the number of events and the seal of the last one.
#[utoipa::path(
    get,
    path = "/audit/checkpoint",
    tag = "audit",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has.")),
    responses(
        (status = 200, description = "The signed note, with an `ETag`.", body = String, content_type = "text/plain", headers(("ETag" = String)), example = json!(NOTE)),
        (status = 304, description = "The checkpoint still has the `ETag` in `If-None-Match`.", headers(("ETag" = String))),
        (status = 404, description = "`not_found`: no checkpoint was signed yet", body = ProblemBody, content_type = "application/problem+json"),
        Unavailable,
    )
)]
pub async fn show_checkpoint(edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let show = &edge.use_cases.administration.show_checkpoint;
    let checkpoint = show.execute().await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=1"))
        .insert_header(EntityTag::of_checkpoint(checkpoint.end()).header())
        .content_type(ContentType::plaintext())
        .body(checkpoint.note().to_owned()))
}

/// Returns the public key of checkpoints.
///
/// The key is a C2SP `signed-note` verifier key, as `authapi audit public-key` prints it. A witness
/// should compare it with one that it got in another way.
#[utoipa::path(
    get,
    path = "/audit/public-key",
    tag = "audit",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has.")),
    responses(
        (status = 200, description = "The key in one line, with an `ETag`.", body = String, content_type = "text/plain", headers(("ETag" = String)), example = json!(KEY)),
        (status = 304, description = "The key still has the `ETag` in `If-None-Match`.", headers(("ETag" = String))),
    )
)]
pub async fn show_checkpoint_key(edge: Data<Edge>) -> impl Responder {
    let key = edge.use_cases.administration.show_checkpoint.public_key();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .insert_header(EntityTag::of_checkpoint_key(&key).header())
        .content_type(ContentType::plaintext())
        .body(format!("{key}\n"))
}
