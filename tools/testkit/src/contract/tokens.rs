//! The contract of [`TokenSigner`](domain::ports::TokenSigner),
//! [`TokenVerifier`](domain::ports::TokenVerifier) and [`PublicKeys`](domain::ports::PublicKeys)
//! over one set of keys.
//!
//! The ports sign only valid claims under a valid header, so these cases modify tokens that the
//! ports signed. The tests of each adapter check that a correctly signed token with another header
//! or other claims is refused.

use crate::{Tokens, fixtures::role_names};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    role::Permission,
    token::{AccessClaims, SignatureRefused, SignedToken, TOKEN_TYPE},
};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

contract! {
    /// Defines a named test for each case of the contract of access tokens. `$fresh` is a function
    /// that returns [`Tokens`](crate::Tokens).
    token_contract = sync_cases for tokens(Tokens):
        verifying_returns_the_claims_that_were_signed,
        verifying_does_not_depend_on_the_time,
        a_header_contains_exactly_the_algorithm_key_and_type,
        a_verified_token_names_a_key_that_is_known,
        published_keys_have_no_private_part,
        texts_other_than_tokens_are_malformed,
        a_truncated_or_extended_token_is_refused,
        a_token_with_any_character_changed_is_refused,
        a_signature_of_other_claims_is_invalid,
        a_token_under_another_header_is_refused,
        a_token_of_an_unknown_key_is_invalid,
}

fn claims() -> AccessClaims {
    AccessClaims {
        iss: "https://auth.example".to_owned(),
        aud: "api".to_owned(),
        sub: Uuid::from_u128(1),
        client_id: "authapi".to_owned(),
        iat: 1_767_225_600,
        exp: 1_767_226_500,
        jti: Uuid::from_u128(3),
        sid: Uuid::from_u128(2),
        epoch: 4,
        roles: role_names(&["admin", "user"]),
        auth_time: Some(1_767_225_000),
        permissions: Some([Permission::AUDIT_READ, Permission::USERS_READ].into()),
    }
}

fn signed(tokens: &Tokens, claims: &AccessClaims) -> String {
    let token = tokens.signer.sign(claims).expect("the signer is available");
    token.expose().to_owned()
}

/// Returns the encoded header, claims and signature of a valid token.
fn good(tokens: &Tokens) -> [String; 3] {
    let token = signed(tokens, &claims());
    let parts: Vec<_> = token.split('.').map(ToOwned::to_owned).collect();
    parts.try_into().expect("a token has three parts")
}

fn json_of(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .expect("the part is unpadded base64url");
    serde_json::from_slice(&bytes).expect("the part is JSON")
}

