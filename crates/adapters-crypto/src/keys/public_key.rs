use super::{Algorithm, key_pair::KeyPair};
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::jwk::{EcCurve, Jwk, JwkMaterial, KeyUse, OkpCurve};

/// The public part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The SHA-256 thumbprint of RFC 7638: 43 characters of base64url.
    pub kid: String,
    pub algorithm: Algorithm,
    pub material: JwkMaterial,
}

impl From<&KeyPair> for PublicKey {
    fn from(pair: &KeyPair) -> Self {
        let material = pair.material();
        Self {
            kid: thumbprint(&material),
            algorithm: pair.algorithm(),
            material,
        }
    }
}

impl From<&PublicKey> for Jwk {
    fn from(key: &PublicKey) -> Self {
        Self {
            kid: key.kid.clone(),
            r#use: KeyUse::Signature,
            material: key.material.clone(),
        }
    }
}

/// Computes the JWK thumbprint (RFC 7638, section 3) over the required members, ordered by name,
/// without spaces.
fn thumbprint(material: &JwkMaterial) -> String {
    // The values are base64url or fixed curve names, so they need no escaping.
    let canonical = match material {
        JwkMaterial::EllipticCurve {
            crv: EcCurve::P256,
            x,
            y,
            ..
        } => {
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        JwkMaterial::OctetKeyPair {
            crv: OkpCurve::Ed25519,
            x,
            ..
        } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        JwkMaterial::Rsa { n, e, .. } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
    };
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::jwk::{OkpAlgorithm, RsaAlgorithm};

    #[test]
    fn thumbprints_match_the_examples_of_the_standards() {
        let rfc_7638 = JwkMaterial::Rsa {
            alg: RsaAlgorithm::Rs256,
            n: concat!(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK",
                "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic",
                "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3",
                "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            )
            .to_owned(),
            e: "AQAB".to_owned(),
        };
        assert_eq!(
            thumbprint(&rfc_7638),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        let rfc_8037 = JwkMaterial::OctetKeyPair {
            alg: OkpAlgorithm::EdDsa,
            crv: OkpCurve::Ed25519,
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
        };
        assert_eq!(
            thumbprint(&rfc_8037),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }
}
