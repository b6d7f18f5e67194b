//! An import of more users than one statement looks up.

use crate::{fresh, register};
use domain::{
    changes::{ImportUsers, Refusal},
    user::{ImportedUser, UserStatus},
};
use testkit::fixtures::{a_user, at, context};

fn imported(number: usize) -> ImportedUser {
    let user = a_user(&format!("user-{number}"));
    ImportedUser {
        id: user.id,
        login: user.login,
        hash: user.hash,
        roles: user.roles,
        status: UserStatus::Active,
        one_time_password: None,
        created_at: at(0),
    }
}

#[tokio::test]
async fn every_taken_login_of_thousands_is_refused_and_the_others_are_stored() {
    let (storage, _folder) = fresh().await;
    let taken = [0, 999, 1_000, 2_499];
    for number in taken {
        let user = a_user(&format!("USER-{number}"));
        register(&storage, user, at(0)).await.expect("the user is stored");
    }

    let users = ImportUsers((0..2_500).map(imported).collect());
    let outcomes = storage
        .users
        .import(users, context(at(1)))
        .await
        .expect("the import succeeds");

    let refused: Vec<usize> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| **outcome == Err(Refusal::LoginTaken))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(refused, taken);
    assert_eq!(outcomes.iter().flatten().count(), 2_496);
    let ends = storage
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    assert_eq!(ends.head.number.0, 2_500);
}
