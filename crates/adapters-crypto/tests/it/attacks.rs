//! Tokens that must be rejected.

use crate::forgery::{Workshop, claims, claims_json, encode, sign};
use adapters_crypto::keys::{self, Algorithm, KeyRules};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use domain::{ports::PublicKeys, token::SignatureRefused};
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

static ES256: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(Algorithm::Es256));
static EDDSA: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(Algorithm::EdDsa));
static RS256: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(Algorithm::Rs256));

const INVALID: Option<SignatureRefused> = Some(SignatureRefused::Invalid);
const MALFORMED: Option<SignatureRefused> = Some(SignatureRefused::Malformed);

fn refusal(workshop: &Workshop, token: &str) -> Option<SignatureRefused> {
    workshop.verify(token).err()
}

fn with_header(workshop: &Workshop, member: &str, value: Value) -> String {
    let mut header = workshop.header();
    let members = header.as_object_mut().expect("the value is a JSON object");
    members.insert(member.to_owned(), value);
    workshop.forge(&header.to_string(), &claims_json().to_string())
}

fn with_claims(claims: &str) -> String {
    ES256.forge(&ES256.header().to_string(), claims)
}

#[test]
fn a_token_forged_with_the_key_and_the_right_format_is_accepted() {
    // If this failed, the other tests would prove nothing.
    for workshop in [&*ES256, &*EDDSA, &*RS256] {
        let token = workshop.forge(&workshop.header().to_string(), &claims_json().to_string());
        assert_eq!(refusal(workshop, &token), None);
    }
}

#[test]
fn a_token_without_a_signature_is_rejected() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let mut header = ES256.header();
        header["alg"] = json!(alg);
        let unsigned = format!(
            "{}.{}",
            encode(&header.to_string()),
            encode(&claims_json().to_string())
        );
        assert_eq!(refusal(&ES256, &format!("{unsigned}.")), INVALID, "{alg}");
        assert_eq!(refusal(&ES256, &unsigned), MALFORMED);
    }
    let stripped = ES256.sign(&claims());
    let (message, _) = stripped.rsplit_once('.').expect("the token has a signature");
    assert_eq!(refusal(&ES256, &format!("{message}.")), INVALID);
}

#[test]
fn a_public_key_is_not_accepted_as_a_shared_secret() {
    for workshop in [&*ES256, &*EDDSA, &*RS256] {
        let published = workshop.tokens.jwk_set();
        let jwk = serde_json::to_value(&published.keys[0]).expect("the key can be serialized");
        let mut secrets = vec![jwk.to_string().into_bytes()];
        for member in ["x", "n"] {
            if let Some(text) = jwk[member].as_str() {
                secrets.push(text.as_bytes().to_vec());
                let bytes = URL_SAFE_NO_PAD.decode(text).expect("the member is base64url");
                secrets.push([&[0x04], bytes.as_slice()].concat());
                secrets.push(bytes);
            }
        }
        for secret in secrets {
            for (alg, algorithm) in [
                ("HS256", jsonwebtoken::Algorithm::HS256),
                (
                    workshop.header()["alg"]
                        .as_str()
                        .expect("the header has an algorithm"),
                    jsonwebtoken::Algorithm::HS256,
                ),
            ] {
                let mut header = workshop.header();
                header["alg"] = json!(alg);
                let key = EncodingKey::from_secret(&secret);
                let token = sign(&header.to_string(), &claims_json().to_string(), &key, algorithm);
                assert_eq!(refusal(workshop, &token), INVALID, "{alg}");
            }
        }
    }
}

#[test]
fn an_algorithm_other_than_the_keys_is_rejected_even_in_the_same_family() {
    for (workshop, others) in [
        (&*ES256, ["ES384", "ES256K", "es256", "EdDSA"]),
        (&*EDDSA, ["ES256", "Ed25519", "RS256", "eddsa"]),
        (&*RS256, ["RS384", "RS512", "PS256", "ES256"]),
    ] {
        for other in others {
            let token = with_header(workshop, "alg", json!(other));
            assert_eq!(refusal(workshop, &token), INVALID, "{other}");
        }
    }
    let key = crate::forgery::encoding_key(
        Algorithm::Rs256,
        &keys::list(RS256.folder.path(), KeyRules::default()).expect("the key folder is valid")[0].path,
    );
    for (alg, algorithm) in [
        ("PS256", jsonwebtoken::Algorithm::PS256),
        ("RS512", jsonwebtoken::Algorithm::RS512),
    ] {
        for named in [alg, "RS256"] {
            let mut header = RS256.header();
            header["alg"] = json!(named);
            let token = sign(&header.to_string(), &claims_json().to_string(), &key, algorithm);
            assert_eq!(refusal(&RS256, &token), INVALID, "{alg} named {named}");
        }
    }
}

