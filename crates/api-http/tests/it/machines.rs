//! Machines as callers. Their session snapshots are stubbed: storage has no machines yet.

use crate::app::{NEW_PASSWORD, PASSWORD, TestApp, app};
use actix_web::http::Method;
use async_trait::async_trait;
use domain::{
    caller::SessionSnapshot,
    core::{Core, Ports},
    machine::{Machine, MachineId, MachineName},
    ports::{PortError, SessionSnapshots},
    revision::Revision,
    role::Permission,
    session::{Lifetime, SessionId},
    token::AccessClaims,
    user::{Epoch, UserStatus},
};
use serde_json::json;
use std::sync::Arc;
use testkit::{
    Fakes,
    fixtures::{at, role_names, token_rules},
};
use uuid::Uuid;

const MACHINE: Uuid = Uuid::from_u128(7);
const SECRET: SessionId = SessionId(Uuid::from_u128(8));
/// The second of the test's clock.
const NOW: i64 = 1_000_000;

/// The only session is that of a machine, whose role has the permission `users:read`.
struct OneMachine;

#[async_trait]
impl SessionSnapshots for OneMachine {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        let machine = Machine {
            id: MachineId(MACHINE),
            name: MachineName::parse("billing").expect("the name is valid"),
            audience: None,
            roles: role_names(&["reader"]),
            status: UserStatus::Active,
            epoch: Epoch::FIRST,
            revision: Revision::FIRST,
            created_at: at(0),
            updated_at: at(0),
            secrets: vec![],
        };
        let lifetime = Lifetime {
            created_at: at(0),
            idle_expires_at: at(NOW + 1000),
            expires_at: at(NOW + 1000),
            ended: None,
        };
        Ok((session == SECRET).then(|| SessionSnapshot {
            session,
            lifetime,
            principal: machine.into(),
            permissions: [Permission::USERS_READ].into(),
        }))
    }
}

/// Returns an app that accepts the returned token of a machine.
fn app_of_a_machine() -> (TestApp, String) {
    let mut app = app();
    let fakes = Fakes {
        storage: app.storage.clone(),
        clock: app.clock.clone(),
        ..Fakes::default()
    };
    let ports = Ports {
        snapshots: Arc::new(OneMachine),
        ..fakes.ports()
    };
    app.edge.use_cases.core = Core::new(ports, &Fakes::rules());
    let rules = token_rules();
    let claims = AccessClaims {
        iss: rules.issuer,
        aud: rules.audience,
        sub: MACHINE,
        client_id: MACHINE.to_string(),
        iat: at(NOW).timestamp(),
        exp: at(NOW + 60).timestamp(),
        jti: Uuid::from_u128(9),
        sid: SECRET.0,
        epoch: Epoch::FIRST.0,
        roles: role_names(&["reader"]),
        auth_time: None,
        permissions: None,
    };
    let token = fakes.tokens.signer.sign(&claims).expect("the claims are signed");
    (app, token.expose().to_owned())
}

#[actix_web::test]
async fn a_machine_uses_its_permissions() {
    let (app, token) = app_of_a_machine();
    for (path, status) in [("/users", 200), ("/roles", 200), ("/audit", 403)] {
        let answer = app.get(path).bearer(&token).send().await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
}

#[actix_web::test]
async fn a_machine_has_no_account_of_its_own() {
    let (app, token) = app_of_a_machine();
    let password = json!({"password": PASSWORD});
    let session = format!("/me/sessions/{}", SECRET.0);
    for (method, path, body) in [
        (Method::GET, "/me", None),
        (Method::DELETE, "/me", Some(password.clone())),
        (Method::GET, "/me/export", None),
        (
            Method::PUT,
            "/me/password",
            Some(json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD})),
        ),
        (Method::POST, "/me/reauthenticate", Some(password)),
        (Method::GET, "/me/sessions", None),
        (Method::DELETE, session.as_str(), None),
        (Method::PUT, "/roles/update", Some(json!({"new_roles": ["user"]}))),
        (Method::POST, "/logout", None),
    ] {
        let mut request = app.request(method.clone(), path).bearer(&token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "user_required"),
            "{method} {path}"
        );
    }
}
