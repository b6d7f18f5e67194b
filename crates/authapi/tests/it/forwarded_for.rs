//! `X-Forwarded-For`: what a proxy may send, and that a wrong setup is logged once.

use crate::server::{Place, Server, Stopped};
use serde_json::Value;

/// The logged warnings that contain `text`.
fn warnings(stopped: &Stopped, text: &str) -> Vec<Value> {
    let lines = stopped.log.iter().filter(|line| line.contains(text));
    let events = lines.map(|line| serde_json::from_str(line).expect("an event"));
    events.filter(|event: &Value| event["level"] == "WARN").collect()
}

async fn send(server: &Server, entries: &[&str]) {
    for client in server.each() {
        for entry in entries {
            let call = client
                .get("/health/live")
                .header("X-Forwarded-For", entry.as_bytes());
            assert_eq!(call.send().await.status, 200, "{entry}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_address_from_a_trusted_proxy_is_the_client() {
    let server = Place::new()
        .with("SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
        .start();
    let entries = [
        "2001:db8::1",
        "[2001:db8::2]",
        "[2001:db8::3]:4711",
        "[2001:db8::4%eth0]:4711",
        "\"[2001:db8::5]:4711\"",
        "192.0.2.6:4711, , 127.0.0.2,",
    ];
    send(&server, &entries).await;
    let stopped = server.terminate();
    let clients = stopped.log.iter().filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["message"] == "answered").then(|| event["client"].as_str().map(str::to_owned))?
    });
    let clients: Vec<String> = clients.collect();
    for expected in [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8::4",
        "2001:db8::5",
        "192.0.2.6",
    ] {
        assert!(clients.iter().any(|it| it == expected), "{expected}: {clients:?}");
    }
    assert!(warnings(&stopped, "X-Forwarded-For").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_whose_entry_is_unreadable_is_logged_once() {
    let server = Place::new()
        .with("SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
        .start();
    let replicas = server.replicas();
    // The unreadable part of the first was sent by the client.
    send(&server, &["nonsense, 192.0.2.1", "unknown", "unix:"]).await;
    let stopped = server.terminate();
    let logged = warnings(&stopped, "X-Forwarded-For");
    assert_eq!(logged.len(), replicas, "{logged:#?}");
    for event in logged {
        assert_eq!(event["proxy"], "127.0.0.1");
        assert_eq!(event["entry"], "unknown");
        let message = event["message"].as_str().expect("a text");
        assert!(message.contains("configure the proxy"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_peer_that_sends_the_header_is_logged_once() {
    let server = Place::new()
        .with("SERVER__TRUSTED_PROXIES", "192.0.2.0/24")
        .start();
    let replicas = server.replicas();
    send(&server, &["", "192.0.2.1", "192.0.2.2"]).await;
    let stopped = server.terminate();
    let logged = warnings(&stopped, "X-Forwarded-For");
    assert_eq!(logged.len(), replicas, "{logged:#?}");
    for event in logged {
        assert_eq!(event["peer"], "127.0.0.1");
        let message = event["message"].as_str().expect("a text");
        assert!(message.contains("server.trusted_proxies"), "{message}");
    }
}
