//! The root path, for readers who know only the service's address.

use crate::{endpoint::resource, problem::Problem};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{self, ServiceConfig},
};

/// The page for browsers. It needs no styles or scripts, which the policy of responses forbids.
const PAGE: &str = include_str!("home/index.html");

/// Mounts the root: a redirect to the documentation if it is served, otherwise a page for browsers.
pub fn configure(docs: bool, config: &mut ServiceConfig) {
    let route = if docs {
        web::route().to(async || to_documentation())
    } else {
        web::route().to(page)
    };
    config.service(resource("/", [(Method::GET, route)]));
}

/// Redirects to the documentation. Not permanently: what is at `/` may change with the setting. The
/// location is relative, so that it holds below a prefix.
fn to_documentation() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, "docs/"))
        // The web server flushes responses without a body at once, even if many wait to be read.
        .body("The documentation is at docs/.\n")
}

/// Returns a page to browsers, and a problem to other clients, for which there is nothing here.
async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return Err(Problem::not_found());
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::VARY, "Accept"))
        .content_type("text/html; charset=utf-8")
        .body(PAGE))
}
