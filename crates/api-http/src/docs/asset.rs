//! Files in compressed form, which clients may cache.

use crate::{chunked_body::chunked, etag::EntityTag};
use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::header::{self, AcceptEncoding, Encoding, Header},
    web::Bytes,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::{Stream, stream};
use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hasher},
    io::{Cursor, Read, Write},
    iter,
};

/// The maximum length of a decompressed chunk, in bytes.
const CHUNK: u64 = 16 * 1024;

/// A file in compressed form.
pub struct Asset {
    content_type: &'static str,
    gzip: Bytes,
    /// Distinguishes versions of the file. Not cryptographic; equal in all replicas of one build.
    digest: u64,
}

impl Asset {
    /// Compresses `contents`.
    pub fn compress(content_type: &'static str, contents: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(contents).and_then(|()| encoder.finish());
        let gzip = written.expect("a vector accepts all bytes");
        Self::compressed(content_type, gzip.into())
    }

    /// Returns the file with the contents `gzip` (RFC 1952), which are not copied.
    pub fn compressed(content_type: &'static str, gzip: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&gzip);
        Self {
            content_type,
            gzip,
            digest: hasher.finish(),
        }
    }

    /// Returns the file in an encoding that the client accepts. Caches revalidate it by its `ETag`,
    /// so that a new version of the service is visible at once.
    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let is_gzip_accepted = accepts_gzip(request);
        let encoding = if is_gzip_accepted { "gzip" } else { "identity" };
        let mut response = HttpResponse::Ok();
        response
            .content_type(self.content_type)
            .insert_header(EntityTag::of_file(self.digest, encoding).header())
            .insert_header((header::CACHE_CONTROL, "public, no-cache"))
            .insert_header((header::VARY, "Accept-Encoding"));
        if is_gzip_accepted {
            response
                .insert_header((header::CONTENT_ENCODING, encoding))
                .body(chunked(self.gzip.clone()))
        } else {
            response.body(decompressed(self.gzip.clone()))
        }
    }
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    let offered = [Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(request).ok();
    accepted.and_then(|accepted| accepted.negotiate(offered.iter())) == Some(Encoding::gzip())
}

/// Returns a body that decompresses `gzip` in chunks, each after its predecessor was sent.
fn decompressed(gzip: Bytes) -> SizedStream<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
    let size = decompressed_size(&gzip);
    let mut decoder = GzDecoder::new(Cursor::new(gzip));
    let chunks = iter::from_fn(move || {
        let mut chunk = Vec::new();
        let read = decoder.by_ref().take(CHUNK).read_to_end(&mut chunk);
        read.expect("the binary contains valid gzip");
        (!chunk.is_empty()).then(|| Ok(Bytes::from(chunk)))
    });
    SizedStream::new(size, stream::iter(chunks))
}

/// Returns the size that the last four bytes state (RFC 1952, section 2.3.1).
fn decompressed_size(gzip: &[u8]) -> u64 {
    let size = gzip.last_chunk().expect("gzip ends with its size");
    u32::from_le_bytes(*size).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{body::to_bytes, test::TestRequest};
    use futures_util::FutureExt;

    fn response(asset: &Asset, accept_encoding: Option<&str>) -> HttpResponse {
        let mut request = TestRequest::default();
        if let Some(accepted) = accept_encoding {
            request = request.insert_header((header::ACCEPT_ENCODING, accepted));
        }
        asset.respond(&request.to_http_request())
    }

    #[test]
    fn a_file_is_compressed_for_clients_that_accept_it() {
        let contents = "a line of text\n".repeat(4_000).into_bytes();
        let asset = Asset::compress("text/plain", &contents);
        for (accepted, is_compressed) in [
            (Some("gzip, deflate, br, zstd"), true),
            (Some("identity"), false),
            (Some("br"), false),
            (Some("gzip;q=0"), false),
            (Some(""), false),
            (None, false),
        ] {
            let response = response(&asset, accepted);
            let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
            assert_eq!(encoding.is_some(), is_compressed, "{accepted:?}");
            let body = to_bytes(response.into_body()).now_or_never();
            let body = body
                .expect("all chunks are in memory")
                .expect("the body is complete");
            if is_compressed {
                assert_eq!(body, asset.gzip, "{accepted:?}");
            } else {
                assert_eq!(body, contents, "{accepted:?}");
            }
        }
    }

    #[test]
    fn each_version_and_encoding_has_its_own_tag() {
        let tag = |contents: &[u8], accepted| {
            let response = response(&Asset::compress("text/plain", contents), Some(accepted));
            response.headers().get(header::ETAG).cloned().expect("a tag")
        };
        assert_eq!(tag(b"one", "gzip"), tag(b"one", "gzip"));
        assert_ne!(tag(b"one", "gzip"), tag(b"one", "identity"));
        assert_ne!(tag(b"one", "gzip"), tag(b"two", "gzip"));
    }

    #[test]
    fn compressed_files_are_not_copied() {
        static GZIP: [u8; 4] = [0; 4];
        let asset = Asset::compressed("text/plain", Bytes::from_static(&GZIP));
        assert_eq!(asset.gzip.as_ptr(), GZIP.as_ptr());
    }
}
