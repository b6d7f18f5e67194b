//! The OpenAPI document: what the handlers declare, completed with what holds for all of them.

mod headers;
mod inputs;
mod ordered_json;
mod problems;
mod shared;

pub use ordered_json::OrderedJson;

use crate::{
    problem::{FieldProblem, ProblemBody},
    refresh_cookie, routes,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        PathItem,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

/// The OpenAPI 3.1 document of all routes that [`configure`](crate::configure) mounts.
#[must_use]
pub fn openapi() -> OrderedJson {
    let mut document = typed();
    shared::share(&mut document);
    let mut json = OrderedJson::of(&document);
    json.replace_single_enums();
    json
}

/// Returns the document in which each operation contains all of its responses.
fn typed() -> utoipa::openapi::OpenApi {
    let endpoints = routes::endpoints();
    let described = endpoints.iter().map(|endpoint| (endpoint.describe)());
    let mut document = described.fold(Document::openapi(), utoipa::openapi::OpenApi::merge_from);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        complete(operation);
    }
    let components = document.components.get_or_insert_default();
    components.headers = headers::components();
    document
}

/// Completes what the attribute of a handler declares.
fn complete(operation: &mut Operation) {
    // Without a requirement, the operation is public.
    operation.security.get_or_insert_default();
    operation.operation_id = operation.operation_id.as_deref().map(camel_case);
    inputs::complete(operation);
    problems::complete(operation);
    headers::complete(operation);
}

/// Converts `log_in` to `logIn`, from which generators derive names in the style of each language.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_ascii_uppercase() + rest
    })
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
        description = "Registers users, verifies passwords, and issues, refreshes and immediately revokes JWTs with roles.\n\nTo try it: register, log in, and send the access token as `Authorization: Bearer ...`. Before it expires, exchange the refresh token for new tokens.\n\nChanges of other users and of roles require a recent check of the password: `POST /me/reauthenticate` returns a token that suffices (RFC 9470).\n\nErrors are problem details (RFC 9457) with a stable `code`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    // Relative to the document, so that it holds below a prefix.
    servers((url = ".", description = "This service")),
    components(schemas(ProblemBody, FieldProblem)),
    tags(
        (name = "main", description = "Register, log in, refresh, change roles, log out."),
        (name = "own account", description = "The caller's password, sessions and data."),
        (name = "users", description = "User administration."),
        (name = "roles", description = "Roles and their permissions."),
        (name = "audit", description = "Security events: who did what to whom, when and from where."),
        (name = "operations", description = "Health, signing keys and issuer metadata."),
    ),
    modifiers(&Tokens)
)]
struct Document;

/// The two kinds of bearer tokens (RFC 6750, section 2.1), and the cookie of the second.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = || Http::builder().scheme(HttpAuthScheme::Bearer);
        let access = bearer().bearer_format("JWT").description(Some(
            "The `access_token` of a login, a refresh or `POST /me/reauthenticate`.",
        ));
        let refresh = bearer().description(Some(
            "The `refresh_token` of a login or refresh. It is valid for one refresh.",
        ));
        for (name, scheme) in [("accessToken", access), ("refreshToken", refresh)] {
            components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
        }
        let cookie = ApiKeyValue::with_description(
            refresh_cookie::COOKIE,
            "The refresh token as a cookie, for browsers. A login with `refresh_cookie=true` sets it.",
        );
        components.add_security_scheme("refreshCookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operations_are_in_camel_case() {
        for (name, expected) in [
            ("me", "me"),
            ("log_in", "logIn"),
            ("delete_own_account", "deleteOwnAccount"),
        ] {
            assert_eq!(camel_case(name), expected);
        }
    }
}
