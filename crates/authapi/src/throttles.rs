//! The throttle selected by the settings.

use crate::{Failure, settings::ThrottleSettings};
use adapters_redis::{FallbackThrottle, RedisClient, RedisThrottle};
use adapters_throttle::{Budget, Budgets, InProcessThrottle, Unthrottled};
use domain::ports::Throttle;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// The prefix of all keys in Redis.
pub const PREFIX: &str = "authapi:";

/// Creates the throttle. It counts attempts in Redis if configured, so that replicas share the
/// budgets; otherwise in this process.
pub fn throttle(
    settings: &ThrottleSettings,
    redis: Option<&RedisClient>,
) -> Result<Arc<dyn Throttle>, Failure> {
    if !settings.enabled {
        return Ok(Arc::new(Unthrottled));
    }
    let client = Budget {
        burst: settings.client_burst,
        every: Duration::from_mins(1) / settings.client_per_minute.get(),
    };
    let account = Budget {
        burst: settings.account_burst,
        every: Duration::from_hours(1) / settings.account_per_hour.get(),
    };
    let Some(redis) = redis else {
        return in_process(client, account);
    };
    let shared = adapters_redis::Budgets {
        client: shared(client),
        account: shared(account),
        global: None,
    };
    let primary = RedisThrottle::new(redis.clone(), PREFIX, shared)
        .map_err(|error| Failure::because("the throttle cannot be created", error))?;
    let fallback = in_process(stricter(client), stricter(account))?;
    Ok(Arc::new(FallbackThrottle::new(Arc::new(primary), fallback)))
}

fn in_process(client: Budget, account: Budget) -> Result<Arc<dyn Throttle>, Failure> {
    let budgets = Budgets {
        client,
        account,
        ..Budgets::DEFAULT
    };
    let throttle = InProcessThrottle::new(budgets)
        .map_err(|error| Failure::because("the throttle cannot be created", error))?;
    Ok(Arc::new(throttle))
}

fn shared(budget: Budget) -> adapters_redis::Budget {
    adapters_redis::Budget {
        burst: budget.burst,
        every: budget.every,
    }
}

/// Returns half of a budget, for replicas without Redis: each counts separately, starting from
/// zero.
fn stricter(budget: Budget) -> Budget {
    Budget {
        burst: NonZeroU32::new(budget.burst.get() / 2).unwrap_or(NonZeroU32::MIN),
        every: budget.every * 2,
    }
}
