//! JSON Web Tokens (RFC 7519, RFC 7515) in compact form, signed and verified with a [`KeyRing`].

use crate::keys::{Algorithm, KeyRing, PublicKey, RingKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    jwk::{Jwk, JwkMaterial, JwkSet},
    ports::{PortError, PublicKeys, TokenSigner, TokenVerifier},
    token::{AccessClaims, AccessToken, SignatureRefused, SignedToken, TOKEN_TYPE},
};
use jsonwebtoken::{DecodingKey, Validation};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, IgnoredAny},
};
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// The maximum length of a token in bytes. Tokens of this service have a few hundred.
const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// Signs with one key of a ring, verifies with all of its keys, and publishes their public parts.
///
/// The ring can be replaced while tokens are signed and verified: each call uses one ring as a
/// whole.
pub struct JwtTokens(RwLock<Arc<TokenKeys>>);

/// A ring, and which of its keys signs.
#[derive(Clone)]
struct TokenKeys {
    /// At least one.
    keys: Arc<[TokenKey]>,
    /// The position of the key that signs.
    signing: usize,
    jwk_set: JwkSet,
}

struct TokenKey {
    ring_key: RingKey,
    /// The encoded header of all tokens that the key signs.
    header: String,
    verifying: DecodingKey,
    validation: Validation,
}

impl JwtTokens {
    /// Creates the tokens of the keys in `ring`, whose signing key signs.
    #[must_use]
    pub fn new(ring: KeyRing) -> Self {
        Self(RwLock::new(Arc::new(TokenKeys::from(ring))))
    }

    /// Replaces the ring. The key that signs stays the same if the new ring contains it.
    pub fn replace(&self, ring: KeyRing) {
        let new = TokenKeys::from(ring);
        self.update(|old| {
            let signing = new.position(old.signing_kid()).unwrap_or(new.signing);
            TokenKeys { signing, ..new }
        });
    }

    /// Signs with the key `kid` from now on. Does nothing if the ring does not contain it.
    pub fn sign_with(&self, kid: &str) {
        self.update(|keys| TokenKeys {
            signing: keys.position(kid).unwrap_or(keys.signing),
            ..keys.clone()
        });
    }

    /// Returns the id of the key that signs.
    #[must_use]
    pub fn signing_kid(&self) -> String {
        self.keys().signing_kid().to_owned()
    }

    /// Replaces the keys with what `change` makes of them.
    fn update(&self, change: impl FnOnce(&TokenKeys) -> TokenKeys) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *keys = Arc::new(change(&keys));
    }

    fn keys(&self) -> Arc<TokenKeys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenKeys {
    fn position(&self, kid: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.kid() == kid)
    }

    fn signing(&self) -> &TokenKey {
        let signing = self.keys.get(self.signing);
        signing.expect("the signing key is one of the keys")
    }

    fn signing_kid(&self) -> &str {
        self.signing().kid()
    }
}

impl TokenKey {
    fn kid(&self) -> &str {
        &self.ring_key.public.kid
    }
}

impl From<KeyRing> for TokenKeys {
    fn from(ring: KeyRing) -> Self {
        let jwk_set = JwkSet {
            keys: ring.public_keys().iter().map(Jwk::from).collect(),
        };
        Self {
            keys: ring.into_keys().into_iter().map(TokenKey::from).collect(),
            // A ring begins with its signing key.
            signing: 0,
            jwk_set,
        }
    }
}

/// Signs with AWS-LC directly, which keeps keys parsed. jsonwebtoken parses the key for every
/// signature, which more than doubles the time of an RS256 signature.
impl TokenSigner for JwtTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<AccessToken, PortError> {
        let keys = self.keys();
        let key = keys.signing();
        let claims = serde_json::to_vec(claims).map_err(|error| PortError::Unavailable(Box::new(error)))?;
        let mut token = format!("{}.{}", key.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = key
            .ring_key
            .pair
            .sign(token.as_bytes())
            .map_err(|error| PortError::Unavailable(Box::new(error)))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(AccessToken::new(token))
    }
}

