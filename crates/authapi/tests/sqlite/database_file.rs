//! Texts that the database file must not contain.

use crate::{
    it::secrets::{LOGIN, secrets, walk},
    server::Server,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fs;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_contains_neither_passwords_nor_tokens() {
    let mut server = Server::start();
    let pairs = walk(&server).await;
    // Kill the server, so that the journal remains.
    assert!(server.kill(1));
    let place = server.place();
    let mut stored = fs::read(place.path().join("data/authapi.db")).expect("the database file can be read");
    stored.extend(fs::read(place.path().join("data/authapi.db-wal")).expect("the journal can be read"));

    assert!(
        contains(&stored, LOGIN.as_bytes()),
        "the search finds stored texts"
    );
    for (what, secret) in secrets(place, &pairs) {
        if what != "a hash" {
            assert!(!contains(&stored, secret.as_bytes()), "{what}: {secret}");
        }
    }
    for pair in pairs {
        let token = URL_SAFE_NO_PAD
            .decode(&pair.refresh)
            .expect("the token is base64url");
        // The secret follows the version, the session id and the generation.
        let (secret, mac) = token[21..].split_at(32);
        assert!(
            !contains(&stored, secret),
            "the database contains the secret of a session"
        );
        assert!(
            !contains(&stored, mac),
            "the database contains the MAC of a refresh token"
        );
    }
}
