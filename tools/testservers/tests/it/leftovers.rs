//! Starts a test process that starts servers, ends it in each of three ways, and checks that
//! nothing is left.

use crate::eventually;
use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio, id},
};
use testservers::{Postgres, Redis, postgres, redis};

/// The variable that selects how the test process ends.
const ENDING: &str = "AUTHAPI_TESTSERVERS_ENDING";

#[test]
fn nothing_is_left_after_a_normal_end() {
    leaves_nothing("return");
}

#[test]
fn nothing_is_left_after_a_panic() {
    leaves_nothing("panic");
}

#[test]
fn nothing_is_left_after_sigkill() {
    leaves_nothing("wait");
}

fn leaves_nothing(ending: &str) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    // The user that runs the servers must be able to reach the folders below.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), permissions).expect("the mode of the folder can be set");
    let open = folder.path().join("open");
    fs::create_dir(&open).expect("the folder can be created");
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&open, permissions).expect("the mode of the folder can be set");
    let mut child = start(ending, &open);
    let pids = running_servers_of(&mut child);
    assert!(pids.len() >= 4, "there are two servers of each kind: {pids:?}");
    assert!(
        fs::read_dir(&open).expect("the folder can be read").count() >= 4,
        "each server has a folder"
    );

    // `wait` closes the process's standard input, and the process then ends by itself.
    if ending == "wait" {
        child.kill().expect("the process can be killed");
    }
    child.wait().expect("the process can be waited for");

    eventually("the servers end", || pids.iter().all(|pid| !is_running(pid)));
    eventually("the folders go", || {
        fs::read_dir(&open).is_ok_and(|mut it| it.next().is_none())
    });
    eventually("shared memory is given back", || {
        !makers_of_shared_memory().iter().any(|maker| pids.contains(maker))
    });
}

fn start(ending: &str, folder: &Path) -> Child {
    Command::new(env::current_exe().expect("the path of this program is known"))
        .args([
            "--exact",
            "leftovers::a_process_that_starts_servers",
            "--ignored",
            "--nocapture",
        ])
        .env(ENDING, ending)
        .env("TMPDIR", folder)
        .env_remove("AUTHAPI_TEST_POSTGRES_URL")
        .env_remove("AUTHAPI_TEST_REDIS_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test process can be started")
}

fn running_servers_of(child: &mut Child) -> Vec<String> {
    let lines = BufReader::new(child.stdout.take().expect("the stream is piped")).lines();
    let mut pids = Vec::new();
    for line in lines {
        let line = line.expect("the output is UTF-8");
        if let Some(pid) = line.strip_prefix("server ") {
            pids.push(pid.to_owned());
        }
        if line == "ready" {
            break;
        }
    }
    pids
}

#[test]
#[ignore = "not a test: the process that the tests above start"]
fn a_process_that_starts_servers() {
    let Ok(ending) = env::var(ENDING) else {
        return;
    };
    let (_postgres, _redis) = (postgres(), redis());
    let (own_postgres, own_redis) = (Postgres::start_own(), Redis::start_own());
    let _database = own_postgres.fresh_database();
    // A suspended server must be stopped, too.
    own_postgres.pause();
    own_redis.pause();
    for pid in servers_of(id()) {
        println!("server {pid}");
    }
    println!("ready");
    // Waits until the parent has read the list.
    let _ = std::io::stdin().read_line(&mut String::new());
    match ending.as_str() {
        // Leak the servers: dropping them would stop them, but this test is about the end of the
        // process.
        "return" => std::mem::forget((own_postgres, own_redis)),
        "panic" => panic!("as requested"),
        _ => loop {
            std::thread::park();
        },
    }
}

/// Returns the grandchildren of `parent`: each server is the child of its shell.
fn servers_of(parent: u32) -> Vec<String> {
    let shells = children_of(&parent.to_string());
    shells.iter().flat_map(|shell| children_of(shell)).collect()
}

fn children_of(parent: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).expect("the process is running");
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|it| it.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Returns whether the process runs. A zombie does not run.
fn is_running(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|it| !it.contains("State:\tZ"))
}

/// Returns the processes that created the existing System V segments, which outlive their creators.
fn makers_of_shared_memory() -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").expect("the kernel lists memory segments");
    let makers = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(4));
    makers.map(str::to_owned).collect()
}
