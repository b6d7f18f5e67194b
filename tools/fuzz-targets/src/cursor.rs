//! Cursors of lists. The first byte selects the list: `u` the users, `a` the audit log. The rest is
//! the cursor.

use crate::service::{Answer, LOGINS, Reusable, Service, with_service};
use actix_web::test::TestRequest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::login::Login;
use serde_json::Value;

const LIMIT: usize = 2;

pub fn check(input: &[u8]) {
    let Some((list, cursor)) = input.split_first() else {
        return;
    };
    with_service(async |service| {
        if *list == b'a' {
            check_audit(service, cursor).await;
        } else {
            check_users(service, cursor).await;
        }
        Reusable::Yes
    });
}

/// Returns the key in a cursor, decoded with other code.
fn key(cursor: &[u8]) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

async fn check_users(service: &Service, cursor: &[u8]) {
    let answer = page(service, "users", cursor).await;
    let after = key(cursor).and_then(|key| Login::parse(&key).ok());
    let Some(after) = after else {
        return check_refused(&answer);
    };
    let canonical = |login: &str| {
        Login::parse(login)
            .expect("the login is valid")
            .canonical()
            .clone()
    };
    let behind = LOGINS
        .into_iter()
        .filter(|login| canonical(login) > *after.canonical());
    let expected: Vec<_> = behind.collect();
    let listed = listed(&answer, "users", "login");
    let listed: Vec<_> = listed.iter().filter_map(|login| login.as_str()).collect();
    assert!(listed.iter().eq(expected.iter().take(LIMIT)), "{listed:?}");
    check_next(service, "users", &answer, expected.len() > LIMIT).await;
}

async fn check_audit(service: &Service, cursor: &[u8]) {
    let answer = page(service, "audit", cursor).await;
    let Some(before) = key(cursor).and_then(|key| key.parse::<i64>().ok()) else {
        return check_refused(&answer);
    };
    let numbers = listed(&answer, "events", "number");
    let mut previous = before;
    for number in numbers.iter().filter_map(|number| number.as_i64()) {
        assert!(number < previous, "{number} is not before {previous}");
        previous = number;
    }
    check_next(
        service,
        "audit",
        &answer,
        answer.body.get("next_cursor").is_some_and(Value::is_string),
    )
    .await;
}

async fn page(service: &Service, list: &str, cursor: &[u8]) -> Answer {
    let cursor: String = form_urlencoded::byte_serialize(cursor).collect();
    let uri = format!("/{list}?limit={LIMIT}&cursor={cursor}");
    let token = format!("Bearer {}", service.admin);
    let request = TestRequest::get().uri(&uri);
    service
        .send(request.insert_header(("Authorization", token)))
        .await
}

fn check_refused(answer: &Answer) {
    assert!(
        answer.status.is_client_error(),
        "{}: {}",
        answer.status,
        answer.body
    );
    let code = answer.body.get("code").and_then(Value::as_str);
    assert_eq!(code, Some("validation_failed"), "{}", answer.body);
}

fn listed<'a>(answer: &'a Answer, list: &str, member: &str) -> Vec<&'a Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let entries = answer.body.get(list).and_then(Value::as_array);
    let entries = entries.expect("the response contains a list");
    assert!(entries.len() <= LIMIT);
    entries.iter().filter_map(|entry| entry.get(member)).collect()
}

/// Checks that the next page exists if it should, and that its cursor is accepted.
async fn check_next(service: &Service, list: &str, answer: &Answer, is_more: bool) {
    let next = answer.body.get("next_cursor").and_then(Value::as_str);
    assert_eq!(next.is_some(), is_more, "{}", answer.body);
    if let Some(next) = next {
        let answer = page(service, list, next.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}
