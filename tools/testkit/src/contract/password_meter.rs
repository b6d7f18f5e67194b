//! The contract of [`PasswordMeter`].

use domain::{
    password::Password,
    ports::{HashTicket, PasswordMeter, Strength},
};

contract! {
    /// Defines a named test for each case of the contract of password meters. `$fresh` is a
    /// function that returns one that is not overloaded by one caller.
    password_meter_contract = async_cases for password_meter(dyn PasswordMeter):
        every_password_gets_a_score_of_0_to_4,
        a_known_word_is_a_weak_password,
        advice_never_repeats_the_password,
        an_accepted_job_admits_its_ticket,
}

/// A strong password, unless it is a known word.
const STRONG: &str = "vexing-quokka-9-trombone";

async fn rate(meter: &dyn PasswordMeter, text: &str, known: &[&str]) -> Strength {
    let known = known.iter().map(|&word| word.to_owned()).collect();
    meter
        .rate(Password::new(text.to_owned()), known, &mut HashTicket::default())
        .await
        .expect("the meter is available")
}

/// Weak and strong passwords, and some that are hard to analyse.
fn passwords() -> Vec<String> {
    vec![
        String::new(),
        "password".to_owned(),
        STRONG.to_owned(),
        "01".repeat(20),
        "a".repeat(256),
        "🦀".repeat(256),
        "é\u{301}\u{200d}\u{202e}".repeat(64),
        r"@4683({[<69!i1|/\$5+7%2zZqQxXyYpP0oO".to_owned(),
        "\u{0}\u{7f}\t\n".to_owned(),
        "2026-01-01".repeat(9),
    ]
}

async fn every_password_gets_a_score_of_0_to_4(meter: &dyn PasswordMeter) {
    for text in passwords() {
        let strength = rate(meter, &text, &["alice", ""]).await;
        assert!(strength.score <= 4, "{text:?}: {strength:?}");
    }
}

async fn a_known_word_is_a_weak_password(meter: &dyn PasswordMeter) {
    let unknown = rate(meter, STRONG, &["alice"]).await;
    assert!(unknown.score >= 2, "{unknown:?}");
    for typed in [STRONG.to_owned(), STRONG.to_uppercase()] {
        let known = rate(meter, &typed, &["alice", STRONG]).await;
        assert!(known.score <= 1, "{typed}: {known:?}");
    }
}

async fn advice_never_repeats_the_password(meter: &dyn PasswordMeter) {
    for text in passwords().into_iter().filter(|text| !text.is_empty()) {
        let strength = rate(meter, &text, &[&text]).await;
        let advice = strength.advice.unwrap_or_default();
        assert!(!advice.contains(&text), "{text:?}: {advice}");
    }
}

async fn an_accepted_job_admits_its_ticket(meter: &dyn PasswordMeter) {
    let mut ticket = HashTicket::default();
    let rated = meter
        .rate(Password::new(STRONG.to_owned()), Vec::new(), &mut ticket)
        .await;
    assert!(rated.is_ok() && ticket.is_admitted());
}
