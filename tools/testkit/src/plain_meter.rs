use async_trait::async_trait;
use domain::{
    password::Password,
    ports::{HashTicket, PasswordMeter, PortError, Strength},
};
use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

/// Number of different characters for each point of the score.
const CHARACTERS_A_POINT: usize = 4;
const MAX_SCORE: u8 = 4;

/// Rates passwords by the number of different characters outside the known words, with one point
/// for every four. It is fast, and for tests only.
#[derive(Default)]
pub struct PlainMeter {
    is_overloaded: AtomicBool,
}

impl PlainMeter {
    /// Sets whether the meter returns [`PortError::Overloaded`].
    pub fn set_overloaded(&self, is_overloaded: bool) {
        self.is_overloaded.store(is_overloaded, Ordering::SeqCst);
    }
}

#[async_trait]
impl PasswordMeter for PlainMeter {
    async fn rate(
        &self,
        password: Password,
        known: Vec<String>,
        ticket: &mut HashTicket,
    ) -> Result<Strength, PortError> {
        if self.is_overloaded.load(Ordering::SeqCst) {
            return Err(PortError::Overloaded);
        }
        ticket.admit();
        let mut rest = password.expose().to_lowercase();
        for word in known.iter().filter(|word| !word.is_empty()) {
            rest = rest.replace(&word.to_lowercase(), "");
        }
        let characters: HashSet<_> = rest.chars().collect();
        let points = u8::try_from(characters.len() / CHARACTERS_A_POINT).unwrap_or(u8::MAX);
        let score = points.min(MAX_SCORE);
        let advice = (score < MAX_SCORE).then(|| "use more different characters".to_owned());
        Ok(Strength { score, advice })
    }
}
