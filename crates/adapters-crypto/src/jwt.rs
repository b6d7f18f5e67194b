//! JSON Web Tokens (RFC 7519, RFC 7515) in compact form, signed and verified with a [`KeyRing`].

use crate::{
    keys::{Algorithm, KeyRing, PublicKey, RingKey},
    signing_set::{SetKey, SigningSet},
};
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
use std::{fmt, sync::Arc};

/// The maximum length of a token in bytes. Tokens of this service have a few hundred.
const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// Signs with one key of a ring, verifies with all of its keys, and publishes their public parts.
///
/// The ring can be replaced while tokens are signed and verified: each call uses one ring as a
/// whole.
pub struct JwtTokens(SigningSet<TokenKey>);

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
        Self(SigningSet::new(token_keys(ring)))
    }

    /// Replaces the ring. The key that signs stays the same if the new ring contains it.
    pub fn replace(&self, ring: KeyRing) {
        self.0.replace(token_keys(ring));
    }

    /// Signs with the key `kid` from now on. Does nothing if the ring does not contain it.
    pub fn sign_with(&self, kid: &str) {
        self.0.sign_with(kid);
    }

    /// Returns the id of the key that signs.
    #[must_use]
    pub fn signing_kid(&self) -> String {
        self.0.signing_id()
    }
}

/// Returns the keys of `ring`, which begins with its signing key.
fn token_keys(ring: KeyRing) -> impl Iterator<Item = TokenKey> {
    ring.into_keys().into_iter().map(TokenKey::from)
}

impl SetKey for TokenKey {
    fn id(&self) -> &str {
        &self.ring_key.public.kid
    }
}

/// Signs with AWS-LC directly, which keeps keys parsed. jsonwebtoken parses the key for every
/// signature, which more than doubles the time of an RS256 signature.
impl TokenSigner for JwtTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<AccessToken, PortError> {
        let keys = self.0.keys();
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
        let keys = self.0.keys();
        let key = keys
            .all()
            .iter()
            .find(|key| header.kid.as_deref() == Some(key.id()))
            .filter(|key| header.alg == key.ring_key.public.algorithm.name())
            .ok_or(SignatureRefused::Invalid)?;
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, &key.verifying, &key.validation)
            .map_err(|_| SignatureRefused::Invalid)?;
        Ok(Arc::new(SignedToken {
            kid: key.id().to_owned(),
            token_type: header.typ,
            claims: decoded.claims,
        }))
    }

    fn has_key(&self, kid: &str) -> bool {
        self.0.contains(kid)
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
        let keys = self.0.keys();
        let published = keys.all().iter().map(|key| Jwk::from(&key.ring_key.public));
        JwkSet {
            keys: published.collect(),
        }
    }
}

impl fmt::Debug for JwtTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtTokens")
            .field("jwk_set", &self.jwk_set())
            .finish_non_exhaustive()
    }
}
