//! Bodies that leave in pieces.

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody},
    web::Bytes,
};
use serde::Serialize;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// The most bytes of a piece.
const PIECE: usize = 16 * 1024;

/// A body of known length that is handed over in pieces of 16 KiB, and only as fast as they are sent. The web server copies
/// whatever it is handed: a client that does not read must hold a piece or two of its memory, and not the whole body.
pub struct Pieces(Bytes);

impl Pieces {
    /// The 200 with `value` as JSON, for lists that may be long.
    pub fn json(value: &impl Serialize) -> HttpResponse {
        let bytes = serde_json::to_vec(value).expect("answers have texts for keys");
        HttpResponse::Ok()
            .content_type("application/json")
            .body(Self(bytes.into()))
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = self.0.len().min(PIECE);
        let piece = self.0.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn next(body: &mut Pieces) -> Option<Bytes> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(body).poll_next(&mut context) {
            Poll::Ready(piece) => piece.map(|Ok(piece)| piece),
            Poll::Pending => panic!("everything is there"),
        }
    }

    #[test]
    fn a_body_leaves_in_small_pieces_of_the_very_same_bytes() {
        static BYTES: [u8; 3 * PIECE + 1] = [7; 3 * PIECE + 1];
        let mut body = Pieces::from(Bytes::from_static(&BYTES));
        assert_eq!(body.size(), BodySize::Sized(BYTES.len() as u64));
        let mut sent = 0;
        while let Some(piece) = next(&mut body) {
            assert!(piece.len() <= PIECE, "{}", piece.len());
            assert_eq!(piece.as_ptr(), BYTES[sent..].as_ptr(), "nothing is copied");
            sent += piece.len();
        }
        assert_eq!(sent, BYTES.len());
        assert!(next(&mut Pieces::from(Bytes::new())).is_none());
    }
}
