//! Starts that must fail because of the database file.

use crate::{
    it::start_failures::{FAILED, check_failure, refuses, text, used},
    server::{Place, Server},
};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use std::{fs, path::PathBuf};

fn file(place: &Place) -> PathBuf {
    place.path().join("data/authapi.db")
}

#[test]
fn a_data_folder_that_cannot_be_created_fails_the_start() {
    let place = Place::new();
    let file = place.path().join("file");
    fs::write(&file, "in the way").expect("the file can be written");
    let folder = file.join("data");
    let place = place.with(
        "DATABASE__URL",
        &format!("sqlite://{}/authapi.db", folder.display()),
    );
    refuses(
        &place,
        FAILED,
        &["cannot create the folder", &text(&folder), "choose another one"],
    );
}

#[test]
fn a_folder_in_place_of_the_database_fails_the_start() {
    let place = Place::new();
    fs::create_dir_all(file(&place)).expect("the folder can be created");
    refuses(&place, FAILED, &["cannot write", &text(&file(&place))]);
}

#[test]
fn a_file_that_is_not_a_database_fails_the_start() {
    let place = Place::new();
    fs::create_dir(place.path().join("data")).expect("the folder can be created");
    fs::write(file(&place), "a letter to a friend ".repeat(500)).expect("the file can be written");
    refuses(
        &place,
        FAILED,
        &[
            &text(&file(&place)),
            "is not an authapi database",
            "choose another file",
        ],
    );
}

#[test]
fn a_database_with_a_newer_schema_fails_the_start() {
    let place = used();
    SqliteConnection::establish(&text(&file(&place)))
        .expect("the database accepts connections")
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .expect("the version can be inserted");
    let says = [
        "is newer than this program",
        "99990101000000",
        "use the program that wrote it",
    ];
    refuses(&place, FAILED, &says);
    for command in [
        &["migrate", "status"][..],
        &["migrate", "down"],
        &["users", "list"],
    ] {
        check_failure(&place.run(command, ""), FAILED, &says);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_database_fails_to_start() {
    let mut first = Server::start();
    refuses(
        first.place(),
        FAILED,
        &[
            "another server is using this database",
            "stop it, or choose another file",
        ],
    );
    let live = first.client().get("/health/live").send().await;
    assert_eq!(live.status, 200);
    // A killed server leaves its lock file, but not the lock.
    assert!(first.kill(1));
    first.start_missing();
}
