use actix_web::HttpRequest;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// When a request last began or was answered on one connection.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Milliseconds from the opening to the last request or response.
    marked: AtomicU64,
}

impl Activity {
    /// Returns the activity of a connection that is opened now.
    pub fn now() -> Self {
        Self {
            opened: Instant::now(),
            marked: AtomicU64::new(0),
        }
    }

    /// Returns how long ago the last request began or was answered; without one, how long the connection is open.
    pub fn inactive_for(&self) -> Duration {
        let marked = Duration::from_millis(self.marked.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(marked)
    }

    fn mark(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.marked.store(millis, Ordering::Relaxed);
    }
}

/// Marks the connection of `request` as active now. Does nothing on a server that does not watch its connections.
pub fn mark_activity(request: &HttpRequest) {
    if let Some(activity) = request.conn_data::<Arc<Activity>>() {
        activity.mark();
    }
}
