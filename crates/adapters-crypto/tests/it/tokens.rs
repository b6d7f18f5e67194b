//! Signed tokens verify, with every algorithm and with every key that has not been removed.

use crate::forgery::{Workshop, claims, claims_json, tokens};
use adapters_crypto::keys::{Algorithm, KeyState, generate_signing_key};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    jwk::JwkMaterial,
    ports::{PublicKeys, TokenSigner, TokenVerifier},
    token::SignatureRefused,
};
use jsonwebtoken::{DecodingKey, Validation, jwk};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_token_is_verified_with_the_claims_it_was_signed_with_by_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let workshop = Workshop::new(algorithm);
        let verified = workshop
            .verify(&workshop.sign(&claims()))
            .expect("the token is valid");
        assert_eq!(verified.claims, claims(), "{algorithm}");
        assert_eq!(verified.token_type.as_deref(), Some("at+jwt"));
    }
}

#[test]
fn a_header_contains_exactly_algorithm_key_and_type() {
    let workshop = Workshop::new(Algorithm::Es256);
    let token = workshop.sign(&claims());
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().expect("the token has a header"))
        .expect("the header is base64url");
    let header: Value = serde_json::from_slice(&header).expect("the header is JSON");
    assert_eq!(header, workshop.header());
}

#[test]
fn verification_ignores_the_time() {
    let workshop = Workshop::new(Algorithm::EdDsa);
    for (iat, exp) in [(0, 1), (i64::MAX, i64::MIN), (i64::MAX, i64::MAX), (-1, -1)] {
        let mut claims = claims();
        (claims.iat, claims.exp) = (iat, exp);
        let verified = workshop
            .verify(&workshop.sign(&claims))
            .expect("the token is valid");
        assert_eq!(verified.claims, claims);
    }
}

#[test]
fn the_type_is_returned_and_not_checked() {
    let workshop = Workshop::new(Algorithm::EdDsa);
    for (typ, expected) in [
        (json!("JWT"), Some("JWT")),
        (json!(null), None),
        (json!("AT+JWT"), Some("AT+JWT")),
    ] {
        let mut header = workshop.header();
        header["typ"] = typ;
        let token = workshop.forge(&header.to_string(), &claims_json().to_string());
        let verified = workshop.verify(&token).expect("the token is valid");
        assert_eq!(verified.token_type.as_deref(), expected);
    }
}

#[test]
fn unknown_claims_are_ignored() {
    let workshop = Workshop::new(Algorithm::Es256);
    let mut more = claims_json();
    more["nbf"] = json!(9_999_999_999_i64);
    more["scope"] = json!("users:read");
    let token = workshop.forge(&workshop.header().to_string(), &more.to_string());
    assert_eq!(
        workshop.verify(&token).expect("the token is valid").claims,
        claims()
    );
}

#[test]
fn retired_and_published_keys_verify_and_removed_ones_do_not() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = workshop.folder.path();
    let before = workshop.sign(&claims());
    let second = generate_signing_key(folder, Algorithm::EdDsa).expect("the key can be generated");
    assert_eq!(second.state, KeyState::Published);

    // Rotate: the first key retires and the second signs.
    let first = fs::read_dir(folder)
        .expect("the folder is readable")
        .map(|entry| entry.expect("the entry is readable").path())
        .find(|path| path.to_string_lossy().ends_with(".signing.pem"))
        .expect("the folder contains a signing key");
    let retired = folder.join("first.retired.pem");
    fs::rename(&first, &retired).expect("the file can be renamed");
    fs::rename(&second.path, folder.join("second.signing.pem")).expect("the file can be renamed");

    let rotated = tokens(folder);
    let after = rotated.sign(&claims()).expect("signing succeeds");
    assert!(rotated.verify(&before).is_ok());
    assert!(rotated.verify(after.expose()).is_ok());
    assert_eq!(rotated.jwk_set().keys.len(), 2);
    assert_eq!(
        workshop.verify(after.expose()),
        Err(SignatureRefused::Invalid),
        "a ring from before"
    );

    fs::remove_file(&retired).expect("the file can be removed");
    assert_eq!(tokens(folder).verify(&before), Err(SignatureRefused::Invalid));
}

#[test]
fn another_library_verifies_tokens_with_the_jwks() {
    for algorithm in Algorithm::ALL {
        let workshop = Workshop::new(algorithm);
        let published =
            serde_json::to_string(&workshop.tokens.jwk_set()).expect("the JWKS can be serialized");
        let set: jwk::JwkSet = serde_json::from_str(&published).expect("the JWKS is valid");
        let key = set.find(&workshop.kid).expect("the JWKS contains the key");
        let expected = key
            .thumbprint(jwk::ThumbprintHash::SHA256)
            .expect("the thumbprint can be computed");
        assert_eq!(workshop.kid, expected, "RFC 7638");
        assert_eq!(key.common.public_key_use, Some(jwk::PublicKeyUse::Signature));

        let token = workshop.sign(&claims());
        let header = jsonwebtoken::decode_header(&token).expect("the header is valid");
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&["api"]);
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(key).expect("the JWK is valid");
        let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("the token is valid");
        assert_eq!(decoded.claims, claims_json());
    }
}

#[test]
fn the_jwks_contains_no_private_key() {
    for algorithm in Algorithm::ALL {
        let workshop = Workshop::new(algorithm);
        let published = serde_json::to_value(workshop.tokens.jwk_set()).expect("the JWKS can be serialized");
        let members: Vec<_> = published["keys"][0]
            .as_object()
            .expect("a JWK is a JSON object")
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = match algorithm {
            Algorithm::Es256 => vec!["kid", "alg", "use", "kty", "crv", "x", "y"],
            Algorithm::EdDsa => vec!["kid", "alg", "use", "kty", "crv", "x"],
            Algorithm::Rs256 => vec!["kid", "alg", "use", "kty", "n", "e"],
        };
        expected.sort_unstable();
        let mut found = members.clone();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn coordinates_keep_their_leading_zeros() {
    // One coordinate in 256 starts with a zero byte, which RFC 7518, section 6.2.1.2, requires to
    // be kept.
    for _ in 0..300 {
        let folder = tempfile::tempdir().expect("the folder can be created");
        generate_signing_key(folder.path(), Algorithm::Es256).expect("the key can be generated");
        adapters_crypto::keys::generate_refresh_key(folder.path()).expect("the refresh key can be generated");
        for key in tokens(folder.path()).jwk_set().keys {
            let JwkMaterial::EllipticCurve { x, y, .. } = key.material else {
                panic!("expected an elliptic curve key");
            };
            assert_eq!((x.len(), y.len()), (43, 43));
        }
    }
}
