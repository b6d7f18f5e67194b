use domain::{caller::SessionView, leases::Reading, session::SessionId};
use quick_cache::{Weighter, sync::Cache};
use std::sync::Arc;

/// About how many bytes all views together may take. It also bounds their number.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// What a view takes at least, with its key and what the cache needs for itself.
const VIEW_BYTES: u64 = 1024;
/// What a role's or a permission's name takes.
const NAME_BYTES: u64 = 96;

/// A view, and the read that it comes from, which tells whether it may be answered.
#[derive(Clone)]
pub struct KeptView {
    pub reading: Reading,
    pub view: Arc<SessionView>,
}

/// The views that are kept. Those that were used least make room.
pub struct KeptViews(Cache<SessionId, KeptView, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<SessionId, KeptView> for Bytes {
    fn weight(&self, _: &SessionId, kept: &KeptView) -> u64 {
        let names = kept.view.user.roles.len() + kept.view.permissions.len();
        VIEW_BYTES + NAME_BYTES * names as u64
    }
}

impl Default for KeptViews {
    fn default() -> Self {
        let most = usize::try_from(MAX_BYTES / VIEW_BYTES).expect("some ten thousand");
        Self(Cache::with_weighter(most, MAX_BYTES, Bytes))
    }
}

impl KeptViews {
    pub fn get(&self, session: SessionId) -> Option<KeptView> {
        self.0.get(&session)
    }

    pub fn keep(&self, kept: KeptView) {
        self.0.insert(kept.view.session, kept);
    }

    pub fn clear(&self) {
        self.0.clear();
    }
}
