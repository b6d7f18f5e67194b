//! Response bodies of known length, sent in chunks.

use actix_web::{HttpResponse, body::SizedStream, web::Bytes};
use futures_util::{Stream, stream};
use serde::Serialize;
use std::convert::Infallible;

/// The maximum length of a chunk, in bytes.
const CHUNK: usize = 16 * 1024;

/// Returns a body that sends `bytes` in chunks of 16 KiB, each after its predecessor was sent.
///
/// The web server copies the chunks into its write buffer. For a client that does not read, the
/// buffer therefore holds one or two chunks instead of the whole body.
pub fn chunked(bytes: Bytes) -> SizedStream<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
    let size = bytes.len() as u64;
    let starts = (0..bytes.len()).step_by(CHUNK);
    let chunks = starts.map(move |start| Ok(bytes.slice(start..bytes.len().min(start + CHUNK))));
    SizedStream::new(size, stream::iter(chunks))
}

/// Returns a 200 with `value` as JSON in chunks, for lists that may be long.
pub fn chunked_json(value: &impl Serialize) -> HttpResponse {
    let bytes = serde_json::to_vec(value).expect("response types serialize to JSON");
    HttpResponse::Ok()
        .content_type("application/json")
        .body(chunked(bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::{BodySize, MessageBody};
    use futures_util::{FutureExt, StreamExt};

    fn chunks_of(bytes: Bytes) -> Vec<Bytes> {
        let mut body = Box::pin(chunked(bytes));
        let chunks = stream::poll_fn(move |context| body.as_mut().poll_next(context));
        let chunks = chunks.map(|Ok(chunk)| chunk).collect();
        chunks.now_or_never().expect("all chunks are in memory")
    }

    #[test]
    fn a_body_is_sent_in_small_chunks_without_a_copy() {
        static BYTES: [u8; 3 * CHUNK + 1] = [7; 3 * CHUNK + 1];
        let bytes = Bytes::from_static(&BYTES);
        assert_eq!(chunked(bytes.clone()).size(), BodySize::Sized(BYTES.len() as u64));
        let mut sent = 0;
        for chunk in chunks_of(bytes) {
            assert!(chunk.len() <= CHUNK, "{}", chunk.len());
            assert_eq!(chunk.as_ptr(), BYTES[sent..].as_ptr(), "nothing is copied");
            sent += chunk.len();
        }
        assert_eq!(sent, BYTES.len());
    }

    #[test]
    fn an_empty_body_has_no_chunks() {
        assert!(chunks_of(Bytes::new()).is_empty());
    }
}
