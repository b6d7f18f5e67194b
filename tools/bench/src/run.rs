//! `bench run`: measures all kinds of requests in all modes, and their limits in the same rounds.

mod observed;
mod rounds;
mod scene;

pub use observed::{observe, of_each, summary};
pub use scene::Scene;

use crate::{cli::Run, figures::Results, report, service};
use anyhow::Result;
use std::fs;

/// Measures the service, prints tables, and writes `results.json` and `chart.svg` to the output
/// folder.
///
/// # Errors
/// If a figure cannot be measured, or if more than one request in a thousand of a kind failed. Low
/// figures are not an error.
pub fn run(request: &Run) -> Result<()> {
    let binary = service::existing_binary(&request.binary)?;
    let extent = request.extent();
    let mut results = Results::new(extent)?;
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", report::heading(&results));
    for mode in request.modes() {
        let measured = rounds::measure(&runtime, mode, &binary, extent, &request.works(mode))?;
        // Print the tables now, because a later mode may fail.
        println!("{}", report::tables(&measured, results.cores));
        results.modes.push(measured);
    }
    results.write(&request.out)?;
    fs::write(request.out.join("chart.svg"), report::chart(&results))?;
    results.check()
}
