//! Cross-origin resource sharing (Fetch Standard, section 3.3).

use crate::{empty_stream::empty_stream, problem::Problem, web_origin::WebOrigin};
use actix_cors::{Cors, CorsError};
use actix_web::{
    ResponseError,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::{Condition, DefaultHeaders},
};

/// How long browsers may reuse the response to a preflight, in seconds: the most that Chromium
/// honours.
const PREFLIGHT_MAX_AGE: usize = 7_200;
/// The request headers that the service evaluates and that pages may set only after a preflight.
const REQUEST_HEADERS: [&str; 8] = [
    "authorization",
    "content-type",
    "device-token",
    "if-match",
    "if-none-match",
    "traceparent",
    "tracestate",
    "x-request-id",
];
/// The response headers that pages may read, in addition to the safelisted ones.
const EXPOSED_HEADERS: [&str; 7] = [
    "device-token",
    "etag",
    "location",
    "ratelimit",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

/// The headers of a response that depend on the origin of the request.
pub static RESPONSE_HEADERS: [HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::VARY,
];

/// Returns the layer that admits pages of `origins`, with cookies. Without any, it does nothing.
pub fn listed(origins: &[WebOrigin]) -> Condition<Cors> {
    let cors = origins.iter().fold(Cors::default(), |cors, origin| {
        cors.allowed_origin(origin.as_str())
    });
    let cors = cors
        .allowed_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allowed_headers(REQUEST_HEADERS)
        .expose_headers(EXPOSED_HEADERS)
        .supports_credentials()
        .max_age(PREFLIGHT_MAX_AGE);
    Condition::new(!origins.is_empty(), cors)
}

/// Returns the layer that admits all pages, without cookies, to documents that everyone may read.
pub fn public() -> Cors {
    Cors::default()
        .allow_any_origin()
        .send_wildcard()
        .allowed_methods([Method::GET, Method::HEAD])
        .allowed_headers(["if-none-match", "traceparent", "tracestate", "x-request-id"])
        .expose_headers(["etag", "x-request-id"])
        .max_age(PREFLIGHT_MAX_AGE)
        // The header is always `*`, so that caches need one copy for all origins.
        .disable_vary_header()
}

/// Returns the layer around [`public`] that adds its header to responses to requests without an
/// `Origin`, too: a shared cache may serve such a response to a page.
pub fn always_public() -> DefaultHeaders {
    DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
}

/// Whether `request` asks for permission to send another one.
pub fn is_preflight(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Completes a response of the layers: refusals become problems, and a response that admits no
/// origin carries no other header for pages.
pub fn complete(response: ServiceResponse<BoxBody>, is_preflight: bool) -> ServiceResponse<BoxBody> {
    let error = response.response().error();
    if let Some(refused) = error.and_then(|error| error.as_error::<CorsError>()) {
        let problem = Problem::from(refused);
        return response.into_response(problem.error_response());
    }
    if !response
        .headers()
        .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    {
        return without_permissions(response);
    }
    if is_preflight && response.status().is_success() {
        return without_content(response);
    }
    response
}

fn without_permissions(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let headers = response.headers_mut();
    headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    headers.remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    response
}

fn without_content(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let nothing = HeaderValue::from_static("0");
    response.headers_mut().insert(header::CONTENT_LENGTH, nothing);
    response.map_body(|head, _| empty_stream(head))
}
