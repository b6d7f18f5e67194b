//! Whether the body of a request was read.

use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest},
};
use futures_util::{StreamExt, stream};
use std::{cell::Cell, rc::Rc, task::Poll};

/// Knows, when a request is answered, whether the end of its body was reached. If not, the client may still be sending,
/// for ever in the case of chunks, and the connection is of no use to a next request.
pub struct BodyWatch(Option<Rc<Cell<bool>>>);

impl BodyWatch {
    /// Watches over the body of `request`, if it has one.
    pub fn over(request: &mut ServiceRequest) -> Self {
        let payload = match request.take_payload() {
            Payload::None => return Self(None),
            payload => payload,
        };
        let is_read = Rc::new(Cell::new(false));
        let end = Rc::clone(&is_read);
        // Polled when the payload has ended, and ends at once.
        let end = stream::poll_fn(move |_| {
            end.set(true);
            Poll::Ready(None)
        });
        request.set_payload(Payload::Stream {
            payload: Box::pin(payload.chain(end)),
        });
        Self(Some(is_read))
    }

    /// Whether there is a body whose end nobody has reached yet.
    pub fn is_unread(&self) -> bool {
        self.0.as_ref().is_some_and(|is_read| !is_read.get())
    }
}
