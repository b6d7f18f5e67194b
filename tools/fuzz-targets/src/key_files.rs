//! Key files. The first byte selects the file that has the rest as its contents: `0` the signing
//! key, `1` the refresh key.

use crate::access_token::write_key;
use adapters_crypto::{
    HmacRefreshMac, JwtTokens,
    keys::{KeyRing, KeyRules},
};
use domain::{
    ports::{PublicKeys, TokenSigner, TokenVerifier},
    token::AccessClaims,
};
use std::sync::LazyLock;
use tempfile::TempDir;
use testkit::fixtures::{role_names, unique_uuid};

const SIGNING: &str = "a.signing.pem";
const REFRESH: &str = "refresh.key";
/// A valid refresh key: 32 times 7.
const REFRESH_KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
/// A valid signing key: that of RFC 8037, appendix A.1.
const SIGNING_KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

/// In memory where possible: each input is written to a file.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder can be created")
});

pub fn check(input: &[u8]) {
    let Some((which, contents)) = input.split_first() else {
        return;
    };
    let (signing, refresh) = match which {
        b'1' => (SIGNING_KEY, contents),
        _ => (contents, REFRESH_KEY),
    };
    let folder = FOLDER.path();
    write_key(&folder.join(SIGNING), signing);
    write_key(&folder.join(REFRESH), refresh);
    let rules = KeyRules { allow_rsa_2048: true };
    match KeyRing::load(folder, rules) {
        Ok(ring) => {
            let again = KeyRing::load(folder, rules).expect("the files did not change");
            assert_eq!(again.public_keys(), ring.public_keys());
            assert_eq!(again.refresh_key_fingerprint(), ring.refresh_key_fingerprint());
            let _ = HmacRefreshMac::new(ring.refresh_key());
            check_signing(ring);
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n'), "{line}");
            assert!(line.contains(SIGNING) || line.contains(REFRESH), "{line}");
        }
    }
}

/// An accepted key signs tokens that it verifies.
fn check_signing(ring: KeyRing) {
    let tokens = JwtTokens::new(ring);
    assert_eq!(tokens.jwk_set().keys.len(), 1);
    let claims = AccessClaims {
        iss: "https://auth.example".to_owned(),
        aud: "api".to_owned(),
        sub: unique_uuid(),
        client_id: "authapi".to_owned(),
        iat: 0,
        auth_time: Some(0),
        exp: 900,
        jti: unique_uuid(),
        sid: unique_uuid(),
        epoch: 1,
        roles: role_names(&["user"]),
        permissions: None,
    };
    let token = tokens.sign(&claims).expect("an accepted key signs");
    let verified = tokens.verify(token.expose()).expect("the signature is right");
    assert_eq!(verified.claims, claims);
}
