//! A client of the service. Each call returns status, headers and body, after a check of the form.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

pub const PASSWORD: &str = "correct horse battery staple";
pub const NEW_PASSWORD: &str = "quiet otters paint the moon";
/// Longer than any response takes; reached only when a request hangs.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time for which a client repeats requests to a busy service; reached only when a test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Cheap to clone. Clones share connections and send each request to the next replica.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    bases: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

/// The tokens of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Client {
    /// Sends each request to the next of `addresses`, like a proxy without session affinity. There
    /// must be at least one address.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            http,
            bases: addresses
                .into_iter()
                .map(|address| format!("http://{address}"))
                .collect(),
            next: Arc::default(),
        }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.bases.len();
        Call {
            request: self.http.request(method, format!("{}{path}", self.bases[turn])),
            retries: true,
        }
    }

    pub fn registering(&self, login: &str) -> Call {
        self.post("/register")
            .json(&json!({"login": login, "password": PASSWORD}))
    }

    pub fn logging_in(&self, login: &str, password: &str) -> Call {
        self.post("/login")
            .json(&json!({"login": login, "password": password}))
    }

    /// Replaces the roles of `login`, as the user of the token `access`.
    pub fn assigning(&self, access: &str, login: &str, roles: &[&str], keep_sessions: bool) -> Call {
        self.put("/roles/update").bearer(access).json(&json!({
            "login": login,
            "new_roles": roles,
            "keep_sessions": keep_sessions,
        }))
    }

    pub fn changing_password(&self, access: &str, current: &str, new: &str) -> Call {
        self.put("/me/password")
            .bearer(access)
            .json(&json!({"current_password": current, "new_password": new}))
    }

    pub async fn register(&self, login: &str) -> Answer {
        self.registering(login).send().await
    }

    /// Registers `login` and logs in.
    pub async fn user(&self, login: &str) -> Pair {
        let registered = self.register(login).await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        self.session(login).await
    }

    /// Logs in an existing user.
    pub async fn session(&self, login: &str) -> Pair {
        let answer = self.logging_in(login, PASSWORD).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.pair()
    }

    pub async fn me(&self, access: &str) -> Answer {
        self.get("/me").bearer(access).send().await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/refresh").bearer(token).send().await
    }

    pub async fn log_out(&self, token: &str) -> Answer {
        self.post("/logout").bearer(token).send().await
    }

    /// The code with which `/me` rejects an access token, or "accepted".
    pub async fn me_code(&self, access: &str) -> String {
        self.me(access).await.code_or_accepted()
    }

    /// The code with which `/refresh` rejects a refresh token, or "accepted".
    pub async fn refresh_code(&self, token: &str) -> String {
        self.refresh(token).await.code_or_accepted()
    }

    /// The results of [`Client::me_code`] and [`Client::refresh_code`] for the tokens of a session.
    pub async fn token_codes(&self, pair: &Pair) -> (String, String) {
        (
            self.me_code(&pair.access).await,
            self.refresh_code(&pair.refresh).await,
        )
    }
}

/// A request under construction.
pub struct Call {
    request: RequestBuilder,
    /// Whether to repeat the request while the service is too busy for it.
    retries: bool,
}

impl Call {
    pub fn bearer(self, token: &str) -> Self {
        self.with(|request| request.bearer_auth(token))
    }

