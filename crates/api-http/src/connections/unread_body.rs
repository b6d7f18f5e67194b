use super::Activity;
use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest},
};
use futures_util::{StreamExt, stream};
use std::{cell::Cell, rc::Rc, sync::Arc, task::Poll};

/// Tracks whether the body of a request was left unread.
///
/// The client may still be sending such a body, endlessly if it is chunked, so the connection
/// cannot serve another request.
pub struct UnreadBody {
    /// Set when the end of the body is read; `None` for a request without a body.
    is_read: Option<Rc<Cell<bool>>>,
}

impl UnreadBody {
    /// Watches the body of `request`, if it has one. The end of the body is marked on the request's
    /// connection.
    pub fn watch(request: &mut ServiceRequest) -> Self {
        let payload = match request.take_payload() {
            Payload::None => return Self { is_read: None },
            payload => payload,
        };
        let is_read = Rc::new(Cell::new(false));
        let seen = Rc::clone(&is_read);
        let activity = request.conn_data::<Arc<Activity>>().cloned();
        // Polled once, at the end of the payload.
        let end = stream::poll_fn(move |_| {
            seen.set(true);
            if let Some(activity) = &activity {
                activity.end_body();
            }
            Poll::Ready(None)
        });
        request.set_payload(Payload::Stream {
            payload: Box::pin(payload.chain(end)),
        });
        Self {
            is_read: Some(is_read),
        }
    }

    /// Returns whether the end of the body was not read yet.
    pub fn is_unread(&self) -> bool {
        self.is_read.as_ref().is_some_and(|is_read| !is_read.get())
    }
}
