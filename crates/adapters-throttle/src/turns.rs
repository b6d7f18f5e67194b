use domain::{
    login::CanonicalLogin,
    throttle::{Network, Turn},
};
use std::{collections::HashMap, time::Duration};

/// The networks that wait for their turn at an account, with the start of the turn.
pub struct Turns {
    max: usize,
    count: usize,
    starts: HashMap<CanonicalLogin, HashMap<Network, Duration>>,
}

impl Turns {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            count: 0,
            starts: HashMap::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether the maximum number of turns is reached.
    pub fn is_full(&self) -> bool {
        self.count >= self.max
    }

    /// Returns the start of a turn, which may have passed.
    pub fn start(&self, turn: &Turn) -> Option<Duration> {
        self.starts.get(&turn.account)?.get(&turn.network).copied()
    }

    /// Assigns a turn, which replaces an earlier one of the network at the account.
    pub fn assign(&mut self, turn: Turn, start: Duration) {
        let networks = self.starts.entry(turn.account).or_default();
        self.count += usize::from(networks.insert(turn.network, start).is_none());
    }

    pub fn end(&mut self, turn: &Turn) {
        let Some(networks) = self.starts.get_mut(&turn.account) else {
            return;
        };
        self.count -= usize::from(networks.remove(&turn.network).is_some());
        if networks.is_empty() {
            self.starts.remove(&turn.account);
        }
    }

    /// Drops the turns of which `has_passed` holds for the start.
    pub fn sweep(&mut self, has_passed: impl Fn(Duration) -> bool) {
        self.starts.retain(|_, networks| {
            networks.retain(|_, start| !has_passed(*start));
            !networks.is_empty()
        });
        self.count = self.starts.values().map(HashMap::len).sum();
    }
}
