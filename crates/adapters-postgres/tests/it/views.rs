//! Views that many ask for at once.

use crate::{
    failing::connections_of_the_service,
    fresh, patient,
    sharing::{connect, until_somebody_waits},
    storage_in,
};
use diesel_async::SimpleAsyncConnection;
use domain::{
    caller::SessionView,
    ports::PortError,
    session::{NewSession, SessionId},
    user::{Epoch, NewUser},
};
use request_scope::RequestScope;
use std::time::Duration;
use testkit::{
    Storage,
    fixtures::{a_session, a_user, at, stamp, unique_uuid},
};
use testservers::FreshDatabase;
use tokio::{task::JoinSet, time::timeout};

/// More than one statement asks for.
const USERS: usize = 100;
/// How often each is asked for: enough for twice as many statements as may be under way.
const TIMES: usize = 5;
/// How many statements may ask for views at once.
const AT_ONCE: i64 = 4;

async fn logged_in(storage: &Storage, login: &str) -> (NewUser, NewSession) {
    let user = a_user(login);
    storage
        .users
        .insert(user.clone(), stamp(at(0)))
        .await
        .expect("a user");
    let session = a_session(user.id, at(0));
    storage
        .sessions
        .open(session.clone(), Epoch::FIRST, 9, stamp(at(0)))
        .await
        .expect("a session");
    (user, session)
}

type Answer = (SessionId, Result<Option<SessionView>, PortError>);

/// Asks for each of `sessions` while nobody can be answered, and lets them be answered when somebody waits.
async fn ask_at_once(
    storage: &Storage,
    database: &FreshDatabase,
    sessions: impl IntoIterator<Item = SessionId>,
) -> Vec<Answer> {
    let mut other = connect(database).await;
    let lock = "BEGIN; LOCK TABLE sessions";
    other.batch_execute(lock).await.expect("a lock");
    let mut asking = JoinSet::new();
    for session in sessions {
        let views = storage.views.clone();
        asking.spawn(async move { (session, views.view(session).await) });
    }
    until_somebody_waits(database).await;
    other.batch_execute("COMMIT").await.expect("the end of it");
    asking.join_all().await
}

#[tokio::test]
async fn callers_who_ask_at_once_share_few_connections_and_have_each_their_own_answer() {
    let (filling, database) = fresh().await;
    let mut users = Vec::new();
    for number in 0..USERS {
        users.push(logged_in(&filling, &format!("user-{number}")).await);
    }
    let storage = storage_in(&patient(database.url()).await);
    drop(filling);
    let unknown = SessionId(unique_uuid());
    let known = users.iter().cycle().take(TIMES * USERS);
    let known = known.map(|(_, session)| session.id);

    let answers = ask_at_once(&storage, &database, known.chain([unknown])).await;

    assert_eq!(answers.len(), TIMES * USERS + 1);
    for (asked, answer) in answers {
        let view = answer.expect("an answer");
        let seen = view.map(|view| (view.session, view.user.id));
        let owner = users.iter().find(|(_, session)| session.id == asked);
        assert_eq!(seen, owner.map(|(user, _)| (asked, user.id)));
    }
    // Those of the storage that made the users are being closed.
    let settled = async { while connections_of_the_service(database.url()).await > AT_ONCE {} };
    timeout(Duration::from_secs(10), settled)
        .await
        .expect("no more connections than there are statements");
}

#[tokio::test]
async fn a_corrupt_row_is_told_to_those_alone_who_asked_for_it() {
    let (storage, database) = fresh().await;
    let (_, good) = logged_in(&storage, "alice").await;
    let (bob, bad) = logged_in(&storage, "bob").await;
    let damage = format!("UPDATE users SET login = '' WHERE id = '{}'", bob.id);
    let mut other = connect(&database).await;
    other.batch_execute(&damage).await.expect("damage");

    for (asked, answer) in ask_at_once(&storage, &database, [good.id, bad.id, good.id]).await {
        let is_right = match answer {
            Ok(view) => asked == good.id && view.is_some(),
            Err(error) => asked == bad.id && matches!(error, PortError::Corrupt(_)),
        };
        assert!(is_right, "{asked:?}");
    }
}

#[tokio::test]
async fn who_has_less_time_gives_up_and_the_others_are_answered() {
    let (storage, database) = fresh().await;
    let (_, session) = logged_in(&storage, "alice").await;
    let mut other = connect(&database).await;
    let lock = "BEGIN; LOCK TABLE sessions";
    other.batch_execute(lock).await.expect("a lock");
    let hurried = async {
        let request = RequestScope::with_patience(Duration::from_millis(50));
        let answer = request.run(storage.views.view(session.id)).await;
        other.batch_execute("COMMIT").await.expect("the end of it");
        answer
    };

    let (patient, hurried) = tokio::join!(storage.views.view(session.id), hurried);

    assert!(matches!(hurried, Err(PortError::Overloaded)), "{hurried:?}");
    assert!(patient.expect("an answer").is_some());
}
