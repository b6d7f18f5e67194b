use super::{
    fields::{WRONG_PARTS, base64, long_enough_salt, number, parameters, whole_hash},
    scrypt::ScryptCost,
};
use aws_lc_rs::{
    cipher::{AES_256, AES_256_KEY_LEN, EncryptingKey, EncryptionContext, UnboundCipherKey},
    constant_time,
    iv::FixedLength,
};
use domain::ports::ForeignHashRefused;
use zeroize::Zeroizing;

/// A hash by Firebase's variant of scrypt: the project's signer key, encrypted with AES-256-CTR
/// under the key that scrypt derives from the password.
pub struct FirebaseScrypt {
    cost: ScryptCost,
    /// The user's salt followed by the project's salt separator.
    salt: Vec<u8>,
    signer_key: Vec<u8>,
    hash: Vec<u8>,
}

impl FirebaseScrypt {
    /// Parses `ln=14,r=8,sk=<signer key>,ss=<salt separator>$<salt>$<hash>`, the text after
    /// `$firebase-scrypt$`.
    pub fn parse(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[project, salt, hash] = parts else {
            return Err(WRONG_PARTS);
        };
        let [log_n, r, signer_key, separator] = parameters(project, ["ln", "r", "sk", "ss"])?;
        let signer_key = base64(signer_key)?;
        let hash = whole_hash(base64(hash)?)?;
        if signer_key.len() != hash.len() {
            return Err(ForeignHashRefused::Damaged(
                "the hash and the signer key differ in length",
            ));
        }
        let mut salt = long_enough_salt(base64(salt)?)?;
        salt.extend(base64(separator)?);
        Ok(Self {
            cost: ScryptCost::new(number(log_n)?, number(r)?, 1)?,
            salt,
            signer_key,
            hash,
        })
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        let mut key = Zeroizing::new([0; AES_256_KEY_LEN]);
        self.cost.derive(password, &self.salt, key.as_mut());
        let mut hash = self.signer_key.clone();
        let key = UnboundCipherKey::new(&AES_256, key.as_ref()).and_then(EncryptingKey::ctr);
        // The key is used once, so the counter may start at zero.
        let counter = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        key.and_then(|key| key.less_safe_encrypt(&mut hash, counter))
            .expect("the key and the counter have the right lengths");
        constant_time::verify_slices_are_equal(&hash, &self.hash).is_ok()
    }

    pub fn work_kib(&self) -> u64 {
        self.cost.work_kib()
    }
}
