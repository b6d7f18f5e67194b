//! Observability: metrics on a separate listener, and traces sent to a collector.

use crate::{
    client::{Client, PASSWORD},
    server::{Place, Server},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

/// Longer than anything here takes; reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Longer than an idle server takes to stop and to flush.
const QUICK: Duration = Duration::from_secs(2);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn metrics_address(server: &Server) -> SocketAddr {
    let failures = server.log().wait_for(TIMEOUT, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event.get("metrics")?.as_str()?.parse().ok()
    });
    failures.expect("the metrics address is logged")
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("the client can be built");
    let answer = http.get(format!("http://{address}{path}")).send().await;
    let answer = answer.expect("the server responds");
    (
        answer.status().as_u16(),
        answer.text().await.expect("the response is UTF-8"),
    )
}

async fn scrape(server: &Server) -> Vec<String> {
    let (status, text) = get(metrics_address(server), "/metrics").await;
    assert_eq!(status, 200);
    check_exposition(&text);
    text.lines().map(ToOwned::to_owned).collect()
}

/// Checks the text format (Prometheus exposition formats, 0.0.4): every sample belongs to a family
/// with description and type, has a name, quoted labels and a number, and is unique.
fn check_exposition(text: &str) {
    let (mut helped, mut typed, mut seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("the help line has a description");
            assert!(!words.is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').expect("the family has a type");
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert!(typed.insert(name.to_owned()), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').expect("the sample has a value");
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            assert!(seen.insert(series.to_owned()), "twice: {line}");
            let name = check_series(series);
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end).filter(|family| typed.contains(*family)));
            assert!(typed.contains(family.unwrap_or(name)), "no type: {line}");
        }
    }
    assert_eq!(typed, helped);
}

/// Checks the form of `name{label="value",..}` and returns the name.
fn check_series(series: &str) -> &str {
    let is_name = |text: &str| {
        !text.is_empty()
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (
            name,
            labels.strip_suffix('}').expect("the labels end with a brace"),
        ),
    };
    assert!(is_name(name), "{series}");
    let mut rest = labels;
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").expect("the label has a quoted value");
        assert!(is_name(label), "{series}");
        // No value needs an escape.
        let (value, after) = value.split_once('"').expect("the value ends with a quote");
        assert!(!value.contains(['\\', '\n']), "{series}");
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    name
}

