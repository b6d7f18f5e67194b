//! What happens to a refresh token that is presented again within the grace window, by its origin.

use crate::app::{Answer, Pair, TestApp, app};
use chrono::Duration;
use serde_json::Value;

const OWNER: (&str, &str) = ("192.0.2.7", "app/1");

async fn refresh(app: &TestApp, pair: &Pair, (address, user_agent): (&str, &str)) -> Answer {
    let request = app.post("/refresh").from(address).bearer(&pair.refresh);
    request.header("User-Agent", user_agent).send().await
}

/// Returns the events of `action`, newest first.
async fn events(app: &TestApp, action: &str) -> Vec<Value> {
    let root = app.admin("root").await;
    let path = format!("/audit?action={action}");
    let page = app.get(&path).bearer(&root.access).send().await;
    assert_eq!(page.status, 200, "{}", page.body);
    let events = page.body["events"].as_array();
    events.expect("the response contains events").clone()
}

/// The rows of the table in docs/tokens.md.
#[actix_web::test]
async fn a_replay_is_answered_unless_it_is_late_or_network_and_user_agent_both_differ() {
    for (client, origin, seconds, expected) in [
        ("two tabs", OWNER, 0, 200),
        ("a lost response", OWNER, 9, 200),
        ("a retry at another replica", ("192.0.2.200", "app/1"), 2, 200),
        ("a phone changes networks", ("2001:db8::7", "app/1"), 5, 200),
        ("the client is updated", ("192.0.2.7", "app/2"), 5, 200),
        ("both change", ("198.51.100.7", "app/2"), 5, 401),
        ("a thief within the window", ("198.51.100.7", "thief"), 0, 401),
        ("a retry that is too late", OWNER, 10, 401),
        ("a thief later", ("198.51.100.7", "thief"), 600, 401),
    ] {
        let app = app();
        let first = app.user("alice").await;
        let second = refresh(&app, &first, OWNER).await.pair();
        app.clock.advance(Duration::seconds(seconds));

        let replay = refresh(&app, &first, origin).await;

        assert_eq!(replay.status, expected, "{client}: {}", replay.body);
        let state = (app.me_code(&second).await, app.refresh_code(&second).await);
        if expected == 200 {
            assert_eq!(replay.pair().refresh, second.refresh, "{client}");
            assert_eq!(state, ("accepted".into(), "accepted".into()), "{client}");
            assert_eq!(events(&app, "refresh_token_replayed").await.len(), 1, "{client}");
        } else {
            assert_eq!(replay.code(), "refresh_token_reused", "{client}");
            assert_eq!(
                state,
                ("token_revoked".into(), "session_revoked".into()),
                "{client}"
            );
            let reused = events(&app, "refresh_token_reused").await;
            assert_eq!(reused.len(), 1, "{client}");
            assert_eq!(reused[0]["ip"], origin.0, "{client}");
            assert_eq!(reused[0]["user_agent"], origin.1, "{client}");
        }
    }
}

/// The thief refreshes first. The owner, who presents the token next, reveals the theft.
#[actix_web::test]
async fn the_owner_who_refreshes_after_a_thief_ends_the_session() {
    let app = app();
    let first = app.user("alice").await;
    let stolen = refresh(&app, &first, ("198.51.100.7", "thief")).await.pair();
    let owner = refresh(&app, &first, OWNER).await;
    assert_eq!(owner.code(), "refresh_token_reused");
    assert_eq!(app.refresh_code(&stolen).await, "session_revoked");
}

#[actix_web::test]
async fn each_rotation_that_was_replayed_has_one_event_with_the_origin_of_the_first_replay() {
    let app = app();
    let mut pair = app.user("alice").await;
    for address in ["203.0.113.1", "203.0.113.2"] {
        let next = refresh(&app, &pair, OWNER).await.pair();
        for origin in [(address, "app/1"), OWNER, ("198.51.100.7", "app/1")] {
            assert_eq!(refresh(&app, &pair, origin).await.status, 200);
        }
        pair = next;
    }
    let replayed = events(&app, "refresh_token_replayed").await;
    assert_eq!(replayed.len(), 2, "{replayed:#?}");
    for (event, address) in replayed.iter().zip(["203.0.113.2", "203.0.113.1"]) {
        assert_eq!(event["ip"], address);
        assert_eq!(event["user_agent"], "app/1");
        assert_eq!(event["outcome"], "success");
        assert_eq!(event["details"]["network"], "different");
        assert_eq!(event["details"]["user_agent"], "same");
    }
}

