//! Cases of [`SetStatus`].

use crate::contract::prelude::*;

cases! { accounts::set_status(CoreStorage):
    setting_the_current_status_changes_nothing,
    many_concurrent_disablings_disable_once,
}

async fn setting_the_current_status_changes_nothing(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    for status in [UserStatus::Active, UserStatus::Disabled, UserStatus::Active] {
        let user = changed(storage, set_status(alice.id, status), 10).await;
        assert_eq!(user.status, status);
        let before = Everything::of(storage, &alice, &[session.id]).await;
        assert_eq!(changed(storage, set_status(alice.id, status), 20).await, user);
        assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
    }
}

async fn many_concurrent_disablings_disable_once(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let events = events_of(storage, &alice).await.len();
    let commands = (0..20).map(|_| -> Arc<dyn Command> { set_status(alice.id, UserStatus::Disabled) });
    let results = race_commands(storage, commands).await;
    let disabled = user_now(storage, &alice).await;
    assert_eq!(disabled.epoch, alice.epoch.next());
    let mut ended = Vec::new();
    for applied in results {
        ended.extend(applied.as_ref().map(|applied| applied.sessions_ended));
        assert_eq!(done(applied), disabled);
    }
    ended.sort_unstable();
    assert_eq!(ended, [&[0; 19][..], &[1]].concat());
    assert_eq!(events_of(storage, &alice).await.len(), events + 1);
}
