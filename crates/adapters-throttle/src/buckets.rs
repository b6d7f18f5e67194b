use crate::bucket::Rate;
use domain::throttle::BudgetKey;
use std::{collections::HashMap, num::NonZeroUsize, time::Duration};

/// The buckets of one kind: one for each key, up to a maximum number of keys, and one that all keys
/// beyond it share. Keys with a full budget need no bucket.
pub struct Buckets {
    rate: Rate,
    max_keys: NonZeroUsize,
    full_at: HashMap<BudgetKey, Duration>,
    overflow: Duration,
}

impl Buckets {
    pub fn new(rate: Rate, max_keys: NonZeroUsize) -> Self {
        Self {
            rate,
            max_keys,
            full_at: HashMap::new(),
            overflow: Duration::ZERO,
        }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// Returns whether the maximum number of keys is reached.
    pub fn is_full(&self) -> bool {
        self.len() >= self.max_keys.get()
    }

    /// Returns whether `key` has a bucket of its own.
    pub fn contains(&self, key: &BudgetKey) -> bool {
        self.full_at.contains_key(key)
    }

    /// Returns the time until an attempt of `key` is available; zero if one is.
    pub fn wait(&self, key: &BudgetKey, now: Duration) -> Duration {
        let full_at = match self.full_at.get(key) {
            Some(full_at) => *full_at,
            None if self.is_full() => self.overflow,
            None => Duration::ZERO,
        };
        self.rate.wait(full_at, now)
    }

    /// Takes or reserves one attempt of `key`.
    pub fn take(&mut self, key: BudgetKey, now: Duration) {
        let is_full = self.is_full();
        let rate = self.rate;
        match self.full_at.get_mut(&key) {
            Some(full_at) => *full_at = rate.take(*full_at, now),
            None if is_full => self.overflow = rate.take(self.overflow, now),
            None => {
                self.full_at.insert(key, rate.take(Duration::ZERO, now));
            }
        }
    }

    /// Returns one attempt of `key`. Keys without a bucket of their own get nothing back.
    pub fn give_back(&mut self, key: &BudgetKey) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = self.rate.give_back(*full_at);
        }
    }

    /// Drops the keys whose budget is full.
    pub fn sweep(&mut self, now: Duration) {
        self.full_at.retain(|_, full_at| *full_at > now);
    }
}
