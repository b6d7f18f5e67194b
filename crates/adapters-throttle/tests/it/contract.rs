use super::Timed;
use testkit::contract::throttle::{BUDGETS, FreshThrottle};

fn fresh_throttle() -> FreshThrottle {
    let Timed { throttle, clock } = Timed::new(&BUDGETS);
    FreshThrottle {
        throttle,
        advance: Some(std::sync::Arc::new(move |by| clock.advance(by))),
    }
}

testkit::throttle_contract!(fresh_throttle);
