//! Device tokens. The first byte selects the form of the rest: `0` is a token as a client sends it,
//! `1` is a session and which bit of its token to flip.

use adapters_crypto::HmacRefreshMac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    device_token::{DeviceClaim, DeviceToken},
    login::CanonicalLogin,
    ports::RefreshTokenMac,
    session::SessionId,
    steps::RecogniseDevice,
};
use std::sync::{Arc, LazyLock};
use testkit::fixtures::canonical;
use uuid::Uuid;

static MAC: LazyLock<Arc<HmacRefreshMac>> = LazyLock::new(|| Arc::new(HmacRefreshMac::new(&[7; 32])));
static ACCOUNT: LazyLock<CanonicalLogin> = LazyLock::new(|| canonical("alice"));
static OTHER_ACCOUNT: LazyLock<CanonicalLogin> = LazyLock::new(|| canonical("alice2"));

pub fn check(input: &[u8]) {
    match input.split_first() {
        Some((b'1', rest)) => {
            if let Some((session, flip)) = session(rest) {
                check_session(session, flip);
            }
        }
        Some((_, rest)) => check_text(&String::from_utf8_lossy(rest)),
        None => {}
    }
}

/// A token has exactly one spelling, and is recognised only with the MAC of its contents.
fn check_text(text: &str) {
    let token = DeviceToken::new(text.to_owned());
    let recognised = recognise().execute(&ACCOUNT, &token);
    match DeviceClaim::parse(&token) {
        Some((claim, mac)) => {
            assert_eq!(claim.seal(&mac).expose(), text, "a token has two spellings");
            let is_right = MAC.sign(&claim.mac_input(&ACCOUNT)) == mac;
            assert_eq!(recognised, is_right.then_some(claim.session));
        }
        None => assert_eq!(recognised, None, "a malformed token is recognised"),
    }
}

fn session(bytes: &[u8]) -> Option<(SessionId, usize)> {
    let (session, bytes) = bytes.split_first_chunk::<16>()?;
    let (flip, _) = bytes.split_first_chunk::<2>()?;
    let session = SessionId(Uuid::from_bytes(*session));
    Some((session, usize::from(u16::from_be_bytes(*flip))))
}

/// A token is recognised for its account only, and unchanged only.
fn check_session(session: SessionId, flip: usize) {
    let token = recognise().issue(&ACCOUNT, session);
    assert_eq!(recognise().execute(&ACCOUNT, &token), Some(session));
    assert_eq!(recognise().execute(&OTHER_ACCOUNT, &token), None);

    let mut bytes = URL_SAFE_NO_PAD
        .decode(token.expose())
        .expect("a token is base64url");
    let place = flip / 8 % bytes.len();
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << (flip % 8);
    }
    let changed = DeviceToken::new(URL_SAFE_NO_PAD.encode(&bytes));
    let recognised = recognise().execute(&ACCOUNT, &changed);
    assert_eq!(recognised, None, "a token with a flipped bit is recognised");
}

fn recognise() -> RecogniseDevice {
    let mac: Arc<HmacRefreshMac> = Arc::clone(&MAC);
    RecogniseDevice::new(mac)
}
