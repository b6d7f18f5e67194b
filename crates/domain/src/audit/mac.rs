//! Message authentication codes of the audit log. Only a program with the audit key can compute
//! them.

use std::fmt;

/// Identifies an audit key and reveals nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditKeyId(pub [u8; 8]);

impl fmt::Display for AuditKeyId {
    /// Formats the id as 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuditKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKeyId({self})")
    }
}

/// A message authentication code with the id of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuditMac {
    pub key: AuditKeyId,
    pub code: [u8; 32],
}

impl AuditMac {
    /// The length of [`to_bytes`](Self::to_bytes).
    pub const LENGTH: usize = 40;

    /// Returns the stored form: the id of the key, then the code.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (key, code) = bytes.split_at_mut(self.key.0.len());
        key.copy_from_slice(&self.key.0);
        code.copy_from_slice(&self.code);
        bytes
    }

    /// Parses the stored form; `None` if its length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, code) = bytes.split_first_chunk()?;
        Some(Self {
            key: AuditKeyId(*key),
            code: code.try_into().ok()?,
        })
    }
}

/// The result of checking a MAC or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authenticity {
    Valid,
    /// The key is known, and the message or the MAC has been changed.
    Wrong,
    /// A key that this process does not have made it.
    UnknownKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_survives_a_round_trip_and_other_lengths_are_refused() {
        let mac = AuditMac {
            key: AuditKeyId([1, 2, 3, 4, 5, 6, 7, 0xab]),
            code: [9; 32],
        };
        assert_eq!(AuditMac::from_bytes(&mac.to_bytes()), Some(mac));
        assert_eq!(mac.key.to_string(), "01020304050607ab");
        for length in [0, 7, 8, 39, 41] {
            assert_eq!(AuditMac::from_bytes(&vec![0; length]), None, "{length}");
        }
    }
}
