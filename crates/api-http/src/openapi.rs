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
    Document::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "authapi",
        description = "Registers users, checks passwords, issues JWTs with roles, refreshes them, and takes them back at once.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    paths(
        routes::register::register,
        routes::log_in::log_in,
        routes::log_out::log_out,
        routes::refresh::refresh,
        routes::me::me,
        routes::update_roles::update_roles,
        routes::change_own_password::change_own_password,
        routes::list_sessions::list_sessions,
        routes::end_session::end_session,
        routes::health::live,
        routes::health::ready,
        routes::jwks::jwks,
    ),
    components(schemas(ProblemBody, FieldProblem)),
    tags(
        (name = "main", description = "Register, log in, refresh, change roles, log out."),
        (name = "own account", description = "The caller's password and devices."),
        (name = "operations", description = "Health, and the keys that verify tokens."),
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
