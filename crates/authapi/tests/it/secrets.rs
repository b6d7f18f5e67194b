//! Secrets must not appear in the log, and input must not forge log lines.

use crate::{
    client::{NEW_PASSWORD, PASSWORD, Pair},
    server::{Place, Server, Stopped},
};
use rustix::process::geteuid;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::Duration,
};

pub const LOGIN: &str = "olga.the.owl";
const UNKNOWN_LOGIN: &str = "unknown.login";
const WRONG_PASSWORD: &str = "a guess that is wrong";

/// Makes successful and failing requests that involve secrets, and returns every pair issued.
pub async fn walk(server: &Server) -> Vec<Pair> {
    let client = server.client();
    let first = client.user(LOGIN).await;
    let second = client.session(LOGIN).await;
    let third = client.refresh(&second.refresh).await.pair();
    let mut pairs = vec![first, second, third];
    for (login, password) in [(LOGIN, WRONG_PASSWORD), (UNKNOWN_LOGIN, PASSWORD)] {
        assert_eq!(client.logging_in(login, password).send().await.status, 401);
    }
    assert_eq!(client.register(LOGIN).await.status, 409);
    let odd = json!({"login": {"a": LOGIN}, "password": [PASSWORD], PASSWORD: true});
    assert_eq!(client.post("/login").json(&odd).send().await.status, 422);
    let in_the_url = format!(
        "/me?token={}&password={}",
        pairs[0].access,
        WRONG_PASSWORD.replace(' ', "+")
    );
    assert_eq!(client.get(&in_the_url).send().await.status, 422);
    assert_eq!(
        client.get(&format!("/{}", pairs[0].refresh)).send().await.status,
        404
    );
    assert_eq!(client.me(&pairs[0].refresh).await.status, 401);
    let access = &pairs[2].access;
    assert_eq!(
        client
            .assigning(access, UNKNOWN_LOGIN, &["user"], true)
            .send()
            .await
            .status,
        403
    );
    let changed = client
        .changing_password(access, PASSWORD, NEW_PASSWORD)
        .send()
        .await;
    pairs.push(changed.pair());
    assert_eq!(client.log_out(&pairs[3].access).await.status, 204);
    assert_eq!(client.refresh(&pairs[3].refresh).await.status, 401);
    pairs
}

