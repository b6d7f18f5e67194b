//! What every request passes through: it gets an id, a span, a line in the log and the time that it may wait for databases,
//! and its answer gets the headers that every answer carries.

use crate::{
    client::client_address,
    connections::{UnreadBody, mark_activity},
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
use domain::audit::Origin;
use request_scope::RequestScope;
use std::{
    future::{Ready, ready},
    time::Duration,
};
use tracing::{Instrument, Span, field};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest foreign request id that is taken over.
const MAX_ID_LENGTH: usize = 64;
/// How long a request may wait for databases in all. A refusal has to come within a second; the rest of it is for what is
/// done between the waits.
const WAIT_BUDGET: Duration = Duration::from_millis(900);

/// Where the request came from, as the core wants to know it.
pub struct RequestOrigin(pub Origin);

impl FromRequest for RequestOrigin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let origin = request.extensions().get::<Origin>().cloned();
        ready(Ok(Self(origin.expect("the middleware puts it there"))))
    }
}

/// What the log tells of a request when it is answered.
///
/// It is told outside of the request's span and scope, and has what they tell of it itself: a log that shows a line's spans
/// puts them together for each line, and this one comes with every request.
struct Line {
    method: Method,
    client: Option<String>,
    meter: RequestMeter,
}

impl Line {
    fn write(self, response: &ServiceResponse<BoxBody>, code: Option<&'static str>, request_id: &str) {
        // The pattern and not the path: a path is foreign text and may hold anything.
        let route = response.request().match_pattern();
        let route = route.as_deref().unwrap_or("unmatched");
        let elapsed = self.meter.record_response(route, response.status(), code);
        tracing::info!(
            method = self.method.as_str(),
            route,
            status = response.status().as_u16(),
            code,
            elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            request_id,
            client = self.client,
            "answered"
        );
    }
}

/// The middleware itself.
pub async fn handle(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let edge: &Data<Edge> = request.app_data().expect("configure() puts it there");
    let own_id = || {
        let ids: &RequestIds = request.app_data().expect("configure() puts it there");
        ids.next(edge.clock.now()).to_string()
    };
    let request_id = sane_id(request.headers()).unwrap_or_else(own_id);
    let origin = Origin::new(
        client_address(request.request(), &edge.settings.trusted_proxies),
        request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok()),
        Some(request_id.clone()),
    );
    let client = origin.address;
    let span = tracing::info_span!(
        "request",
        request_id,
        client = client.map(field::display),
        code = field::Empty
    );
    let line = Line {
        method: request.method().clone(),
        client: client.map(|it| it.to_string()),
        meter: RequestMeter::start(request.method()),
    };
    request.extensions_mut().insert(origin);
    mark_activity(request.request());
    let body = UnreadBody::watch(&mut request);
    let answering = answer(request, next, &request_id).instrument(span);
    let scope = RequestScope::identified(&request_id, WAIT_BUDGET);
    let (mut response, code) = scope.run(answering).await?;
    line.write(&response, code, &request_id);
    mark_activity(response.request());
    if body.is_unread() {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(with_common_headers(response, &request_id))
}

/// The caller's own id, if it cannot harm a log.
fn sane_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_sane = (1..=MAX_ID_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    is_sane.then(|| id.to_owned())
}

/// The answer, and the code of the problem that it is, if it is one.
async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    request_id: &str,
) -> Result<(ServiceResponse<BoxBody>, Option<&'static str>), Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let (response, code) = with_request_id(response, request_id);
    if let Some(code) = code {
        Span::current().record("code", code);
    }
    Ok((response, code))
}

/// Writes the request's id into a problem, and tells its code.
fn with_request_id(
    response: ServiceResponse<BoxBody>,
    request_id: &str,
) -> (ServiceResponse<BoxBody>, Option<&'static str>) {
    let problem = response.response().extensions().get::<Problem>().cloned();
    match problem {
        None => (response, None),
        Some(problem) => {
            let rendered = problem.render(Some(request_id));
            (response.into_response(rendered), Some(problem.code()))
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
    fn a_foreign_request_id_is_taken_over_only_if_it_is_sane() {
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
            headers.insert(REQUEST_ID, HeaderValue::from_str(id).expect("a header"));
            assert_eq!(sane_id(&headers).is_some(), sane, "{id}");
        }
    }
}
