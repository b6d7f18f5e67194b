//! Handlers with the path and method declared in their `#[utoipa::path]`.
//!
//! The list of endpoints in [`routes`](crate::routes) is used twice: [`resources`] mounts the
//! handlers, and [`openapi`](crate::openapi()) describes them. A path is declared only in the
//! attribute of its handler, and a request that contains what the attribute does not declare is
//! refused.

use crate::{declared::Declared, problem::Problem};
use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard, http::Method, web};
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

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
    fn operation(&self) -> (String, Method, Operation) {
        let described = (self.describe)().paths.paths.into_iter().next();
        let (path, item) = described.expect("utoipa::path describes one path");
        let (method, operation) = operation_of(item).expect("utoipa::path describes one method");
        (path, method, operation)
    }

    /// The routes of the handler: the first takes the requests that its operation declares, and the
    /// second refuses all others.
    fn routes(&self, operation: &Operation) -> [Route; 2] {
        let declared = Declared::of(operation);
        let is_declared = {
            let declared = declared.clone();
            guard::fn_guard(move |context| declared.check(context.head()).is_ok())
        };
        let refuse = move |request: HttpRequest| {
            let refused = declared.check(request.head());
            let problem = refused.expect_err("the guard of the first route did not hold");
            async { Err::<HttpResponse, _>(problem) }
        };
        [(self.handle)().guard(is_declared), web::route().to(refuse)]
    }
}

fn operation_of(item: PathItem) -> Option<(Method, Operation)> {
    let operations = [
        (item.get, Method::GET),
        (item.post, Method::POST),
        (item.put, Method::PUT),
        (item.patch, Method::PATCH),
        (item.delete, Method::DELETE),
    ];
    operations
        .into_iter()
        .find_map(|(operation, method)| Some((method, operation?)))
}

/// Returns one resource per path of `endpoints`, in the order in which the paths first appear.
pub fn resources(endpoints: &[Endpoint]) -> Vec<Resource> {
    let mut resources: Vec<(String, Vec<(Method, Route)>)> = Vec::new();
    for endpoint in endpoints {
        let (path, method, operation) = endpoint.operation();
        let routes = endpoint.routes(&operation).map(|route| (method.clone(), route));
        match resources.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => known.extend(routes),
            None => resources.push((path, routes.into())),
        }
    }
    let resources = resources.into_iter();
    resources.map(|(path, routes)| resource(&path, routes)).collect()
}

/// Returns the resource that answers `path` with `endpoint`, whatever path that declares.
pub fn resource_at(path: &str, endpoint: &Endpoint) -> Resource {
    let (_, method, operation) = endpoint.operation();
    let routes = endpoint.routes(&operation).map(|route| (method.clone(), route));
    resource(path, routes)
}

/// Answers `path` with the first of `routes` that takes the request, and a method without a route
/// with 405. GET also answers HEAD (RFC 9110, section 9.3.2).
pub fn resource(path: &str, routes: impl IntoIterator<Item = (Method, Route)>) -> Resource {
    let mut resource = web::resource(path);
    let mut allowed = Vec::new();
    for (method, route) in routes {
        let guard = guard::Any(guard::Method(method.clone()));
        let (methods, guard) = if method == Method::GET {
            ("GET, HEAD", guard.or(guard::Head()))
        } else {
            (method.as_str(), guard)
        };
        if !allowed.iter().any(|known| known == methods) {
            allowed.push(methods.to_owned());
        }
        resource = resource.route(route.guard(guard));
    }
    let allowed = allowed.join(", ");
    resource.default_service(web::to(move || {
        let refusal = Problem::method_not_allowed(&allowed);
        async { Err::<HttpResponse, _>(refusal) }
    }))
}
