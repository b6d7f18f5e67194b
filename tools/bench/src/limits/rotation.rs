use crate::{
    place::{POOL_SIZE, Place},
    seed::numbered_session,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    process::{Command, Stdio},
};
use testservers::Postgres;

/// What each parameter of the statement becomes in pgbench's script, in the order in which the service sends them.
///
/// pgbench's variables are numbers; instants therefore come from the server's clock, and the session's id from the number of
/// pgbench's client.
const PARAMETERS: [&str; 12] = [
    ":to",
    "now()",
    "now() + interval '30 days'",
    "('00000000-0000-7000-8000-' || lpad(to_hex(:first::int + :client_id::int), 12, '0'))::uuid",
    ":from",
    // Every client's session has its own, which pgbench does not know: compared with itself it costs the same.
    "secret_digest",
    "now()",
    "now()",
    "'active'",
    // Of the three questions about the session's user.
    "1",
    "1",
    "1",
];

/// Clients that are cut off may each have committed one more.
const MOST_CUT_OFF: f64 = 16.0;

/// pgbench running the statement that rotates a session, and nothing else, over as many connections as a replica has.
pub struct RotationLimit<'a> {
    place: &'a Place,
    postgres: &'a Postgres,
}

impl<'a> RotationLimit<'a> {
    /// `None` where there is no Postgres.
    pub fn new(place: &'a Place) -> Option<Self> {
        let postgres = place.postgres()?;
        Some(Self { place, postgres })
    }

    /// Rotations per second. Each client rotates a session of its own, which MUST be at its first generation: those numbered
    /// from `first` on. The service MUST have rotated some on a connection that is still open: the statement is read there.
    pub fn per_second(&self, first: usize, seconds: u64) -> Result<f64> {
        let script = self.place.folder().join("rotate.sql");
        fs::write(&script, script_of(&self.statement()?)?)?;
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
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {complaint}");
        let number = |label: &str| {
            let rest = said.lines().find_map(|line| line.strip_prefix(label));
            let word = rest.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.parse::<f64>().ok())
                .with_context(|| format!("pgbench does not tell {label}: {said}"))
        };
        self.check_rotated(first, number("number of transactions actually processed: ")?)?;
        number("tps = ")
    }

    /// The statement as the service prepared it: the last one of a connection of its own.
    fn statement(&self) -> Result<String> {
        let query = "SELECT query FROM pg_stat_activity WHERE query LIKE 'UPDATE \"sessions\" SET \"generation\"%' LIMIT 1";
        let statement = self.place.psql(query)?;
        ensure!(!statement.is_empty(), "no connection rotated a session last");
        Ok(statement)
    }

    /// Whether pgbench did what it counted.
    fn check_rotated(&self, first: usize, counted: f64) -> Result<()> {
        let [from, until] = [first, first + POOL_SIZE].map(|number| numbered_session(number).0);
        let rotated = self.place.psql(&format!(
            "SELECT sum(generation) FROM sessions WHERE id >= '{from}' AND id < '{until}'"
        ))?;
        let rotated: f64 = rotated.trim().parse().context("a number of rotations")?;
        let missing = (rotated - counted).abs();
        ensure!(
            missing <= MOST_CUT_OFF,
            "pgbench counted {counted} rotations, and {rotated} are there"
        );
        Ok(())
    }
}

fn script_of(statement: &str) -> Result<String> {
    let mut script = statement.to_owned();
    for (index, value) in PARAMETERS.iter().enumerate().rev() {
        let placeholder = format!("${}", index + 1);
        ensure!(
            script.contains(&placeholder),
            "the statement has changed, say in limits/rotation.rs what its parameters are: {statement}"
        );
        script = script.replace(&placeholder, value);
    }
    ensure!(
        !script.contains('$'),
        "the statement has more parameters: {statement}"
    );
    Ok(format!("\\set to :from + 1\n{script};\n\\set from :to\n"))
}
