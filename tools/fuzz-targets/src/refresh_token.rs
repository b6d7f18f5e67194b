//! Refresh tokens. The first byte selects the form of the rest: `0` is a token as a client sends
//! it, `1` is a claim and which bit of its token to flip.

use adapters_crypto::HmacRefreshMac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ports::RefreshTokenMac,
    refresh_token::RefreshClaim,
    session::{Generation, SessionId, SessionSecret},
};
use std::sync::LazyLock;
use uuid::Uuid;

static MAC: LazyLock<HmacRefreshMac> = LazyLock::new(|| HmacRefreshMac::new(&[7; 32]));

pub fn check(input: &[u8]) {
    match input.split_first() {
        Some((b'1', rest)) => {
            if let Some((claim, flip)) = claim(rest) {
                check_claim(&claim, flip);
            }
        }
        Some((_, rest)) => check_text(&String::from_utf8_lossy(rest)),
        None => {}
    }
}

/// A token has exactly one spelling, and is accepted only with the MAC of its contents.
fn check_text(text: &str) {
    if let Ok((claim, mac)) = RefreshClaim::parse(text) {
        assert_eq!(claim.seal(&mac).expose(), text, "a token has two spellings");
        let input = claim.mac_input();
        assert_eq!(
            MAC.verify(input.as_slice(), &mac),
            MAC.sign(input.as_slice()) == mac
        );
    }
}

fn claim(bytes: &[u8]) -> Option<(RefreshClaim, usize)> {
    let (session, bytes) = bytes.split_first_chunk::<16>()?;
    let (generation, bytes) = bytes.split_first_chunk::<4>()?;
    let (secret, bytes) = bytes.split_first_chunk::<32>()?;
    let (flip, _) = bytes.split_first_chunk::<2>()?;
    let claim = RefreshClaim {
        session: SessionId(Uuid::from_bytes(*session)),
        generation: Generation(u32::from_be_bytes(*generation)),
        secret: SessionSecret::new(*secret),
    };
    Some((claim, usize::from(u16::from_be_bytes(*flip))))
}

fn check_claim(claim: &RefreshClaim, flip: usize) {
    let token = claim.seal(&MAC.sign(claim.mac_input().as_slice()));
    let (read, mac) = RefreshClaim::parse(token.expose()).expect("the service reads its own token");
    assert!(
        read.mac_input() == claim.mac_input(),
        "the claim changed in a round trip"
    );
    assert!(MAC.verify(read.mac_input().as_slice(), &mac));

    let mut bytes = URL_SAFE_NO_PAD
        .decode(token.expose())
        .expect("a token is base64url");
    let place = flip / 8 % bytes.len();
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << (flip % 8);
    }
    let is_accepted = RefreshClaim::parse(&URL_SAFE_NO_PAD.encode(&bytes))
        .is_ok_and(|(claim, mac)| MAC.verify(claim.mac_input().as_slice(), &mac));
    assert!(!is_accepted, "a token with a flipped bit is accepted");
}