#[test]
fn a_token_must_name_a_known_key() {
    let other = Workshop::new(Algorithm::Es256);
    assert_eq!(
        refusal(&ES256, &other.sign(&claims())),
        INVALID,
        "a key of another service"
    );
    for kid in [
        json!(other.kid),
        json!(""),
        json!(null),
        json!(7),
        json!([ES256.kid]),
        json!("../../../../dev/null"),
        json!(format!("{}\u{0}", ES256.kid)),
        json!(format!(" {}", ES256.kid)),
    ] {
        assert_eq!(
            refusal(&ES256, &with_header(&ES256, "kid", kid.clone())),
            INVALID,
            "{kid}"
        );
    }
    let mut header = ES256.header();
    header
        .as_object_mut()
        .expect("the value is a JSON object")
        .remove("kid");
    let token = ES256.forge(&header.to_string(), &claims_json().to_string());
    assert_eq!(refusal(&ES256, &token), INVALID, "no kid");
}

#[test]
fn headers_that_contain_a_key_or_extensions_are_rejected() {
    for member in ["crit", "jku", "jwk", "x5u", "x5c"] {
        for value in [
            json!(null),
            json!([]),
            json!(["exp"]),
            json!("https://evil.example/keys"),
            json!({"kty": "oct", "k": "AA"}),
            json!(false),
        ] {
            let token = with_header(&ES256, member, value.clone());
            assert_eq!(refusal(&ES256, &token), INVALID, "{member}: {value}");
        }
    }
}

