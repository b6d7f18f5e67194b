use crate::{etag::EntityTag, state::Edge};
use actix_web::{HttpResponse, Responder, http::header, web::Data};
use domain::jwk::{self, Jwk, JwkMaterial, JwkSet};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// How long the set may be cached, unless the settings differ.
const MAX_AGE: Duration = Duration::from_mins(5);

/// A JWK set (RFC 7517, section 5).
#[derive(Serialize, ToSchema)]
#[schema(as = JwkSet)]
pub struct JwkSetResponse {
    keys: Vec<JwkResponse>,
}

/// A public key that verifies signatures (RFC 7517, section 4). `kty` states its form.
#[derive(Serialize, ToSchema)]
#[schema(as = Jwk)]
#[serde(untagged)]
enum JwkResponse {
    EllipticCurve(EcJwk),
    OctetKeyPair(OkpJwk),
    Rsa(RsaJwk),
}

/// A key on an elliptic curve (RFC 7518, section 6.2.1).
#[derive(Serialize, ToSchema)]
struct EcJwk {
    /// The key's RFC 7638 SHA-256 thumbprint.
    #[schema(example = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U")]
    kid: String,
    #[schema(inline)]
    kty: EcKeyType,
    #[schema(inline)]
    alg: EcAlgorithm,
    #[schema(inline)]
    r#use: KeyUse,
    #[schema(inline)]
    crv: EcCurve,
    /// Coordinate in unpadded base64url.
    #[schema(example = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")]
    x: String,
    /// Coordinate in unpadded base64url.
    #[schema(example = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")]
    y: String,
}

/// A key of Ed25519 (RFC 8037, section 2).
#[derive(Serialize, ToSchema)]
struct OkpJwk {
    /// The key's RFC 7638 SHA-256 thumbprint.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
    #[schema(inline)]
    kty: OkpKeyType,
    #[schema(inline)]
    alg: OkpAlgorithm,
    #[schema(inline)]
    r#use: KeyUse,
    #[schema(inline)]
    crv: OkpCurve,
    /// Public key in unpadded base64url.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
}

/// An RSA key (RFC 7518, section 6.3.1).
#[derive(Serialize, ToSchema)]
struct RsaJwk {
    /// The key's RFC 7638 SHA-256 thumbprint.
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    kid: String,
    #[schema(inline)]
    kty: RsaKeyType,
    #[schema(inline)]
    alg: RsaAlgorithm,
    #[schema(inline)]
    r#use: KeyUse,
    /// Modulus in unpadded base64url.
    #[schema(
        example = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )]
    n: String,
    /// Exponent in unpadded base64url.
    #[schema(example = "AQAB")]
    e: String,
}

#[derive(Serialize, ToSchema)]
enum EcKeyType {
    #[serde(rename = "EC")]
    Ec,
}

#[derive(Serialize, ToSchema)]
enum OkpKeyType {
    #[serde(rename = "OKP")]
    Okp,
}

#[derive(Serialize, ToSchema)]
enum RsaKeyType {
    #[serde(rename = "RSA")]
    Rsa,
}

#[derive(Serialize, ToSchema)]
enum KeyUse {
    #[serde(rename = "sig")]
    Sig,
}

#[derive(Serialize, ToSchema)]
enum EcAlgorithm {
    #[serde(rename = "ES256")]
    Es256,
}

#[derive(Serialize, ToSchema)]
enum EcCurve {
    #[serde(rename = "P-256")]
    P256,
}

#[derive(Serialize, ToSchema)]
enum OkpAlgorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Serialize, ToSchema)]
enum OkpCurve {
    Ed25519,
}

#[derive(Serialize, ToSchema)]
enum RsaAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
}

impl From<JwkSet> for JwkSetResponse {
    fn from(set: JwkSet) -> Self {
        Self {
            keys: set.keys.into_iter().map(JwkResponse::from).collect(),
        }
    }
}

impl From<Jwk> for JwkResponse {
    fn from(key: Jwk) -> Self {
        let Jwk { kid, r#use, material } = key;
        let r#use = match r#use {
            jwk::KeyUse::Signature => KeyUse::Sig,
        };
        match material {
            JwkMaterial::EllipticCurve { alg, crv, x, y } => Self::EllipticCurve(EcJwk {
                kid,
                kty: EcKeyType::Ec,
                alg: match alg {
                    jwk::EcAlgorithm::Es256 => EcAlgorithm::Es256,
                },
                r#use,
                crv: match crv {
                    jwk::EcCurve::P256 => EcCurve::P256,
                },
                x,
                y,
            }),
            JwkMaterial::OctetKeyPair { alg, crv, x } => Self::OctetKeyPair(OkpJwk {
                kid,
                kty: OkpKeyType::Okp,
                alg: match alg {
                    jwk::OkpAlgorithm::EdDsa => OkpAlgorithm::EdDsa,
                },
                r#use,
                crv: match crv {
                    jwk::OkpCurve::Ed25519 => OkpCurve::Ed25519,
                },
                x,
            }),
            JwkMaterial::Rsa { alg, n, e } => Self::Rsa(RsaJwk {
                kid,
                kty: RsaKeyType::Rsa,
                alg: match alg {
                    jwk::RsaAlgorithm::Rs256 => RsaAlgorithm::Rs256,
                },
                r#use,
                n,
                e,
            }),
        }
    }
}

/// Returns the keys that verify this service's tokens.
///
/// The set follows RFC 7517, section 5. Cache it, and fetch it again for an unknown `kid`.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "operations",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has.")),
    responses(
        (status = 200, description = "The JWK set, with an `ETag`.", body = JwkSetResponse, headers(("ETag" = String))),
        (status = 304, description = "The set still has the `ETag` in `If-None-Match`.", headers(("ETag" = String))),
    )
)]
pub async fn jwks(edge: Data<Edge>) -> impl Responder {
    let keys = edge.use_cases.public_keys.jwk_set();
    let max_age = edge.settings.jwks_max_age.unwrap_or(MAX_AGE).as_secs();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={max_age}")))
        .insert_header(EntityTag::of_keys(&keys).header())
        .json(JwkSetResponse::from(keys))
}
