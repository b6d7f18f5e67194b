use crate::{
    problem::{FieldProblem, ProblemBody},
    routes,
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

/// The OpenAPI document of everything that [`configure`](crate::configure) mounts.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let endpoints = routes::endpoints();
    let described = endpoints.iter().map(|endpoint| (endpoint.describe)());
    described.fold(Document::openapi(), utoipa::openapi::OpenApi::merge_from)
}

/// What does not come from a handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "authapi",
        description = "Registers users, checks passwords, issues JWTs with roles, refreshes them, and takes them back at once.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    components(schemas(ProblemBody, FieldProblem)),
    tags(
        (name = "main", description = "Register, log in, refresh, change roles, log out."),
        (name = "own account", description = "The caller's password, devices and data."),
        (name = "users", description = "Users, for those who may see or change them."),
        (name = "roles", description = "The catalogue of roles and what they allow."),
        (name = "audit", description = "Who did what to whom, when and from where."),
        (name = "operations", description = "Health, the keys that verify tokens, and where to find them."),
    ),
    modifiers(&Bearer)
)]
struct Document;

/// How a token is sent (RFC 6750, section 2.1).
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
