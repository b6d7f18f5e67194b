mod stored_form;

use crate::argon2_hasher::{NotAStoredHash, StoredHash};
use domain::{
    password::PasswordHash,
    ports::{ForeignHashRefused, ForeignHashes},
};
use stored_form::stored_form;

/// The maximum length of a hash in bytes. The longest hashes in use, Firebase's, have about 300.
const MAX_LENGTH: usize = 1024;

/// Accepts the password hashes that an [`Argon2Hasher`](crate::Argon2Hasher) can verify: argon2,
/// bcrypt, PBKDF2 and scrypt, as PHC strings or in the formats of Better Auth, Django, Firebase,
/// LDAP servers, passlib, Werkzeug and `WordPress`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForeignHashForms;

impl ForeignHashes for ForeignHashForms {
    fn accept(&self, text: &str) -> Result<PasswordHash, ForeignHashRefused> {
        if text.len() > MAX_LENGTH {
            return Err(ForeignHashRefused::Damaged("the text is longer than 1024 bytes"));
        }
        let hash = PasswordHash::from_phc(stored_form(text)?.into_owned());
        StoredHash::parse(&hash)?;
        Ok(hash)
    }
}

impl From<NotAStoredHash> for ForeignHashRefused {
    fn from(error: NotAStoredHash) -> Self {
        match error {
            NotAStoredHash::UnknownScheme => Self::UnknownForm,
            NotAStoredHash::Unparsable(_) => Self::Damaged("the text is not a PHC string"),
            NotAStoredHash::Parts => Self::Damaged("a part is missing or superfluous"),
            NotAStoredHash::Cost(_) => Self::TooCostly("memory, passes or lanes are out of bounds"),
            NotAStoredHash::Foreign(refused) => refused,
        }
    }
}
