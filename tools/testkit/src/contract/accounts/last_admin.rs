//! Cases of the last administrator: an active administrator remains, however many commands that
//! remove one run at once.

use crate::contract::prelude::*;

cases! { accounts::last_admin(CoreStorage):
    one_of_two_admins_who_are_removed_at_once_remains,
    one_of_two_admins_who_remove_each_other_remains,
    one_of_fifty_admins_who_are_removed_at_once_remains,
}

/// The places in [`commands`] of the commands that remove an administrator.
const ASSIGN: usize = 0;
const DISABLE: usize = 3;
const DELETE: usize = 4;

/// Every pair of these commands, including pairs of equal ones.
const PAIRS: [(usize, usize); 6] = [
    (ASSIGN, ASSIGN),
    (DISABLE, DISABLE),
    (DELETE, DELETE),
    (ASSIGN, DISABLE),
    (ASSIGN, DELETE),
    (DISABLE, DELETE),
];

fn removal(place: usize, user: &User, authorized_by: Option<TokenIdentity>) -> Arc<dyn Command> {
    let account = Account {
        authorized_by,
        ..account(user.id)
    };
    let command = commands(account).into_iter().nth(place);
    command.expect("a command has this place")
}

async fn admins_among(storage: &CoreStorage, users: &[User]) -> Vec<User> {
    let mut admins = Vec::new();
    for user in users {
        admins.extend(find_user(storage, user.id).await.filter(User::is_active_admin));
    }
    admins
}

async fn one_of_two_admins_who_are_removed_at_once_remains(storage: &CoreStorage) {
    let mut last = registered(storage, an_admin("first")).await;
    for (round, (one_way, other_way)) in PAIRS.repeat(10).into_iter().enumerate() {
        let one = registered(storage, an_admin(&format!("one-{round}"))).await;
        let other = registered(storage, an_admin(&format!("other-{round}"))).await;
        applied(storage, removal(DELETE, &last, None), context(at(9))).await;
        let commands = [removal(one_way, &one, None), removal(other_way, &other, None)];
        assert_one_happens(storage, commands, Refusal::LastAdmin).await;
        let left = admins_among(storage, &[one, other]).await;
        [last] = left.try_into().expect("one administrator remains");
    }
}

async fn one_of_two_admins_who_remove_each_other_remains(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    for (round, (one_way, other_way)) in PAIRS.repeat(5).into_iter().enumerate() {
        let (one, of_one) = logged_in_as(storage, an_admin(&format!("one-{round}"))).await;
        let (other, of_other) = logged_in_as(storage, an_admin(&format!("other-{round}"))).await;
        let commands = [
            removal(one_way, &other, Some(identity(&one, &of_one))),
            removal(other_way, &one, Some(identity(&other, &of_other))),
        ];
        // The first command deletes the caller of the second one, or makes their token stale.
        assert_one_happens(storage, commands, Denied::Stale).await;
    }
}

async fn one_of_fifty_admins_who_are_removed_at_once_remains(storage: &CoreStorage) {
    let mut admins = Vec::new();
    for turn in 0..50 {
        admins.push(registered(storage, an_admin(&format!("admin{turn}"))).await);
    }
    let ways = [ASSIGN, DISABLE, DELETE].into_iter().cycle();
    let commands = admins
        .iter()
        .zip(ways)
        .map(|(admin, way)| removal(way, admin, None));
    let results = race_commands(storage, commands).await;
    let refused: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, [Refusal::LastAdmin]);
    assert_eq!(admins_among(storage, &admins).await.len(), 1);
}
