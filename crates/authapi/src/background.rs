//! What the service's background tasks share.

use domain::{
    audit::{Actor, AuditContext, Origin},
    ports::Clock,
};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Returns ticks at least `period` apart, the first of which is due at once.
pub fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Returns the audit context of the service's own changes. Their actor is the operator.
pub fn own_context(clock: &dyn Clock) -> AuditContext {
    AuditContext::new(clock.now(), Actor::Operator, Origin::default())
}