    pub fn header(self, name: &str, value: &[u8]) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_bytes(value).expect("a header's value");
        self.with(|request| request.header(name, value))
    }

    pub fn json(self, body: &Value) -> Self {
        self.with(|request| request.json(body))
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.with(|request| request.body(body.into()))
    }

    /// Makes [`send`](Self::send) return the first response, for a test in which the service
    /// refuses.
    pub fn without_retries(self) -> Self {
        Self {
            retries: false,
            ..self
        }
    }

    /// Sends the request and requires a response. As a client of the service should, it repeats a
    /// request that the service was too busy for, after the time that `Retry-After` names.
    pub async fn send(self) -> Answer {
        let started = Instant::now();
        loop {
            let attempt = self.request.try_clone().expect("the body is in memory");
            let answer = answer_to(attempt).await.expect("the server responds");
            match answer.retry_after() {
                Some(wait) if self.retries && started.elapsed() < PATIENCE => sleep(wait).await,
                _ => return answer,
            }
        }
    }

    /// Sends the request once and requires a response.
    pub async fn send_once(self) -> Answer {
        self.without_retries().send().await
    }

    /// Sends the request once to a server that may end before it responds.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        answer_to(self.request).await
    }

    fn with(self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        Self {
            request: change(self.request),
            ..self
        }
    }
}

async fn answer_to(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let raw = response.bytes().await?.to_vec();
    let answer = Answer {
        status,
        headers,
        body: serde_json::from_slice(&raw).unwrap_or(Value::Null),
        raw,
    };
    answer.check_form();
    Ok(answer)
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null if the body is not JSON.
    pub body: Value,
    pub raw: Vec<u8>,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub fn code_or_accepted(&self) -> String {
        match self.status {
            200..=299 => "accepted".to_owned(),
            _ => self.code().to_owned(),
        }
    }

    /// The time to wait before repeating a request that the service was too busy for. `None` for
    /// every other response, such as one of a throttle or a probe of readiness.
    ///
    /// A 408 means that a busy process did not read the request in time (RFC 9110, section 15.5.9).
    fn retry_after(&self) -> Option<Duration> {
        match (self.status, self.code()) {
            (503, "overloaded" | "unavailable") => {
                let seconds = self.header("retry-after").parse();
                Some(Duration::from_secs(
                    seconds.expect("the header is a number of seconds"),
                ))
            }
            (408, _) => Some(Duration::ZERO),
            _ => None,
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub fn pair(&self) -> Pair {
        let text = |name: &str| {
            let text = self.body[name].as_str();
            text.unwrap_or_else(|| panic!("no {name}: {}", self.body))
                .to_owned()
        };
        Pair {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// The field names of the body, in alphabetical order.
    pub fn keys(&self) -> Vec<&str> {
        keys(&self.body)
    }

    /// Checks what is true of every response.
    fn check_form(&self) {
        // The HTTP layer answers an incomplete head after a time limit, before the service is
        // called.
        if self.status == 408 && self.raw.is_empty() {
            return;
        }
        assert_ne!(self.header("x-request-id"), "");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(!self.headers.contains_key("server"));
        assert!(!self.headers.contains_key("x-powered-by"));
        assert_ne!(self.status, 500, "{}", self.body);
        assert_eq!(
            self.headers.contains_key("retry-after"),
            matches!(self.status, 429 | 503)
        );
        let is_challenge = matches!(self.status, 401 | 403);
        assert_eq!(self.headers.contains_key("www-authenticate"), is_challenge);
        // A response that the service is not ready is not a problem; its body has the form of the
        // ready one.
        let is_readiness = self.body.get("dependencies").is_some();
        if self.status >= 400 && !self.raw.is_empty() && !is_readiness {
            self.check_problem();
        }
    }

    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], self.status);
        assert_eq!(self.body["type"], format!("urn:authapi:problem:{}", self.code()));
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        let expected: &[&str] = match self.status {
            422 => &[
                "code",
                "detail",
                "errors",
                "request_id",
                "status",
                "title",
                "type",
            ],
            429 => &[
                "budget",
                "code",
                "detail",
                "request_id",
                "status",
                "title",
                "type",
            ],
            _ => &["code", "detail", "request_id", "status", "title", "type"],
        };
        assert_eq!(self.keys(), expected, "{}", self.body);
    }
}

/// The field names of an object, in alphabetical order.
pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    keys.sort_unstable();
    keys
}

/// Decodes a part of a JWT without verifying it: 0 is the header, 1 the claims.
pub fn part_of(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a JWT has three parts");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
