//! Calls every route as every kind of caller, and compares the statuses with a table.

mod table;

use crate::{
    app::{Answer, NEW_PASSWORD, PASSWORD, Pair, TestApp, app, without_docs},
    step_up::refreshed_later,
};
use actix_web::http::Method;
use api_http::openapi;
use domain::{role::OWN_PERMISSIONS, user::UserStatus};
use serde_json::Value;
use std::collections::BTreeSet;
pub use table::{Cast, Row, rows};
use uuid::Uuid;

#[test]
fn the_table_lists_each_documented_route_once() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"]
        .as_object()
        .expect("the document contains paths")
    {
        for method in operations.as_object().expect("the path has operations").keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let rows: Vec<_> = rows()
        .iter()
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    let listed: BTreeSet<_> = rows.iter().cloned().collect();
    let missing: Vec<_> = documented.difference(&listed).collect();
    let undocumented: Vec<_> = listed.difference(&documented).collect();
    assert!(
        missing.is_empty() && undocumented.is_empty(),
        "missing: {missing:?}, not in the document: {undocumented:?}"
    );
    assert_eq!(rows.len(), listed.len(), "a route is listed twice");
}

#[test]
fn the_table_has_a_column_for_each_permission() {
    let rows = rows();
    let columns: Vec<_> = rows[0].cells.iter().map(|(who, _)| *who).collect();
    for permission in OWN_PERMISSIONS {
        assert!(columns.contains(&permission.as_str()), "{permission:?}");
    }
}

#[actix_web::test]
async fn every_caller_gets_the_status_in_the_table() {
    let mut mismatches = Vec::new();
    for row in rows() {
        for &(who, expected) in &row.cells {
            let answer = call(&row, who).await;
            let code = row.code(answer.status, who);
            if answer.status != expected || code.is_some_and(|code| answer.code() != code) {
                let Answer { status, body, .. } = &answer;
                mismatches.push(format!(
                    "{} {} by {who}: {status} instead of {expected}: {body}",
                    row.method, row.path
                ));
            }
        }
    }
    assert!(mismatches.is_empty(), "{mismatches:#?}");
}

/// Calls a route as `who` on a new app.
async fn call(row: &Row, who: &str) -> Answer {
    let app = without_docs(app());
    // A second admin, so that no request is rejected because it would remove the last one.
    app.admin("spare").await;
    app.role("unused", &[]).await;
    app.sign_checkpoint().await;
    let bob = app.user("bob").await;
    let bob = app.id(&bob).await;
    let caller = caller(&app, who).await;
    let target = match (&caller, who) {
        (Some(caller), "self") => app.id(&caller.pair).await,
        _ => bob,
    };
    let id = if row.path.starts_with("/me/sessions") {
        session(&app, caller.as_ref()).await
    } else {
        target
    };
    let url = row.path.replace("{id}", &id).replace("{name}", "unused");
    let method = Method::try_from(row.method).expect("the method is valid");
    let mut request = app.request(method, &url);
    if let Some(caller) = &caller {
        let Pair { access, refresh } = &caller.pair;
        request = request.bearer(if row.path == "/refresh" { refresh } else { access });
    }
    let cast = Cast {
        caller: LOGIN,
        password: caller.as_ref().map_or("guessed", |caller| caller.password),
        other: "bob",
        newcomer: "newcomer",
    };
    if let Some(body) = row.body(who, &cast) {
        request = request.json(&body);
    }
    request.send().await
}

struct Caller {
    pair: Pair,
    password: &'static str,
}

const LOGIN: &str = "caller";

async fn caller(app: &TestApp, who: &str) -> Option<Caller> {
    let pair = match who {
        "none" => return None,
        "admin" | "stale" => app.admin(LOGIN).await,
        permission if permission.contains(':') => app.holder(LOGIN, "its-own", &[permission]).await,
        "user" | "self" | "off" | "reset" => app.user(LOGIN).await,
        _ => panic!("unknown column: {who}"),
    };
    let mut caller = Caller {
        pair,
        password: PASSWORD,
    };
    match who {
        "stale" => caller.pair = refreshed_later(app, &caller.pair, 1).await,
        "off" => app.set_status(LOGIN, UserStatus::Disabled).await,
        "reset" => {
            app.reset_password(LOGIN).await;
            caller.password = NEW_PASSWORD;
            caller.pair = app.log_in_with(LOGIN, NEW_PASSWORD).await;
        }
        _ => {}
    }
    Some(caller)
}

/// Returns the id of the caller's session, or the nil UUID if the caller may not read it.
async fn session(app: &TestApp, caller: Option<&Caller>) -> String {
    let seen = match caller {
        Some(caller) => app.get("/me").bearer(&caller.pair.access).send().await.body,
        None => Value::Null,
    };
    let id = seen["session"]["id"].as_str();
    id.map_or_else(|| Uuid::nil().to_string(), ToOwned::to_owned)
}