fn encoded_header(key: &PublicKey) -> String {
    #[derive(Serialize)]
    struct SignedHeader<'a> {
        alg: &'a str,
        kid: &'a str,
        typ: &'a str,
    }
    let header = SignedHeader {
        alg: key.algorithm.name(),
        kid: &key.kid,
        typ: TOKEN_TYPE,
    };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).expect("a struct of strings can be serialized"))
}

impl TokenVerifier for JwtTokens {
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        let header = parse(token)?;
        let keys = self.keys();
        let key = keys
            .keys
            .iter()
            .find(|key| header.kid.as_deref() == Some(key.kid()))
            .filter(|key| header.alg == key.ring_key.public.algorithm.name())
            .ok_or(SignatureRefused::Invalid)?;
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, &key.verifying, &key.validation)
            .map_err(|_| SignatureRefused::Invalid)?;
        Ok(Arc::new(SignedToken {
            kid: key.kid().to_owned(),
            token_type: header.typ,
            claims: decoded.claims,
        }))
    }

    fn has_key(&self, kid: &str) -> bool {
        self.keys().position(kid).is_some()
    }
}

/// Parses the header of a token with three well-formed parts. The header is not authenticated yet.
fn parse(token: &str) -> Result<Header, SignatureRefused> {
    if token.len() > MAX_TOKEN_LENGTH {
        return Err(SignatureRefused::Malformed);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SignatureRefused::Malformed);
    };
    decode(signature)?;
    object(claims)?;
    serde_json::from_slice(&object(header)?).map_err(|_| SignatureRefused::Invalid)
}

fn decode(part: &str) -> Result<Vec<u8>, SignatureRefused> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| SignatureRefused::Malformed)
}

/// Decodes a part that is a JSON object. The check is explicit, because serde would also accept an
/// array of the members.
fn object(part: &str) -> Result<Vec<u8>, SignatureRefused> {
    let json = decode(part)?;
    let is_object =
        json.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(&json).is_ok();
    if is_object {
        Ok(json)
    } else {
        Err(SignatureRefused::Malformed)
    }
}

/// The header of a presented token. serde rejects duplicate members, and headers that contain a key
/// or extensions (RFC 8725, sections 3.1 and 3.10), whatever their value, including `null` and
/// wrong types.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, rename = "crit", deserialize_with = "refuse")]
    _crit: (),
    #[serde(default, rename = "jku", deserialize_with = "refuse")]
    _jku: (),
    #[serde(default, rename = "jwk", deserialize_with = "refuse")]
    _jwk: (),
    #[serde(default, rename = "x5u", deserialize_with = "refuse")]
    _x5u: (),
    #[serde(default, rename = "x5c", deserialize_with = "refuse")]
    _x5c: (),
}

fn refuse<'de, D: Deserializer<'de>>(_member: D) -> Result<(), D::Error> {
    Err(D::Error::custom("a header must not contain a key or extensions"))
}

impl From<RingKey> for TokenKey {
    fn from(key: RingKey) -> Self {
        let verifying = match &key.public.material {
            JwkMaterial::EllipticCurve { x, y, .. } => DecodingKey::from_ec_components(x, y),
            JwkMaterial::OctetKeyPair { x, .. } => DecodingKey::from_ed_components(x),
            JwkMaterial::Rsa { n, e, .. } => DecodingKey::from_rsa_components(n, e),
        };
        Self {
            header: encoded_header(&key.public),
            verifying: verifying.expect("this crate encoded the key"),
            validation: signature_only(key.public.algorithm),
            ring_key: key,
        }
    }
}

/// Returns a validation that accepts one algorithm and checks no claims: jsonwebtoken would use the
/// system clock, and the core validates claims.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(match algorithm {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
    });
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

impl PublicKeys for JwtTokens {
    fn jwk_set(&self) -> JwkSet {
        self.keys().jwk_set.clone()
    }
}

impl fmt::Debug for JwtTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtTokens")
            .field("jwk_set", &self.keys().jwk_set)
            .finish_non_exhaustive()
    }
}