/// Refreshes in `tabs` tabs, one after the other, each with the token that the previous one got.
/// Returns the token pairs in the order of their issue.
async fn staggered(app: &TestApp, tabs: usize) -> Vec<Pair> {
    let mut pairs = vec![app.user("alice").await];
    for _ in 0..tabs {
        app.clock.advance(Duration::milliseconds(100));
        let newest = &pairs[pairs.len() - 1];
        let next = refresh(app, newest, OWNER).await.pair();
        pairs.push(next);
    }
    pairs
}

/// The cookie jar of a browser has the current token, but requests with earlier ones are still in
/// flight.
#[actix_web::test]
async fn staggered_tabs_get_the_current_token_whichever_they_sent() {
    for tabs in [2, 3, 10] {
        let app = app();
        let pairs = staggered(&app, tabs).await;
        let (current, earlier) = pairs.split_last().expect("there are tabs");
        for pair in earlier.iter().chain(earlier.iter().rev()) {
            let answer = refresh(&app, pair, OWNER).await;
            assert_eq!(answer.status, 200, "{tabs} tabs: {}", answer.body);
            assert_eq!(answer.pair().refresh, current.refresh, "{tabs} tabs");
        }
        let replayed = events(&app, "refresh_token_replayed").await;
        assert_eq!(
            replayed.len(),
            1,
            "{tabs} tabs: one event after the last rotation"
        );
        assert_eq!(app.refresh_code(current).await, "accepted", "{tabs} tabs");
        assert_eq!(app.me_code(&pairs[0]).await, "accepted", "{tabs} tabs");
    }
}

/// The first rotation is ten seconds ago, the last one 9.8.
#[actix_web::test]
async fn tokens_of_staggered_tabs_end_the_session_after_the_window() {
    for (tab, expected) in [
        (0, "refresh_token_reused"),
        (1, "refresh_token_reused"),
        (2, "accepted"),
    ] {
        let app = app();
        let pairs = staggered(&app, 3).await;
        app.clock.advance(Duration::milliseconds(9_800));
        assert_eq!(app.refresh_code(&pairs[tab]).await, expected, "tab {tab}");
        let current = app.refresh_code(&pairs[3]).await;
        let is_live = expected == "accepted";
        assert_eq!(current == "accepted", is_live, "tab {tab}: {current}");
    }
}

#[actix_web::test]
async fn a_thief_with_the_token_of_a_staggered_tab_ends_the_session() {
    let app = app();
    let pairs = staggered(&app, 3).await;
    let thief = refresh(&app, &pairs[0], ("198.51.100.7", "thief")).await;
    assert_eq!(thief.code(), "refresh_token_reused");
    assert_eq!(app.refresh_code(&pairs[3]).await, "session_revoked");
}

#[actix_web::test]
async fn a_staggered_tab_can_log_out() {
    let app = app();
    let pairs = staggered(&app, 3).await;
    let request = app.post("/logout").from(OWNER.0).bearer(&pairs[0].refresh);
    let answer = request.header("User-Agent", OWNER.1).send().await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert_eq!(app.refresh_code(&pairs[3]).await, "session_revoked");
    assert_eq!(events(&app, "refresh_token_reused").await.len(), 0);
}

/// The login is 13 minutes before the full hour.
#[actix_web::test]
async fn a_session_shows_only_the_hour_of_its_last_use() {
    let app = app();
    let mut pair = app.user("alice").await;
    app.admin("root").await;
    for (minutes, later_hours) in [(1, false), (50, true), (30, true), (61, true)] {
        app.clock.advance(Duration::minutes(minutes));
        pair = refresh(&app, &pair, OWNER).await.pair();
        let root = app.log_in("root").await;
        let id = app.id(&pair).await;
        for (path, token) in [
            ("/me/sessions".to_owned(), &pair.access),
            ("/me/export".to_owned(), &pair.access),
            (format!("/users/{id}/sessions"), &root.access),
        ] {
            let listed = app.get(&path).bearer(token).send().await;
            let session = &listed.body["sessions"][0];
            let (created, used) = (&session["created_at"], &session["last_used_at"]);
            assert_eq!(used != created, later_hours, "{path}");
            let used = used.as_str().expect("the session has a time");
            assert!(!later_hours || used.ends_with(":00:00Z"), "{path}: {used}");
        }
    }
}