fn assert_has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|known| known == line), "no {line} in {lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_requests_and_are_served_on_a_separate_port() {
    let server = Place::new()
        .with("METRICS__PORT", "0")
        .with("THROTTLE__ENABLED", "true")
        .with("PASSWORD__HASH_THREADS", "2")
        .start();
    let client = server.client();
    let pair = client.user("alice").await;
    for _ in 0..3 {
        assert_eq!(client.me(&pair.access).await.status, 200);
    }
    let wrong = client.logging_in("alice", "not the password").send().await;
    assert_eq!(wrong.status, 401);
    assert_eq!(client.refresh(&pair.refresh).await.status, 200);
    assert_eq!(client.get("/health/ready").send().await.status, 200);

    let lines = scrape(&server).await;
    for line in [
        r#"http_requests_total{route="/me",method="GET",status="200"} 3"#,
        r#"http_requests_total{route="/login",method="POST",status="200"} 1"#,
        r#"http_requests_total{route="/login",method="POST",status="401"} 1"#,
        r#"http_request_duration_seconds_count{route="/me",method="GET"} 3"#,
        r#"http_request_duration_seconds_bucket{route="/me",method="GET",le="+Inf"} 3"#,
        "http_requests_in_flight 0",
        r#"authapi_refusals_total{code="invalid_credentials"} 1"#,
        r#"authapi_logins_total{outcome="success"} 1"#,
        r#"authapi_logins_total{outcome="invalid_credentials"} 1"#,
        r#"authapi_refresh_total{outcome="success"} 1"#,
        // The first login made the network known.
        r#"authapi_throttle_decisions_total{attempt="registration",outcome="allowed",budget="none"} 1"#,
        r#"authapi_throttle_decisions_total{attempt="unknown_place",outcome="allowed",budget="none"} 1"#,
        r#"authapi_throttle_decisions_total{attempt="known_network",outcome="allowed",budget="none"} 1"#,
        // A new password is rated before it is hashed.
        r#"authapi_hash_duration_seconds_count{work="hash"} 3"#,
        r#"authapi_hash_duration_seconds_count{work="rating"} 1"#,
        "authapi_hash_queue_length 0",
        "authapi_hash_threads 2",
        "authapi_hash_threads_busy 0",
        r#"authapi_hash_rejected_total{reason="queue_full"} 0"#,
        r#"authapi_db_pool_size{pool="writer"} 1"#,
        r#"authapi_db_pool_in_use{pool="writer"} 0"#,
        r#"authapi_db_pool_timeouts_total{pool="readers"} 0"#,
        r#"authapi_dependency_up{dependency="database"} 1"#,
        "authapi_sessions_removed_total 0",
        r#"authapi_invalidation_bus_info{bus="process"} 1"#,
        concat!(
            r#"authapi_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
    ] {
        assert_has(&lines, line);
    }
    let text = lines.join("\n");
    for secret in ["alice", PASSWORD, &pair.access, &pair.refresh, "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_port_serves_the_paths_of_the_other() {
    let server = Place::new().with("METRICS__PORT", "0").start();
    let metrics = metrics_address(&server);
    let on_the_main_port = server.client().get("/metrics").send().await;
    assert_eq!(on_the_main_port.status, 404);
    for path in ["/", "/me", "/health/live", "/metrics/x"] {
        assert_eq!(get(metrics, path).await.0, 404, "{path}");
    }
    let stopped = server.terminate();
    assert_eq!(stopped.status.code(), Some(0));
    assert!(TcpStream::connect(metrics).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_show_token_reuse_and_a_full_throttle() {
    let server = Place::new()
        .with("METRICS__PORT", "0")
        .with("THROTTLE__ENABLED", "true")
        .with("THROTTLE__ACCOUNT_BURST", "1")
        .with("THROTTLE__ACCOUNT_PER_HOUR", "1")
        .with("TOKENS__REFRESH_GRACE", "0s")
        .start();
    let client = server.client();
    let pair = client.user("alice").await;
    // The first login made the network known, which has a budget of its own.
    assert_eq!(client.session("alice").await.access.split('.').count(), 3);
    let refused = client.logging_in("alice", PASSWORD).send().await;
    assert_eq!(refused.status, 429);
    assert_eq!(client.refresh(&pair.refresh).await.status, 200);
    assert_eq!(client.refresh_code(&pair.refresh).await, "refresh_token_reused");
    let lines = scrape(&server).await;
    assert_has(
        &lines,
        r#"authapi_refresh_total{outcome="refresh_token_reused"} 1"#,
    );
    assert_has(
        &lines,
        r#"authapi_throttle_decisions_total{attempt="known_network",outcome="refused",budget="known_place"} 1"#,
    );
    assert_has(&lines, r#"authapi_logins_total{outcome="too_many_attempts"} 1"#);
}

/// Accepts requests to `/v1/traces`, like an OpenTelemetry collector.
struct FakeCollector {
    address: SocketAddr,
    bodies: Receiver<Vec<u8>>,
}

impl FakeCollector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let (sender, bodies) = channel();
        // The thread ends with the process: no other client connects to it.
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                take_post(stream, &sender);
            }
        });
        Self { address, bodies }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All bytes received so far.
    fn taken(&self) -> Vec<u8> {
        self.bodies.try_iter().flatten().collect()
    }
}

fn take_post(stream: TcpStream, bodies: &Sender<Vec<u8>>) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader
            .read_until(b'\n', &mut head)
            .expect("the request can be read")
            == 0
        {
            return;
        }
    }
    let head = String::from_utf8(head).expect("the head is UTF-8").to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let length = head
        .split("content-length: ")
        .nth(1)
        .expect("the head has a length");
    let length = length
        .split('\r')
        .next()
        .expect("split returns at least one part")
        .parse()
        .expect("the text is a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body can be read");
    bodies.send(body).expect("the test still receives bodies");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    reader
        .get_mut()
        .write_all(answer)
        .expect("the response can be sent");
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| str::from_utf8(pair).expect("the digits are ASCII"));
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("the digits are hexadecimal"))
        .collect()
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

