use crate::protocol::SnapshotRead;
use domain::{caller::SessionSnapshot, machine::MachineSecret, principal::Principal, session::SessionId};
use quick_cache::{Weighter, sync::Cache};
use std::{
    mem::size_of,
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
};

/// Overhead of one entry in bytes: its key, its slot in a table that may be two thirds empty, and
/// the allocator's header.
const ENTRY_BYTES: usize = 3 * (size_of::<SessionId>() + size_of::<CachedSnapshot>() + 21) + 32;
/// Overhead of one name in a set in bytes, without its letters: its share of a tree node that may
/// be half empty.
const NAME_BYTES: usize = 72;
/// Minimum size of a set that is not empty, in bytes.
const SET_BYTES: usize = 288;

/// Upper bounds of the session cache. Both hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Maximum number of session snapshots. 100,000 by default.
    pub snapshots: NonZeroUsize,
    /// Maximum size of all entries in bytes, including the cache's overhead. 64 MiB by default. The
    /// size is an estimate that may be off by a few per cent.
    pub bytes: NonZeroU64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            snapshots: NonZeroUsize::new(100_000).expect("100,000 is not 0"),
            bytes: NonZeroU64::new(64 * 1024 * 1024).expect("64 MiB is not 0"),
        }
    }
}

/// A session snapshot and the read that returned it, which decides whether the snapshot may be
/// served.
#[derive(Clone)]
pub struct CachedSnapshot {
    pub read: SnapshotRead,
    pub snapshot: Arc<SessionSnapshot>,
}

/// Session snapshots in memory. The least recently used are evicted first; snapshots that are used
/// once do not displace those that are used often.
pub struct SessionCache(Cache<SessionId, CachedSnapshot, Weight>);

/// Weighs entries in bytes.
#[derive(Clone)]
struct Weight {
    /// Minimum weight of an entry.
    minimum: u64,
}

impl Weighter<SessionId, CachedSnapshot> for Weight {
    fn weight(&self, _: &SessionId, cached: &CachedSnapshot) -> u64 {
        self.minimum.max(bytes(&cached.snapshot))
    }
}

impl SessionCache {
    /// Creates an empty cache.
    pub fn new(limits: CacheLimits) -> Self {
        let CacheLimits { snapshots, bytes } = limits;
        // The cache has one bound, its weight. An entry that weighs at least its share of the bytes
        // makes it hold for the number of entries as well.
        let minimum = u64::try_from(snapshots.get()).map_or(1, |snapshots| bytes.get().div_ceil(snapshots));
        Self(Cache::with_weighter(
            snapshots.get(),
            bytes.get(),
            Weight { minimum },
        ))
    }

    pub fn get(&self, session: SessionId) -> Option<CachedSnapshot> {
        self.0.get(&session)
    }

    /// Inserts or replaces the snapshot of its session.
    pub fn insert(&self, cached: CachedSnapshot) {
        self.0.insert(cached.snapshot.session, cached);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn clear(&self) {
        self.0.clear();
    }
}

/// Estimates the size of an entry in bytes.
fn bytes(snapshot: &SessionSnapshot) -> u64 {
    let texts = match &snapshot.principal {
        Principal::User(user) => user.login.as_typed().len() + user.login.canonical().as_str().len(),
        Principal::Machine(machine) => {
            let audience = machine
                .audience
                .as_ref()
                .map_or(0, |audience| audience.as_str().len());
            machine.name.as_str().len() + audience + machine.secrets.len() * size_of::<MachineSecret>()
        }
    };
    let roles = set_bytes(snapshot.principal.roles().iter().map(|name| name.as_str().len()));
    let permissions = set_bytes(snapshot.permissions.iter().map(|name| name.as_str().len()));
    (ENTRY_BYTES + size_of::<SessionSnapshot>() + texts + roles + permissions) as u64
}

fn set_bytes(names: impl ExactSizeIterator<Item = usize>) -> usize {
    match names.len() {
        0 => 0,
        _ => SET_BYTES + names.map(|letters| NAME_BYTES + letters).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Replica, ReplicaId, Terms};
    use domain::role::Permission;
    use std::time::Duration;
    use testkit::fixtures::{a_session, a_user, at, unique_uuid};

    /// Far more sessions than the cache holds.
    const SESSIONS: usize = 200_000;

    fn limits(snapshots: usize, bytes: u64) -> CacheLimits {
        CacheLimits {
            snapshots: NonZeroUsize::new(snapshots).expect("the number is not 0"),
            bytes: NonZeroU64::new(bytes).expect("the number is not 0"),
        }
    }

    /// A snapshot of a new session whose user has this many permissions.
    fn cached(permissions: usize) -> CachedSnapshot {
        let user = a_user("alice").registered_at(at(0));
        let session = a_session(user.id, at(0)).stored(&user);
        let permission =
            |number| Permission::parse(&format!("subject:verb-{number}")).expect("the permission is valid");
        let mut replica = Replica::new(ReplicaId(unique_uuid()), Terms::STANDARD);
        CachedSnapshot {
            read: replica.begin_read(session.id, Duration::ZERO),
            snapshot: Arc::new(SessionSnapshot {
                session: session.id,
                lifetime: session.lifetime,
                principal: user.into(),
                permissions: (0..permissions).map(permission).collect(),
            }),
        }
    }

    /// A copy of `like` for another session.
    fn another(like: &CachedSnapshot) -> CachedSnapshot {
        let snapshot = SessionSnapshot {
            session: SessionId(unique_uuid()),
            ..SessionSnapshot::clone(&like.snapshot)
        };
        CachedSnapshot {
            snapshot: Arc::new(snapshot),
            ..like.clone()
        }
    }

    #[test]
    fn the_number_of_entries_stays_within_its_limit() {
        let cache = SessionCache::new(limits(10_000, 1 << 30));
        let like = cached(0);
        for _ in 0..SESSIONS {
            cache.insert(another(&like));
        }
        let count = cache.len();
        assert!((9_000..=10_000).contains(&count), "{count}");
    }

    #[test]
    fn the_size_stays_within_its_limit_for_snapshots_of_any_size() {
        const BYTES: u64 = 4 << 20;
        for (permissions, sessions) in [(0, SESSIONS), (10, 20_000), (100, 2_000)] {
            let cache = SessionCache::new(limits(1_000_000, BYTES));
            let like = cached(permissions);
            for _ in 0..sessions {
                cache.insert(another(&like));
            }
            let size = bytes(&like.snapshot) * cache.len() as u64;
            assert!((BYTES * 9 / 10..=BYTES).contains(&size), "{permissions}: {size}");
        }
    }

    #[test]
    fn entries_used_often_outlast_entries_used_once() {
        let cache = SessionCache::new(limits(10_000, 1 << 30));
        let like = cached(0);
        let hot: Vec<SessionId> = (0..1_000)
            .map(|_| {
                let cached = another(&like);
                let session = cached.snapshot.session;
                cache.insert(cached);
                session
            })
            .collect();
        for number in 0..SESSIONS {
            cache.get(hot[number % hot.len()]);
            cache.insert(another(&like));
        }
        let left = hot.iter().filter(|session| cache.get(**session).is_some());
        assert_eq!(left.count(), hot.len());
    }

    #[test]
    fn a_snapshot_too_big_for_the_cache_is_rejected_and_evicts_nothing() {
        let cache = SessionCache::new(limits(1_000, 64 << 10));
        let small = cached(0);
        cache.insert(small.clone());
        let big = cached(2_000);
        cache.insert(big.clone());
        assert!(cache.get(big.snapshot.session).is_none());
        assert!(cache.get(small.snapshot.session).is_some());
    }
}
