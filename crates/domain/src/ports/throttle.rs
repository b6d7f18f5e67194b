use super::PortError;
use crate::throttle::{Attempt, ThrottleDecision};
use async_trait::async_trait;

/// Counts attempts against budgets (OWASP ASVS 5.0, V6.3.1) by the generic cell rate algorithm: a
/// budget has a number of attempts, which are restored one by one.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Takes one attempt from each budget that `attempt` is [charged](Attempt::charges) to.
    ///
    /// If one of the budgets has none left, the attempt is refused, and MUST take nothing from any
    /// budget. The wait MUST be that of the budget with the longest. A refused attempt MUST NOT
    /// extend a wait, keys MUST NOT share budgets, concurrent attempts MUST NOT take more than a
    /// budget has, and memory MUST stay bounded for any set of keys.
    ///
    /// If only a budget with [turns](crate::throttle::Charge::turn) has none left, the next attempt
    /// that it regains and that is not yet reserved MUST be reserved for the network, which the
    /// wait then leads to. A network has at most one turn at an account. An attempt of the network
    /// within two restorations after the start of its turn MUST be allowed and ends the turn; an
    /// earlier one is refused with the remaining wait. Turns are assigned at most
    /// [`TURN_HORIZON`](crate::throttle::TURN_HORIZON) ahead; beyond it, networks are refused with
    /// the wait for the next attempt that is not reserved.
    async fn take(&self, attempt: &Attempt) -> Result<ThrottleDecision, PortError>;

    /// Returns what `attempt` took from
    /// [budgets of failures](crate::throttle::Charge::is_refunded), because it succeeded. MUST NOT
    /// fill a budget beyond its size. `decision` is what [`take`](Self::take) returned for the
    /// attempt: a throttle with a fallback MUST NOT return it to budgets that did not count it.
    ///
    /// There is no error: if the budgets cannot be reached, they stay as they are, which must not
    /// fail a login with the right password. The adapter logs the cause.
    async fn succeeded(&self, attempt: &Attempt, decision: ThrottleDecision);
}
