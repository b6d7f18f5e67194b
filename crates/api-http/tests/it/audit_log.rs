//! Following the audit log with `GET /audit?after=`, and events that cannot be read.

use crate::app::{Answer, TestApp, app};
use domain::{audit::AuditNumber, changes::TrimAuditLog, ports::AuditLog};
use serde_json::{Value, json};
use testkit::{
    contract::damaged_audit_log::Damage,
    fixtures::{at, context},
};

async fn read(app: &TestApp, token: &str, query: &str) -> Answer {
    app.get(&format!("/audit{query}")).bearer(token).send().await
}

/// Removes the oldest `count` events, as retention does.
pub async fn remove_oldest(app: &TestApp, count: u32) {
    let trim = TrimAuditLog {
        before: at(9_000_000),
        limit: count,
    };
    let trimmed = app.storage.trim(trim, context(at(9_000_000))).await;
    assert_eq!(trimmed.expect("the storage is available"), u64::from(count));
}

fn numbers(page: &Answer) -> Vec<i64> {
    assert_eq!(page.status, 200, "{}", page.body);
    let events = page.body["events"]
        .as_array()
        .expect("the response contains events");
    let number = |event: &Value| event["number"].as_i64().expect("the event has a number");
    events.iter().map(number).collect()
}

#[actix_web::test]
async fn a_reader_gets_each_event_once_and_in_order() {
    let app = app();
    let root = app.admin("root").await.access;
    for login in ["alice", "bob"] {
        app.user(login).await;
    }
    let mut seen = Vec::new();
    let mut after = json!(0);
    for turn in 0..8 {
        let page = read(&app, &root, &format!("?limit=4&after={after}")).await;
        let found = numbers(&page);
        assert_eq!(page.body["next_cursor"], Value::Null);
        after = page.body["next_after"].clone();
        let is_end = found.len() < 4;
        seen.extend(found);
        assert_eq!(after, json!(seen.last()));
        if is_end && turn < 6 {
            app.log_in("bob").await;
        }
    }
    let newest_first = read(&app, &root, "?limit=100").await;
    assert_eq!(newest_first.body["next_after"], Value::Null);
    let mut all = numbers(&newest_first);
    all.reverse();
    assert!(all.len() > 8, "more than two pages: {all:?}");
    assert_eq!(seen, all);
}

#[actix_web::test]
async fn a_gap_and_a_restored_backup_are_reported_to_the_reader() {
    let app = app();
    let root = app.admin("root").await.access;
    for login in ["alice", "bob"] {
        app.user(login).await;
    }
    remove_oldest(&app, 3).await;

    let removed = read(&app, &root, "?after=1").await;
    assert_eq!(
        (removed.status, removed.code().as_str()),
        (410, "audit_events_removed")
    );
    let detail = removed.body["detail"].as_str().expect("the problem has a detail");
    assert!(detail.ends_with("use after=3."), "{detail}");
    for after in [0, 3] {
        let page = read(&app, &root, &format!("?limit=1&after={after}")).await;
        assert_eq!(numbers(&page), [4], "{after}");
    }
    let beyond = read(&app, &root, "?after=900").await;
    assert_eq!(
        (beyond.status, beyond.code().as_str()),
        (409, "audit_log_ends_before")
    );
}

#[actix_web::test]
async fn an_unreadable_event_is_reported_with_how_to_continue_after_it() {
    let app = app();
    let root = app.admin("root").await.access;
    let before = numbers(&read(&app, &root, "?after=0&limit=100").await);
    let last = *before.last().expect("the log has events");
    app.user("alice").await;
    app.storage.damage_event(AuditNumber(last + 1), Damage::Details);

    let page = read(&app, &root, "?after=0&limit=100").await;
    assert_eq!(numbers(&page), before, "the events before it are returned first");
    assert_eq!(page.body["next_after"], json!(last));
    let refused = read(&app, &root, &format!("?after={last}")).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "audit_event_unreadable")
    );
    let detail = refused.body["detail"].as_str().expect("the problem has a detail");
    let unreadable = last + 1;
    assert!(detail.ends_with(&format!("use after={unreadable}.")), "{detail}");
    let later = read(&app, &root, &format!("?limit=1&after={unreadable}")).await;
    assert_eq!(numbers(&later), [unreadable + 1]);
}

#[actix_web::test]
async fn a_page_ends_before_an_unreadable_event_and_the_next_one_reports_how_to_continue_after_it() {
    let app = app();
    let root = app.admin("root").await.access;
    for login in ["alice", "bob"] {
        app.user(login).await;
    }
    let all = numbers(&read(&app, &root, "?limit=100").await);
    let [newest, unreadable, before, ..] = all[..] else {
        panic!("fewer than three events: {all:?}");
    };
    app.storage.damage_event(AuditNumber(unreadable), Damage::Details);

    for limit in [1, 100] {
        let page = read(&app, &root, &format!("?limit={limit}")).await;
        assert_eq!(numbers(&page), [newest], "{limit}");
        let cursor = page.body["next_cursor"].as_str().expect("there is another page");
        let refused = read(&app, &root, &format!("?limit={limit}&cursor={cursor}")).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (409, "audit_event_unreadable")
        );
        let detail = refused.body["detail"].as_str().expect("the problem has a detail");
        let (says, cursor) = detail.split_once("use cursor=").expect("the detail has a cursor");
        assert!(
            says.starts_with(&format!("Event {unreadable} cannot be read.")),
            "{says}"
        );
        let cursor = cursor.trim_end_matches('.');
        let later = read(&app, &root, &format!("?limit=1&cursor={cursor}")).await;
        assert_eq!(numbers(&later), [before], "{limit}");
    }
}

#[actix_web::test]
async fn a_position_is_not_combined_with_other_parameters() {
    let app = app();
    let root = app.admin("root").await.access;
    for (query, field, code) in [
        ("action=logged_in", "action", "not_combinable"),
        ("until=2026-01-01T00:00:00Z", "until", "not_combinable"),
        ("cursor=MTc", "cursor", "not_combinable"),
        ("limit=0", "limit", "out_of_range"),
    ] {
        let refused = read(&app, &root, &format!("?after=1&{query}")).await;
        let error = &refused.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)));
    }
    for (after, code) in [
        ("-1", "out_of_range"),
        ("", "wrong_type"),
        ("9223372036854775808", "wrong_type"),
    ] {
        let refused = read(&app, &root, &format!("?after={after}")).await;
        let error = &refused.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!("after"), &json!(code)));
    }
}