fn part_of(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// Returns the object `whole` with `member` set to `value`.
fn with(whole: &Value, member: &str, value: Value) -> Value {
    let mut members = whole.as_object().expect("the value is a JSON object").clone();
    members.insert(member.to_owned(), value);
    Value::Object(members)
}

fn assert_refused(tokens: &Tokens, token: &str) {
    assert!(tokens.verifier.verify(token).is_err(), "{token}");
}

fn verifying_returns_the_claims_that_were_signed(tokens: &Tokens) {
    let quoted = AccessClaims {
        iss: "it's \"ours\" — 日本 🦀 \\".to_owned(),
        roles: role_names(&[]),
        epoch: i64::MAX,
        permissions: None,
        ..claims()
    };
    for claims in [claims(), quoted] {
        let verified = tokens.verifier.verify(&signed(tokens, &claims));
        let token_type = Some(TOKEN_TYPE.to_owned());
        let kid = verified
            .as_ref()
            .map(|token| token.kid.clone())
            .unwrap_or_default();
        assert_eq!(
            verified,
            Ok(Arc::new(SignedToken {
                kid,
                token_type,
                claims
            }))
        );
    }
}

fn verifying_does_not_depend_on_the_time(tokens: &Tokens) {
    for (iat, exp) in [(0, 1), (9_999_999_998, 9_999_999_999), (9_999_999_999, 1)] {
        let claims = AccessClaims { iat, exp, ..claims() };
        assert!(
            tokens.verifier.verify(&signed(tokens, &claims)).is_ok(),
            "from {iat} to {exp}"
        );
    }
}

fn a_header_contains_exactly_the_algorithm_key_and_type(tokens: &Tokens) {
    let [header, ..] = good(tokens);
    let header = json_of(&header);
    let key = tokens
        .keys
        .jwk_set()
        .keys
        .into_iter()
        .find(|key| header.get("kid") == Some(&json!(key.kid)))
        .expect("a published key signs");
    let published = serde_json::to_value(&key).expect("the key can be serialized");
    assert_eq!(
        header,
        json!({"alg": published.get("alg"), "kid": key.kid, "typ": TOKEN_TYPE})
    );
}

fn a_verified_token_names_a_key_that_is_known(tokens: &Tokens) {
    let token = tokens.verifier.verify(&signed(tokens, &claims()));
    let kid = &token.expect("the token is valid").kid;
    assert!(tokens.verifier.has_key(kid));
    assert!(tokens.keys.jwk_set().keys.iter().any(|key| key.kid == *kid));
    assert!(!tokens.verifier.has_key(&format!("{kid}x")));
}

fn published_keys_have_no_private_part(tokens: &Tokens) {
    const PUBLIC: [&str; 9] = ["kid", "alg", "use", "kty", "crv", "x", "y", "n", "e"];
    let keys = tokens.keys.jwk_set().keys;
    for key in &keys {
        let json = serde_json::to_value(key).expect("the key can be serialized");
        for member in json.as_object().expect("the value is a JSON object").keys() {
            assert!(PUBLIC.contains(&member.as_str()), "{member}");
        }
        assert_eq!(json.get("use"), Some(&json!("sig")));
    }
    let same_kid = |kid: &str| keys.iter().filter(|key| key.kid == kid).count();
    assert!(keys.iter().all(|key| same_kid(&key.kid) == 1), "{keys:?}");
}

fn texts_other_than_tokens_are_malformed(tokens: &Tokens) {
    let [header, claims, signature] = good(tokens);
    for text in [
        String::new(),
        " ".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "not a token".to_owned(),
        "żółw.日本.🦀".to_owned(),
        "\u{0}.\u{0}.\u{0}".to_owned(),
        header.clone(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}.{signature}"),
        ".".repeat(10_000),
    ] {
        let verified = tokens.verifier.verify(&text);
        assert_eq!(verified, Err(SignatureRefused::Malformed), "{text:.80}");
    }
}

fn a_truncated_or_extended_token_is_refused(tokens: &Tokens) {
    let token = signed(tokens, &claims());
    for (length, _) in token.char_indices() {
        let (short, _) = token.split_at(length);
        assert_refused(tokens, short);
    }
    for longer in [
        " {}",
        "{} ",
        "{}\n",
        "{}=",
        "{}A",
        "{}.",
        "{}\u{0}",
        ".{}",
        "Bearer {}",
    ] {
        assert_refused(tokens, &longer.replace("{}", &token));
    }
}

fn a_token_with_any_character_changed_is_refused(tokens: &Tokens) {
    let token = signed(tokens, &claims());
    for (place, was) in token.char_indices() {
        let (before, rest) = token.split_at(place);
        let (_, after) = rest.split_at(was.len_utf8());
        for other in ['A', 'B', '.', '=', 'é']
            .into_iter()
            .filter(|other| *other != was)
        {
            assert_refused(tokens, &format!("{before}{other}{after}"));
        }
    }
}

fn a_signature_of_other_claims_is_invalid(tokens: &Tokens) {
    let [header, claims, signature] = good(tokens);
    let other = AccessClaims {
        epoch: 5,
        ..self::claims()
    };
    let other = signed(tokens, &other);
    let (_, other_signature) = other.rsplit_once('.').expect("the token has three parts");
    let admin = part_of(&with(&json_of(&claims), "sub", json!(Uuid::from_u128(9))));
    for forged in [
        format!("{header}.{claims}.{other_signature}"),
        format!("{header}.{admin}.{signature}"),
    ] {
        assert_eq!(
            tokens.verifier.verify(&forged),
            Err(SignatureRefused::Invalid),
            "{forged}"
        );
    }
}

fn a_token_under_another_header_is_refused(tokens: &Tokens) {
    let [header, claims, signature] = good(tokens);
    let header = json_of(&header);
    let mut others: Vec<_> = [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256K")),
        ("alg", json!(null)),
        ("kid", json!("unknown")),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("")),
        ("kid", json!(1)),
        ("typ", json!("JWT")),
        ("jku", json!("https://keys.example/jwks.json")),
        ("jwk", json!({"kty": "oct", "k": "AA"})),
        ("x5u", json!("https://keys.example/cert.pem")),
        ("x5c", json!(["AA"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ]
    .map(|(member, value)| with(&header, member, value))
    .into();
    others.extend([json!({}), json!([]), json!("header")]);
    let others: Vec<_> = others
        .iter()
        .filter(|other| **other != header)
        .map(part_of)
        .collect();
    for other in others {
        for signature in [signature.as_str(), "", "AA"] {
            assert_refused(tokens, &format!("{other}.{claims}.{signature}"));
        }
    }
}

fn a_token_of_an_unknown_key_is_invalid(tokens: &Tokens) {
    let [header, claims, signature] = good(tokens);
    let unknown = part_of(&with(&json_of(&header), "kid", json!("unknown")));
    let verified = tokens.verifier.verify(&format!("{unknown}.{claims}.{signature}"));
    assert_eq!(verified, Err(SignatureRefused::Invalid));
}