#[test]
fn duplicate_members_are_rejected() {
    let claims = claims_json().to_string();
    let header = ES256.header().to_string();
    for twice in [r#""alg":"ES256""#, r#""kid":"x""#, r#""typ":"at+jwt""#] {
        for header in [
            header.replacen('{', &format!("{{{twice},"), 1),
            header.replace('}', &format!(",{twice}}}")),
        ] {
            assert_eq!(
                refusal(&ES256, &ES256.forge(&header, &claims)),
                INVALID,
                "{header}"
            );
        }
    }
    for (member, value) in claims_json().as_object().expect("the value is a JSON object") {
        let doubled = claims.replace('}', &format!(r#","{member}":{value}}}"#));
        assert_eq!(refusal(&ES256, &with_claims(&doubled)), INVALID, "{doubled}");
    }
}

#[test]
fn claims_that_are_missing_or_have_a_wrong_type_are_rejected() {
    for member in claims_json()
        .as_object()
        .expect("the value is a JSON object")
        .keys()
    {
        let mut gap = claims_json();
        gap.as_object_mut()
            .expect("the value is a JSON object")
            .remove(member);
        // Tokens of the previous version have no `auth_time`; they never suffice for a step-up.
        let is_optional = member == "auth_time";
        let expected = if is_optional { None } else { INVALID };
        let without = refusal(&ES256, &with_claims(&gap.to_string()));
        assert_eq!(without, expected, "no {member}");
        let null = (!is_optional).then_some(json!(null));
        for wrong in null
            .into_iter()
            .chain([json!({}), json!([1]), json!(1.5), json!(true)])
        {
            let mut spoilt = claims_json();
            spoilt[member] = wrong.clone();
            let token = with_claims(&spoilt.to_string());
            assert_eq!(refusal(&ES256, &token), INVALID, "{member}: {wrong}");
        }
    }
    for exp in [
        "1.7e9",
        "1700000900.0",
        "\"1700000900\"",
        "9223372036854775808",
        "1e400",
    ] {
        let spoilt = claims_json().to_string().replace("1700000900", exp);
        assert!(refusal(&ES256, &with_claims(&spoilt)).is_some(), "exp {exp}");
    }
}

#[test]
fn parts_other_than_json_objects_are_malformed() {
    let (header, claims) = (ES256.header().to_string(), claims_json().to_string());
    let list = r#"["https://auth.example","api","00000000-0000-0000-0000-000000000001","authapi",1,2,
        "00000000-0000-0000-0000-000000000003","00000000-0000-0000-0000-000000000002",4,["user"]]"#;
    for spoilt in [
        "",
        "null",
        "[]",
        "7",
        "\"text\"",
        "{",
        "{}x",
        "not JSON",
        "\u{feff}{}",
        list,
    ] {
        assert_eq!(
            refusal(&ES256, &ES256.forge(spoilt, &claims)),
            MALFORMED,
            "{spoilt}"
        );
        assert_eq!(
            refusal(&ES256, &ES256.forge(&header, spoilt)),
            MALFORMED,
            "{spoilt}"
        );
    }
    let listed = format!(r#"["ES256","{}","at+jwt"]"#, ES256.kid);
    assert_eq!(refusal(&ES256, &ES256.forge(&listed, &claims)), MALFORMED);
}

#[test]
fn texts_that_are_not_three_parts_of_base64url_are_malformed() {
    let good = ES256.sign(&claims());
    let [header, claims, signature]: [&str; 3] = good
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("the token has three parts");
    let standard = STANDARD_NO_PAD.encode([0xfb; 64]);
    let padded = URL_SAFE.encode([0xfb; 64]);
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{good}="),
        format!("{good}\u{0}"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}. {claims}.{signature}"),
        format!("{header}.{claims}.{standard}"),
        format!("{header}.{claims}.{padded}"),
        format!("Bearer {good}"),
        "\u{0}.\u{0}.\u{0}".to_owned(),
        "é.é.é".to_owned(),
    ] {
        assert_eq!(refusal(&ES256, &bad), MALFORMED, "{bad:?}");
    }
}

#[test]
fn truncated_tokens_are_rejected() {
    let good = ES256.sign(&claims());
    for length in 0..good.len() {
        assert!(refusal(&ES256, &good[..length]).is_some(), "{length} characters");
    }
}

#[test]
fn tokens_longer_than_eight_kibibytes_are_rejected() {
    let mut padded = claims_json();
    padded["padding"] = json!("x".repeat(5000));
    let allowed = with_claims(&padded.to_string());
    assert!(allowed.len() < 8192);
    assert_eq!(refusal(&ES256, &allowed), None);
    padded["padding"] = json!("x".repeat(6500));
    let too_long = with_claims(&padded.to_string());
    assert!(too_long.len() > 8192);
    assert_eq!(refusal(&ES256, &too_long), MALFORMED);
    assert_eq!(refusal(&ES256, &"a".repeat(50_000_000)), MALFORMED);
    let nested = format!(r#"{{"a":{}"#, "[".repeat(5000));
    assert_eq!(refusal(&ES256, &ES256.forge(&nested, "{}")), MALFORMED);
}

/// The order of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Returns the second valid signature of an ES256 token: `s` becomes `n - s`, which needs no key.
fn second_signature(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').expect("the token has a signature");
    let mut signature = URL_SAFE_NO_PAD
        .decode(signature)
        .expect("the signature is base64url");
    let mut borrow = false;
    let (_, digits) = signature.split_at_mut(32);
    for (digit, order) in digits.iter_mut().zip(ORDER).rev() {
        let (difference, first) = order.overflowing_sub(*digit);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (difference, first || second);
    }
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn an_es256_token_has_a_second_valid_signature() {
    let token = ES256.sign(&claims());
    let second_signature = second_signature(&token);
    assert_ne!(second_signature, token);
    assert_eq!(ES256.verify(&second_signature), ES256.verify(&token));
    assert!(ES256.verify(&second_signature).is_ok());
}

#[test]
fn signatures_at_the_edges_of_the_field_are_rejected() {
    let token = ES256.sign(&claims());
    let (message, _) = token.rsplit_once('.').expect("the token has a signature");
    for (r, s) in [
        ([0; 32], [0; 32]),
        (ORDER, ORDER),
        ([0xff; 32], [0xff; 32]),
        ([0; 32], ORDER),
    ] {
        let signature = URL_SAFE_NO_PAD.encode([r, s].concat());
        assert_eq!(refusal(&ES256, &format!("{message}.{signature}")), INVALID);
    }
    let der = URL_SAFE_NO_PAD.encode([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]);
    assert_eq!(refusal(&ES256, &format!("{message}.{der}")), INVALID);
}

proptest! {
    #[test]
    fn no_text_makes_the_verifier_panic_or_accept(text in any::<String>()) {
        prop_assert!(ES256.verify(&text).is_err());
    }

    #[test]
    fn no_parts_make_the_verifier_panic_or_accept(
        header in "\\PC{0,60}", claims in "\\PC{0,60}", signature in any::<Vec<u8>>(),
    ) {
        let token = format!("{}.{}.{}", encode(&header), encode(&claims), URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(ES256.verify(&token).is_err());
    }

    #[test]
    fn changing_any_byte_invalidates_a_token(position in any::<prop::sample::Index>(), byte in 0_u8..128) {
        for workshop in [&*ES256, &*EDDSA] {
            let good = workshop.sign(&claims());
            let mut bytes = good.clone().into_bytes();
            let position = position.index(bytes.len());
            prop_assume!(bytes[position] != byte);
            bytes[position] = byte;
            let changed = String::from_utf8(bytes).expect("the changed token is ASCII");
            prop_assert!(workshop.verify(&changed).is_err(), "{} became {}", good, changed);
        }
    }

    #[test]
    fn verification_returns_the_signed_claims(iat: i64, exp: i64, epoch: i64, iss in "\\PC*", sub: u128) {
        let mut claims = claims();
        (claims.iat, claims.exp, claims.epoch, claims.iss) = (iat, exp, epoch, iss);
        claims.sub = uuid::Uuid::from_u128(sub);
        let verified = EDDSA.verify(&EDDSA.sign(&claims)).expect("the token is valid");
        prop_assert_eq!(&verified.claims, &claims);
    }
}
