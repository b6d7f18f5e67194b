use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{ThrottleDecision, ThrottleKey},
};
use metrics::{counter, describe_counter};
use std::sync::Arc;

const DECISIONS: &str = "authapi_throttle_decisions_total";

/// A throttle that counts the decisions of another throttle by kind of key. Keys themselves are
/// never recorded.
pub struct MeteredThrottle(Arc<dyn Throttle>);

impl MeteredThrottle {
    /// Wraps `throttle`.
    pub fn new(throttle: Arc<dyn Throttle>) -> Self {
        describe_counter!(
            DECISIONS,
            "Decisions of the throttle, by kind of key and outcome."
        );
        Self(throttle)
    }
}

#[async_trait]
impl Throttle for MeteredThrottle {
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        let kind = match key {
            ThrottleKey::Client(_) => "client",
            ThrottleKey::Account(_) => "account",
        };
        let decision = self.0.take(key).await;
        let outcome = match decision {
            Ok(ThrottleDecision::Allowed) => "allowed",
            Ok(ThrottleDecision::Refused { .. }) => "refused",
            Err(_) => "failed",
        };
        counter!(DECISIONS, "kind" => kind, "outcome" => outcome).increment(1);
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::throttle::ClientNetwork;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use std::{net::Ipv4Addr, time::Duration};
    use testkit::{ClosedThrottle, OpenThrottle};

    #[tokio::test]
    async fn decisions_pass_unchanged_and_are_counted_by_kind_and_outcome() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let closed = ClosedThrottle {
            retry_after: Duration::from_secs(7),
        };
        let key = ThrottleKey::Client(ClientNetwork::V4(Ipv4Addr::LOCALHOST));
        for _ in 0..3 {
            let allowed = MeteredThrottle::new(Arc::new(OpenThrottle))
                .take(key.clone())
                .await;
            assert_eq!(
                allowed.expect("the throttle returns a decision"),
                ThrottleDecision::Allowed
            );
        }
        let refused = MeteredThrottle::new(Arc::new(closed)).take(key).await;
        assert_eq!(
            refused.expect("the throttle returns a decision"),
            ThrottleDecision::Refused {
                retry_after: Duration::from_secs(7)
            }
        );
        let rendered = recorder.handle().render();
        for line in [
            r#"authapi_throttle_decisions_total{kind="client",outcome="allowed"} 3"#,
            r#"authapi_throttle_decisions_total{kind="client",outcome="refused"} 1"#,
        ] {
            assert!(rendered.lines().any(|known| known == line), "{rendered}");
        }
        assert!(!rendered.contains("127.0.0.1"));
    }
}
