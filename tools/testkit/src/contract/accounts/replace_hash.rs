//! Cases of [`Accounts::replace_hash`](domain::ports::Accounts::replace_hash).

use crate::contract::prelude::*;

cases! { accounts::replace_hash(CoreStorage):
    a_hash_is_replaced_only_while_it_is_the_old_one,
    one_of_many_concurrent_replacements_of_a_hash_happens,
}

async fn a_hash_is_replaced_only_while_it_is_the_old_one(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let bob = registered(storage, a_user("bob")).await;
    let old = credentials(storage, &alice).await.hash;
    let [new, other] =
        ["plain$7$it's the \"same\"", "plain$8$other"].map(|text| PasswordHash::from_phc(text.to_owned()));
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for (user, from, to, is_replaced, now) in [
        (alice.id, &other, &new, false, &old),
        (a_user("carol").id, &old, &new, false, &old),
        (alice.id, &old, &new, true, &new),
        (alice.id, &old, &other, false, &new),
    ] {
        let result = storage.accounts.replace_hash(user, from, to).await;
        assert_eq!(
            result.expect("storage is available"),
            is_replaced,
            "{user:?}: {from:?}"
        );
        assert_eq!(credentials(storage, &alice).await.hash, *now);
    }
    let of_bob = credentials(storage, &bob).await.hash;
    assert_eq!(of_bob, old, "another user with an equal hash keeps it");
    let after = Everything::of(storage, &alice, &[session.id]).await;
    assert!(after.eq_except_for_the_hash(&before), "{after:?} was {before:?}");
}

async fn one_of_many_concurrent_replacements_of_a_hash_happens(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let old = credentials(storage, &alice).await.hash;
    let results = race((0..20).map(|salt| {
        let (accounts, id, old) = (storage.accounts.clone(), alice.id, old.clone());
        async move {
            let new = PasswordHash::from_phc(format!("plain$1{salt}$password"));
            let won = answered(|| accounts.replace_hash(id, &old, &new)).await;
            (won, new)
        }
    }))
    .await;
    let won: Vec<_> = results.into_iter().filter(|(won, _)| *won).collect();
    assert_eq!(won, [(true, credentials(storage, &alice).await.hash)]);
}
