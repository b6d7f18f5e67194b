//! A private key, parsed once and ready to sign.

use super::Algorithm;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    error::Unspecified,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::jwk::{EcAlgorithm, EcCurve, JwkMaterial, OkpAlgorithm, OkpCurve, RsaAlgorithm};
use zeroize::Zeroizing;

/// The length of a P-256 coordinate in bytes.
const COORDINATE_LENGTH: usize = 32;

/// A private key of one of the supported algorithms.
#[derive(Debug)]
pub enum KeyPair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl KeyPair {
    /// Generates a key. RSA keys have 3072 bits.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Unspecified> {
        Ok(match algorithm {
            Algorithm::Es256 => Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::generate()?),
            Algorithm::Rs256 => Self::Rs256(RsaKeyPair::generate(KeySize::Rsa3072)?),
        })
    }

    /// Parses a PKCS#8 document (RFC 5208); `None` unless it is an EC P-256, Ed25519 or RSA key of
    /// 2048 to 8192 bits.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map(Self::Es256)
            .or_else(|_| Ed25519KeyPair::from_pkcs8(der).map(Self::EdDsa))
            .or_else(|_| RsaKeyPair::from_pkcs8(der).map(Self::Rs256))
            .ok()
    }

    /// Returns the key as a PKCS#8 document of version 1, which all tools can read.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        Ok(Zeroizing::new(match self {
            Self::Es256(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Self::EdDsa(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Self::Rs256(pair) => AsDer::<Pkcs8V1Der>::as_der(pair)?.as_ref().to_vec(),
        }))
    }

    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Returns the size of an RSA key's modulus in bits.
    pub fn rsa_bits(&self) -> Option<usize> {
        match self {
            Self::Rs256(pair) => Some(pair.public_modulus_len() * 8),
            Self::Es256(_) | Self::EdDsa(_) => None,
        }
    }

    /// Signs `message`, in the format of JWS (RFC 7518, section 3.4: `r || s`, not DER).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Self::EdDsa(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    /// Returns the public key.
    pub fn material(&self) -> JwkMaterial {
        match self {
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point
                    .strip_prefix(&[0x04])
                    .and_then(|coordinates| coordinates.split_at_checked(COORDINATE_LENGTH))
                    .expect("a public key is an uncompressed point");
                JwkMaterial::EllipticCurve {
                    alg: EcAlgorithm::Es256,
                    crv: EcCurve::P256,
                    x: URL_SAFE_NO_PAD.encode(x),
                    y: URL_SAFE_NO_PAD.encode(y),
                }
            }
            Self::EdDsa(pair) => JwkMaterial::OctetKeyPair {
                alg: OkpAlgorithm::EdDsa,
                crv: OkpCurve::Ed25519,
                x: URL_SAFE_NO_PAD.encode(pair.public_key()),
            },
            Self::Rs256(pair) => {
                let RsaPublicKeyComponents { n, e } =
                    RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                JwkMaterial::Rsa {
                    alg: RsaAlgorithm::Rs256,
                    n: URL_SAFE_NO_PAD.encode(n),
                    e: URL_SAFE_NO_PAD.encode(e),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    /// The key of RFC 8037, appendix A.1, as PKCS#8.
    fn rfc_8037_key() -> KeyPair {
        let mut der = STANDARD
            .decode("MC4CAQAwBQYDK2VwBCIEIA==")
            .expect("the frame of RFC 8410, section 10.3, is base64");
        der.extend(
            URL_SAFE_NO_PAD
                .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
                .expect("the key is base64url"),
        );
        KeyPair::from_pkcs8(&der).expect("the document contains a key")
    }

    #[test]
    fn the_example_of_rfc_8037_yields_its_public_key_and_signature() {
        let key = rfc_8037_key();
        assert_eq!(
            key.material(),
            JwkMaterial::OctetKeyPair {
                alg: OkpAlgorithm::EdDsa,
                crv: OkpCurve::Ed25519,
                x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
            }
        );
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            URL_SAFE_NO_PAD.encode(key.sign(message).expect("signing succeeds")),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn a_key_survives_a_pkcs8_round_trip() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let key = KeyPair::generate(algorithm).expect("the key can be generated");
            let again = KeyPair::from_pkcs8(&key.to_pkcs8().expect("the key can be serialized"))
                .expect("the document contains a key");
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.material(), key.material());
        }
    }
}
