//! The public halves of the signing keys, as published to other services (RFC 7517).

use serde::Serialize;

/// A JWK set (RFC 7517, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

/// A public key that verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// The key's RFC 7638 SHA-256 thumbprint.
    pub kid: String,
    /// `ES256`, `EdDSA` or `RS256`.
    pub alg: &'static str,
    /// Always `sig`.
    pub r#use: &'static str,
    #[serde(flatten)]
    pub material: JwkMaterial,
}

/// Key material. Numbers are unpadded base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
pub enum JwkMaterial {
    /// RFC 7518, section 6.2.1.
    #[serde(rename = "EC")]
    EllipticCurve { crv: &'static str, x: String, y: String },
    /// RFC 8037, section 2.
    #[serde(rename = "OKP")]
    OctetKeyPair { crv: &'static str, x: String },
    /// RFC 7518, section 6.3.1.
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}
