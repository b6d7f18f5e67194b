//! Messages between replicas over the bus.

use session_cache::protocol::{DecodeError, Message};

pub fn check(input: &[u8]) {
    match Message::decode(input) {
        Ok(message) => {
            assert_eq!(message.encode(), input, "a message has two encodings");
            if let Message::Invalidate { publication, scopes } = message {
                let normal = Message::invalidate(publication, scopes);
                assert_eq!(Message::decode(&normal.encode()), Ok(normal));
            }
        }
        Err(DecodeError::Unknown) => {
            // The receiver drops its cache for these: never for a truncated message of its version.
            let head = (input.first(), input.get(1));
            assert!(!matches!(head, (Some(1), Some(1..=3))), "{input:?}");
        }
        Err(DecodeError::Malformed) => {}
    }
}
