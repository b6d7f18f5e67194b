//! The authorisation table, checked against running servers; each call goes to the next replica.

#[path = "../../../api-http/tests/it/authorisation/table.rs"]
mod table;

use crate::{
    client::{Answer, Call, Client, PASSWORD, Pair, part_of},
    server::{Place, Server},
};
use adapters_crypto::{
    JwtTokens,
    keys::{KeyRing, KeyRules},
};
use domain::{ports::TokenSigner, token::AccessClaims};
use reqwest::Method;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use table::{Cast, Row, rows};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

/// The number of rows checked concurrently.
const AT_ONCE: usize = 4;

/// The server under test. Each call uses new users and roles, so that calls do not interfere.
struct World {
    client: Client,
    root: String,
    /// Signs with the server's own key.
    signer: JwtTokens,
}

struct Caller {
    pair: Pair,
    password: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_answered_as_the_table_states() {
    let server = start();
    let client = server.client();
    let root = client.session("root").await.access;
    until_a_checkpoint_is_signed(&client).await;
    let keys = KeyRing::load(&server.place().keys(), KeyRules::default());
    let signer = JwtTokens::new(keys.expect("the server has keys"));
    let world = Arc::new(World { client, root, signer });
    for permission in permissions() {
        world.put_role(&role_of(permission), &[permission]).await;
    }
    let mut parts = JoinSet::new();
    for first in 0..AT_ONCE {
        let world = Arc::clone(&world);
        parts.spawn(async move {
            let mut mismatches = Vec::new();
            for (number, row) in rows().iter().enumerate().skip(first).step_by(AT_ONCE) {
                mismatches.extend(world.check_row(number, row).await);
            }
            mismatches
        });
    }
    let mismatches = parts.join_all().await.concat();
    assert!(mismatches.is_empty(), "{mismatches:#?}");
}

/// A server signs a checkpoint within about a second after an event.
async fn until_a_checkpoint_is_signed(client: &Client) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.get("/audit/checkpoint").send().await.status != 200 {
        assert!(Instant::now() < deadline, "no checkpoint was signed");
        sleep(Duration::from_millis(50)).await;
    }
}

fn start() -> Server {
    Place::new()
        .with_admin("root")
        .with("TOKENS__ISSUER", "https://auth.example")
        .start()
}

/// The columns that represent a caller with one permission.
fn permissions() -> impl Iterator<Item = &'static str> {
    let columns = rows().swap_remove(0).cells.into_iter().map(|(who, _)| who);
    columns.filter(|who| who.contains(':'))
}

fn role_of(permission: &str) -> String {
    permission.replace(':', "-")
}

impl World {
    /// Makes the calls of one row and returns those with an unexpected answer.
    async fn check_row(&self, number: usize, row: &Row) -> Vec<String> {
        let mut mismatches = Vec::new();
        for &(who, expected) in &row.cells {
            let name = format!("{number}-{}", role_of(who));
            let answer = self.call(&name, row, who).await;
            let code = row.code(answer.status, who);
            if answer.status != expected || code.is_some_and(|code| answer.code() != code) {
                mismatches.push(format!(
                    "{} {} by {who}: {} and not {expected}: {}",
                    row.method, row.path, answer.status, answer.body
                ));
            }
        }
        mismatches
    }

    async fn call(&self, name: &str, row: &Row, who: &str) -> Answer {
        let [login, other, unused] = ["caller", "other", "unused"].map(|what| format!("{what}-{name}"));
        let other_id = self.register(&other).await;
        self.put_role(&unused, &[]).await;
        let caller = self.caller(&login, who).await;
        let id = match &caller {
            Some(caller) if row.path.starts_with("/me/sessions") => self.seen(caller, "/session/id").await,
            Some(caller) if who == "self" => self.seen(caller, "/id").await,
            _ => other_id,
        };
        let path = row.path.replace("{id}", &id).replace("{name}", &unused);
        let mut call = self.client.call(method(row.method), &path);
        if let Some(Caller { pair, .. }) = &caller {
            call = call.bearer(if row.path == "/refresh" {
                &pair.refresh
            } else {
                &pair.access
            });
        }
        let cast = Cast {
            caller: &login,
            password: caller.as_ref().map_or("guessed", |caller| &caller.password),
            other: &other,
            newcomer: &format!("newcomer-{name}"),
        };
        match row.body(who, &cast) {
            Some(body) => call.json(&body).send().await,
            None => call.send().await,
        }
    }

    async fn caller(&self, login: &str, who: &str) -> Option<Caller> {
        if who == "none" {
            return None;
        }
        let id = self.register(login).await;
        let role = match who {
            "admin" | "stale" => Some("admin".to_owned()),
            permission if permission.contains(':') => Some(role_of(permission)),
            _ => None,
        };
        if let Some(role) = role {
            let assigned = self.client.assigning(&self.root, login, &[&role], false);
            succeeds(assigned).await;
        }
        let mut caller = Caller {
            pair: self.client.session(login).await,
            password: PASSWORD.to_owned(),
        };
        match who {
            "stale" => caller.pair.access = self.without_check(&caller.pair.access),
            "off" => {
                let path = format!("/users/{id}");
                self.by_root("PATCH", &path, &json!({"status": "disabled"})).await;
            }
            "reset" => {
                let path = format!("/users/{id}/password");
                let reset = succeeds(self.client.put(&path).bearer(&self.root)).await;
                caller.password = text(&reset.body, "/reset_code").expect("a code");
                let logging_in = self.client.logging_in(login, &caller.password);
                caller.pair = succeeds(logging_in).await.pair();
            }
            _ => {}
        }
        Some(caller)
    }

    /// Returns the token as the previous version issued it, without the time of the last check of
    /// the password.
    fn without_check(&self, access: &str) -> String {
        let claims: AccessClaims =
            serde_json::from_value(part_of(access, 1)).expect("the claims are complete");
        let claims = AccessClaims {
            auth_time: None,
            ..claims
        };
        let signed = self.signer.sign(&claims).expect("the key signs");
        signed.expose().to_owned()
    }

    /// Registers a user and returns the id.
    async fn register(&self, login: &str) -> String {
        let registered = succeeds(self.client.registering(login)).await;
        text(&registered.body, "/id").expect("the response contains an id")
    }

    async fn put_role(&self, name: &str, permissions: &[&str]) {
        let path = format!("/roles/{name}");
        self.by_root("PUT", &path, &json!({"permissions": permissions}))
            .await;
    }

    async fn by_root(&self, name: &str, path: &str, body: &Value) {
        let call = self.client.call(method(name), path).bearer(&self.root);
        succeeds(call.json(body)).await;
    }

    /// The value that `/me` returns at `pointer`, or an id that does not exist.
    async fn seen(&self, caller: &Caller, pointer: &str) -> String {
        let me = self.client.me(&caller.pair.access).await;
        text(&me.body, pointer).unwrap_or_else(|| Uuid::nil().to_string())
    }
}

fn method(name: &str) -> Method {
    name.parse().expect("the method is valid")
}

fn text(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer)?.as_str().map(ToOwned::to_owned)
}

async fn succeeds(call: Call) -> Answer {
    let answer = call.send().await;
    assert!(answer.status < 300, "{}: {}", answer.status, answer.body);
    answer
}
