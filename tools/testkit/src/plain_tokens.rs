use crate::{Tokens, toy_digest::toy_digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    jwk::{Jwk, JwkMaterial, JwkSet, KeyUse, OkpAlgorithm, OkpCurve},
    ports::{PortError, PublicKeys, TokenSigner, TokenVerifier},
    token::{AccessClaims, AccessToken, SignatureRefused, SignedToken, TOKEN_TYPE},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The algorithm that headers and keys name. The checksum only pretends to be it, because a key set
/// has no name for it.
const ALGORITHM: &str = "EdDSA";

/// Tokens in the form of JWTs, signed with a checksum that is easy to forge: for tests only. An
/// instance rejects the tokens of instances with other keys.
#[derive(Clone, Debug, Default)]
pub struct PlainTokens {
    key: u64,
}

/// The only members that a header may have.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
}

impl PlainTokens {
    /// Creates an instance whose tokens only instances with this key accept.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    /// Returns all ports over this key.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens {
            signer: Arc::new(self.clone()),
            verifier: Arc::new(self.clone()),
            keys: Arc::new(self.clone()),
        }
    }

    fn kid(&self) -> String {
        format!("toy-{}", self.key)
    }

    fn signature(&self, signed: &str) -> String {
        URL_SAFE_NO_PAD.encode(toy_digest(self.key, signed.as_bytes()))
    }
}

impl TokenSigner for PlainTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<AccessToken, PortError> {
        let header = Header {
            alg: ALGORITHM.to_owned(),
            kid: self.kid(),
            typ: Some(TOKEN_TYPE.to_owned()),
        };
        let signed = format!("{}.{}", encode(&header)?, encode(claims)?);
        let signature = self.signature(&signed);
        Ok(AccessToken::new(format!("{signed}.{signature}")))
    }
}

fn encode(part: &impl Serialize) -> Result<String, PortError> {
    let json = serde_json::to_vec(part).map_err(|error| PortError::Corrupt(Box::new(error)))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

impl TokenVerifier for PlainTokens {
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        let [header, claims, signature] = parts(token).ok_or(SignatureRefused::Malformed)?;
        let [header_json, claims_json] =
            [decode(header), decode(claims)].map(|json| json.ok_or(SignatureRefused::Malformed));
        let (header_json, claims_json) = (header_json?, claims_json?);
        let known: Header = serde_json::from_slice(&header_json).map_err(|_| SignatureRefused::Invalid)?;
        let is_ours = known.alg == ALGORITHM
            && known.kid == self.kid()
            && signature == self.signature(&format!("{header}.{claims}"));
        if !is_ours {
            return Err(SignatureRefused::Invalid);
        }
        Ok(Arc::new(SignedToken {
            kid: known.kid,
            token_type: known.typ,
            claims: serde_json::from_slice(&claims_json).map_err(|_| SignatureRefused::Invalid)?,
        }))
    }

    fn has_key(&self, kid: &str) -> bool {
        self.kid() == kid
    }
}

/// Returns the three parts of a compact JWT, if none of them is empty.
fn parts(token: &str) -> Option<[&str; 3]> {
    let parts: Vec<_> = token.split('.').collect();
    let parts = <[&str; 3]>::try_from(parts).ok()?;
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

/// Returns the bytes of a part, if they are a JSON object.
fn decode(part: &str) -> Option<Vec<u8>> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<serde_json::Map<_, _>>(&json).ok()?;
    Some(json)
}

impl PublicKeys for PlainTokens {
    fn jwk_set(&self) -> JwkSet {
        JwkSet {
            keys: vec![Jwk {
                kid: self.kid(),
                r#use: KeyUse::Signature,
                material: JwkMaterial::OctetKeyPair {
                    alg: OkpAlgorithm::EdDsa,
                    crv: OkpCurve::Ed25519,
                    x: URL_SAFE_NO_PAD.encode(self.key.to_be_bytes()),
                },
            }],
        }
    }
}
