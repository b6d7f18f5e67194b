use crate::protocol::Reading;
use domain::{caller::SessionSnapshot, session::SessionId};
use quick_cache::{Weighter, sync::Cache};
use std::{
    mem::size_of,
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
};

/// What the cache needs for a view: its key, its place in a table that may be two thirds empty, and what the system's
/// allocator adds to a piece of memory.
const PLACE_BYTES: usize = 3 * (size_of::<SessionId>() + size_of::<CachedSession>() + 21) + 32;
/// What a name in a set takes beside its letters, in tree nodes that may be half empty.
const NAME_BYTES: usize = 72;
/// What a set that is not empty takes at least.
const SET_BYTES: usize = 288;

/// The most that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptLimits {
    pub snapshots: NonZeroUsize,
    /// All views together, with what keeping them takes. A few per cent more or less, since only the allocator knows.
    pub bytes: NonZeroU64,
}

impl Default for KeptLimits {
    fn default() -> Self {
        Self {
            snapshots: NonZeroUsize::new(100_000).expect("it is not 0"),
            bytes: NonZeroU64::new(64 * 1024 * 1024).expect("it is not 0"),
        }
    }
}

/// A view, and the read that it comes from, which tells whether it may be answered.
#[derive(Clone)]
pub struct CachedSession {
    pub reading: Reading,
    pub snapshot: Arc<SessionSnapshot>,
}

/// The views that are kept. Those that were used least make room, and many that are used once do not push out those that
/// are used often.
pub struct SessionCache(Cache<SessionId, CachedSession, Weight>);

#[derive(Clone)]
struct Weight {
    least: u64,
}

impl Weighter<SessionId, CachedSession> for Weight {
    fn weight(&self, _: &SessionId, kept: &CachedSession) -> u64 {
        // The cache knows one bound: with its share of the bytes as the least that a view weighs, it holds for both.
        self.least.max(bytes(&kept.snapshot))
    }
}

impl SessionCache {
    pub fn new(limits: KeptLimits) -> Self {
        let KeptLimits { snapshots, bytes } = limits;
        let least = u64::try_from(snapshots.get()).map_or(1, |snapshots| bytes.get().div_ceil(snapshots));
        Self(Cache::with_weighter(
            snapshots.get(),
            bytes.get(),
            Weight { least },
        ))
    }

    pub fn get(&self, session: SessionId) -> Option<CachedSession> {
        self.0.get(&session)
    }

    pub fn keep(&self, kept: CachedSession) {
        self.0.insert(kept.snapshot.session, kept);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn clear(&self) {
        self.0.clear();
    }
}

/// About what a view takes, by what it holds.
fn bytes(snapshot: &SessionSnapshot) -> u64 {
    let login = &snapshot.user.login;
    let logins = login.as_typed().len() + login.canonical().as_str().len();
    let roles = set_bytes(snapshot.user.roles.iter().map(|name| name.as_str().len()));
    let permissions = set_bytes(snapshot.permissions.iter().map(|name| name.as_str().len()));
    (PLACE_BYTES + size_of::<SessionSnapshot>() + logins + roles + permissions) as u64
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

    /// More than are kept by far.
    const SESSIONS: usize = 200_000;

    fn limits(snapshots: usize, bytes: u64) -> KeptLimits {
        KeptLimits {
            snapshots: NonZeroUsize::new(snapshots).expect("it is not 0"),
            bytes: NonZeroU64::new(bytes).expect("it is not 0"),
        }
    }

    /// A view of a session of its own, whose user has so many permissions.
    fn kept(permissions: usize) -> CachedSession {
        let user = a_user("alice").registered_at(at(0));
        let session = a_session(user.id, at(0)).stored(&user);
        let permission = |number| Permission::parse(&format!("subject:verb-{number}")).expect("a permission");
        let mut replica = Replica::new(ReplicaId(unique_uuid()), Terms::STANDARD);
        CachedSession {
            reading: replica.begin_read(session.id, Duration::ZERO),
            snapshot: Arc::new(SessionSnapshot {
                session: session.id,
                lifetime: session.lifetime,
                user,
                permissions: (0..permissions).map(permission).collect(),
            }),
        }
    }

    /// The same, as another session's.
    fn another(like: &CachedSession) -> CachedSession {
        let snapshot = SessionSnapshot {
            session: SessionId(unique_uuid()),
            ..SessionSnapshot::clone(&like.snapshot)
        };
        CachedSession {
            snapshot: Arc::new(snapshot),
            ..like.clone()
        }
    }

    #[test]
    fn no_more_are_kept_than_are_allowed() {
        let snapshots = SessionCache::new(limits(10_000, 1 << 30));
        let like = kept(0);
        for _ in 0..SESSIONS {
            snapshots.keep(another(&like));
        }
        let count = snapshots.0.len();
        assert!((9_000..=10_000).contains(&count), "{count}");
    }

    #[test]
    fn no_more_bytes_are_kept_than_are_allowed_whatever_the_views_hold() {
        const BYTES: u64 = 4 << 20;
        for (permissions, sessions) in [(0, SESSIONS), (10, 20_000), (100, 2_000)] {
            let snapshots = SessionCache::new(limits(1_000_000, BYTES));
            let like = kept(permissions);
            for _ in 0..sessions {
                snapshots.keep(another(&like));
            }
            let took = bytes(&like.snapshot) * snapshots.0.len() as u64;
            assert!((BYTES * 9 / 10..=BYTES).contains(&took), "{permissions}: {took}");
        }
    }

    #[test]
    fn what_is_asked_for_often_outlasts_what_is_asked_for_once() {
        let snapshots = SessionCache::new(limits(10_000, 1 << 30));
        let like = kept(0);
        let hot: Vec<SessionId> = (0..1_000)
            .map(|_| {
                let kept = another(&like);
                let session = kept.snapshot.session;
                snapshots.keep(kept);
                session
            })
            .collect();
        for number in 0..SESSIONS {
            snapshots.get(hot[number % hot.len()]);
            snapshots.keep(another(&like));
        }
        let left = hot.iter().filter(|session| snapshots.get(**session).is_some());
        assert_eq!(left.count(), hot.len());
    }

    #[test]
    fn a_view_that_no_room_is_big_enough_for_is_not_kept_and_pushes_nothing_out() {
        let snapshots = SessionCache::new(limits(1_000, 64 << 10));
        let small = kept(0);
        snapshots.keep(small.clone());
        let big = kept(2_000);
        snapshots.keep(big.clone());
        assert!(snapshots.get(big.snapshot.session).is_none());
        assert!(snapshots.get(small.snapshot.session).is_some());
    }
}
