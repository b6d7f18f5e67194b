use governor::{
    nanos::Nanos,
    state::{
        InMemoryState, NotKeyed, StateStore,
        keyed::{DashMapStateStore, ShrinkableKeyedStateStore},
    },
};
use std::{
    hash::Hash,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

/// Keeps one counter per key, up to a maximum number of keys, and one shared counter for all keys
/// beyond it.
pub struct BoundedStore<K: Eq + Hash> {
    counters: DashMapStateStore<K>,
    max_keys: NonZeroUsize,
    overflow: InMemoryState,
    /// Held while a key is added, so that concurrent requests do not exceed the maximum.
    adding: Mutex<()>,
}

impl<K: Clone + Eq + Hash> BoundedStore<K> {
    pub fn new(max_keys: NonZeroUsize) -> Self {
        Self {
            counters: DashMapStateStore::default(),
            max_keys,
            overflow: InMemoryState::default(),
            adding: Mutex::new(()),
        }
    }

    /// Returns whether the maximum number of keys is reached.
    pub fn is_full(&self) -> bool {
        self.counters.len() >= self.max_keys.get()
    }
}

impl<K: Clone + Eq + Hash> StateStore for BoundedStore<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.counters.contains_key(key) {
            return self.counters.measure_and_replace(key, measure);
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_full() && !self.counters.contains_key(key) {
            return self.overflow.measure_and_replace(&NotKeyed::NonKey, measure);
        }
        self.counters.measure_and_replace(key, measure)
    }
}

impl<K: Clone + Eq + Hash> ShrinkableKeyedStateStore<K> for BoundedStore<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.counters.retain_recent(drop_below);
    }

    fn len(&self) -> usize {
        self.counters.len()
    }

    fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }
}
