//! Key files. A folder holds, and nothing else of it is looked at:
//!
//! | file | what it is |
//! |---|---|
//! | `<name>.signing.pem` | exactly one: signs, verifies, stands in the JWKS |
//! | `<name>.published.pem` | any number: verifies and stands in the JWKS, to sign later |
//! | `<name>.retired.pem` | any number: still verifies and stands in the JWKS, signs no more |
//! | `refresh.key` | 32 random bytes in base64: what refresh tokens are authenticated with |
//!
//! The PEM files are unencrypted PKCS#8 private keys: EC P-256 (ES256), Ed25519 (EdDSA) or RSA (RS256). All files are
//! secret: a file that others may read or write, that its group may write, or that belongs to neither this user nor root
//! is refused, and so is a folder that others may write to. The group may read a file, and a folder may be open to
//! everybody while it has the sticky bit: that is how container platforms mount secrets.

mod algorithm;
mod error;
mod file;
mod generate;
mod key_file;
mod key_pair;
mod public_key;
mod ring;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use error::KeyError;
pub use generate::{Generated, generate_first_signing_key, generate_refresh_key, generate_signing_key};
pub use key_file::{KeyEntry, KeyState, list};
pub use public_key::PublicKey;
pub use ring::{KeyRing, KeyRules};

pub(crate) use ring::SigningKey;
