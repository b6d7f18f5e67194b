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
        routes::delete_own_account::delete_own_account,
        routes::export_own_data::export_own_data,
        routes::find_users::find_users,
        routes::show_user::show_user,
        routes::set_status::set_status,
        routes::delete_user::delete_user,
        routes::set_user_roles::set_user_roles,
        routes::reset_password::reset_password,
        routes::list_user_sessions::list_user_sessions,
        routes::end_user_sessions::end_user_sessions,
        routes::list_roles::list_roles,
        routes::show_role::show_role,
        routes::write_role::write_role,
        routes::delete_role::delete_role,
        routes::read_audit::read_audit,
        routes::health::live,
        routes::health::ready,
        routes::jwks::jwks,
        routes::metadata::metadata,
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
