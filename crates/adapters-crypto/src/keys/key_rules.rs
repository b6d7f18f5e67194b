use super::{KeyError, key_file::KeyFile, key_pair::KeyPair};

/// The minimum size of an RSA key in bits, unless smaller ones are allowed (NIST SP 800-57, 128-bit
/// strength).
const RSA_MIN_BITS: usize = 3072;
/// The minimum size of an RSA key in bits when smaller keys are allowed.
const RSA_ALLOWED_BITS: usize = 2048;

/// The rules that keys must follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyRules {
    /// Accept RSA keys of 2048 to 3071 bits too.
    pub allow_rsa_2048: bool,
}

impl KeyRules {
    /// Checks that the key in `file` is large enough.
    pub(super) fn check(self, file: &KeyFile, pair: &KeyPair) -> Result<(), KeyError> {
        let least = if self.allow_rsa_2048 {
            RSA_ALLOWED_BITS
        } else {
            RSA_MIN_BITS
        };
        match pair.rsa_bits() {
            Some(bits) if bits < least => Err(KeyError::RsaTooSmall {
                path: file.path.clone(),
                bits,
            }),
            _ => Ok(()),
        }
    }
}
