//! JSON bodies, sent to the complete edge. The first line is the route and the caller, such as
//! `PUT /roles/{name} admin`, and the rest is the body.

use crate::service::{Answer, Reusable, Service, with_service};
use actix_web::{http::Method, test::TestRequest};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::LazyLock};

/// The documented routes with a body, with their documented statuses.
static ROUTES: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let document = serde_json::to_value(api_http::openapi()).expect("the document is JSON");
    let mut routes = BTreeMap::new();
    for (path, operations) in members(document.get("paths")) {
        for (method, operation) in members(Some(operations)) {
            if operation.get("requestBody").is_some() {
                let statuses = members(operation.get("responses")).map(|(status, _)| status.clone());
                routes.insert(format!("{} {path}", method.to_uppercase()), statuses.collect());
            }
        }
    }
    routes
});

fn members(object: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.and_then(Value::as_object).into_iter().flatten()
}

/// An input: the documented route, its path, the caller and the body.
struct Call<'a> {
    route: &'a str,
    method: Method,
    path: &'a str,
    caller: &'a str,
    body: &'a [u8],
}

pub fn check(input: &[u8]) {
    if let Some(call) = parse(input) {
        with_service(async |service| check_call(service, &call).await);
    }
}

fn parse(input: &[u8]) -> Option<Call<'_>> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = input.split_at(end);
    let (route, caller) = str::from_utf8(line).ok()?.rsplit_once(' ')?;
    let (method, path) = route.split_once(' ')?;
    ROUTES.get(route)?;
    Some(Call {
        route,
        method: method.parse().ok()?,
        path,
        caller,
        body: rest.split_first()?.1,
    })
}

async fn check_call(service: &Service, call: &Call<'_>) -> Reusable {
    let before = service.state().await;
    let answer = service.send(request(service, call)).await;
    let after = service.state().await;
    check_form(call, &answer);
    assert!(service.has_admin().await, "no admin is left");
    if !answer.status.is_success() {
        assert_eq!(after, before, "a refused request changed the state");
        return Reusable::Yes;
    }
    let body = call.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(call.body);
    let is_object = serde_json::from_slice::<Map<String, Value>>(body).is_ok();
    assert!(
        is_object || body.is_empty(),
        "a body that is not an object is accepted"
    );
    if after == before {
        Reusable::Yes
    } else {
        Reusable::No
    }
}

fn request(service: &Service, call: &Call<'_>) -> TestRequest {
    let path = call
        .path
        .replace("{id}", &service.user_id)
        .replace("{name}", "r0");
    let request = TestRequest::default()
        .method(call.method.clone())
        .uri(&path)
        .insert_header(("Content-Type", "application/json"))
        .set_payload(call.body.to_vec());
    let token = match call.caller {
        "admin" => &service.admin,
        "user" => &service.user,
        _ => return request,
    };
    request.insert_header(("Authorization", format!("Bearer {token}")))
}

/// Checks that the status is documented, and that an error is a problem (RFC 9457).
fn check_form(call: &Call<'_>, answer: &Answer) {
    let Answer {
        status,
        media_type,
        body,
    } = answer;
    assert!(!status.is_server_error(), "{} {status}: {body}", call.route);
    let documented = ROUTES.get(call.route).expect("the route was found");
    assert!(
        documented.iter().any(|known| known == status.as_str()),
        "{}: {status} is not documented: {body}",
        call.route
    );
    if status.is_success() {
        return;
    }
    assert_eq!(media_type, "application/problem+json");
    assert_eq!(body.get("status"), Some(&Value::from(status.as_u16())));
    let code = body.get("code").and_then(Value::as_str);
    assert!(code.is_some_and(|code| !code.is_empty()), "{body}");
}
