use crate::{
    problem::{FieldProblem, ProblemBody, documented::UndeclaredRefused},
    routes,
};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        PathItem,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

/// The OpenAPI document of all routes that [`configure`](crate::configure) mounts.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let endpoints = routes::endpoints();
    let described = endpoints.iter().map(|endpoint| (endpoint.describe)());
    let mut document = described.fold(Document::openapi(), utoipa::openapi::OpenApi::merge_from);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let responses = &mut operation.responses.responses;
        for (status, refused) in UndeclaredRefused::responses() {
            responses.entry(status).or_insert(refused);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        patch,
        delete,
        ..
    } = item;
    [get, put, post, patch, delete].into_iter().flatten()
}

/// The parts that do not come from handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "authapi",
        description = "Registers users, verifies passwords, and issues, refreshes and immediately revokes JWTs with roles. Changes of other users and of roles require a recent check of the password: `POST /me/reauthenticate` returns a token that suffices (RFC 9470).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    components(schemas(ProblemBody, FieldProblem)),
    tags(
        (name = "main", description = "Register, log in, refresh, change roles, log out."),
        (name = "own account", description = "The caller's password, sessions and data."),
        (name = "users", description = "User administration."),
        (name = "roles", description = "Roles and their permissions."),
        (name = "audit", description = "Security events: who did what to whom, when and from where."),
        (name = "operations", description = "Health, signing keys and issuer metadata."),
    ),
    modifiers(&Bearer)
)]
struct Document;

/// The bearer scheme (RFC 6750, section 2.1).
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
