//! Malformed HTTP: the client gets a refusal or no response, and other clients are not affected.

use crate::server::Server;
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// The time after which a test fails. It is longer than any refusal takes; the slowest refusal is a
/// timeout of the server.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Stands for a missing response: the server may close the connection without one, or so early that
/// it is lost.
const SILENCE: u16 = 0;
const GET_LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: test\r\n";

/// Sends `bytes`, closes the sending side, and reads the whole response.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    read_all(&mut stream)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(TIMEOUT))
        .expect("the timeout can be set");
    stream
        .set_write_timeout(Some(TIMEOUT))
        .expect("the timeout can be set");
    stream
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&answer)),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status codes of all responses in `text`, in order.
fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3)?.parse().ok())
        .collect()
}

fn post(framing: &str, body: &str) -> String {
    format!(
        "POST /register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nConnection: close\r\n{framing}\r\n\r\n{body}"
    )
}

fn chunked(length: usize) -> String {
    format!("{length:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(length))
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let requests = format!(
        "{GET_LIVE}\r\nGET /nothing HTTP/1.1\r\nHost: test\r\n\r\n{GET_LIVE}Connection: close\r\n\r\n"
    );
    let mut stream = connect(server.address());
    stream
        .write_all(requests.as_bytes())
        .expect("the server reads the request");
    assert_eq!(statuses(&read_all(&mut stream)), [200, 404, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_ends_with_its_head_and_keeps_the_connection() {
    let server = Server::start();
    let conditional = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: test\r\nIf-None-Match: *\r\n\r\n";
    let requests = format!("{conditional}{conditional}{GET_LIVE}Connection: close\r\n\r\n");
    let mut stream = connect(server.address());
    stream.write_all(requests.as_bytes()).expect("a reader");
    let answers = read_all(&mut stream);
    assert_eq!(statuses(&answers), [304, 304, 200]);
    let (first, rest) = answers.split_once("\r\n\r\n").expect("a head");
    assert!(rest.starts_with("HTTP/1.1 304 "), "{answers}");
    let head = first.to_ascii_lowercase();
    assert!(head.contains("cache-control: public, max-age=300"), "{head}");
    assert!(
        !head.contains("content-length") && !head.contains("transfer-encoding"),
        "{head}"
    );
}

/// HTTP/1.0 has no chunks (RFC 9112, section 6.1).
#[tokio::test(flavor = "multi_thread")]
async fn responses_to_http_1_0_have_a_length_and_no_chunks() {
    let server = Server::start();
    let preflight = "Origin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n";
    for (request, headers, status) in [
        ("OPTIONS /.well-known/jwks.json", preflight, 200),
        ("GET /.well-known/jwks.json", "", 200),
        ("GET /.well-known/jwks.json", "If-None-Match: *\r\n", 304),
        ("GET /health/ready", "", 200),
        ("GET /docs/swagger-ui-bundle.js", "", 200),
        ("GET /openapi.json", "", 200),
        ("GET /", "", 307),
        ("GET /me", "", 401),
        ("GET /nothing", "", 404),
        ("PUT /login", "", 405),
        ("POST /login", "Content-Length: 0\r\n", 415),
    ] {
        let mut stream = connect(server.address());
        let request = format!("{request} HTTP/1.0\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("a reader");
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .expect("the server closes the connection");
        let length = answer.windows(4).position(|end| end == b"\r\n\r\n");
        let (head, body) = answer.split_at(length.expect("a head") + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        assert!(
            head.starts_with(&format!("http/1.0 {status} ")),
            "{request}: {head}"
        );
        assert!(!head.contains("transfer-encoding"), "{request}: {head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let expected = (status != 304).then(|| body.len().to_string());
        assert_eq!(length, expected.as_deref(), "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_ends_with_its_head_and_keeps_the_connection() {
    let server = Server::start();
    let preflight = "OPTIONS /.well-known/jwks.json HTTP/1.1\r\nHost: test\r\nOrigin: https://app.example.com\r\n\
                     Access-Control-Request-Method: GET\r\n\r\n";
    let requests = format!("{preflight}{preflight}{GET_LIVE}Connection: close\r\n\r\n");
    let mut stream = connect(server.address());
    stream.write_all(requests.as_bytes()).expect("a reader");
    let answers = read_all(&mut stream);
    assert_eq!(statuses(&answers), [200, 200, 200]);
    let (first, rest) = answers.split_once("\r\n\r\n").expect("a head");
    assert!(rest.starts_with("HTTP/1.1 200 "), "{answers}");
    let head = first.to_ascii_lowercase();
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_the_server_keeps_running() {
    let server = Server::start();
    let address = server.address();
    let long = "x".repeat(100 * 1024);
    let body = r#"{"login":"alice","password":"correct horse battery staple"}"#;
    for (what, request, allowed) in [
        ("a body cut short", post("Content-Length: 500", body), &[400][..]),
        (
            "a chunk cut short",
            post("Transfer-Encoding: chunked", "ff\r\n{"),
            &[400],
        ),
        (
            "16 KiB in chunks and one more",
            post("Transfer-Encoding: chunked", &chunked(16 * 1024 + 1)),
            &[413],
        ),
        (
            "a megabyte in one chunk",
            post("Transfer-Encoding: chunked", &chunked(1 << 20)),
            &[413, SILENCE],
        ),
        (
            "a chunk without a size",
            post("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "two lengths",
            post("Content-Length: 5\r\nContent-Length: 50", body),
            &[400],
        ),
        (
            "a length and chunks",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked", &chunked(1)),
            &[400],
        ),
        ("a length below nothing", post("Content-Length: -1", body), &[400]),
        (
            "a header of 100 KiB",
            format!("{GET_LIVE}X-Long: {long}\r\n\r\n"),
            &[431, SILENCE],
        ),
        (
            "a head of 200 KiB",
            format!("{GET_LIVE}X-Long: {long}\r\nX-Longer: {long}\r\n\r\n"),
            &[400, 431, SILENCE],
        ),
        (
            "a path of 100 KiB",
            format!("GET /{long} HTTP/1.1\r\nHost: test\r\n\r\n"),
            &[400, SILENCE],
        ),
        (
            "a thousand headers",
            format!("{GET_LIVE}{}\r\n", "X-More: 1\r\n".repeat(1000)),
            &[400, 431],
        ),
        (
            "no HTTP at all",
            "\u{16}\u{3}\u{1}\u{2}nonsense\r\n\r\n".to_owned(),
            &[400],
        ),
        ("no host", "GET /health/live HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        ("two hosts", format!("{GET_LIVE}Host: other\r\n\r\n"), &[400]),
        (
            "an invalid host",
            "GET /health/live HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned(),
            &[400],
        ),
        (
            "a version that is not",
            "GET / HTTP/9.9\r\n\r\n".to_owned(),
            &[400, 505],
        ),
        (
            "a bare line feed",
            "GET /health/live HTTP/1.1\nHost: test\n\n".to_owned(),
            &[200, 400],
        ),
        (
            "a NUL in a header",
            format!("{GET_LIVE}X-Nul: a\0b\r\n\r\n"),
            &[400],
        ),
        ("nothing", String::new(), &[SILENCE]),
        ("half a head", GET_LIVE.to_owned(), &[400, 408, SILENCE]),
    ] {
        let answer = tokio::task::spawn_blocking(move || exchange(address, request.as_bytes()));
        let answer = answer.await.expect("the task does not panic");
        let statuses = statuses(&answer);
        assert!(
            matches!(statuses[..], [status] if allowed.contains(&status))
                || (statuses.is_empty() && allowed.contains(&SILENCE)),
            "{what}: {answer}"
        );
        assert!(!answer.to_lowercase().contains("\nserver:"), "{what}: {answer}");
        let live = server.client().get("/health/live").send().await;
        assert_eq!(live.status, 200, "after {what}");
    }
    // The bodies in the table did not register a user.
    assert_eq!(server.client().register("alice").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_disconnects_does_not_affect_other_clients() {
    let server = Server::start();
    for cut in [
        "P",
        "POST /register HTTP/1.1\r\n",
        &post("Content-Length: 10", "{"),
        &format!("{GET_LIVE}\r\n"),
    ] {
        let mut stream = connect(server.address());
        stream
            .write_all(cut.as_bytes())
            .expect("the server reads the request");
    }
    assert_eq!(server.client().get("/health/ready").send().await.status, 200);
}
