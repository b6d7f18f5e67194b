//! [`Accounts::replace_hash`](domain::ports::Accounts::replace_hash).

use crate::{
    CoreStorage,
    contract::support::{Everything, answered, credentials, logged_in, race, registered},
    fixtures::a_user,
};
use domain::password::PasswordHash;

cases! { accounts::replace_hash(CoreStorage):
    a_hash_is_replaced_only_while_it_is_the_old_one,
    one_of_many_concurrent_replacements_of_a_hash_wins,
}

async fn a_hash_is_replaced_only_while_it_is_the_old_one(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let bob = registered(storage, a_user("bob")).await;
    let old = credentials(storage, &alice).await.hash;
    let new = PasswordHash::from_phc("plain$7$it's the \"same\"".to_owned());
    let other = PasswordHash::from_phc("plain$8$other".to_owned());
    let before = Everything::of(storage, &alice, &[session.id]).await;

    let replace = async |user, old, new| {
        storage
            .accounts
            .replace_hash(user, old, new)
            .await
            .expect("storage answers")
    };
    assert!(!replace(alice.id, &other, &new).await, "it is not the old one");
    assert!(
        !replace(a_user("carol").id, &old, &new).await,
        "the user does not exist"
    );
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);

    assert!(replace(alice.id, &old, &new).await);
    assert_eq!(credentials(storage, &alice).await.hash, new);
    assert!(!replace(alice.id, &old, &other).await, "it was replaced before");
    assert_eq!(credentials(storage, &alice).await.hash, new);
    assert_eq!(credentials(storage, &bob).await.hash, old, "another's hash stays");
    let after = Everything::of(storage, &alice, &[session.id]).await;
    assert!(after.eq_except_for_the_hash(&before), "{after:?} was {before:?}");
}

async fn one_of_many_concurrent_replacements_of_a_hash_wins(storage: &CoreStorage) {
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
