//! Postgres stopped, suspended, disconnected, slow, and locked by another client.

use crate::{
    backing::Database,
    cells::{Cell, FINE, Row, UNAVAILABLE},
    scene::{Harm, Scene, setting},
    server::Place,
};
use std::{net::SocketAddr, time::Duration};
use testservers::{CuttingProxy, Own, Postgres, ProxyMode};
use tokio_postgres::NoTls;

/// The delay in each direction of a server in another building.
const FAR: Duration = Duration::from_millis(2);
/// A delay longer than any wait of the service.
const TOO_FAR: Duration = Duration::from_secs(2);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the folder can be created")
}

/// Creates a place on a Postgres server of this test only.
fn place_with(postgres: &Own<Postgres>) -> Place {
    setting(Place::on(
        folder(),
        Database::Postgres(postgres.fresh_database()),
        1,
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_stopped_everything_that_needs_it_is_refused() {
    let postgres = Postgres::start_own();
    let mut scene = Scene::open("Postgres stopped at once, started again", place_with(&postgres)).await;
    scene.breaks();
    postgres.stop_immediate();
    scene.expect(&UNAVAILABLE).await;
    postgres.restart();
    scene.is_mended().await;
    scene.close_and_look(Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_killed_everything_that_needs_it_is_refused() {
    let postgres = Postgres::start_own();
    let mut scene = Scene::open("Postgres killed, started again", place_with(&postgres)).await;
    scene.breaks();
    postgres.kill();
    scene.expect(&UNAVAILABLE).await;
    postgres.restart();
    scene.is_mended().await;
    scene.close_and_look(Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_hangs_everything_that_needs_it_is_refused() {
    let postgres = Postgres::start_own();
    let mut scene = Scene::open("Postgres held still, let go", place_with(&postgres)).await;
    scene.breaks();
    postgres.pause();
    scene.expect(&UNAVAILABLE).await;
    postgres.resume();
    scene.is_mended().await;
    scene.close_and_look(Harm::Refusals).await;
}

/// Tests the service while a proxy disturbs its connections to Postgres with `mode`.
async fn through_a_proxy(name: &'static str, mode: ProxyMode, row: &Row, harm: Harm) {
    let database = testservers::postgres().fresh_database();
    let url = database.url().to_owned();
    let server = address_in(&url);
    let proxy = CuttingProxy::forward_to(server.parse().expect("the text is an address")).await;
    let url = url.replace(server, &proxy.address().to_string());
    let place = setting(Place::on(folder(), Database::Postgres(database), 1)).with("DATABASE__URL", &url);
    let mut scene = Scene::open(name, place).await;
    scene.breaks();
    proxy.set(mode);
    scene.expect(row).await;
    proxy.set(ProxyMode::Pass);
    scene.is_mended().await;
    scene.close_and_look(harm).await;
}

/// Returns the `host:port` of a URL.
pub fn address_in(url: &str) -> &str {
    let rest = url.rsplit_once('@').expect("the URL names a user").1;
    let address = rest.split('/').next().expect("split returns at least one part");
    let _: SocketAddr = address.parse().expect("tests are on loopback");
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_to_postgres_are_closed_everything_that_needs_it_is_refused() {
    let name = "connections to Postgres closed";
    through_a_proxy(name, ProxyMode::Cut, &UNAVAILABLE, Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_to_postgres_are_reset_everything_that_needs_it_is_refused() {
    let name = "connections to Postgres reset";
    through_a_proxy(name, ProxyMode::Reset, &UNAVAILABLE, Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_comes_back_from_postgres_everything_that_needs_it_is_refused() {
    let name = "nothing comes back from Postgres";
    through_a_proxy(name, ProxyMode::BlackHole, &UNAVAILABLE, Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_too_slow_everything_that_needs_it_is_refused() {
    let name = "Postgres 2 s away";
    through_a_proxy(name, ProxyMode::Delay(TOO_FAR), &UNAVAILABLE, Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_far_away_everything_works_more_slowly() {
    let name = "Postgres 2 ms away";
    through_a_proxy(name, ProxyMode::Delay(FAR), &FINE, Harm::Nothing).await;
}

/// Tests a service with two connections while another client holds the locks of `statement`.
async fn while_held(name: &'static str, statement: &str, row: &Row) {
    let database = testservers::postgres().fresh_database();
    let url = database.url().to_owned();
    let place = setting(Place::on(folder(), Database::Postgres(database), 1));
    let mut scene = Scene::open(name, place.with("DATABASE__POOL_SIZE", "2")).await;
    let (other, connection) = tokio_postgres::connect(&url, NoTls)
        .await
        .expect("the database accepts connections");
    let connection = tokio::spawn(connection);
    scene.breaks();
    let held = other.batch_execute(&format!("BEGIN; {statement}")).await;
    held.expect("the locks are free");
    scene.expect(row).await;
    other
        .batch_execute("ROLLBACK")
        .await
        .expect("the transaction can be rolled back");
    scene.is_mended().await;
    drop(other);
    connection
        .await
        .expect("the task does not panic")
        .expect("the connection ends without an error");
    scene.close_and_look(Harm::Refusals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_table_is_locked_no_request_waits_for_long() {
    let row = Row {
        // These need no session, but do need one of the two connections.
        register: Cell::Either,
        ready: None,
        ..UNAVAILABLE
    };
    let statement = "LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE";
    while_held("a table held, pool of 2", statement, &row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_every_user_is_locked_no_request_waits_for_long() {
    let row = Row {
        register: Cell::Either,
        log_in: Cell::Refused,
        refresh: Cell::Either,
        me: Cell::Either,
        log_out: Cell::Either,
        change_roles: Cell::Refused,
        ready: None,
    };
    let statement = "SELECT id FROM users FOR UPDATE";
    while_held("all users held, pool of 2", statement, &row).await;
}