/// Every text that must not be logged, with its name.
pub fn secrets(place: &Place, pairs: &[Pair]) -> Vec<(&'static str, String)> {
    let mut secrets = vec![
        ("a password", PASSWORD.to_owned()),
        ("a password", NEW_PASSWORD.to_owned()),
        ("a password", WRONG_PASSWORD.to_owned()),
        ("a password", WRONG_PASSWORD.replace(' ', "+")),
        ("a hash", "$argon2".to_owned()),
    ];
    for pair in pairs {
        secrets.push(("a refresh token", pair.refresh.clone()));
        let signature = pair.access.rsplit('.').next().expect("the token has a signature");
        secrets.push(("an access token", signature.to_owned()));
    }
    let is_secret = |file: &PathBuf| file.extension().is_some_and(|it| it == "pem" || it == "key");
    for file in place.key_files("").into_iter().filter(is_secret) {
        let text = fs::read_to_string(&file).expect("the key can be read");
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        secrets.extend(lines.map(|line| ("a key", line.to_owned())));
    }
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_holds_a_secret_or_a_login_at_any_level() {
    let server = Place::new().with("LOG__LEVEL", "trace").start();
    let pairs = walk(&server).await;
    let Stopped { place, log, .. } = server.terminate();
    assert!(log.iter().any(|line| line.contains(r#""level":"TRACE""#)));
    let mut secrets = secrets(&place, &pairs);
    secrets.push(("a login", LOGIN.to_owned()));
    secrets.push(("a login", UNKNOWN_LOGIN.to_owned()));
    for line in &log {
        for (what, secret) in &secrets {
            assert!(!line.contains(secret.as_str()), "{what} in {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_prints_no_secret() {
    let place = Place::new().with("LOG__LEVEL", "trace");
    let create = ["users", "create", "--login", LOGIN];
    let created = place.run(&create, PASSWORD);
    assert_eq!(created.code, Some(0), "{}", created.stderr);
    let refused = place.run(&create, NEW_PASSWORD);
    let generated = place.run(&["keys", "generate"], "");
    let secrets = secrets(&place, &[]);
    for run in [created, refused, generated] {
        for (what, secret) in &secrets {
            assert!(!run.stdout.contains(secret.as_str()), "{what} in {}", run.stdout);
            assert!(!run.stderr.contains(secret.as_str()), "{what} in {}", run.stderr);
        }
    }
}

/// Sends a request that no HTTP library would send.
fn send_raw(server: &Server, head: &[u8]) {
    let mut stream = TcpStream::connect(server.address()).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("the timeout can be set");
    // The server may close the connection.
    let _ = stream.write_all(head);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_cannot_forge_a_log_line() {
    let server = Place::new().with("LOG__LEVEL", "debug").start();
    let client = server.client();
    let forged = r#"x","level":"ERROR","forged":"yes"}"#;
    for path in [
        "/%0a%7b%22forged%22:1%7d",
        "/health/live?a=%0d%0aforged",
        "/%1b%5b31mforged",
    ] {
        client.get(path).send().await;
    }
    for header in [
        "User-Agent",
        "X-Request-Id",
        "X-Forwarded-For",
        "Authorization",
        "Host",
    ] {
        let call = client.get("/me").header(header, forged.as_bytes());
        call.try_send().await.ok();
        let call = client.get("/me").header(header, b"\xff\xfe\xe2\x80\xa8forged");
        call.try_send().await.ok();
    }
    let body = json!({"login": format!("x\n{forged}\u{1b}[2J\u{2028}"), "password": format!("\r\n{forged}")});
    for path in ["/register", "/login"] {
        client.post(path).json(&body).send().await;
    }
    for head in [
        b"GET / HTTP/1.1\r\nUser-Agent: a\x1b[31m\r\n forged: 1\r\n\r\n".as_slice(),
        b"{\"forged\":1}\r\n\r\n",
        b"GET /\n{\"forged\":1} HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Request-Id: a\n{\"forged\":1}\r\n\r\n",
        b"FORGED\x1b[31m / HTTP/1.1\r\n\r\n",
    ] {
        send_raw(&server, head);
    }
    assert_eq!(client.get("/health/live").send().await.status, 200);

    let log = server.terminate().log;
    assert!(log.len() > 10);
    for line in &log {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let event = event.as_object().expect("the event is an object");
        assert!(!event.contains_key("forged"), "{line}");
        assert!(
            event.contains_key("timestamp") && event.contains_key("message"),
            "{line}"
        );
        assert_eq!(line.matches(r#""level":""#).count(), 1, "{line}");
        assert!(
            !line.contains(char::is_control) && !line.contains("ERROR"),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_server_is_neither_dumped_nor_readable_by_other_processes() {
    let mut place = Place::new();
    // The user of the server owns its files in /proc unless it denies access to them. If that is
    // root, only the group shows the difference.
    if geteuid().is_root() {
        place.wrapper = ["setpriv", "--regid=65534", "--keep-groups"]
            .map(str::to_owned)
            .into();
    }
    let server = place.start();
    server.client().user(LOGIN).await;
    let of_server = format!("/proc/{}", server.pid());
    let limits = fs::read_to_string(format!("{of_server}/limits")).expect("the server is running");
    let core = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"));
    let core: Vec<_> = core.expect("a line for core dumps").split_whitespace().collect();
    assert_eq!(core, ["0", "0", "bytes"]);
    let memory = fs::metadata(format!("{of_server}/mem")).expect("the server is running");
    assert_eq!((memory.uid(), memory.gid()), (0, 0));
}
