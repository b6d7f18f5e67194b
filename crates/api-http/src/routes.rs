//! The routes, one file each.

pub mod account;
pub mod audit_event;
pub mod change_own_password;
pub mod delete_own_account;
pub mod delete_role;
pub mod delete_user;
pub mod docs;
pub mod dry_run;
pub mod end_session;
pub mod end_user_sessions;
pub mod export_own_data;
pub mod find_users;
pub mod health;
pub mod jwks;
pub mod list_roles;
pub mod list_sessions;
pub mod list_user_sessions;
pub mod log_in;
pub mod log_out;
pub mod me;
pub mod metadata;
pub mod read_audit;
pub mod refresh;
pub mod register;
pub mod reset_password;
pub mod role;
pub mod set_status;
pub mod set_user_roles;
pub mod show_role;
pub mod show_user;
pub mod token_pair;
pub mod update_roles;
pub mod user;
pub mod write_role;

use crate::{metrics, problem::Problem, request, request_ids::RequestIds, state::Edge};
use actix_web::{
    HttpResponse, Resource, Route, guard, middleware,
    web::{self, Data, PathConfig, QueryConfig, ServiceConfig},
};
use std::sync::Arc;

/// Mounts everything. The edge's middleware stands around these routes alone, so that an application of one's own can
/// mount them beside its own routes, or below a prefix.
pub fn configure(edge: Edge) -> impl FnOnce(&mut ServiceConfig) {
    metrics::describe();
    move |config| {
        let docs = edge.settings.docs;
        let scope = web::scope("")
            .app_data(RequestIds::new(Arc::clone(&edge.randomness)))
            .app_data(Data::new(edge))
            .app_data(PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
            .app_data(QueryConfig::default().error_handler(|_, _| unreadable_query().into()))
            .configure(main_endpoints)
            .configure(own_account)
            .configure(users)
            .configure(catalogue_and_trail)
            .configure(operations)
            .configure(|config| {
                if docs {
                    docs::configure(config);
                }
            })
            .default_service(web::to(async || Err::<HttpResponse, _>(Problem::not_found())));
        // An early answer leaves part of the body unread, so the middleware is the outermost layer.
        config.service(scope.wrap(middleware::from_fn(request::handle)));
    }
}

fn main_endpoints(config: &mut ServiceConfig) {
    config
        .service(endpoint(
            "/register",
            "POST",
            [web::post().to(register::register)],
        ))
        .service(endpoint("/login", "POST", [web::post().to(log_in::log_in)]))
        .service(endpoint("/logout", "POST", [web::post().to(log_out::log_out)]))
        .service(endpoint(
            "/roles/update",
            "PUT",
            [web::put().to(update_roles::update_roles)],
        ))
        .service(endpoint(
            "/me",
            "GET, HEAD, DELETE",
            [
                get().to(me::me),
                web::delete().to(delete_own_account::delete_own_account),
            ],
        ))
        .service(endpoint("/refresh", "POST", [web::post().to(refresh::refresh)]));
}

fn own_account(config: &mut ServiceConfig) {
    config
        .service(endpoint(
            "/me/password",
            "PUT",
            [web::put().to(change_own_password::change_own_password)],
        ))
        .service(endpoint(
            "/me/export",
            "GET, HEAD",
            [get().to(export_own_data::export_own_data)],
        ))
        .service(endpoint(
            "/me/sessions",
            "GET, HEAD",
            [get().to(list_sessions::list_sessions)],
        ))
        .service(endpoint(
            "/me/sessions/{id}",
            "DELETE",
            [web::delete().to(end_session::end_session)],
        ));
}

fn users(config: &mut ServiceConfig) {
    config
        .service(endpoint(
            "/users",
            "GET, HEAD",
            [get().to(find_users::find_users)],
        ))
        .service(endpoint(
            "/users/{id}",
            "GET, HEAD, PATCH, DELETE",
            [
                get().to(show_user::show_user),
                web::patch().to(set_status::set_status),
                web::delete().to(delete_user::delete_user),
            ],
        ))
        .service(endpoint(
            "/users/{id}/roles",
            "PUT",
            [web::put().to(set_user_roles::set_user_roles)],
        ))
        .service(endpoint(
            "/users/{id}/password",
            "PUT",
            [web::put().to(reset_password::reset_password)],
        ))
        .service(endpoint(
            "/users/{id}/sessions",
            "GET, HEAD, DELETE",
            [
                get().to(list_user_sessions::list_user_sessions),
                web::delete().to(end_user_sessions::end_user_sessions),
            ],
        ));
}

fn catalogue_and_trail(config: &mut ServiceConfig) {
    config
        .service(endpoint(
            "/roles",
            "GET, HEAD",
            [get().to(list_roles::list_roles)],
        ))
        // Behind /roles/update, which is found first: no role of that name is reached.
        .service(endpoint(
            "/roles/{name}",
            "GET, HEAD, PUT, DELETE",
            [
                get().to(show_role::show_role),
                web::put().to(write_role::write_role),
                web::delete().to(delete_role::delete_role),
            ],
        ))
        .service(endpoint(
            "/audit",
            "GET, HEAD",
            [get().to(read_audit::read_audit)],
        ));
}

fn operations(config: &mut ServiceConfig) {
    config
        .service(endpoint("/health/live", "GET, HEAD", [get().to(health::live)]))
        .service(endpoint("/health/ready", "GET, HEAD", [get().to(health::ready)]))
        .service(endpoint(
            "/.well-known/jwks.json",
            "GET, HEAD",
            [get().to(jwks::jwks)],
        ))
        .service(endpoint(
            "/.well-known/oauth-authorization-server",
            "GET, HEAD",
            [get().to(metadata::metadata)],
        ));
}

/// A path, what it answers, and 405 for every other method.
fn endpoint(path: &str, allowed: &'static str, routes: impl IntoIterator<Item = Route>) -> Resource {
    routes
        .into_iter()
        .fold(web::resource(path), Resource::route)
        .default_service(web::to(async move || {
            Err::<HttpResponse, _>(Problem::method_not_allowed(allowed))
        }))
}

/// GET, and HEAD as its twin without a body (RFC 9110, section 9.3.2).
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn unreadable_query() -> Problem {
    Problem::validation_failed(vec![crate::problem::FieldProblem {
        field: "query".to_owned(),
        code: "wrong_type".into(),
        detail: "a parameter is not known here or not of the type that belongs here".to_owned(),
    }])
}
