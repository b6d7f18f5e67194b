use crate::{
    device_token::{DeviceClaim, DeviceToken},
    login::CanonicalLogin,
    ports::RefreshTokenMac,
    session::SessionId,
};
use std::sync::Arc;

/// Issues device tokens and checks whether this service issued one. A step of logging in. Reads no
/// storage.
pub struct RecogniseDevice {
    mac: Arc<dyn RefreshTokenMac>,
}

impl RecogniseDevice {
    /// Creates a step that signs and verifies tokens with `mac`.
    pub fn new(mac: Arc<dyn RefreshTokenMac>) -> Self {
        Self { mac }
    }

    /// Issues the device token of a login to `account` that opened `session`.
    #[must_use]
    pub fn issue(&self, account: &CanonicalLogin, session: SessionId) -> DeviceToken {
        let claim = DeviceClaim { session };
        claim.seal(&self.mac.sign(&claim.mac_input(account)))
    }

    /// Returns the session whose login returned `token`, or `None` if this service did not issue it
    /// for `account`. Storage decides whether the device is still known.
    #[must_use]
    pub fn execute(&self, account: &CanonicalLogin, token: &DeviceToken) -> Option<SessionId> {
        let (claim, mac) = DeviceClaim::parse(token)?;
        let is_genuine = self.mac.verify(&claim.mac_input(account), &mac);
        is_genuine.then_some(claim.session)
    }
}
