//! The authorisation table and how each route is called. The end-to-end suite uses it too.

use super::PASSWORD;
use serde_json::{Value, json};

/// One line per route of the OpenAPI document, with the status of an otherwise valid call by each
/// kind of caller.
///
/// `none` sends no token, and `user` has the role `user`. Where a route concerns an account, `self`
/// is a user whose request concerns their own account; the requests of all other callers concern
/// another user's account. Each of the seven callers after `self` has one permission. `off` is
/// disabled, and `reset` has logged in with a one-time password, which is now used. `stale` is an
/// admin whose token was issued too long after the last check of the password. The role of the
/// request is one that no caller has: `roles:write` suffices only for a role that the caller has.
pub const TABLE: &str = "
                                                none user self users:read users:write roles:assign roles:write sessions:revoke machines:write audit:read admin off reset stale

POST   /register                                 201  201    -        201         201          201         201             201                       201   201 201   201   201
POST   /login                                    401  200    -        200         200          200         200             200                       200   200 401   401   200
POST   /refresh                                  401  200    -        200         200          200         200             200                       200   200 401   200   200
POST   /logout                                   401  204    -        204         204          204         204             204                       204   204 401   204   204

GET    /me                                       401  200    -        200         200          200         200             200                       200   200 401   403   200
DELETE /me                                       401  204    -        204         204          204         204             204                       204   204 401   403   204
GET    /me/export                                401  200    -        200         200          200         200             200                       200   200 401   403   200
PUT    /me/password                              401  200    -        200         200          200         200             200                       200   200 401   200   200
POST   /me/reauthenticate                        401  200    -        200         200          200         200             200                       200   200 401   403   200
GET    /me/sessions                              401  200    -        200         200          200         200             200                       200   200 401   403   200
DELETE /me/sessions/{id}                         401  204    -        204         204          204         204             204                       204   204 401   403   204

GET    /users                                    401  403    -        200         403          403         403             403                       403   200 401   403   200
GET    /users/{id}                               401  403  403        200         403          403         403             403                       403   200 401   403   200
PATCH  /users/{id}                               401  403  403        403         200          403         403             403                       403   200 401   403   401
DELETE /users/{id}                               401  403  403        403         204          403         403             403                       403   204 401   403   401
PUT    /users/{id}/password                      401  403  403        403         200          403         403             403                       403   200 401   403   401
GET    /users/{id}/sessions                      401  403  403        403         403          403         403             200                       403   200 401   403   200
DELETE /users/{id}/sessions                      401  403  403        403         403          403         403             200                       403   200 401   403   401
PUT    /users/{id}/roles                         401  403  200        403         403          200         403             403                       403   200 401   403   401
PUT    /roles/update                             401  403  200        403         403          200         403             403                       403   200 401   403   401

GET    /roles                                    401  200    -        200         200          200         200             200                       200   200 401   403   200
GET    /roles/{name}                             401  200    -        200         200          200         200             200                       200   200 401   403   200
PUT    /roles/{name}                             401  403    -        403         403          403         403             403                       403   200 401   403   401
DELETE /roles/{name}                             401  403    -        403         403          403         403             403                       403   204 401   403   401
GET    /audit                                    401  403    -        403         403          403         403             403 403                   200   200 401   403   200
GET    /audit/checkpoint                         200  200    -        200         200          200         200             200                       200   200 200   200   200
GET    /audit/public-key                         200  200    -        200         200          200         200             200                       200   200 200   200   200

GET    /health/live                              200  200    -        200         200          200         200             200                       200   200 200   200   200
GET    /health/ready                             200  200    -        200         200          200         200             200                       200   200 200   200   200
GET    /.well-known/jwks.json                    200  200    -        200         200          200         200             200                       200   200 200   200   200
GET    /.well-known/oauth-authorization-server   200  200    -        200         200          200         200             200                       200   200 200   200   200
";

/// One line of the table.
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    /// Each caller with the expected status.
    pub cells: Vec<(&'static str, u16)>,
}

/// The participants of a call. Logins and names appear in what is sent.
pub struct Cast<'a> {
    pub caller: &'a str,
    /// The caller's password, or a wrong one.
    pub password: &'a str,
    /// Another user's login.
    pub other: &'a str,
    /// An unused login.
    pub newcomer: &'a str,
}

pub fn rows() -> Vec<Row> {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let columns: Vec<_> = lines
        .next()
        .expect("the table has a head")
        .split_whitespace()
        .collect();
    lines.map(|line| row(&columns, line)).collect()
}

fn row(columns: &[&'static str], line: &'static str) -> Row {
    let mut words = line.split_whitespace();
    let (method, path) = (
        words.next().expect("the line begins with a method"),
        words.next().expect("the line contains a path"),
    );
    let statuses: Vec<_> = words.collect();
    assert_eq!(statuses.len(), columns.len(), "{method} {path}");
    let cells = columns.iter().copied().zip(statuses);
    // Only the cell `self` may be empty.
    let cells = cells.filter(|&(who, status)| who != "self" || status != "-");
    let cells = cells.map(|(who, status)| (who, status.parse().expect("the status is a number")));
    Row {
        method,
        path,
        cells: cells.collect(),
    }
}

impl Row {
    /// The body of the call.
    pub fn body(&self, who: &str, cast: &Cast<'_>) -> Option<Value> {
        let body = match (self.method, self.path) {
            ("POST", "/register") => json!({"login": cast.newcomer, "password": PASSWORD}),
            ("POST", "/login") => json!({"login": cast.caller, "password": cast.password}),
            ("DELETE", "/me") | ("POST", "/me/reauthenticate") => json!({"password": cast.password}),
            ("PUT", "/me/password") => {
                json!({"current_password": cast.password, "new_password": "seven grey herons wait in rain"})
            }
            ("PATCH", "/users/{id}") => json!({"status": "disabled"}),
            ("PUT", "/users/{id}/roles") => json!({"new_roles": ["user"]}),
            ("PUT", "/roles/update") if who == "self" => json!({"new_roles": ["user"]}),
            ("PUT", "/roles/update") => json!({"new_roles": ["user"], "login": cast.other}),
            ("PUT", "/roles/{name}") => json!({"permissions": []}),
            _ => return None,
        };
        Some(body)
    }

    /// The expected code for this status, if there is exactly one.
    pub fn code(&self, status: u16, who: &str) -> Option<&'static str> {
        match (status, who, self.path) {
            (401, "stale", _) => Some("insufficient_user_authentication"),
            (403, "reset", _) => Some("password_change_required"),
            (403, "roles:write", "/roles/{name}") => Some("out_of_reach"),
            (403, ..) => Some("forbidden"),
            _ => None,
        }
    }
}
