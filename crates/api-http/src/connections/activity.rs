use actix_web::HttpRequest;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// When a request last began or was answered on a connection.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Milliseconds from the opening of the connection to the last request or response.
    marked: AtomicU64,
}

impl Activity {
    /// Creates the activity of a connection that is opened now.
    pub fn now() -> Self {
        Self {
            opened: Instant::now(),
            marked: AtomicU64::new(0),
        }
    }

    /// Returns the time since the last request began or was answered, or since the connection was
    /// opened.
    pub fn inactive_for(&self) -> Duration {
        let marked = Duration::from_millis(self.marked.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(marked)
    }

    fn mark(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.marked.store(millis, Ordering::Relaxed);
    }
}

/// Marks the connection of `request` as active. Does nothing if the server does not watch
/// connections.
pub fn mark_activity(request: &HttpRequest) {
    if let Some(activity) = request.conn_data::<Arc<Activity>>() {
        activity.mark();
    }
}
