use crate::argon2_hasher::{NotAStoredHash, StoredHash};
use domain::{
    password::PasswordHash,
    ports::{ForeignHashRefused, ForeignHashes},
};
use std::borrow::Cow;

/// The longest text that is looked at, in bytes. The longest hash in use, Firebase's, has some 300.
const MAX_LENGTH: usize = 1024;

/// The forms of password hashes that an [`Argon2Hasher`](crate::Argon2Hasher) can check: argon2, bcrypt, PBKDF2 and scrypt, as
/// PHC strings and as Django, passlib and Firebase write them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForeignHashForms;

impl ForeignHashes for ForeignHashForms {
    fn accept(&self, text: &str) -> Result<PasswordHash, ForeignHashRefused> {
        if text.len() > MAX_LENGTH {
            return Err(ForeignHashRefused::Damaged("it is too long"));
        }
        let hash = PasswordHash::from_phc(unlabelled(text).into_owned());
        StoredHash::parse(&hash)?;
        Ok(hash)
    }
}

/// Django puts a label before hashes that say what they are by themselves.
fn unlabelled(text: &str) -> Cow<'_, str> {
    match text.split_once('$') {
        Some(("argon2", unlabelled)) => Cow::Owned(format!("${unlabelled}")),
        Some(("bcrypt", unlabelled)) => Cow::Borrowed(unlabelled),
        _ => Cow::Borrowed(text),
    }
}

impl From<NotAStoredHash> for ForeignHashRefused {
    fn from(error: NotAStoredHash) -> Self {
        match error {
            NotAStoredHash::UnknownScheme => Self::UnknownForm,
            NotAStoredHash::Unparsable(_) => Self::Damaged("it is no PHC string"),
            NotAStoredHash::Parts => Self::Damaged("a part is missing, or there is one too many"),
            NotAStoredHash::Cost(_) => Self::TooCostly("memory, passes or lanes are out of bounds"),
            NotAStoredHash::Foreign(refused) => refused,
        }
    }
}
