//! Bodies of responses without content.

use actix_web::{
    body::{BodyStream, BoxBody},
    dev::ResponseHead,
    web::Bytes,
};
use futures_util::stream;
use std::convert::Infallible;

/// Returns the body of a response without content that needs no authentication: a stream without
/// chunks. The web server buffers responses without a body, even if the client does not read.
///
/// Changes `head` so that the web server does not encode the stream in chunks, which clients of
/// HTTP/1.0 cannot read (RFC 9112, section 6.1). The caller MUST otherwise end the response: by
/// `Content-Length: 0`, or by a status without content.
pub fn empty_stream(head: &mut ResponseHead) -> BoxBody {
    head.no_chunking(true);
    BoxBody::new(BodyStream::new(stream::empty::<Result<Bytes, Infallible>>()))
}
