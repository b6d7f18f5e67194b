use crate::{
    problem::{Problem, ProblemBody},
    state::Edge,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Uri, header},
    web::Data,
};
use serde::Serialize;
use utoipa::ToSchema;

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
/// The pattern of [`WELL_KNOWN`] before the path of an issuer.
pub const BEFORE_ISSUER_PATH: &str = "/.well-known/oauth-authorization-server/{issuer_path:.*}";

/// Metadata of the token issuer (RFC 8414, section 2).
#[derive(Serialize, ToSchema)]
#[schema(as = Metadata)]
pub struct MetadataResponse<'a> {
    /// The `iss` of tokens.
    #[schema(example = "https://auth.example.com")]
    issuer: &'a str,
    /// URL of the keys that verify tokens.
    #[schema(example = "https://auth.example.com/.well-known/jwks.json")]
    jwks_uri: String,
    /// Empty: tokens are issued by this service's own endpoints, not by OAuth grants.
    #[schema(value_type = Vec<String>, max_items = 0, example = json!([]))]
    response_types_supported: [&'static str; 0],
    /// Empty: tokens are issued by this service's own endpoints, not by OAuth grants.
    #[schema(value_type = Vec<String>, max_items = 0, example = json!([]))]
    grant_types_supported: [&'static str; 0],
    /// URL of the API documentation, if it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://auth.example.com/docs/")]
    service_documentation: Option<String>,
}

/// Returns the metadata of the token issuer.
///
/// Services learn from it where the keys are (RFC 8414). If the issuer has a path, the metadata is
/// also served at this path followed by the issuer's.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "operations",
    responses(
        (status = 200, description = "The metadata.", body = MetadataResponse),
        (status = 404, description = "`not_found`: no issuer is configured", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn metadata(edge: Data<Edge>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let settings = &edge.settings;
    let issuer = settings.issuer.as_deref().ok_or_else(Problem::not_found)?;
    if !is_about(issuer, &request) {
        return Err(Problem::not_found());
    }
    let below = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(MetadataResponse {
            issuer,
            jwks_uri: below("/.well-known/jwks.json"),
            response_types_supported: [],
            grant_types_supported: [],
            service_documentation: settings.docs.then(|| below("/docs/")),
        }))
}

/// Whether `request` asks for the metadata of `issuer`: at [`WELL_KNOWN`], or there followed by the
/// path of the issuer without its last slash (RFC 8414, section 3.1).
fn is_about(issuer: &str, request: &HttpRequest) -> bool {
    if request.match_info().get("issuer_path").is_none() {
        return true;
    }
    let issuer = issuer.parse::<Uri>();
    let issuer_path = issuer.as_ref().map(|issuer| issuer.path().trim_end_matches('/'));
    // Percent-encoding is compared as it was sent. A prefix may precede the path.
    let asked = request.uri().path();
    issuer_path.is_ok_and(|path| !path.is_empty() && asked.ends_with(&format!("{WELL_KNOWN}{path}")))
}
