use crate::{register, storage_in};
use adapters_sqlite::{OpenError, ServerLock, SqliteDatabase};
use std::{
    fs,
    path::{Path, PathBuf},
};
use testkit::fixtures::{a_user, at, canonical};

async fn refusal(path: &Path) -> OpenError {
    SqliteDatabase::open(path)
        .await
        .err()
        .expect("the database is refused")
}

#[tokio::test]
async fn a_missing_folder_is_created() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("not/yet/there.db");
    SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    assert!(path.is_file());
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_accessible_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("the folder can be created");
    storage_in(folder.path()).await;
    let database = fs::metadata(folder.path().join("authapi.db")).expect("the file exists");
    assert_eq!(database.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_folder_that_cannot_be_created_is_named() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("the file can be written");
    let refused = refusal(&file.join("below/authapi.db")).await;
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains(&file.display().to_string()),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("the folder can be created");
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
    let folder = tempfile::tempdir().expect("the folder can be created");
    let nowhere = folder.path().join("no/such/folder");
    std::os::unix::fs::symlink(nowhere, folder.path().join("authapi.db-wal"))
        .expect("the link can be created");
    let refused = refusal(&folder.path().join("authapi.db")).await;
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("letter.txt");
    let letter = "Dear reader, this is a letter. ".repeat(100);
    fs::write(&path, &letter).expect("the file can be written");
    let refused = refusal(&path).await;
    assert!(matches!(refused, OpenError::NotADatabase { .. }), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).expect("the file can be read"), letter);
}

#[tokio::test]
async fn a_path_that_looks_like_a_url_names_a_file() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("file:odd?mode=memory#%41.db");
    SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    assert!(fs::metadata(&path).expect("the file exists").len() > 0);
}

#[test]
fn a_second_server_is_refused_until_the_first_releases_the_lock() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let database = folder.path().join("data/authapi.db");
    let lock: PathBuf = folder.path().join("data/authapi.db.lock");
    let first = ServerLock::take(&database).expect("the lock is free");

    let refused = ServerLock::take(&database).expect_err("another server holds the lock");
    assert!(matches!(refused, OpenError::Served { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains(&lock.display().to_string()),
        "{refused}"
    );

    drop(first);
    ServerLock::take(&database).expect("the lock is free again");
}

#[cfg(unix)]
#[test]
fn all_symbolic_links_to_a_database_have_one_lock() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = |name: &str| folder.path().join(name);
    for name in ["data", "links"] {
        fs::create_dir(path(name)).expect("the folder can be created");
    }
    for (target, link) in [
        (path("data/authapi.db"), "links/absolute.db"),
        (PathBuf::from("../data/authapi.db"), "links/relative.db"),
        (PathBuf::from("links/relative.db"), "chain.db"),
        (PathBuf::from("data"), "linked"),
    ] {
        symlink(target, path(link)).expect("the link can be created");
    }
    let lock = ServerLock::take(&path("data/authapi.db")).expect("the lock is free");
    for link in [
        "links/absolute.db",
        "links/relative.db",
        "chain.db",
        "linked/authapi.db",
    ] {
        let refused = ServerLock::take(&path(link)).expect_err("another server holds the lock");
        assert!(matches!(refused, OpenError::Served { .. }), "{link}: {refused:?}");
    }
    drop(lock);
    let _lock = ServerLock::take(&path("chain.db")).expect("the lock is free again");
    ServerLock::take(&path("data/authapi.db")).expect_err("another server holds the lock");
}

#[cfg(unix)]
#[test]
fn links_that_lead_to_each_other_are_refused() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("the folder can be created");
    let [one, other] = ["one.db", "other.db"].map(|name| folder.path().join(name));
    symlink(&one, &other).expect("the link can be created");
    symlink(&other, &one).expect("the link can be created");
    let _lock = ServerLock::take(&one).expect("following the links ends");
}

#[cfg(unix)]
#[test]
fn the_lock_is_accessible_only_by_its_owner_even_if_an_older_version_created_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("the folder can be created");
    let database = folder.path().join("authapi.db");
    let lock = folder.path().join("authapi.db.lock");
    let mode = || fs::metadata(&lock).expect("the file exists").permissions().mode() & 0o777;

    drop(ServerLock::take(&database).expect("the lock is free"));
    assert_eq!(mode(), 0o600);

    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).expect("the mode can be set");
    ServerLock::take(&database).expect("the lock is free");
    assert_eq!(mode(), 0o600);
}

#[tokio::test]
async fn stored_data_survives_reopening() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let user = a_user("Alice");
    let before = storage_in(folder.path()).await;
    register(&before, user.clone(), at(7))
        .await
        .expect("the user is stored");
    drop(before);

    let after = storage_in(folder.path()).await;
    let found = after
        .accounts
        .find_by_login(&canonical("alice"))
        .await
        .expect("the user can be read");
    assert_eq!(found.expect("the user exists").user, user.registered_at(at(7)));
}
