//! The in-process throttle, with a clock that the tests advance.

mod contract;
mod limits;
mod memory;
mod model;
mod simulation;
mod stepped_clock;

use adapters_throttle::{InProcessThrottle, MAX_KEYS};
use domain::{
    login::{CanonicalLogin, Login},
    ports::Throttle,
    throttle::{Attempt, Budgets, Place, ThrottleDecision},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};
use stepped_clock::SteppedClock;

const SECOND: Duration = Duration::from_secs(1);

/// A throttle and its clock.
struct Timed {
    throttle: Arc<InProcessThrottle>,
    clock: Arc<SteppedClock>,
}

impl Timed {
    fn new(budgets: &Budgets) -> Self {
        Self::bounded(budgets, MAX_KEYS.get())
    }

    fn bounded(budgets: &Budgets, max_keys: usize) -> Self {
        let clock = Arc::new(SteppedClock::default());
        let max_keys = NonZeroUsize::new(max_keys).expect("the number is not 0");
        let throttle = InProcessThrottle::bounded(budgets, max_keys, clock.clone());
        Self {
            throttle: Arc::new(throttle.expect("the budgets are within bounds")),
            clock,
        }
    }

    async fn take(&self, attempt: &Attempt) -> ThrottleDecision {
        take(&*self.throttle, attempt).await
    }

    async fn allowed_of(&self, attempts: u32, attempt: &Attempt) -> u32 {
        allowed_of(attempts, &*self.throttle, attempt).await
    }
}

async fn take(throttle: &dyn Throttle, attempt: &Attempt) -> ThrottleDecision {
    throttle
        .take(attempt)
        .await
        .expect("the throttle in memory does not fail")
}

async fn allowed_of(attempts: u32, throttle: &dyn Throttle, attempt: &Attempt) -> u32 {
    let mut allowed = 0;
    for _ in 0..attempts {
        allowed += u32::from(take(throttle, attempt).await == ThrottleDecision::Allowed);
    }
    allowed
}

fn canonical(login: &str) -> CanonicalLogin {
    let login = Login::parse(login).expect("the login is valid");
    CanonicalLogin::clone(login.canonical())
}

/// A login to `account` from an unknown place; each number is a /24 of its own.
fn log_in(account: &str, number: u32) -> Attempt {
    Attempt::LogIn {
        account: Some(canonical(account)),
        address: Some(IpAddr::V4(Ipv4Addr::from((number << 8) | 1))),
        place: Place::Unknown,
    }
}
