//! Metrics of Postgres.

use crate::server::{Place, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longer than anything here takes; reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

async fn scrape(server: &Server) -> Vec<String> {
    let told = server.log().wait_for(TIMEOUT, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        Some(event.get("metrics")?.as_str()?.to_owned())
    });
    let address = told.expect("the metrics address is logged");
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("the client can be built");
    let answer = http.get(format!("http://{address}/metrics")).send().await;
    let text = answer
        .expect("the server responds")
        .text()
        .await
        .expect("the response is UTF-8");
    text.lines().map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_show_the_use_of_the_connection_pool() {
    let server = Place::new()
        .with("METRICS__PORT", "0")
        .with("DATABASE__POOL_SIZE", "3")
        .with("SESSION_CACHE__MEMORY", "false")
        .start();
    let client = server.client();
    let alice = client.user("alice").await;
    for _ in 0..10 {
        assert_eq!(client.me(&alice.access).await.status, 200);
    }

    // The periodic tasks use a connection from time to time.
    let idle = r#"authapi_db_pool_in_use{pool="postgres"} 0"#;
    let deadline = Instant::now() + TIMEOUT;
    let lines = loop {
        let lines = scrape(&server).await;
        if lines.iter().any(|line| line == idle) {
            break lines;
        }
        assert!(Instant::now() < deadline, "no {idle} in {lines:#?}");
    };

    for line in [
        r#"authapi_db_pool_size{pool="postgres"} 3"#,
        r#"authapi_db_pool_timeouts_total{pool="postgres"} 0"#,
    ] {
        assert!(lines.iter().any(|known| known == line), "no {line} in {lines:#?}");
    }
    let waits = lines
        .iter()
        .find_map(|line| line.strip_prefix(r#"authapi_db_pool_wait_seconds_count{pool="postgres"} "#));
    let waits: u32 = waits
        .expect("the metric is present")
        .parse()
        .expect("the text is a number");
    assert!(waits >= 10, "{waits}");
}
