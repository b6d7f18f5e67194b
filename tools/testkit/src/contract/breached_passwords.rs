//! The contract of [`BreachedPasswords`].

use domain::{
    password::Password,
    ports::{BreachedPasswords, HashTicket},
};

contract! {
    /// Defines a named test for each case of the contract of lists of breached passwords. `$fresh`
    /// is a function that returns one that lists exactly
    /// [`BREACHED`](crate::contract::breached_passwords::BREACHED) and is not overloaded by one
    /// caller.
    breached_passwords_contract = async_cases for breached_passwords(dyn BreachedPasswords):
        a_listed_password_is_found,
        a_password_that_is_not_listed_is_not_found,
        a_password_is_found_by_its_normalised_text_and_by_its_text_as_typed,
        an_accepted_job_admits_its_ticket,
}

/// The passwords that the list under test contains, as texts before normalisation.
pub const BREACHED: [&str; 5] = [
    "password",
    "correct horse battery staple",
    "пароль-не-для-всех-42",
    COMPOSED,
    DECOMPOSED,
];

/// A listed text in NFC, whose NFD is not listed.
const COMPOSED: &str = "jos\u{e9}-of-the-hills";
/// A listed text in NFD, whose NFC is not listed.
const DECOMPOSED: &str = "cafe\u{301}-at-the-corner";

async fn contains(list: &dyn BreachedPasswords, text: &str) -> bool {
    list.contains(Password::new(text.to_owned()), &mut HashTicket::default())
        .await
        .expect("the list is available")
}

async fn a_listed_password_is_found(list: &dyn BreachedPasswords) {
    for text in BREACHED {
        assert!(contains(list, text).await, "{text}");
    }
}

async fn a_password_that_is_not_listed_is_not_found(list: &dyn BreachedPasswords) {
    for text in ["", "Password", "password ", "passwor", "vexing-quokka-9-trombone"] {
        assert!(!contains(list, text).await, "{text:?}");
    }
}

async fn a_password_is_found_by_its_normalised_text_and_by_its_text_as_typed(list: &dyn BreachedPasswords) {
    assert!(contains(list, "jose\u{301}-of-the-hills").await);
    assert!(contains(list, DECOMPOSED).await);
    assert!(!contains(list, "caf\u{e9}-at-the-corner").await);
}

async fn an_accepted_job_admits_its_ticket(list: &dyn BreachedPasswords) {
    let mut ticket = HashTicket::default();
    let found = list
        .contains(Password::new("password".to_owned()), &mut ticket)
        .await;
    assert!(found.is_ok() && ticket.is_admitted());
}
