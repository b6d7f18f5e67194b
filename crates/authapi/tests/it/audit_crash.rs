//! `kill -9` during audited changes: each change has its event, each event its change, and the hash
//! chain is intact. Runs on SQLite and with three replicas, which covers both databases, and one
//! server as well as several.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

use crate::{
    backing::Database,
    burst::BURST,
    client::{Answer, Call, Client},
    it::crash::any_delay,
    journal::{client_request_id, settle},
    server::Place,
};
use reqwest::Method;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

const ROUNDS: usize = 50;
const CLIENTS: usize = 4;
/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The maximum time from the first role change of a round to the kill.
const LONGEST: Duration = Duration::from_millis(150);

/// The steps of an administrator for one user, in order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Register,
    GiveRoles,
    Disable,
    Enable,
    WriteRole,
    EndSessions,
    Delete,
}

const STEPS: [Step; 7] = [
    Step::Register,
    Step::GiveRoles,
    Step::Disable,
    Step::Enable,
    Step::WriteRole,
    Step::EndSessions,
    Step::Delete,
];

impl Step {
    fn call(self, client: &Client, root: &str, name: &str, id: &str) -> Call {
        let status = |status| {
            let call = client.call(Method::PATCH, &format!("/users/{id}")).bearer(root);
            call.json(&json!({"status": status}))
        };
        match self {
            Self::Register => client.registering(name),
            Self::GiveRoles => {
                let call = client.put(&format!("/users/{id}/roles")).bearer(root);
                call.json(&json!({"new_roles": ["user", "admin"]}))
            }
            Self::Disable => status("disabled"),
            Self::Enable => status("active"),
            Self::WriteRole => {
                let body =
                    json!({"description": name, "permissions": ["pages:edit"], "self_assignable": false});
                client.put("/roles/editor").bearer(root).json(&body)
            }
            Self::EndSessions => client.delete(&format!("/users/{id}/sessions")).bearer(root),
            Self::Delete => client.delete(&format!("/users/{id}")).bearer(root),
        }
    }
}

/// Changes one user after the other until the server ends, and returns the ids of the answered
/// requests.
async fn write(client: Client, root: Arc<str>, name: String) -> Vec<String> {
    let mut answered = Vec::new();
    for number in 0.. {
        let login = format!("{name}-{number}");
        let mut id = String::new();
        // Every third user is not deleted.
        for step in STEPS.into_iter().take(STEPS.len() - usize::from(number % 3 == 0)) {
            let request = format!("{login}-{step:?}");
            let call = step
                .call(&client, &root, &login, &id)
                .header("X-Request-Id", request.as_bytes());
            let Ok(answer) = call.try_send().await else {
                return answered;
            };
            if answer.status == 503 {
                // On a busy machine, a request may be refused. Treat it as one without a response.
                return answered;
            }
            check(&request, &answer);
            answered.push(request);
            if matches!(step, Step::Register) {
                answer.body["id"]
                    .as_str()
                    .expect("the response contains an id")
                    .clone_into(&mut id);
            }
        }
    }
    answered
}

fn check(request: &str, answer: &Answer) {
    assert!(
        answer.status < 300,
        "{request}: {} {}",
        answer.status,
        answer.body
    );
}

/// Queries for inconsistencies; each must return no rows.
const FINDINGS: [&str; 6] = [
    // Each change has one event, because each raises the revision by one.
    "SELECT login AS finding FROM users WHERE revision <> (SELECT count(*) FROM audit_trail \
     WHERE audit_trail.user_id = users.id AND action IN ('logged_in', 'roles_changed', 'user_disabled', 'user_enabled'))",
    "SELECT name AS finding FROM roles WHERE name = 'editor' AND revision <> (SELECT count(*) FROM audit_trail \
     WHERE action IN ('role_created', 'role_changed'))",
    // Creating and deleting a user each have one event.
    "SELECT login AS finding FROM users WHERE 1 <> (SELECT count(*) FROM audit_trail \
     WHERE audit_trail.user_id = users.id AND action = 'user_registered')",
    "SELECT login AS finding FROM users WHERE EXISTS (SELECT 1 FROM audit_trail \
     WHERE audit_trail.user_id = users.id AND action = 'user_deleted')",
    "SELECT number || '' AS finding FROM audit_trail AS made WHERE action = 'user_registered' \
     AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = made.user_id) \
     AND 1 <> (SELECT count(*) FROM audit_trail AS gone WHERE gone.user_id = made.user_id AND gone.action = 'user_deleted')",
    // Each request has at most one event.
    "SELECT request_id AS finding FROM audit_trail WHERE details LIKE '%\"client_request_id\":\"u-%' \
     GROUP BY request_id HAVING count(*) > 1",
];

/// Removes the leases of killed servers, so that the next revocation does not wait two seconds for
/// them. That the servers are dead, only this test knows. On SQLite, the next server removes them.
async fn remove_leases(database: &Database) {
    if let Database::Postgres(_) = database {
        database.tamper("DELETE FROM replica_leases").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_leave_no_change_without_its_event_and_no_event_without_its_change() {
    let mut server = Place::new().with_admin("root").start();
    let mut total = 0;
    for round in 0..ROUNDS {
        let alone = BURST.lock().await;
        let root: Arc<str> = server.client().session("root").await.access.into();
        let writers: Vec<JoinHandle<Vec<String>>> = (0..CLIENTS)
            .map(|client| {
                let name = format!("u-{round}-{client}");
                tokio::spawn(write(server.client(), Arc::clone(&root), name))
            })
            .collect();
        let this_round = format!("u-{round}-");
        let given = |line: &str| (line.contains(&this_round) && line.contains("-GiveRoles")).then_some(());
        server
            .log()
            .wait_for(TIMEOUT, given)
            .expect("the server logs the requests in time");
        tokio::time::sleep(any_delay(LONGEST)).await;
        assert!(server.kill(server.replicas()), "SIGKILL ended each replica");
        let mut answered = Vec::new();
        for writer in writers {
            answered.extend(writer.await.expect("every answer is as expected"));
        }
        drop(alone);
        let database = server.place().database();
        settle(database).await;
        remove_leases(database).await;
        for query in FINDINGS {
            assert_eq!(database.find(query).await, [""; 0], "round {round}: {query}");
        }
        let like = format!(
            "SELECT details AS finding FROM audit_trail \
             WHERE details LIKE '%\"client_request_id\":\"u-{round}-%'"
        );
        let kept = database.find(&like).await;
        let kept: Vec<_> = kept
            .iter()
            .filter_map(|details| client_request_id(details))
            .collect();
        for request in &answered {
            assert!(
                kept.contains(request),
                "{request} was answered but is missing from the audit log"
            );
        }
        assert!(kept.len() <= answered.len() + CLIENTS, "round {round}: {kept:?}");
        server.place().command_succeeds(&["audit", "verify"], "");
        total += answered.len();
        server.start_missing();
    }
    assert!(total > 2 * ROUNDS, "too few requests: {total}");
}
