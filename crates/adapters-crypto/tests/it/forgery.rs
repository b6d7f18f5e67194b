//! Tokens with any content, signed with the service's key.

use adapters_crypto::{
    JwtTokens,
    keys::{Algorithm, KeyRing, KeyRules, generate_refresh_key, generate_signing_key},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ports::{TokenSigner, TokenVerifier},
    role::RoleName,
    token::{AccessClaims, SignatureRefused, SignedToken},
};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use uuid::Uuid;

/// Tokens signed by a fresh key, and the key itself for forging.
pub struct Workshop {
    pub tokens: JwtTokens,
    pub kid: String,
    algorithm: Algorithm,
    key: EncodingKey,
    pub folder: TempDir,
}

impl Workshop {
    pub fn new(algorithm: Algorithm) -> Self {
        let folder = TempDir::new().expect("the folder can be created");
        let made = generate_signing_key(folder.path(), algorithm).expect("the key can be generated");
        generate_refresh_key(folder.path()).expect("the refresh key can be generated");
        Self {
            tokens: tokens(folder.path()),
            kid: made.kid,
            algorithm,
            key: encoding_key(algorithm, &made.path),
            folder,
        }
    }

    /// Signs any header and claims with the service's key.
    pub fn forge(&self, header: &str, claims: &str) -> String {
        sign(header, claims, &self.key, jwt_algorithm(self.algorithm))
    }

    /// The header of the service's tokens.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.kid, "typ": "at+jwt"})
    }

    pub fn sign(&self, claims: &AccessClaims) -> String {
        self.tokens
            .sign(claims)
            .expect("signing succeeds")
            .expose()
            .to_owned()
    }

    pub fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        self.tokens.verify(token)
    }
}

pub fn tokens(folder: &Path) -> JwtTokens {
    JwtTokens::new(KeyRing::load(folder, KeyRules::default()).expect("the key folder is valid"))
}

pub fn encoding_key(algorithm: Algorithm, path: &Path) -> EncodingKey {
    let pem = std::fs::read(path).expect("the key file is readable");
    match algorithm {
        Algorithm::Es256 => EncodingKey::from_ec_pem(&pem),
        Algorithm::EdDsa => EncodingKey::from_ed_pem(&pem),
        Algorithm::Rs256 => EncodingKey::from_rsa_pem(&pem),
    }
    .expect("the file contains a key")
}

fn jwt_algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
    }
}

/// Signs with jsonwebtoken instead of this crate.
pub fn sign(header: &str, claims: &str, key: &EncodingKey, algorithm: jsonwebtoken::Algorithm) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("signing succeeds");
    format!("{message}.{signature}")
}

pub fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub fn claims() -> AccessClaims {
    AccessClaims {
        iss: "https://auth.example".to_owned(),
        aud: "api".to_owned(),
        sub: Uuid::from_u128(1),
        client_id: "authapi".to_owned(),
        iat: 1_700_000_000,
        exp: 1_700_000_900,
        jti: Uuid::from_u128(3),
        sid: Uuid::from_u128(2),
        epoch: 4,
        roles: [RoleName::ADMIN, RoleName::USER].into(),
        auth_time: Some(1_699_999_000),
        permissions: None,
    }
}

pub fn claims_json() -> Value {
    serde_json::to_value(claims()).expect("the claims can be serialized")
}
