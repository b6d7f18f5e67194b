//! An active administrator always remains, however many commands that remove one run at once.

use crate::{
    CoreStorage,
    contract::support::{
        applied, assert_one_happens, count, done, execute, logged_in_as, race, registered, user_now,
    },
    fixtures::{account, an_admin, at, context, identity, role_change},
};
use domain::{
    authority::Denied,
    changes::{Account, AssignRoles, Command, DeleteUser, Refusal, SetStatus},
    token::TokenIdentity,
    user::{User, UserId, UserStatus},
};
use std::sync::Arc;

cases! { accounts::last_admin(CoreStorage):
    of_two_admins_who_are_removed_at_once_one_is_left,
    of_two_admins_who_remove_each_other_one_is_left,
    of_fifty_admins_who_are_removed_at_once_one_is_left,
}

/// A way to remove an administrator.
#[derive(Clone, Copy, Debug)]
enum Removal {
    Demote,
    Disable,
    Delete,
}

const REMOVALS: [Removal; 3] = [Removal::Demote, Removal::Disable, Removal::Delete];

impl Removal {
    fn of(self, user: UserId) -> Arc<dyn Command> {
        self.authorized(user, None)
    }

    fn authorized(self, user: UserId, authorized_by: Option<TokenIdentity>) -> Arc<dyn Command> {
        let account = Account {
            authorized_by,
            ..account(user)
        };
        let status = UserStatus::Disabled;
        match self {
            Self::Demote => Arc::new(AssignRoles {
                authorized_by,
                ..role_change(user, &["user"])
            }),
            Self::Disable => Arc::new(SetStatus { account, status }),
            Self::Delete => Arc::new(DeleteUser(account)),
        }
    }
}

async fn of_two_admins_who_are_removed_at_once_one_is_left(storage: &CoreStorage) {
    let mut last = registered(storage, an_admin("first")).await;
    for round in 0..10 {
        for (place, (one_way, other_way)) in pairs().into_iter().enumerate() {
            let one = registered(storage, an_admin(&format!("one-{round}-{place}"))).await;
            let other = registered(storage, an_admin(&format!("other-{round}-{place}"))).await;
            applied(storage, Removal::Delete.of(last.id), context(at(9))).await;

            let commands = [one_way.of(one.id), other_way.of(other.id)];
            let round = format!("round {round}: {one_way:?} and {other_way:?}");
            assert_one_happens(storage, commands, Refusal::LastAdmin).await;

            let mut left = Vec::new();
            for user in [one, other] {
                let found = storage.accounts.find(user.id).await.expect("storage answers");
                left.extend(found.filter(User::is_active_admin));
            }
            assert_eq!(left.len(), 1, "{round}");
            last = left.pop().expect("an admin");
        }
    }
}

/// All pairs of ways, in one order.
fn pairs() -> [(Removal, Removal); 6] {
    use Removal::{Delete, Demote, Disable};
    [
        (Demote, Demote),
        (Disable, Disable),
        (Delete, Delete),
        (Demote, Disable),
        (Demote, Delete),
        (Disable, Delete),
    ]
}

async fn of_two_admins_who_remove_each_other_one_is_left(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    for round in 0..5 {
        for (place, (one_way, other_way)) in pairs().into_iter().enumerate() {
            let [one, other] = ["one", "other"].map(|name| an_admin(&format!("{name}-{round}-{place}")));
            let (one, of_one) = logged_in_as(storage, one).await;
            let (other, of_other) = logged_in_as(storage, other).await;
            let commands = [
                one_way.authorized(other.id, Some(identity(&one, &of_one))),
                other_way.authorized(one.id, Some(identity(&other, &of_other))),
            ];
            let round = format!("round {round}: {one_way:?} and {other_way:?}");
            let results = race(commands.map(|command| {
                let storage = storage.clone();
                async move { execute(&storage, command, context(at(10))).await.map(drop) }
            }))
            .await;
            assert_eq!(count(&results, Result::is_ok), 1, "{round}: {results:?}");
            let is_late = |refusal: &Refusal| {
                // The first command has deleted the second one's caller, or made their token stale.
                *refusal == Refusal::Denied(Denied::Stale)
            };
            let late = count(&results, |it| it.as_ref().is_err_and(is_late));
            assert_eq!(late, 1, "{round}: {results:?}");
        }
    }
}

async fn of_fifty_admins_who_are_removed_at_once_one_is_left(storage: &CoreStorage) {
    let mut admins = Vec::new();
    for turn in 0..50 {
        admins.push(registered(storage, an_admin(&format!("admin{turn}"))).await);
    }
    let ways = REMOVALS.into_iter().cycle();
    let results = race(
        admins
            .clone()
            .into_iter()
            .zip(ways)
            .enumerate()
            .map(|(turn, (admin, way))| {
                let storage = storage.clone();
                let command = match way {
                    Removal::Demote => Arc::new(AssignRoles {
                        keep_sessions: turn % 2 == 0,
                        ..role_change(admin.id, &["user"])
                    }),
                    Removal::Disable | Removal::Delete => way.of(admin.id),
                };
                async move { execute(&storage, command, context(at(10))).await }
            }),
    )
    .await;
    assert_eq!(count(&results, Result::is_ok), 49);
    for result in results {
        match result {
            Ok(applied) => drop(done(Ok(applied))),
            Err(refusal) => assert_eq!(refusal, Refusal::LastAdmin),
        }
    }
    let mut left = 0;
    for admin in &admins {
        let found = storage.accounts.find(admin.id).await.expect("storage answers");
        if found.is_some() {
            left += usize::from(user_now(storage, admin).await.is_active_admin());
        }
    }
    assert_eq!(left, 1);
}
