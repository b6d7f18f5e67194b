use crate::{register, storage_in};
use adapters_sqlite::{OpenError, ServerLock, SqliteDatabase};
use std::{
    fs,
    path::{Path, PathBuf},
};
use testkit::fixtures::{a_user, at, canonical};

async fn refusal(path: &Path) -> OpenError {
    SqliteDatabase::open(path).await.err().expect("a refusal")
}

#[tokio::test]
async fn a_missing_folder_is_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("not/yet/there.db");
    SqliteDatabase::open(&path).await.expect("a database");
    assert!(path.is_file());
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_accessible_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    storage_in(folder.path()).await;
    let database = fs::metadata(folder.path().join("authapi.db")).expect("a file");
    assert_eq!(database.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_folder_that_cannot_be_created_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let refused = refusal(&file.join("below/authapi.db")).await;
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains(&file.display().to_string()),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = refusal(folder.path()).await;
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains(&folder.path().display().to_string()),
        "{refused}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_whose_journal_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("no/such/folder");
    std::os::unix::fs::symlink(nowhere, folder.path().join("authapi.db-wal")).expect("something in the way");
    let refused = refusal(&folder.path().join("authapi.db")).await;
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("letter.txt");
    let letter = "Dear reader, this is a letter. ".repeat(100);
    fs::write(&path, &letter).expect("a file");
    let refused = refusal(&path).await;
    assert!(matches!(refused, OpenError::NotADatabase { .. }), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), letter);
}

#[tokio::test]
async fn a_path_that_looks_like_a_url_names_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file:odd?mode=memory#%41.db");
    SqliteDatabase::open(&path).await.expect("a database");
    assert!(fs::metadata(&path).expect("a file").len() > 0);
}

#[test]
fn a_second_server_is_refused_until_the_first_releases_the_lock() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("data/authapi.db");
    let lock: PathBuf = folder.path().join("data/authapi.db.lock");
    let first = ServerLock::take(&database).expect("a lock");

    let refused = ServerLock::take(&database).expect_err("a refusal");
    assert!(matches!(refused, OpenError::Served { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains(&lock.display().to_string()),
        "{refused}"
    );

    drop(first);
    ServerLock::take(&database).expect("a lock that is free again");
}

#[cfg(unix)]
#[test]
fn the_lock_is_accessible_only_by_its_owner_even_if_an_older_version_created_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("authapi.db");
    let lock = folder.path().join("authapi.db.lock");
    let mode = || fs::metadata(&lock).expect("a file").permissions().mode() & 0o777;

    drop(ServerLock::take(&database).expect("a lock"));
    assert_eq!(mode(), 0o600);

    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).expect("a change of mode");
    ServerLock::take(&database).expect("a lock");
    assert_eq!(mode(), 0o600);
}

#[tokio::test]
async fn what_was_stored_survives_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let user = a_user("Alice");
    let before = storage_in(folder.path()).await;
    register(&before, user.clone(), at(7)).await.expect("a user");
    drop(before);

    let after = storage_in(folder.path()).await;
    let found = after
        .accounts
        .find_by_login(&canonical("alice"))
        .await
        .expect("an answer");
    assert_eq!(found.expect("the user").user, user.registered_at(at(7)));
}
