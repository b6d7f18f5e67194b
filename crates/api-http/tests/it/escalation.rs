//! Privilege escalation over HTTP: colluding users call the routes with the tokens that the service
//! gives them, and never gain a privilege that none of them had at the start. The calls and the
//! bound are those of testkit's test of the use cases.

#[path = "../../../../tools/testkit/tests/it/colluders.rs"]
mod colluders;

use crate::app::{Answer, NEW_PASSWORD, Pair, Request, Running, TestApp, app, without_docs};
use actix_web::{http::Method, rt::System};
use colluders::{
    Colluders, PERMISSIONS, Privileges, ROLES, Start, Step, chosen, item_at, owned, start, step,
};
use domain::{
    role::{Permission, RoleName},
    user::UserId,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::fixtures::PASSWORD;

/// Number of sequences of calls that are tried.
const SEQUENCES: u32 = 64;

struct World {
    app: TestApp,
    running: Running,
    colluders: Colluders,
    /// The logins and passwords of the users that the colluders control.
    secrets: BTreeMap<UserId, (String, String)>,
    tokens: BTreeMap<UserId, Pair>,
}

impl World {
    async fn new(start: &Start) -> Self {
        let app = without_docs(app());
        let storage = app.storage.storage();
        let colluders = Colluders::new(storage.clone(), start).await;
        let mut secrets = BTreeMap::new();
        for id in &colluders.controlled {
            let user = storage.accounts.find(*id).await.expect("storage is available");
            let login = user.expect("the colluder is registered").login;
            secrets.insert(*id, (login.as_typed().to_owned(), PASSWORD.to_owned()));
        }
        Self {
            running: app.run().await,
            app,
            colluders,
            secrets,
            tokens: BTreeMap::new(),
        }
    }

    async fn send(&self, request: Request<'_>) -> Answer {
        let answer = request.send_to(&self.running).await;
        assert!(answer.status < 500, "{}: {}", answer.status, answer.body);
        answer
    }

    /// Returns the tokens of an earlier step, or of a new login if the user can log in.
    async fn caller(&mut self, step: Step) -> Option<Pair> {
        let id = item_at(&self.colluders.controlled, step.by);
        if !step.with_an_old_token {
            let pair = self.log_in(id).await?;
            self.tokens.insert(id, pair);
        }
        self.tokens.get(&id).cloned()
    }

    /// Logs in. A user whose password was reset chooses a new one first.
    async fn log_in(&mut self, id: UserId) -> Option<Pair> {
        let (login, password) = self.secrets.get(&id)?.clone();
        let body = json!({"login": login, "password": password});
        let answer = self.send(self.app.post("/login").json(&body)).await;
        if answer.status != 200 {
            return None;
        }
        let pair = answer.pair();
        let me = self.send(self.app.get("/me").bearer(&pair.access)).await;
        if me.code() != "password_change_required" {
            return Some(pair);
        }
        let new = if password == PASSWORD {
            NEW_PASSWORD
        } else {
            PASSWORD
        };
        let body = json!({"current_password": password, "new_password": new});
        let change = self.app.put("/me/password").bearer(&pair.access);
        let changed = self.send(change.json(&body)).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        self.secrets.insert(id, (login, new.to_owned()));
        Some(changed.pair())
    }

    /// Makes one call, which may be refused, and checks what the service reports to the caller.
    async fn take(&mut self, step: Step) {
        let Some(pair) = self.caller(step).await else {
            return;
        };
        let target = item_at(&self.colluders.users, step.target);
        if step.action == 3 {
            self.reset_password(&pair, target).await;
        } else {
            let (method, path, body) = call(step, target);
            let mut request = self.app.request(method, &path).bearer(&pair.access);
            if let Some(body) = body {
                request = request.json(&body);
            }
            self.send(request).await;
        }
        if !step.flag {
            self.refresh(step).await;
        }
        self.check_reported(&pair, step).await;
    }

    /// Resets the password, after which the caller controls the account.
    async fn reset_password(&mut self, pair: &Pair, target: UserId) {
        let reset = self.app.put(&format!("/users/{target}/password"));
        let answer = self.send(reset.bearer(&pair.access)).await;
        if answer.status == 200 {
            let text = |value: &Value| value.as_str().expect("the response contains it").to_owned();
            let login = text(&answer.body["user"]["login"]);
            let code = text(&answer.body["reset_code"]);
            self.secrets.insert(target, (login, code));
            self.colluders.control(target);
        }
    }

    /// Refreshes the caller's tokens, which may end their session.
    async fn refresh(&mut self, step: Step) {
        let id = item_at(&self.colluders.controlled, step.by);
        if let Some(pair) = self.tokens.get(&id) {
            let refreshed = self.send(self.app.post("/refresh").bearer(&pair.refresh)).await;
            if refreshed.status == 200 {
                self.tokens.insert(id, refreshed.pair());
            }
        }
    }

    /// Checks the privileges of the caller according to the service.
    async fn check_reported(&self, pair: &Pair, step: Step) {
        let me = self.send(self.app.get("/me").bearer(&pair.access)).await;
        if me.status == 200 {
            let reported = Privileges {
                permissions: names(&me.body["permissions"], |name| Permission::parse(name).ok()),
                roles: names(&me.body["roles"], |name| RoleName::parse(name).ok()),
            };
            reported.assert_within(&self.colluders.bound, step);
        }
    }
}

/// Returns the method, path and body of a step's call.
fn call(step: Step, target: UserId) -> (Method, String, Option<Value>) {
    let roles = owned(&chosen(&ROLES, step.bits));
    let role = item_at(&ROLES, step.target);
    match step.action {
        0 if step.flag => {
            let body = json!({"new_roles": roles, "keep_sessions": true});
            (Method::PUT, "/roles/update".to_owned(), Some(body))
        }
        0 => {
            let body = json!({"new_roles": roles});
            (Method::PUT, format!("/users/{target}/roles"), Some(body))
        }
        1 => {
            let permissions = owned(&chosen(&PERMISSIONS, step.bits));
            let body = json!({"permissions": permissions, "self_assignable": step.flag});
            (Method::PUT, format!("/roles/{role}"), Some(body))
        }
        2 => (Method::DELETE, format!("/roles/{role}"), None),
        4 => {
            let status = if step.flag { "active" } else { "disabled" };
            let body = json!({"status": status});
            (Method::PATCH, format!("/users/{target}"), Some(body))
        }
        5 if step.flag => (Method::DELETE, format!("/users/{target}"), None),
        _ => (Method::DELETE, format!("/users/{target}/sessions"), None),
    }
}

fn names<T: Ord>(list: &Value, parse: impl Fn(&str) -> Option<T>) -> std::collections::BTreeSet<T> {
    let names = list.as_array().into_iter().flatten();
    names.filter_map(|name| parse(name.as_str()?)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: SEQUENCES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_requests_escalates_privileges(start in start(), steps in vec(step(), 1..40)) {
        System::new().block_on(async {
            let mut world = World::new(&start).await;
            for step in steps {
                world.take(step).await;
                world.colluders.assert_within_the_bound(step).await;
            }
        });
    }
}
