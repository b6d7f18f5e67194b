//! Guesses from elsewhere do not keep an owner in a known place from logging in.

use crate::{
    client::{Answer, Client, PASSWORD},
    server::Place,
};

const HOME: &str = "192.0.2.7";
const NEIGHBOUR: &str = "192.0.2.200";
const ELSEWHERE: &str = "2001:db8:77::1";

async fn log_in(client: &Client, from: &str, password: &str, device: &str) -> Answer {
    let call = client
        .logging_in("alice", password)
        .header("X-Forwarded-For", from.as_bytes())
        .header("Device-Token", device.as_bytes());
    call.send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_elsewhere_delay_unknown_places_only() {
    let server = Place::new()
        .throttled()
        .with("THROTTLE__ACCOUNT_BURST", "4")
        .with("THROTTLE__ACCOUNT_PER_HOUR", "1")
        .with("SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
        .start();
    let client = server.client();
    assert_eq!(client.register("alice").await.status, 201);
    let first = log_in(&client, HOME, PASSWORD, "").await;
    assert_eq!(first.status, 200);
    let device = first.header("device-token").to_owned();
    for attempt in 0..4 {
        let guess = log_in(&client, &format!("198.18.{attempt}.1"), "not the password", "").await;
        let expected = if attempt < 3 { 401 } else { 429 };
        assert_eq!(guess.status, expected, "{}", guess.body);
    }

    let unknown = log_in(&client, ELSEWHERE, PASSWORD, "").await;
    assert_eq!((unknown.status, unknown.code()), (429, "too_many_attempts"));
    assert_eq!(unknown.body["budget"], "account");
    let forged = device.to_lowercase();
    assert_eq!(log_in(&client, ELSEWHERE, PASSWORD, &forged).await.status, 429);
    assert_eq!(log_in(&client, NEIGHBOUR, PASSWORD, "").await.status, 200);
    let known = log_in(&client, ELSEWHERE, PASSWORD, &device).await;
    assert_eq!(known.status, 200, "{}", known.body);
    assert_ne!(known.header("device-token"), device);
    // The login made the network known.
    assert_eq!(log_in(&client, ELSEWHERE, PASSWORD, "").await.status, 200);
}
