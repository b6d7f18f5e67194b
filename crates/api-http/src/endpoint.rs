//! Handlers with the path and method declared in their `#[utoipa::path]`.
//!
//! The list of endpoints in [`routes`](crate::routes) is used twice: [`mount`] registers the
//! handlers, and [`openapi`](crate::openapi()) describes them. A path is declared only in the
//! attribute of its handler.

use crate::problem::Problem;
use actix_web::{
    HttpResponse, Resource, Route, guard,
    http::Method,
    web::{self, ServiceConfig},
};
use utoipa::openapi::{OpenApi, PathItem};

/// A documented handler. Created by [`endpoint!`].
pub struct Endpoint {
    /// Returns a document with this handler's operation and its schemas.
    pub describe: fn() -> OpenApi,
    pub handle: fn() -> Route,
}

/// Creates an [`Endpoint`] from a handler with a `#[utoipa::path]`.
///
/// This cannot be a function: utoipa attaches the description to the handler's name, not to its
/// type.
macro_rules! endpoint {
    ($($handler:ident)::+) => {{
        #[derive(::utoipa::OpenApi)]
        #[openapi(paths($($handler)::+))]
        struct Described;
        $crate::endpoint::Endpoint {
            describe: <Described as ::utoipa::OpenApi>::openapi,
            handle: || ::actix_web::web::route().to($($handler)::+),
        }
    }};
}
pub(crate) use endpoint;

impl Endpoint {
    fn path_and_method(&self) -> (String, Method) {
        let described = (self.describe)().paths.paths.into_iter().next();
        let (path, item) = described.expect("utoipa::path describes one path");
        let method = method_of(&item).expect("utoipa::path describes one method");
        (path, method)
    }
}

fn method_of(item: &PathItem) -> Option<Method> {
    let operations = [
        (&item.get, Method::GET),
        (&item.post, Method::POST),
        (&item.put, Method::PUT),
        (&item.patch, Method::PATCH),
        (&item.delete, Method::DELETE),
    ];
    operations
        .into_iter()
        .find_map(|(operation, method)| operation.is_some().then_some(method))
}

/// Registers `endpoints` with one resource per path, in the order in which the paths first appear.
pub fn mount(endpoints: &[Endpoint], config: &mut ServiceConfig) {
    let mut resources: Vec<(String, Vec<(Method, Route)>)> = Vec::new();
    for endpoint in endpoints {
        let (path, method) = endpoint.path_and_method();
        let route = (method, (endpoint.handle)());
        match resources.iter_mut().find(|(known, _)| *known == path) {
            Some((_, routes)) => routes.push(route),
            None => resources.push((path, vec![route])),
        }
    }
    for (path, routes) in resources {
        config.service(resource(&path, routes));
    }
}

/// Answers `path` with one of `routes`, and any other method with 405. GET also answers HEAD
/// (RFC 9110, section 9.3.2).
pub fn resource(path: &str, routes: impl IntoIterator<Item = (Method, Route)>) -> Resource {
    let mut resource = web::resource(path);
    let mut allowed = Vec::new();
    for (method, route) in routes {
        let guard = guard::Any(guard::Method(method.clone()));
        if method == Method::GET {
            allowed.push("GET, HEAD".to_owned());
            resource = resource.route(route.guard(guard.or(guard::Head())));
        } else {
            allowed.push(method.to_string());
            resource = resource.route(route.guard(guard));
        }
    }
    let allowed = allowed.join(", ");
    resource.default_service(web::to(move || {
        let refusal = Problem::method_not_allowed(&allowed);
        async { Err::<HttpResponse, _>(refusal) }
    }))
}
