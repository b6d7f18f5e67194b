use crate::{
    place::{POOL_SIZE, Place},
    seed::numbered_session,
};
use adapters_crypto::{HmacSealer, SystemClock, keys::AuditKey};
use adapters_postgres::{PoolSettings, PostgresDatabase, PostgresStorage};
use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use domain::{
    audit::Origin,
    ports::{Clock, Sessions},
    session::{Generation, OriginFingerprint, Rotation, SecretDigest, SessionId},
};
use std::{
    fs,
    process::{Command, Stdio},
    sync::Arc,
};
use testservers::Postgres;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// The value of each parameter of the statement in pgbench's script, in the statement's order.
///
/// pgbench's variables are numbers. Times therefore come from the server's clock, and the session's
/// id is derived from the number of pgbench's client.
const PARAMETERS: [&str; 18] = [
    ":to",
    // The creation, the origin of the rotation, and the two ends of the session. Any 20 bytes serve
    // as an origin.
    "now()",
    "substring(secret_digest for 20)",
    "now()",
    "now() + interval '30 days'",
    "now()",
    // The last check of the password.
    "now()",
    // The grace window, once for each column of the burst.
    "interval '10 seconds'",
    "interval '10 seconds'",
    "('00000000-0000-7000-8000-' || lpad(to_hex(:first::int + :client_id::int), 12, '0'))::uuid",
    ":from",
    // pgbench does not know the digest of a client's session. Comparing the column with itself
    // costs the same.
    "secret_digest",
    "now()",
    "now()",
    "'active'",
    // The three conditions on the session's user.
    "1",
    "1",
    "1",
];

/// Maximum number of rotations that were committed but not counted when pgbench stopped.
const MOST_CUT_OFF: f64 = 16.0;

/// Runs only the statement that rotates a session, in pgbench, with as many connections as a
/// replica.
pub struct RotationLimit<'a> {
    place: &'a Place,
    postgres: &'a Postgres,
}

impl<'a> RotationLimit<'a> {
    /// Returns `None` if the mode has no Postgres.
    pub fn new(place: &'a Place) -> Option<Self> {
        let postgres = place.postgres()?;
        Some(Self { place, postgres })
    }

    /// Returns the number of rotations per second.
    ///
    /// Each client rotates its own session, numbered from `first` on, which MUST be in its first
    /// generation.
    pub fn per_second(&self, runtime: &Runtime, first: usize, seconds: u64) -> Result<f64> {
        let script = self.place.folder().join("rotate.sql");
        let statement = runtime.block_on(self.statement())?;
        fs::write(&script, script_of(&statement)?)?;
        let output = Command::new(self.postgres.program("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .args([format!("--client={POOL_SIZE}"), format!("--time={seconds}")])
            .args(["--define=from=0".to_owned(), format!("--define=first={first}")])
            .arg("--file")
            .arg(&script)
            .arg(self.postgres.url())
            .stdin(Stdio::null())
            .output()
            .context("cannot run pgbench")?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {stderr}");
        let number = |label: &str| {
            let rest = stdout.lines().find_map(|line| line.strip_prefix(label));
            let word = rest.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.parse::<f64>().ok())
                .with_context(|| format!("pgbench did not print {label}: {stdout}"))
        };
        self.check_rotated(first, number("number of transactions actually processed: ")?)?;
        number("tps = ")
    }

    /// Returns the statement as the service prepares it. Executes it for no session, and reads it
    /// from that connection: those of the service may show the statement for several sessions.
    async fn statement(&self) -> Result<String> {
        let sealer = Arc::new(HmacSealer::new(&AuditKey::load(&self.place.keys())?));
        let database = PostgresDatabase::connect(self.postgres.url(), PoolSettings::default()).await?;
        let storage = PostgresStorage::new(&database, sealer);
        storage.rotate(of_no_session()).await?;
        let query = "SELECT query FROM pg_stat_activity WHERE query LIKE 'UPDATE \"sessions\" SET \"generation\"%' LIMIT 1";
        let statement = self.place.psql(query)?;
        ensure!(
            !statement.is_empty(),
            "no connection's last statement rotated a session"
        );
        Ok(statement)
    }

    /// Checks that the database contains the rotations that pgbench counted.
    fn check_rotated(&self, first: usize, counted: f64) -> Result<()> {
        let [from, until] = [first, first + POOL_SIZE].map(|number| numbered_session(number).0);
        let rotated = self.place.psql(&format!(
            "SELECT sum(generation) FROM sessions WHERE id >= '{from}' AND id < '{until}'"
        ))?;
        let rotated: f64 = rotated
            .trim()
            .parse()
            .context("psql did not print a number of rotations")?;
        let missing = (rotated - counted).abs();
        ensure!(
            missing <= MOST_CUT_OFF,
            "pgbench counted {counted} rotations, but the database contains {rotated}"
        );
        Ok(())
    }
}

fn of_no_session() -> Rotation {
    let now = SystemClock.now();
    Rotation {
        session: SessionId(Uuid::nil()),
        secret_digest: SecretDigest([0; 32]),
        from: Generation(0),
        to: Generation(1),
        at: now,
        idle_until: now,
        origin: OriginFingerprint::of(&Origin::default()),
        grace: TimeDelta::zero(),
    }
}

fn script_of(statement: &str) -> Result<String> {
    let mut script = statement.to_owned();
    for (index, value) in PARAMETERS.iter().enumerate().rev() {
        let placeholder = format!("${}", index + 1);
        ensure!(
            script.contains(&placeholder),
            "the statement changed; update PARAMETERS in limits/rotation.rs: {statement}"
        );
        script = script.replace(&placeholder, value);
    }
    ensure!(
        !script.contains('$'),
        "the statement has more parameters than limits/rotation.rs lists: {statement}"
    );
    Ok(format!("\\set to :from + 1\n{script};\n\\set from :to\n"))
}
