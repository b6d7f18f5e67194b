//! The throttle selected by the settings.

use crate::{Failure, settings::ThrottleSettings};
use adapters_redis::{FallbackThrottle, RedisClient, RedisThrottle};
use adapters_throttle::{InProcessThrottle, Unthrottled};
use domain::{
    ports::Throttle,
    throttle::{Budget, Budgets},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// The prefix of all keys in Redis.
pub const PREFIX: &str = "authapi:";

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Creates the throttle. It counts attempts in Redis if configured, so that replicas share the
/// budgets; otherwise in this process.
pub fn throttle(
    settings: &ThrottleSettings,
    redis: Option<&RedisClient>,
) -> Result<Arc<dyn Throttle>, Failure> {
    if !settings.enabled {
        return Ok(Arc::new(Unthrottled));
    }
    let budgets = budgets(settings);
    let Some(redis) = redis else {
        return in_process(&budgets);
    };
    let primary = RedisThrottle::new(redis.clone(), PREFIX, &budgets)
        .map_err(|error| Failure::because("the throttle cannot be created", error))?;
    let fallback = in_process(&stricter(budgets))?;
    Ok(Arc::new(FallbackThrottle::new(Arc::new(primary), fallback)))
}

fn in_process(budgets: &Budgets) -> Result<Arc<dyn Throttle>, Failure> {
    let throttle = InProcessThrottle::new(budgets)
        .map_err(|error| Failure::because("the throttle cannot be created", error))?;
    Ok(Arc::new(throttle))
}

fn budgets(settings: &ThrottleSettings) -> Budgets {
    let budget = |burst, period: Duration, rate: NonZeroU32| Budget {
        burst,
        every: period / rate.get(),
    };
    Budgets {
        client: budget(settings.client_burst, MINUTE, settings.client_per_minute),
        failures: budget(settings.failures_burst, HOUR, settings.failures_per_hour),
        service: budget(settings.service_burst, MINUTE, settings.service_per_minute),
        account: budget(settings.account_burst, HOUR, settings.account_per_hour),
        session: budget(settings.session_burst, HOUR, settings.session_per_hour),
        changes: budget(settings.changes_burst, HOUR, settings.changes_per_hour),
    }
}

/// Returns half of each budget, for replicas without Redis: each counts separately, starting from
/// zero.
fn stricter(budgets: Budgets) -> Budgets {
    let half = |budget: Budget| Budget {
        burst: NonZeroU32::new(budget.burst.get() / 2).unwrap_or(NonZeroU32::MIN),
        every: budget.every * 2,
    };
    Budgets {
        client: half(budgets.client),
        failures: half(budgets.failures),
        service: half(budgets.service),
        account: half(budgets.account),
        session: half(budgets.session),
        changes: half(budgets.changes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_settings_are_the_default_budgets() {
        assert_eq!(budgets(&ThrottleSettings::default()), Budgets::DEFAULT);
    }

    #[test]
    fn a_replica_without_redis_has_half_of_each_budget() {
        let halved = stricter(Budgets::DEFAULT);
        for (whole, half) in [
            (Budgets::DEFAULT.client, halved.client),
            (Budgets::DEFAULT.failures, halved.failures),
            (Budgets::DEFAULT.service, halved.service),
            (Budgets::DEFAULT.account, halved.account),
            (Budgets::DEFAULT.session, halved.session),
            (Budgets::DEFAULT.changes, halved.changes),
        ] {
            assert_eq!(
                (half.burst.get(), half.every),
                (whole.burst.get() / 2, whole.every * 2)
            );
        }
    }
}
