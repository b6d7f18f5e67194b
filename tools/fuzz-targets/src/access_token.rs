//! Access tokens: the signature, then the claims.
//!
//! The first byte selects the form of the rest: `0` is a token as a client sends it, `1` is a
//! header and claims, separated by a zero byte, that are signed with the right key, and `2` is
//! claims below the header that the service writes.

use adapters_crypto::{
    CachedTokenVerifier, JwtTokens,
    keys::{KeyRing, KeyRules, generate_refresh_key},
};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use domain::{
    ports::{PublicKeys, TokenSigner, TokenVerifier},
    principal::PrincipalId,
    token::{SignedToken, TOKEN_TYPE},
};
use serde_json::{Value, json};
use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, LazyLock},
};
use testkit::{
    FixedClock,
    fixtures::{at, token_rules},
};

/// The private key of RFC 8037, appendix A.1, which is public, as PKCS#8.
const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

struct Keys {
    pair: Ed25519KeyPair,
    tokens: Arc<JwtTokens>,
    cached: CachedTokenVerifier,
    kid: String,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let tokens = Arc::new(JwtTokens::new(ring()));
    let capacity = NonZeroUsize::new(16).expect("16 is not 0");
    let clock = Arc::new(FixedClock::new(at(0)));
    let der = STANDARD.decode(KEY).expect("the key is base64");
    Keys {
        pair: Ed25519KeyPair::from_pkcs8(&der).expect("the document contains a key"),
        cached: CachedTokenVerifier::new(tokens.clone(), clock, capacity),
        kid: tokens
            .jwk_set()
            .keys
            .first()
            .expect("the ring contains a key")
            .kid
            .clone(),
        tokens,
    }
});

fn ring() -> KeyRing {
    let folder = tempfile::tempdir().expect("a folder can be created");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n");
    write_key(&folder.path().join("a.signing.pem"), pem.as_bytes());
    generate_refresh_key(folder.path()).expect("the refresh key can be written");
    KeyRing::load(folder.path(), KeyRules::default()).expect("the folder contains the keys")
}

/// Writes a file that only this user may read.
pub fn write_key(path: &Path, contents: &[u8]) {
    fs::write(path, contents).expect("the file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the mode can be set");
}

pub fn check(input: &[u8]) {
    let Some((form, rest)) = input.split_first() else {
        return;
    };
    match form {
        b'1' => {
            let mut parts = rest.splitn(2, |byte| *byte == 0);
            if let (Some(header), Some(claims)) = (parts.next(), parts.next()) {
                present(&signed(header, claims));
            }
        }
        b'2' => {
            let header = json!({"alg": "EdDSA", "kid": KEYS.kid, "typ": TOKEN_TYPE});
            present(&signed(header.to_string().as_bytes(), rest));
        }
        _ => present(&String::from_utf8_lossy(rest)),
    }
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = KEYS.pair.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn present(text: &str) {
    let verified = KEYS.tokens.verify(text);
    for _ in 0..2 {
        assert_eq!(
            KEYS.cached.verify(text),
            verified,
            "the cache answers differently"
        );
    }
    if let Ok(token) = verified {
        check_signature(text);
        check_claims(&token);
    }
}

/// Checks with other code that the signature is one of the key, and that the header is safe.
fn check_signature(text: &str) {
    let (message, signature) = text.rsplit_once('.').expect("a token has three parts");
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .expect("the signature is base64url");
    let key = UnparsedPublicKey::new(&ED25519, KEYS.pair.public_key().as_ref());
    key.verify(message.as_bytes(), &signature)
        .expect("the accepted signature is right");

    let header = message.split('.').next().expect("a text has a first part");
    let header = URL_SAFE_NO_PAD.decode(header).expect("the header is base64url");
    let header: Value = serde_json::from_slice(&header).expect("the header is JSON");
    assert_eq!(header.get("alg"), Some(&json!("EdDSA")));
    assert_eq!(header.get("kid"), Some(&json!(KEYS.kid)));
    for dangerous in ["crit", "jku", "jwk", "x5u", "x5c"] {
        assert!(header.get(dangerous).is_none(), "{header}");
    }
}

fn check_claims(token: &SignedToken) {
    let again = KEYS.tokens.sign(&token.claims).expect("claims can be signed");
    let again = KEYS
        .tokens
        .verify(again.expose())
        .expect("the service accepts its own token");
    assert_eq!(again.claims, token.claims, "the claims changed in a round trip");

    let (rules, now) = (token_rules(), at(0));
    if let Ok(accepted) = rules.accept(token, now) {
        let identity = accepted.identity;
        let claims = &token.claims;
        assert_eq!(token.token_type.as_deref(), Some(TOKEN_TYPE));
        assert_eq!((&claims.iss, &claims.aud), (&rules.issuer, &rules.audience));
        let expected_client = match identity.principal {
            PrincipalId::User(_) => rules.client_id.clone(),
            PrincipalId::Machine(machine) => machine.to_string(),
        };
        assert_eq!(claims.client_id, expected_client);
        assert!(claims.exp > now.timestamp() && claims.iat <= now.timestamp() + 5);
        assert!(claims.auth_time.is_none_or(|checked| checked <= claims.iat));
        let accepted = (identity.principal.uuid(), identity.session.0, identity.epoch.0);
        assert_eq!(accepted, (claims.sub, claims.sid, claims.epoch));
    }
}
