//! Whether the body of a request was read.

use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest},
    error::PayloadError,
    web::Bytes,
};
use futures_core::Stream;
use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

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
        let watched = Watched {
            payload,
            is_read: Rc::clone(&is_read),
        };
        request.set_payload(Payload::Stream {
            payload: Box::pin(watched),
        });
        Self(Some(is_read))
    }

    /// Whether there is a body whose end nobody has reached yet.
    pub fn is_unread(&self) -> bool {
        self.0.as_ref().is_some_and(|is_read| !is_read.get())
    }
}

struct Watched {
    payload: Payload,
    is_read: Rc<Cell<bool>>,
}

impl Stream for Watched {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = Pin::new(&mut self.payload).poll_next(context);
        if let Poll::Ready(None) = chunk {
            self.is_read.set(true);
        }
        chunk
    }
}
