use crate::{etag::EntityTag, state::Edge};
use actix_web::{HttpResponse, Responder, http::header, web::Data};
use domain::jwk::{Jwk, JwkMaterial, JwkSet};
use serde::Serialize;
use utoipa::ToSchema;

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
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    kid: String,
    #[schema(inline)]
    kty: EcKeyType,
    #[schema(value_type = EcAlgorithm, inline)]
    alg: &'static str,
    #[schema(value_type = KeyUse, inline)]
    r#use: &'static str,
    #[schema(value_type = EcCurve, inline)]
    crv: &'static str,
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
    #[schema(value_type = OkpAlgorithm, inline)]
    alg: &'static str,
    #[schema(value_type = KeyUse, inline)]
    r#use: &'static str,
    #[schema(value_type = OkpCurve, inline)]
    crv: &'static str,
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
    #[schema(value_type = RsaAlgorithm, inline)]
    alg: &'static str,
    #[schema(value_type = KeyUse, inline)]
    r#use: &'static str,
    /// Modulus in unpadded base64url.
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

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the text in `Jwk` to utoipa")]
enum KeyUse {
    #[schema(rename = "sig")]
    Sig,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the text in `Jwk` to utoipa")]
enum EcAlgorithm {
    #[schema(rename = "ES256")]
    Es256,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the text in `Jwk` to utoipa")]
enum EcCurve {
    #[schema(rename = "P-256")]
    P256,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the text in `Jwk` to utoipa")]
enum OkpAlgorithm {
    #[schema(rename = "EdDSA")]
    EdDsa,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the text in `Jwk` to utoipa")]
enum OkpCurve {
    Ed25519,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the text in `Jwk` to utoipa")]
enum RsaAlgorithm {
    #[schema(rename = "RS256")]
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
        let Jwk {
            kid,
            alg,
            r#use,
            material,
        } = key;
        match material {
            JwkMaterial::EllipticCurve { crv, x, y } => Self::EllipticCurve(EcJwk {
                kid,
                kty: EcKeyType::Ec,
                alg,
                r#use,
                crv,
                x,
                y,
            }),
            JwkMaterial::OctetKeyPair { crv, x } => Self::OctetKeyPair(OkpJwk {
                kid,
                kty: OkpKeyType::Okp,
                alg,
                r#use,
                crv,
                x,
            }),
            JwkMaterial::Rsa { n, e } => Self::Rsa(RsaJwk {
                kid,
                kty: RsaKeyType::Rsa,
                alg,
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
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .insert_header(EntityTag::of_keys(&keys).header())
        .json(JwkSetResponse::from(keys))
}
