//! Sets of keys that all verify, and one of which signs.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// A key with an id that is unique in its set.
pub trait SetKey {
    fn id(&self) -> &str;
}

/// A set of keys that can be replaced while it is used: each call uses one set as a whole.
pub struct SigningSet<K>(RwLock<Keys<K>>);

/// The keys of a set, and which of them signs.
pub struct Keys<K> {
    /// At least one.
    all: Arc<[K]>,
    /// The position of the key that signs.
    signing: usize,
}

impl<K: SetKey> SigningSet<K> {
    /// Creates a set of `keys`, the first of which signs. There MUST be one.
    pub fn new(keys: impl IntoIterator<Item = K>) -> Self {
        Self(RwLock::new(Keys::new(keys)))
    }

    /// Replaces the keys. The key that signs stays the same if `keys` contains it; otherwise the
    /// first of them signs.
    pub fn replace(&self, keys: impl IntoIterator<Item = K>) {
        let mut new = Keys::new(keys);
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        new.select(current.signing().id());
        *current = new;
    }

    /// Signs with the key `id` from now on. Does nothing if the set does not contain it.
    pub fn sign_with(&self, id: &str) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        current.select(id);
    }

    /// Returns the id of the key that signs.
    pub fn signing_id(&self) -> String {
        self.read().signing().id().to_owned()
    }

    /// Returns whether the set contains the key `id`.
    pub fn contains(&self, id: &str) -> bool {
        self.read().position(id).is_some()
    }

    /// Returns the keys, which stay the same while the caller uses them.
    pub fn keys(&self) -> Keys<K> {
        self.read().clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys<K>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: SetKey> Keys<K> {
    fn new(keys: impl IntoIterator<Item = K>) -> Self {
        Self {
            all: keys.into_iter().collect(),
            signing: 0,
        }
    }

    /// Returns all keys, in the order in which they were given.
    pub fn all(&self) -> &[K] {
        &self.all
    }

    /// Returns the key that signs.
    pub fn signing(&self) -> &K {
        let signing = self.all.get(self.signing);
        signing.expect("the signing key is one of the keys")
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.all.iter().position(|key| key.id() == id)
    }

    /// Signs with the key `id` if it is one of the keys.
    fn select(&mut self, id: &str) {
        self.signing = self.position(id).unwrap_or(self.signing);
    }
}

impl<K> Clone for Keys<K> {
    fn clone(&self) -> Self {
        Self {
            all: Arc::clone(&self.all),
            signing: self.signing,
        }
    }
}
