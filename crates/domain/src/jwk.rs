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
    pub r#use: KeyUse,
    #[serde(flatten)]
    pub material: JwkMaterial,
}

/// What a key is for (RFC 7517, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum KeyUse {
    #[serde(rename = "sig")]
    Signature,
}

/// Key material, with the algorithm of its signatures. Numbers are unpadded base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
pub enum JwkMaterial {
    /// RFC 7518, section 6.2.1.
    #[serde(rename = "EC")]
    EllipticCurve {
        alg: EcAlgorithm,
        crv: EcCurve,
        x: String,
        y: String,
    },
    /// RFC 8037, section 2.
    #[serde(rename = "OKP")]
    OctetKeyPair {
        alg: OkpAlgorithm,
        crv: OkpCurve,
        x: String,
    },
    /// RFC 7518, section 6.3.1.
    #[serde(rename = "RSA")]
    Rsa { alg: RsaAlgorithm, n: String, e: String },
}

/// RFC 7518, section 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EcAlgorithm {
    #[serde(rename = "ES256")]
    Es256,
}

/// RFC 7518, section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EcCurve {
    #[serde(rename = "P-256")]
    P256,
}

/// RFC 8037, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OkpAlgorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// RFC 8037, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OkpCurve {
    Ed25519,
}

/// RFC 7518, section 3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RsaAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
}
