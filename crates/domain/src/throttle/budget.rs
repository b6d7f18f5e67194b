use super::Width;
use std::{num::NonZeroU32, time::Duration};

/// How many times as many logins as from one known place an account permits from all of them.
const KNOWN_PLACES: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");
/// How far ahead the turns of an account are assigned. Networks beyond it get no turn.
pub const TURN_HORIZON: Duration = Duration::from_hours(12);

/// The attempts of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The attempts that are available at once when the budget is full.
    pub burst: NonZeroU32,
    /// The time in which one attempt is restored.
    pub every: Duration,
}

/// What a budget limits. All budgets of one kind have the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetKind {
    /// Attempts and registrations from a network.
    Network(Width),
    /// Failed logins from a network at accounts that are not known in it.
    Failures(Width),
    /// Failed logins from a network at accounts that are known in it.
    LocalFailures,
    /// Failed logins from unknown places, of the whole service.
    Service,
    /// Logins to an account from unknown places.
    Account,
    /// Logins to an account from one known place.
    KnownPlace,
    /// Logins to an account from all known places together. Only a client that can log in makes
    /// places known, so no other can use it up.
    KnownPlaces,
    /// Password checks of a session.
    Session,
    /// Changes that a user makes to their own account. Each may write an event to the audit log.
    Changes,
    /// Recorded replays of the refresh tokens of a session. Each writes an event to the audit log.
    Replays,
}

/// The name of a budget in a response. It does not show whether an account exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetName {
    Network,
    Account,
    Service,
    Session,
}

/// The size of each kind of budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Attempts from one client. Each wider network has four times as many.
    pub client: Budget,
    /// Failures from one client. Each wider network has three times as many.
    pub failures: Budget,
    /// Failures of the whole service from unknown places.
    pub service: Budget,
    /// Logins to an account: from all unknown places together, and from each known place.
    pub account: Budget,
    /// Password checks of a session.
    pub session: Budget,
    /// Changes of a user to their own account, and, counted separately, recorded replays of a
    /// session.
    pub changes: Budget,
}

impl BudgetKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Network(Width::Client),
        Self::Network(Width::Site),
        Self::Network(Width::Provider),
        Self::Failures(Width::Client),
        Self::Failures(Width::Site),
        Self::Failures(Width::Provider),
        Self::LocalFailures,
        Self::Service,
        Self::Account,
        Self::KnownPlace,
        Self::KnownPlaces,
        Self::Session,
        Self::Changes,
        Self::Replays,
    ];

    /// Returns the name of the kind, for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network(Width::Client) => "client",
            Self::Network(Width::Site) => "site",
            Self::Network(Width::Provider) => "provider",
            Self::Failures(Width::Client) => "client_failures",
            Self::Failures(Width::Site) => "site_failures",
            Self::Failures(Width::Provider) => "provider_failures",
            Self::LocalFailures => "local_failures",
            Self::Service => "service",
            Self::Account => "account",
            Self::KnownPlace => "known_place",
            Self::KnownPlaces => "known_places",
            Self::Session => "session",
            Self::Changes => "changes",
            Self::Replays => "replays",
        }
    }

    /// Returns the name of the budget in responses.
    #[must_use]
    pub fn name(self) -> BudgetName {
        match self {
            Self::Network(_) | Self::Failures(_) | Self::LocalFailures => BudgetName::Network,
            Self::Service => BudgetName::Service,
            Self::Account | Self::KnownPlace | Self::KnownPlaces | Self::Changes => BudgetName::Account,
            Self::Session | Self::Replays => BudgetName::Session,
        }
    }
}

impl BudgetName {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Account => "account",
            Self::Service => "service",
            Self::Session => "session",
        }
    }
}

impl Budget {
    /// Returns a budget of `factor` times as many attempts.
    #[must_use]
    pub fn times(self, factor: NonZeroU32) -> Self {
        Self {
            burst: self.burst.saturating_mul(factor),
            every: self.every / factor.get(),
        }
    }
}

impl Budgets {
    /// The sizes if no setting changes them.
    pub const DEFAULT: Self = Self {
        client: per_minute(30, 30),
        failures: per_hour(30, 60),
        service: per_minute(1_000, 600),
        account: per_hour(10, 90),
        session: per_hour(5, 30),
        changes: per_hour(60, 60),
    };

    /// Returns the size of the budgets of `kind`.
    #[must_use]
    pub fn of(&self, kind: BudgetKind) -> Budget {
        match kind {
            BudgetKind::Network(width) => self.client.times(widening(width, 4)),
            BudgetKind::Failures(width) => self.failures.times(widening(width, 3)),
            BudgetKind::LocalFailures => self.failures.times(widening(Width::Provider, 3)),
            BudgetKind::Service => self.service,
            BudgetKind::Account | BudgetKind::KnownPlace => self.account,
            BudgetKind::KnownPlaces => self.account.times(KNOWN_PLACES),
            BudgetKind::Session => self.session,
            BudgetKind::Changes | BudgetKind::Replays => self.changes,
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Returns how many times as many attempts a network of this width has as one client, if each wider
/// one has `step` times as many.
fn widening(width: Width, step: u32) -> NonZeroU32 {
    let factor = match width {
        Width::Client => 1,
        Width::Site => step,
        Width::Provider => step * step,
    };
    NonZeroU32::new(factor).unwrap_or(NonZeroU32::MIN)
}

const fn per_minute(burst: u32, rate: u32) -> Budget {
    budget(burst, Duration::from_mins(1), rate)
}

const fn per_hour(burst: u32, rate: u32) -> Budget {
    budget(burst, Duration::from_hours(1), rate)
}

const fn budget(burst: u32, period: Duration, rate: u32) -> Budget {
    Budget {
        burst: NonZeroU32::new(burst).expect("the burst is not 0"),
        every: period.checked_div(rate).expect("the rate is not 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wider_network_has_a_larger_budget() {
        let size = |kind| {
            let Budget { burst, every } = Budgets::DEFAULT.of(kind);
            (burst.get(), every)
        };
        for (kind, expected) in [
            (BudgetKind::Network(Width::Client), (30, Duration::from_secs(2))),
            (
                BudgetKind::Network(Width::Site),
                (120, Duration::from_millis(500)),
            ),
            (
                BudgetKind::Network(Width::Provider),
                (480, Duration::from_millis(125)),
            ),
            (BudgetKind::Failures(Width::Client), (30, Duration::from_mins(1))),
            (BudgetKind::Failures(Width::Site), (90, Duration::from_secs(20))),
        ] {
            assert_eq!(size(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn an_account_permits_a_hundred_attempts_in_the_first_hour() {
        let Budget { burst, every } = Budgets::DEFAULT.account;
        let restored = Duration::from_hours(1).as_secs() / every.as_secs();
        assert_eq!(u64::from(burst.get()) + restored, 100);
    }
}
