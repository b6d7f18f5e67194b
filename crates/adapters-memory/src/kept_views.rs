use domain::{caller::SessionView, leases::Reading, session::SessionId};
use quick_cache::{Weighter, sync::Cache};
use std::{
    mem::size_of,
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
};

/// What the cache needs for a view: its key, its place in a table that may be two thirds empty, and what the system's
/// allocator adds to a piece of memory.
const PLACE_BYTES: usize = 3 * (size_of::<SessionId>() + size_of::<KeptView>() + 21) + 32;
/// What a name in a set takes beside its letters, in tree nodes that may be half empty.
const NAME_BYTES: usize = 72;
/// What a set that is not empty takes at least.
const SET_BYTES: usize = 288;

/// The most that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptLimits {
    pub views: NonZeroUsize,
    /// All views together, with what keeping them takes. A few per cent more or less, since only the allocator knows.
    pub bytes: NonZeroU64,
}

impl Default for KeptLimits {
    fn default() -> Self {
        Self {
            views: NonZeroUsize::new(100_000).expect("it is not 0"),
            bytes: NonZeroU64::new(64 * 1024 * 1024).expect("it is not 0"),
        }
    }
}

/// A view, and the read that it comes from, which tells whether it may be answered.
#[derive(Clone)]
pub struct KeptView {
    pub reading: Reading,
    pub view: Arc<SessionView>,
}

/// The views that are kept. Those that were used least make room, and many that are used once do not push out those that
/// are used often.
pub struct KeptViews(Cache<SessionId, KeptView, Weight>);

#[derive(Clone)]
struct Weight {
    least: u64,
}

impl Weighter<SessionId, KeptView> for Weight {
    fn weight(&self, _: &SessionId, kept: &KeptView) -> u64 {
        // The cache knows one bound: with its share of the bytes as the least that a view weighs, it holds for both.
        self.least.max(bytes(&kept.view))
    }
}

impl KeptViews {
    pub fn new(limits: KeptLimits) -> Self {
        let KeptLimits { views, bytes } = limits;
        let least = u64::try_from(views.get()).map_or(1, |views| bytes.get().div_ceil(views));
        Self(Cache::with_weighter(views.get(), bytes.get(), Weight { least }))
    }

    pub fn get(&self, session: SessionId) -> Option<KeptView> {
        self.0.get(&session)
    }

    pub fn keep(&self, kept: KeptView) {
        self.0.insert(kept.view.session, kept);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn clear(&self) {
        self.0.clear();
    }
}

/// About what a view takes, by what it holds.
fn bytes(view: &SessionView) -> u64 {
    let login = &view.user.login;
    let logins = login.as_typed().len() + login.canonical().as_str().len();
    let roles = set_bytes(view.user.roles.iter().map(|name| name.as_str().len()));
    let permissions = set_bytes(view.permissions.iter().map(|name| name.as_str().len()));
    (PLACE_BYTES + size_of::<SessionView>() + logins + roles + permissions) as u64
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
    use domain::{
        leases::{Replica, ReplicaId, Terms},
        role::Permission,
    };
    use std::time::Duration;
    use testkit::fixtures::{a_session, a_user, at, unique_uuid};

    /// More than are kept by far.
    const SESSIONS: usize = 200_000;

    fn limits(views: usize, bytes: u64) -> KeptLimits {
        KeptLimits {
            views: NonZeroUsize::new(views).expect("it is not 0"),
            bytes: NonZeroU64::new(bytes).expect("it is not 0"),
        }
    }

    /// A view of a session of its own, whose user has so many permissions.
    fn kept(permissions: usize) -> KeptView {
        let user = a_user("alice").registered_at(at(0));
        let session = a_session(user.id, at(0)).stored(&user);
        let permission = |number| Permission::parse(&format!("subject:verb-{number}")).expect("a permission");
        let mut replica = Replica::new(ReplicaId(unique_uuid()), Terms::STANDARD);
        KeptView {
            reading: replica.begin_read(session.id, Duration::ZERO),
            view: Arc::new(SessionView {
                session: session.id,
                lifetime: session.lifetime,
                user,
                permissions: (0..permissions).map(permission).collect(),
            }),
        }
    }

    /// The same, as another session's.
    fn another(like: &KeptView) -> KeptView {
        let view = SessionView {
            session: SessionId(unique_uuid()),
            ..SessionView::clone(&like.view)
        };
        KeptView {
            view: Arc::new(view),
            ..like.clone()
        }
    }

    #[test]
    fn no_more_are_kept_than_are_allowed() {
        let views = KeptViews::new(limits(10_000, 1 << 30));
        let like = kept(0);
        for _ in 0..SESSIONS {
            views.keep(another(&like));
        }
        let count = views.0.len();
        assert!((9_000..=10_000).contains(&count), "{count}");
    }

    #[test]
    fn no_more_bytes_are_kept_than_are_allowed_whatever_the_views_hold() {
        const BYTES: u64 = 4 << 20;
        for (permissions, sessions) in [(0, SESSIONS), (10, 20_000), (100, 2_000)] {
            let views = KeptViews::new(limits(1_000_000, BYTES));
            let like = kept(permissions);
            for _ in 0..sessions {
                views.keep(another(&like));
            }
            let took = bytes(&like.view) * views.0.len() as u64;
            assert!((BYTES * 9 / 10..=BYTES).contains(&took), "{permissions}: {took}");
        }
    }

    #[test]
    fn what_is_asked_for_often_outlasts_what_is_asked_for_once() {
        let views = KeptViews::new(limits(10_000, 1 << 30));
        let like = kept(0);
        let hot: Vec<SessionId> = (0..1_000)
            .map(|_| {
                let kept = another(&like);
                let session = kept.view.session;
                views.keep(kept);
                session
            })
            .collect();
        for number in 0..SESSIONS {
            views.get(hot[number % hot.len()]);
            views.keep(another(&like));
        }
        let left = hot.iter().filter(|session| views.get(**session).is_some());
        assert_eq!(left.count(), hot.len());
    }

    #[test]
    fn a_view_that_no_room_is_big_enough_for_is_not_kept_and_pushes_nothing_out() {
        let views = KeptViews::new(limits(1_000, 64 << 10));
        let small = kept(0);
        views.keep(small.clone());
        let big = kept(2_000);
        views.keep(big.clone());
        assert!(views.get(big.view.session).is_none());
        assert!(views.get(small.view.session).is_some());
    }
}
