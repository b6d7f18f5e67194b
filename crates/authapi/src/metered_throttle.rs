use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{Attempt, BudgetKind, Place, ThrottleDecision},
};
use metrics::{counter, describe_counter};
use std::sync::Arc;

const DECISIONS: &str = "authapi_throttle_decisions_total";
/// The label of decisions that no budget refused.
const NO_BUDGET: &str = "none";

/// A throttle that counts the decisions of another throttle by kind of attempt and by the budget
/// that refused it. Logins, addresses, users and sessions are never recorded.
pub struct MeteredThrottle(Arc<dyn Throttle>);

impl MeteredThrottle {
    /// Wraps `throttle`.
    pub fn new(throttle: Arc<dyn Throttle>) -> Self {
        describe_counter!(
            DECISIONS,
            "Decisions of the throttle, by attempt, outcome and refusing budget."
        );
        Self(throttle)
    }
}

#[async_trait]
impl Throttle for MeteredThrottle {
    async fn take(&self, attempt: &Attempt) -> Result<ThrottleDecision, PortError> {
        let decision = self.0.take(attempt).await;
        let (outcome, budget) = match decision {
            Ok(ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback) => ("allowed", NO_BUDGET),
            Ok(ThrottleDecision::Refused { budget, .. }) => ("refused", BudgetKind::as_str(budget)),
            Err(_) => ("failed", NO_BUDGET),
        };
        let attempt = name_of(attempt);
        counter!(DECISIONS, "attempt" => attempt, "outcome" => outcome, "budget" => budget).increment(1);
        decision
    }

    async fn succeeded(&self, attempt: &Attempt, decision: ThrottleDecision) {
        self.0.succeeded(attempt, decision).await;
    }
}

fn name_of(attempt: &Attempt) -> &'static str {
    match attempt {
        Attempt::LogIn { place, .. } => match place {
            Place::Unknown => "unknown_place",
            Place::KnownNetwork(_) => "known_network",
            Place::KnownDevice(_) => "known_device",
        },
        Attempt::Register { .. } => "registration",
        Attempt::Reauthenticate { .. } => "reauthentication",
        Attempt::ChangeOwnAccount { .. } => "own_change",
        Attempt::ReplayRefreshToken { .. } => "replay",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        session::SessionId,
        throttle::{Network, Width},
        user::UserId,
    };
    use metrics_exporter_prometheus::PrometheusBuilder;
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };
    use testkit::{ClosedThrottle, OpenThrottle, fixtures::canonical};
    use uuid::Uuid;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn log_in(place: Place) -> Attempt {
        Attempt::LogIn {
            account: Some(canonical("alice")),
            address: Some(ADDRESS),
            place,
        }
    }

    #[tokio::test]
    async fn decisions_pass_unchanged_and_are_counted_by_attempt_outcome_and_budget() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let session = SessionId(Uuid::nil());
        let open = MeteredThrottle::new(Arc::new(OpenThrottle));
        for attempt in [
            log_in(Place::Unknown),
            log_in(Place::KnownNetwork(Network::site(ADDRESS))),
            log_in(Place::KnownDevice(session)),
            Attempt::Register {
                address: Some(ADDRESS),
            },
            Attempt::Reauthenticate { session },
            Attempt::ChangeOwnAccount {
                user: UserId(Uuid::nil()),
            },
            Attempt::ReplayRefreshToken { session },
        ] {
            let allowed = open.take(&attempt).await;
            assert!(matches!(allowed, Ok(ThrottleDecision::Allowed)), "{attempt:?}");
        }
        let (retry_after, budget) = (Duration::from_secs(7), BudgetKind::Failures(Width::Site));
        let closed = MeteredThrottle::new(Arc::new(ClosedThrottle { retry_after, budget }));
        let refused = closed.take(&log_in(Place::Unknown)).await;
        assert_eq!(
            refused.expect("the throttle returns a decision"),
            ThrottleDecision::Refused { retry_after, budget }
        );
        let rendered = recorder.handle().render();
        for (attempt, outcome, budget) in [
            ("unknown_place", "allowed", "none"),
            ("known_network", "allowed", "none"),
            ("known_device", "allowed", "none"),
            ("registration", "allowed", "none"),
            ("reauthentication", "allowed", "none"),
            ("own_change", "allowed", "none"),
            ("replay", "allowed", "none"),
            ("unknown_place", "refused", "site_failures"),
        ] {
            let line =
                format!(r#"{DECISIONS}{{attempt="{attempt}",outcome="{outcome}",budget="{budget}"}} 1"#);
            assert!(rendered.lines().any(|known| known == line), "{line}: {rendered}");
        }
        assert!(!rendered.contains("127.0.0") && !rendered.contains("alice"));
    }
}
