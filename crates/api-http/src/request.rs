//! The middleware of every request: its id, span, log line and wait budget, and the headers that
//! every response carries.

use crate::{
    client::client_address,
    connections::{UnreadBody, begin_request, end_request},
    cors,
    host::check_preflight_host,
    if_none_match::CachedTags,
    logged_principal::LoggedPrincipal,
    metrics::RequestMeter,
    problem::Problem,
    request_ids::RequestIds,
    state::Edge,
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use domain::{audit::Origin, principal::PrincipalId};
use request_scope::RequestScope;
use std::{
    future::{Ready, ready},
    time::Duration,
};
use tracing::{Instrument, Span, field};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length of a request id that is taken from the client.
const MAX_ID_LENGTH: usize = 64;
/// Wait budget of a request for all databases together. A rejection must be sent within a second;
/// the rest is for work between the waits.
const WAIT_BUDGET: Duration = Duration::from_millis(900);

/// The origin of a request, as recorded in audit events.
pub struct RequestOrigin(pub Origin);

impl FromRequest for RequestOrigin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let origin = request.extensions().get::<Origin>().cloned();
        ready(Ok(Self(origin.expect("the middleware adds it to every request"))))
    }
}

/// The log line of an answered request.
///
/// It is logged outside the request's span and scope and repeats their fields, because formatting
/// the spans of a line is expensive and this line is logged for every request.
struct Line {
    method: Method,
    client: Option<String>,
    meter: RequestMeter,
    ids: RequestNames,
}

/// The names of a request. The service's own is unique, so it identifies the request in the log and
/// the audit log. The client's connects the request with the client's log, and can be anything,
/// such as the id of another request.
struct RequestNames {
    own: String,
    of_client: Option<String>,
}

impl RequestNames {
    fn new(request: &ServiceRequest, edge: &Edge) -> Self {
        let ids: &RequestIds = request
            .app_data()
            .expect("configure() adds it to the application");
        Self {
            own: ids.next(edge.clock.now()).to_string(),
            of_client: safe_client_id(request.headers()),
        }
    }

    /// Returns the name in the response: the client's, if it sent one.
    fn shown(&self) -> &str {
        self.of_client.as_deref().unwrap_or(&self.own)
    }
}

impl Line {
    fn write(self, response: &ServiceResponse<BoxBody>, code: Option<&'static str>) {
        // Log the pattern, because the path is untrusted text.
        let route = response.request().match_pattern();
        let route = route.as_deref().unwrap_or("unmatched");
        let elapsed = self.meter.record_response(route, response.status(), code);
        let principal = LoggedPrincipal::find(response).map(|principal| principal.0);
        let user = principal.and_then(PrincipalId::user).map(|id| id.to_string());
        let machine = principal.and_then(PrincipalId::machine).map(|id| id.to_string());
        tracing::info!(
            method = self.method.as_str(),
            route,
            status = response.status().as_u16(),
            code,
            elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            user,
            machine,
            request_id = self.ids.own,
            client_request_id = self.ids.of_client,
            client = self.client,
            "answered"
        );
    }
}

/// Handles a request: the outermost middleware of all routes.
pub async fn handle(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let edge: &Data<Edge> = request
        .app_data()
        .expect("configure() adds it to the application");
    let ids = RequestNames::new(&request, edge);
    let origin = origin(&request, edge, &ids);
    let client = origin.address;
    let span = tracing::info_span!(
        "request",
        request_id = ids.own,
        client_request_id = ids.of_client,
        client = client.map(field::display),
        user = field::Empty,
        machine = field::Empty,
        code = field::Empty
    );
    let shown_id = ids.shown().to_owned();
    let scope = RequestScope::identified(&ids.own, WAIT_BUDGET);
    let line = Line {
        method: request.method().clone(),
        client: client.map(|it| it.to_string()),
        meter: RequestMeter::start(request.method()),
        ids,
    };
    request.extensions_mut().insert(origin);
    begin_request(request.request());
    let body = UnreadBody::watch(&mut request);
    let answering = answer(request, next, &shown_id).instrument(span);
    let (mut response, code) = scope.run(answering).await?;
    line.write(&response, code);
    let is_unread = body.is_unread();
    end_request(response.request(), is_unread);
    if is_unread {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(with_common_headers(response, &shown_id))
}

fn origin(request: &ServiceRequest, edge: &Edge, ids: &RequestNames) -> Origin {
    let agent = request.headers().get(header::USER_AGENT);
    Origin::new(
        client_address(request.request(), &edge.settings.trusted_proxies),
        agent.and_then(|agent| agent.to_str().ok()),
        Some(ids.own.clone()),
    )
    .named_by_client(ids.of_client.clone())
}

/// Returns the client's request id if it is safe to log.
fn safe_client_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_sane = (1..=MAX_ID_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    is_sane.then(|| id.to_owned())
}

/// Returns the response, and the code of its problem if it is one.
async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    request_id: &str,
) -> Result<(ServiceResponse<BoxBody>, Option<&'static str>), Error> {
    let cached = CachedTags::of(&request);
    let is_preflight = cors::is_preflight(&request);
    let response = match check_preflight_host(&request, is_preflight) {
        Ok(()) => cors::complete(next.call(request).await?.map_into_boxed_body(), is_preflight),
        Err(problem) => request.error_response(problem),
    };
    let response = match cached {
        Some(cached) => cached.answer(response),
        None => response,
    };
    let (response, code) = with_request_id(response, request_id);
    if let Some(code) = code {
        Span::current().record("code", code);
    }
    if let Some(LoggedPrincipal(principal)) = LoggedPrincipal::find(&response) {
        let name = match principal {
            PrincipalId::User(_) => "user",
            PrincipalId::Machine(_) => "machine",
        };
        Span::current().record(name, field::display(principal));
    }
    Ok((response, code))
}

/// Adds the request's id to a problem, and returns the problem's code. Keeps the headers, which
/// include those of CORS and cookies.
fn with_request_id(
    response: ServiceResponse<BoxBody>,
    request_id: &str,
) -> (ServiceResponse<BoxBody>, Option<&'static str>) {
    let problem = response.response().extensions().get::<Problem>().cloned();
    match problem {
        None => (response, None),
        Some(problem) => {
            let body = serde_json::to_vec(&problem.body(Some(request_id)));
            let body = body.expect("a problem serializes to JSON");
            let response = response.map_body(|_, _| BoxBody::new(body));
            (response, Some(problem.code()))
        }
    }
}

fn with_common_headers<B>(mut response: ServiceResponse<B>, request_id: &str) -> ServiceResponse<B> {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_request_id_is_kept_only_if_it_is_safe() {
        for (id, sane) in [
            ("abc-DEF_1.2", true),
            ("0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d", true),
            ("", false),
            ("a b", false),
            ("a\tb", false),
            ("<script>", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                REQUEST_ID,
                HeaderValue::from_str(id).expect("the header value is valid"),
            );
            assert_eq!(safe_client_id(&headers).is_some(), sane, "{id}");
        }
    }
}
