//! A SQLite file on a full disk.

use crate::{
    backing::Database,
    cells::{Cell, Row, UNAVAILABLE},
    client::Client,
    journal::{check_audit_log, check_database},
    scene::{Harm, Scene, setting},
    server::Place,
};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::time::sleep;

const MOUNT: &str = r#"mount -t tmpfs -o size=16m,mode=0700 disk "$0" && exec "$@""#;
/// How long a full disk may still accept writes that fit into the existing journal.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The number of consecutive refusals that prove that the disk is full.
const IN_A_ROW: usize = 10;

const FULL: Row = Row {
    me: Cell::Works,
    ..UNAVAILABLE
};

/// Returns a command prefix that runs a program with a small private disk mounted at `folder`.
fn with_disk_at(folder: &Path) -> Vec<String> {
    let as_root = ["unshare", "--mount"];
    let as_anybody = ["unshare", "--user", "--map-root-user", "--mount"];
    let ways: [&[&str]; 2] = [&as_root, &as_anybody];
    let wrapped = ways.into_iter().map(|way| {
        let folder = folder.display().to_string();
        let whole = [way, &["sh", "-c", MOUNT, &folder]].concat();
        whole.into_iter().map(str::to_owned).collect::<Vec<String>>()
    });
    let works = |wrapper: &Vec<String>| {
        let tried = Command::new(&wrapper[0])
            .args(&wrapper[1..])
            .arg("true")
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    };
    wrapped.into_iter().find(works).expect(
        "a disk to fill: mounting a tmpfs takes root, or a system that lets `unshare --user --map-root-user --mount` do it",
    )
}

/// Writes to a file until the disk is full.
fn fill(file: &Path) {
    let mut file = File::create(file).expect("a file");
    for size in [64 * 1024, 1] {
        let piece = vec![0; size];
        loop {
            match file.write(&piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }
}

/// Waits until even a refresh of `token`, the smallest write, is refused.
async fn wait_until_full(client: &Client, mut token: String) {
    let deadline = Instant::now() + TIMEOUT;
    let mut in_a_row = 0;
    while in_a_row < IN_A_ROW {
        assert!(Instant::now() < deadline, "a full disk accepts further writes");
        let answer = client.post("/refresh").bearer(&token).send_once().await;
        if answer.status == 200 {
            token = answer.pair().refresh;
            in_a_row = 0;
        } else {
            assert_eq!(answer.status, 503, "{}", answer.body);
            in_a_row += 1;
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Copies the database in `folder`, which is visible only to the server.
fn copy_of(folder: &Path, to: &Path) -> Database {
    for name in ["authapi.db", "authapi.db-wal"] {
        fs::copy(folder.join(name), to.join(name)).expect("a copy");
    }
    Database::Sqlite(to.join("authapi.db"))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_is_full_writes_are_refused_and_tokens_are_checked() {
    let folder = TempDir::new().expect("a folder");
    let data: PathBuf = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let wrapper = with_disk_at(&data);
    let database = Database::Sqlite(data.join("authapi.db"));
    let mut place = setting(Place::on(folder, database, 1));
    place.wrapper = wrapper;
    let mut scene = Scene::open("SQLite's disk full", place).await;
    let filler = scene.client.user("filler").await.refresh;
    let seen_by_the_server = format!("/proc/{}/root{}", scene.server.pid(), data.display());
    let data = Path::new(&seen_by_the_server);

    scene.breaks();
    fill(&data.join("filler"));
    wait_until_full(&scene.client, filler).await;
    scene.expect(&FULL).await;
    fs::remove_file(data.join("filler")).expect("it is there");
    scene.is_mended().await;
    let (_server, stories) = scene.close(Harm::Refusals).await;

    let copies = TempDir::new().expect("a folder");
    let database = copy_of(data, copies.path());
    check_database(&database).await;
    check_audit_log(&database, &stories).await;
}