async fn live(client: &Client, traceparent: &str, id: &str) -> u16 {
    let call = client.get("/health/live").header("X-Request-Id", id.as_bytes());
    call.header("traceparent", traceparent.as_bytes())
        .send()
        .await
        .status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_continues_the_trace_of_its_client() {
    let collector = FakeCollector::start();
    let server = Place::new()
        .with("TRACES__OTLP_ENDPOINT", &collector.url())
        .start();
    let client = server.client();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(live(&client, &traceparent, "my-own-id").await, 200);
    let registering = client
        .registering("alice")
        .header("traceparent", traceparent.as_bytes());
    assert_eq!(registering.send().await.status, 201);
    let refused = client.get("/me").header("traceparent", traceparent.as_bytes());
    assert_eq!(refused.send().await.status, 401);
    let stopped = server.terminate();
    assert_eq!(stopped.status.code(), Some(0));

    let body = collector.taken();
    for part in [
        bytes(TRACE),
        bytes(PARENT),
        b"GET /health/live".to_vec(),
        b"POST /register".to_vec(),
        b"my-own-id".to_vec(),
        b"token_missing".to_vec(),
        b"service.version".to_vec(),
    ] {
        assert!(holds(&body, &part), "no {:?}", String::from_utf8_lossy(&part));
    }
    // Three requests, each with spans for its waits: registration hashes a password.
    let spans = body.windows(16).filter(|window| *window == bytes(TRACE)).count();
    assert!(spans >= 7, "{spans}");
    for secret in ["alice", PASSWORD] {
        assert!(!holds(&body, secret.as_bytes()), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_decides_on_sampling_and_malformed_trace_headers_are_ignored() {
    let collector = FakeCollector::start();
    let server = Place::new()
        .with("TRACES__OTLP_ENDPOINT", &collector.url())
        .with("TRACES__SAMPLE_RATIO", "0")
        .start();
    let client = server.client();
    let kept = format!("00-{TRACE}-{PARENT}-01");
    let dropped = format!("00-{}-{PARENT}-00", "ab".repeat(16));
    let nonsense = format!("00-{}-{PARENT}-01", "0".repeat(32));
    for (traceparent, id) in [
        (kept.as_str(), "kept"),
        (&dropped, "dropped"),
        (&nonsense, "nonsense"),
        ("", "empty"),
        ("00-zz-01", "short"),
        (&"f".repeat(4000), "long"),
    ] {
        assert_eq!(live(&client, traceparent, id).await, 200, "{id}");
    }
    server.terminate();
    let body = collector.taken();
    assert!(holds(&body, b"kept"));
    for id in ["dropped", "nonsense", "empty", "short", "long"] {
        assert!(!holds(&body, id.as_bytes()), "{id}");
    }
}

/// Checks that a server that sends traces to `collector` answers and stops normally.
async fn check_unaffected(collector: SocketAddr) -> Vec<String> {
    let server = Place::new()
        .with("TRACES__OTLP_ENDPOINT", &format!("http://{collector}"))
        .start();
    let client = server.client();
    let pair = client.user("alice").await;
    // More requests than the queue of spans holds.
    for _ in 0..1_500 {
        assert_eq!(client.me(&pair.access).await.status, 200);
    }
    let stopped = server.terminate();
    assert_eq!(stopped.status.code(), Some(0));
    assert!(stopped.took < QUICK, "{:?}", stopped.took);
    stopped.log
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_collector_is_logged_once_and_does_not_affect_requests() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = closed.local_addr().expect("the listener has an address");
    drop(closed);
    let log = check_unaffected(address).await;
    let failures = log
        .iter()
        .filter(|line| line.contains("traces cannot be exported"));
    assert_eq!(failures.count(), 1, "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_does_not_delay_requests() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    check_unaffected(silent.local_addr().expect("the listener has an address")).await;
}
